"""Checks and scalings that the metrics of two samples share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError

FloatArray = NDArray[np.float64]

SIGMA_QUANTILES = (0.15865525393145707, 0.8413447460685429)
CLIP = 8.0


def check_values(name: str, values: NDArray[Any]) -> FloatArray:
    """One-dimensional sample as float64.

    Raises:
        FacsimError: empty, not one-dimensional, or not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or len(array) == 0:
        raise FacsimError(f"the {name} sample must be a list of numbers, not an array of shape {array.shape}.")
    return _finite(name, array)


def check_features(real: NDArray[Any], gen: NDArray[Any]) -> tuple[FloatArray, FloatArray]:
    """Two feature arrays (N, D) and (M, D) as float64, D alike, at least two events each.

    Raises:
        FacsimError: shapes that do not fit, or values that are not finite.
    """
    x, y = np.asarray(real, dtype=np.float64), np.asarray(gen, dtype=np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < 2:
        raise FacsimError(
            f"two samples of features need shapes (N, D) and (M, D) with at least two events, not {x.shape} "
            f"and {y.shape}."
        )
    return _finite("reference", x), _finite("generated", y)


def _finite(name: str, array: FloatArray) -> FloatArray:
    bad = int(np.count_nonzero(~np.isfinite(array)))
    if bad:
        raise FacsimError(f"the {name} sample holds {bad} values that are not finite numbers; remove those events.")
    return array


def scale_by_largest(real: FloatArray, gen: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Both samples divided by the largest |value| of the reference, feature by feature (jetnet 0.2.5)."""
    largest = np.max(np.abs(real), axis=0)
    largest[largest == 0] = 1.0
    return real / largest, gen / largest


def scale_robustly(real: FloatArray, gen: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Both samples in units of the reference's central 68 % half-width around its median, limited to +-8.

    A few extreme events decide neither the scale nor the result. Where the central half-width is below a tenth
    of the standard deviation (a feature that is mostly constant), the latter is the unit; where that is zero too, 1.
    """
    centre = np.median(real, axis=0)
    low, high = np.quantile(real, SIGMA_QUANTILES, axis=0)
    width, spread = 0.5 * (high - low), np.std(real, axis=0)
    unit = np.where(width < 0.1 * spread, spread, width)
    unit[unit <= 1e-12 * np.maximum(np.abs(centre), 1e-300)] = 1.0
    return np.clip((real - centre) / unit, -CLIP, CLIP), np.clip((gen - centre) / unit, -CLIP, CLIP)
