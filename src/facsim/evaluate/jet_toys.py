"""Jets with known differences: the distortions of arXiv 2211.10295 (section V), and the numbers published there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.physics.jets import jet_features

FloatArray = NDArray[np.float64]
JetArray = NDArray[np.floating]
Weigh = Callable[[FloatArray, np.random.Generator], FloatArray]
Change = Callable[[JetArray, np.random.Generator], JetArray]

MASS_BINS = 25
LARGEST_KEPT = 0.17
ETA, PT, ALL = (0,), (2,), (0, 1, 2)


def relative_mass(jets: JetArray) -> FloatArray:
    """m / pT of jets (N, P, 3), columns eta, phi, pT relative to the jet: (N,)."""
    return np.asarray(jet_features(jets)["mass"], dtype=np.float64)


def _reshaped(mean: float, width: float) -> Weigh:
    """Weights that give the masses the histogram of masses times a normal number."""

    def weigh(mass: FloatArray, rng: np.random.Generator) -> FloatArray:
        edges = np.linspace(0.0, mass.max(), MASS_BINS + 1)
        have = np.histogram(mass, edges)[0]
        want = np.histogram(mass * rng.normal(mean, width, len(mass)), edges)[0]
        ratio = np.divide(want, have, out=np.zeros(MASS_BINS), where=have > 0)
        return np.asarray(ratio[np.clip(np.searchsorted(edges, mass, side="right") - 1, 0, MASS_BINS - 1)])

    return weigh


def _scaled(columns: tuple[int, ...], mean: float, width: float) -> Change:
    """Every particle's columns times normal numbers, one each; a pT does not become negative."""

    def change(jets: JetArray, rng: np.random.Generator) -> JetArray:
        changed = jets.copy()
        for column in columns:
            factor = rng.normal(mean, width, jets.shape[:2])
            changed[:, :, column] *= np.maximum(factor, 0.0) if column in PT else factor
        return changed

    return change


MASS_DISTORTIONS: dict[str, Weigh] = {
    "mass smeared": _reshaped(1.0, 0.25),
    "mass shifted": _reshaped(1.1, 0.05),
    "mass tail removed": lambda mass, rng: np.asarray(mass < LARGEST_KEPT, dtype=np.float64),
}
"""Of the distribution of jets: the weight of each, from the relative masses (N,) of all."""

PARTICLE_DISTORTIONS: dict[str, Change] = {
    "all smeared": _scaled(ALL, 1.0, 0.25),
    "eta smeared": _scaled(ETA, 1.0, 0.25),
    "pT smeared": _scaled(PT, 1.0, 0.25),
    "pT shifted": _scaled(PT, 0.9, 0.1),
}
"""Of the particles: jets (N, P, 3) to as many changed ones; padding stays 0."""

JET_DISTORTIONS = (*MASS_DISTORTIONS, *PARTICLE_DISTORTIONS)


def distorted(name: str, pool: JetArray, n: int, rng: np.random.Generator) -> JetArray:
    """`n` jets of `pool` (N, P, 3) with the distortion `name`: the first `n` changed, or `n` of all drawn by weight.

    Raises:
        FacsimError: an unknown distortion, or a weight that leaves no jet.
    """
    if name in PARTICLE_DISTORTIONS:
        return PARTICLE_DISTORTIONS[name](pool[:n], rng)
    if name not in MASS_DISTORTIONS:
        raise FacsimError(f"there is no distortion '{name}' of jets: expected one of {', '.join(JET_DISTORTIONS)}.")
    return pool[drawn(MASS_DISTORTIONS[name](relative_mass(pool), rng), n, rng)]


def drawn(weights: FloatArray, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Indices (n,) drawn by weight so that each comes floor or ceil(n w / sum w) times: systematic resampling.

    From a pool twice as large, events with weights up to 2 come once at most. Drawing with replacement would repeat
    many of them, and every metric would see that besides the distortion.

    Raises:
        FacsimError: weights that sum to 0.
    """
    total = weights.sum()
    if not total > 0:
        raise FacsimError("all jets have weight 0 under this distortion: are the masses relative to the jets' pT?")
    order = rng.permutation(len(weights))
    steps = np.cumsum(weights[order]) / total * n
    chosen = np.searchsorted(steps, np.arange(n) + rng.random(), side="right")
    return order[np.minimum(chosen, len(order) - 1)]


PUBLISHED_JETS: dict[str, tuple[float, ...]] = {
    "w1_mass": (37, 114, 7, 28, 12, 4, 111),
    "sliced_w1": (6, 7, 0.06, 14, 0.8, 0.9, 4),
    "fpd": (580, 760, 66, 610, 103, 64, 830),
    "kpd": (30, 170, 6, 70, 10, 3, 360),
    "precision": (np.nan, np.nan, 0.1, 1.9, np.nan, 2, 0.9),
    "recall": (0.2, np.nan, np.nan, 0.6, np.nan, 0.8, 1.1),
}
"""Significances of arXiv 2211.10295 for `JET_DISTORTIONS` in order, on the same 36 polynomials of 50 000 gluon jets a
sample; Wasserstein there is the full optimal transport. NaN where the table gives no significance."""
PUBLISHED_JETS |= {f"{name}_jetnet": PUBLISHED_JETS[name] for name in ("fpd", "kpd")}

PUBLISHED_VALUES: dict[str, tuple[float, ...]] = {"c2st": (0.53, 0.55, 0.50, 0.84, 0.64, 0.74, 0.92)}
"""Values that are published without significance: the AUC of a network on the same polynomials."""
