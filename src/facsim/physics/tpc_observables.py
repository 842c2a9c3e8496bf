"""High-level quantities of local responses of the TPC (arXiv 2012.04595): charge, its place and its spread."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.physics.quantity import Quantity
from facsim.physics.tpc_window import PAD_LOW, PADS, TIME_LOW, TIMES, as_images

FloatArray = NDArray[np.float64]

TPC_QUANTITIES = (
    Quantity("mean_pad", r"$\langle$pad$\rangle$", "pad"),
    Quantity("mean_time", r"$\langle$time$\rangle$", "time bucket"),
    Quantity("var_pad", r"$\sigma^2_\mathrm{pad}$", "pad$^2$"),
    Quantity("var_time", r"$\sigma^2_\mathrm{time}$", "bucket$^2$"),
    Quantity("cov", r"cov(pad, time)", "pad bucket"),
    Quantity("log_sum", r"$\log_{10}(1+\sum A)$", "ADC"),
    Quantity("hits", "cells above threshold"),
    Quantity("log_max", r"$\log_{10}(1+\max A)$", "ADC"),
    Quantity("pads", "pads above threshold"),
    Quantity("times", "time buckets above threshold"),
)
MOMENTS = ("mean_pad", "mean_time", "var_pad", "var_time", "cov")


def tpc_observables(x: NDArray[Any]) -> FloatArray:
    """Quantities of responses, columns as `TPC_QUANTITIES`.

    Pads and time buckets count from the integer parts of the pad coordinate and the drift length. Moments are weighted
    by the amplitude; those of an empty response are 0.

    Args:
        x: (N, 128, 1), (N, 128) or (N, 8, 16) amplitudes.

    Returns:
        (N, 10) float64.
    """
    image = as_images(np.asarray(x)).astype(np.float64)
    by_pad, by_time = image.sum(axis=2), image.sum(axis=1)
    total = by_pad.sum(axis=1)
    norm = np.where(total > 0, total, 1.0)
    pad, time = np.arange(PADS, dtype=np.float64), np.arange(TIMES, dtype=np.float64)
    mean_pad, mean_time = by_pad @ pad / norm, by_time @ time / norm
    var_pad = by_pad @ pad**2 / norm - mean_pad**2
    var_time = by_time @ time**2 / norm - mean_time**2
    cov = np.einsum("npt,p,t->n", image, pad, time, optimize=True) / norm - mean_pad * mean_time
    lit = image > 0
    some = total > 0
    columns = [
        np.where(some, mean_pad + PAD_LOW, 0.0),
        np.where(some, mean_time + TIME_LOW, 0.0),
        np.maximum(var_pad, 0.0),
        np.maximum(var_time, 0.0),
        cov,
        np.log10(1 + np.maximum(total, 0.0)),
        lit.sum(axis=(1, 2)),
        np.log10(1 + np.maximum(image.max(axis=(1, 2)), 0.0)),
        lit.any(axis=2).sum(axis=1),
        lit.any(axis=1).sum(axis=1),
    ]
    return np.column_stack(columns).astype(np.float64)


def log_amplitudes(x: NDArray[Any]) -> FloatArray:
    """log10(1 + A) of all cells, (N, 128): what networks are trained on."""
    flat = as_images(np.asarray(x)).reshape(len(x), PADS * TIMES).astype(np.float64)
    return np.asarray(np.log10(1 + np.maximum(flat, 0.0)))


def shapes(x: NDArray[Any]) -> FloatArray:
    """Responses divided by their sums, (N, 128): what is left when the amplitude is not looked at."""
    flat = as_images(np.asarray(x)).reshape(len(x), PADS * TIMES).astype(np.float64)
    total = flat.sum(axis=1, keepdims=True)
    return np.asarray(flat / np.where(total > 0, total, 1.0))
