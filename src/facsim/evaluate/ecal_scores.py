"""Numbers of the reconstructed calorimeter: a sample against truth, both answering the same particles.

Two responders are given the same particles, so that what differs is their showers alone. Errors are of bootstraps that
resample particles (or collisions) in both samples alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from facsim.core.rng import generator
from facsim.evaluate.ecal_reconstruction import PionsSeen, SingleSeen
from facsim.metrics.protocols import STRICT
from facsim.metrics.score import Score
from facsim.physics.ecal_map import CellMap, FloatArray, IntArray
from facsim.physics.ecal_photons import PION_MASS

RESAMPLES = 100
FEWEST = 40
HALF_WIDTH = (0.1587, 0.8413)
MASS_RANGE = (0.3 * PION_MASS, 2.0 * PION_MASS)
ENERGY_BINS = 4
Statistic = Callable[[FloatArray], float]


def median(values: FloatArray) -> float:
    """Median of what is finite."""
    return float(np.nanmedian(values)) if np.isfinite(values).any() else math.nan


def width(values: FloatArray) -> float:
    """Half of the interval that holds the middle 68.3 % of what is finite, of all columns together."""
    finite = values[np.isfinite(values)]
    return float(np.diff(np.quantile(finite, HALF_WIDTH))[0] / 2) if len(finite) > 1 else math.nan


def mean(values: FloatArray) -> float:
    """Mean of all values."""
    return float(np.mean(values)) if len(values) else math.nan


@dataclass(frozen=True)
class Seen:
    """One responder's reconstruction.

    Attributes:
        photons, pions: single photons and pions.
        display: energies of the displayed event on the fine grid of its part of the face, MeV in a cell.
        counts: clusters of each collision (C,), and `sums`, their energy (C,) MeV; empty without collisions.
        masses: of all pairs of photons in the collisions (P,), MeV.
    """

    photons: SingleSeen
    pions: PionsSeen
    display: FloatArray
    counts: FloatArray = field(default_factory=lambda: np.zeros(0))
    sums: FloatArray = field(default_factory=lambda: np.zeros(0))
    masses: FloatArray = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True)
class Given:
    """What the responders were given: zone of the single photons and their energy (N,), energy and transverse momentum
    of the pions (M,), and the zone of their more energetic photon (M,)."""

    zone: IntArray
    energy: FloatArray
    pion_energy: FloatArray
    pion_pt: FloatArray
    pion_zone: IntArray


@dataclass(frozen=True)
class Measure:
    """A statistic of values of each particle, compared between samples as a ratio or a difference."""

    name: str
    statistic: Statistic
    values: Callable[[Seen], FloatArray]
    ratio: bool
    chosen: NDArray[np.bool_] | None = None
    note: str = ""

    def compare(self, a: Seen, b: Seen, rng: np.random.Generator) -> tuple[float, float, tuple[int, int]]:
        """The statistic of `b` over that of `a` (or minus it), its error, and the numbers of finite values."""
        x, y = (self.values(seen) for seen in (a, b))
        if self.chosen is not None:
            x, y = x[self.chosen], y[self.chosen]
        counts = (int(np.isfinite(x).sum()), int(np.isfinite(y).sum()))
        if min(counts) < FEWEST:
            return math.nan, math.nan, counts
        rows = (rng.integers(0, len(x), len(x)) for _ in range(RESAMPLES))
        spread = np.nanstd([self._against(x[row], y[row]) for row in rows], ddof=1)
        return self._against(x, y), float(spread), counts

    def _against(self, x: FloatArray, y: FloatArray) -> float:
        first, second = self.statistic(x), self.statistic(y)
        if not self.ratio:
            return second - first
        return second / first if first else math.nan


def measures(given: Given, place: CellMap, collisions: bool) -> Iterator[Measure]:
    """All that is compared."""
    mass_note = f"pairs of {MASS_RANGE[0]:.0f} to {MASS_RANGE[1]:.0f} MeV"
    yield Measure("pi0_mass_ratio", median, _mass, True, note=f"median mass of two clusters; {mass_note}.")
    yield Measure("pi0_width_ratio", width, _mass, True, note=f"half of the middle 68.3 %; {mass_note}.")
    merged = "pions whose photons make one cluster"
    yield Measure("merged_fraction_difference", mean, lambda s: s.pions.merged, False, note=f"{merged}.")
    edges = np.quantile(given.pion_energy, np.linspace(0, 1, ENERGY_BINS + 1))
    for k in range(ENERGY_BINS):
        inside = (given.pion_energy >= edges[k]) & (given.pion_energy <= edges[k + 1])
        note = f"{merged}, {edges[k] / 1e3:.3g} to {edges[k + 1] / 1e3:.3g} GeV."
        yield Measure(f"merged_fraction_difference_E{k + 1}", mean, lambda s: s.pions.merged, False, inside, note)
    yield Measure("resolved_fraction_difference", mean, lambda s: s.pions.resolved, False, note="two clusters.")
    for k, zone in enumerate(place.zones):
        here = given.zone == k
        name = f"in the {zone.name} zone."
        yield Measure(
            f"cluster_response_ratio_{zone.name}",
            median,
            lambda s: s.photons.response,
            True,
            here,
            f"E / E true, {name}",
        )
        yield Measure(
            f"cluster_resolution_ratio_{zone.name}",
            width,
            lambda s: s.photons.response,
            True,
            here,
            f"of E / E true, {name}",
        )
        yield Measure(
            f"position_resolution_ratio_{zone.name}",
            width,
            lambda s: s.photons.apart,
            True,
            here,
            f"of x and y of impact, {name}",
        )
    found = "single photons that are seen as a cluster"
    yield Measure("found_fraction_difference", mean, _found, False, note=f"{found}.")
    yield Measure("clusters_of_photons_ratio", mean, lambda s: s.photons.clusters, True, note="clusters of one photon.")
    if collisions:
        yield Measure("clusters_of_collisions_ratio", mean, lambda s: s.counts, True, note="clusters of a collision.")
        yield Measure("energy_of_collisions_ratio", mean, lambda s: s.sums, True, note="energy of all clusters.")


def scores(samples: dict[str, Seen], given: Given, place: CellMap, seed: int) -> list[Score]:
    """The generated sample against the reference, and as null the second truth sample against it."""
    collisions = len(samples["reference"].counts) >= FEWEST
    found = []
    for measure in measures(given, place, collisions):
        null, value = (
            measure.compare(samples["reference"], samples[role], generator(seed, "ecal", "errors", measure.name))
            for role in ("null", "generated")
        )
        status = "ok" if math.isfinite(value[0]) else "not computed"
        note = measure.note if status == "ok" else f"{measure.note} Fewer than {FEWEST} values in a sample."
        found.append(
            Score(measure.name, STRICT, *value[:2], *null[:2], *value[2], seed, status=status, better="null", note=note)
        )
    return found


def _mass(seen: Seen) -> FloatArray:
    mass = seen.pions.mass
    return np.where((mass > MASS_RANGE[0]) & (mass < MASS_RANGE[1]), mass, np.nan)


def _found(seen: Seen) -> FloatArray:
    return np.isfinite(seen.photons.response).astype(np.float64)
