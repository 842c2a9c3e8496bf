"""Samples with known differences: the Gaussian toy of arXiv 2211.10295 (section IV), and distorted showers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from facsim.core.events import Events
from facsim.core.geometry import CylinderGeometry, Geometry
from facsim.core.schema import Schema

FloatArray = NDArray[np.float64]
Toy = Callable[[int, np.random.Generator], FloatArray]
Distort = Callable[[Events, np.random.Generator], Events]

COVARIANCE = np.array([[1.0, 0.25], [0.25, 1.0]])
MEAN = np.zeros(2)
ALIVE = 0.99
SHARE_LOST = 0.1
LAYER_SCALE = 1.2
SHARE_OUTWARDS = 0.2


def _gaussian(mean: FloatArray, covariance: FloatArray) -> Toy:
    return lambda n, rng: rng.multivariate_normal(mean, covariance, n)


def _mixture(mu: float) -> Toy:
    """Two Gaussians at +-(mu, mu) with the mean and covariance of the truth."""

    def draw(n: int, rng: np.random.Generator) -> FloatArray:
        centre = mu * rng.choice([-1.0, 1.0], (n, 1))
        return np.asarray(centre + rng.multivariate_normal(MEAN, COVARIANCE - mu**2, n))

    return draw


TOY_TRUTH = _gaussian(MEAN, COVARIANCE)
TOYS: dict[str, Toy] = {
    "mean shifted by 1": _gaussian(np.array([1.0, 0.0]), COVARIANCE),
    "mean shifted by 0.1": _gaussian(np.array([0.1, 0.0]), COVARIANCE),
    "no correlation": _gaussian(MEAN, np.diag(np.diag(COVARIANCE))),
    "covariance x 10": _gaussian(MEAN, 10 * COVARIANCE),
    "covariance / 10": _gaussian(MEAN, COVARIANCE / 10),
    "mixture 0.6": _mixture(0.6),
    "mixture 0.75": _mixture(0.75),
}

PUBLISHED: dict[str, tuple[float, ...]] = {
    "sliced_w1": (284, 7, 16, 2460, 241, 5.2, 44),
    "fpd": (11960, 134, 336, 112_000, 11_000, 1.3, 0),
    "kpd": (790, 3, 19, 920_000, 204, 2.3, 16),
    "precision": (12, 0, 0.4, 119, 0, 0, 0),
    "recall": (5, 0.2, 0, 0, 420, 0.8, 0),
    "density": (2, np.nan, 0.3, 109, 0, np.nan, 0.7),
    "coverage": (44, 0.5, 2, 104, 164, 1.1, 65),
}
"""Significances of arXiv 2211.10295 for `TOYS` in order, with 50 000 events; Wasserstein there is the full optimal
transport, FPD and KPD are its FGD and MMD with the quartic kernel. NaN where the table gives no significance."""
PUBLISHED |= {f"{name}_jetnet": PUBLISHED[name] for name in ("fpd", "kpd")}


def scaled(events: Events, rng: np.random.Generator) -> Events:
    """All cell energies 2 % larger."""
    return replace(events, x=events.x * 1.02)


def smeared(events: Events, rng: np.random.Generator) -> Events:
    """Each shower's energy times a normal factor of width 5 %."""
    factor = rng.normal(1.0, 0.05, (len(events), 1, 1)).astype(events.x.dtype)
    return replace(events, x=events.x * factor)


def layer_scaled(events: Events, rng: np.random.Generator) -> Events:
    """Cell energies of one layer, that with the most energy, 5 % larger."""
    factor = np.where(_geometry(events).layer_index == hottest_layer(events), LAYER_SCALE, 1.0).astype(events.x.dtype)
    return replace(events, x=events.x * factor[:, None])


def widened(events: Events, rng: np.random.Generator) -> Events:
    """Each cell gives 20 % of its energy to its neighbour one ring outwards where that has energy, too.

    Layers keep their energies, and no cell lights up: the number of cells hit would give it away.
    """
    geometry = _geometry(events)
    rings = geometry.n_rings[geometry.layer_index]
    inner = np.flatnonzero(geometry.ring_index < rings - 1)
    x = events.x.copy()
    given = np.where(x[:, inner + 1] > 0, SHARE_OUTWARDS * x[:, inner], 0).astype(x.dtype)
    x[:, inner] -= given
    x[:, inner + 1] += given
    return replace(events, x=x)


def hottest_layer(events: Events) -> int:
    """The layer with the most energy, summed over the showers."""
    return int(_geometry(events).layer_sum(events.cells.mean(axis=0)[None])[0].argmax())


def _geometry(events: Events) -> Geometry:
    geometry = events.schema.geometry
    assert geometry is not None
    return geometry


def dead(events: Events, rng: np.random.Generator) -> Events:
    """One cell in a hundred silent, the same in all showers."""
    return replace(events, x=events.x * (rng.random((1, events.x.shape[1], 1)) < ALIVE))


def cut(events: Events, rng: np.random.Generator) -> Events:
    """The tenth of the showers with the lowest response replaced by others: a tail that is missing."""
    response = events.x.sum(axis=(1, 2)) / events.condition("incident_energy")
    order = np.argsort(response)
    lost, kept = np.split(order, [int(SHARE_LOST * len(order))])
    chosen = np.arange(len(events))
    chosen[lost] = rng.choice(kept, len(lost))
    return events[chosen]


def shuffled(events: Events, rng: np.random.Generator) -> Events:
    """Each layer taken from one of the showers nearest in incident energy: layers without their correlations."""
    geometry = _geometry(events)
    order = np.argsort(events.condition("incident_energy"))
    x = events.x.copy()
    for layer in range(geometry.n_layers):
        cells = np.flatnonzero(geometry.layer_index == layer)
        swapped = order.copy()
        for first in range(0, len(order), 4):
            swapped[first : first + 4] = rng.permutation(order[first : first + 4])
        x[np.ix_(order, cells)] = events.x[np.ix_(swapped, cells)]
    return replace(events, x=x)


DISTORTIONS: dict[str, Distort] = {
    "cells x 1.02": scaled,
    "one layer x 1.2": layer_scaled,
    "response smeared by 5 %": smeared,
    "20 % one ring outwards": widened,
    "1 % of cells dead": dead,
    "low tail missing": cut,
    "layers uncorrelated": shuffled,
}


def distortions_of(schema: Schema) -> dict[str, Distort]:
    """The distortions that these showers can take: energy moves to the next ring on a cylinder only."""
    if isinstance(schema.geometry, CylinderGeometry):
        return DISTORTIONS
    return {name: distort for name, distort in DISTORTIONS.items() if distort is not widened}
