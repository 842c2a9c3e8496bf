"""Energies and points of impact of clusters, corrected with single photons whose energy and impact are known.

Three corrections, in this order, fitted in closed form. The shower's depth: a photon from the interaction point that
enters at x is seen at x (1 + d / z), with d linear in ln E. The S-shape: the mean of cell centres is pulled to the
middle of the cell, so the offset from the middle of the seed becomes the mean true offset at that value, by zone, an
odd function. The energy: true over measured as a polynomial in ln E and in the point's offset in the cell, by zone,
since a cluster of 3 x 3 cells holds less of a shower that enters near a side.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from facsim.core.errors import FacsimError
from facsim.physics.ecal_clusters import Clusters
from facsim.physics.ecal_map import CellMap, FloatArray, IntArray

BINS = 30
FEWEST = 60
REJECTED = 4.0
ROUNDS = 3


@dataclass(frozen=True)
class Photons:
    """Photon candidates: `event` (K,), `energy` (K,) MeV and `point` (K, 2) of impact, mm, seen from the interaction
    point, and `seed`, the cell that seeded the cluster."""

    event: IntArray
    energy: FloatArray
    point: FloatArray
    seed: IntArray

    def __len__(self) -> int:
        return len(self.event)


@dataclass(frozen=True)
class Calibration:
    """Corrections of clusters on `place`.

    Args:
        place: the map.
        depth: d (mm) at 1 GeV of measured energy, and its change per unit of ln E.
        measured, true: offset from the middle of the seed in cell widths, (zones, BINS) each, increasing.
        energy: coefficients of `_terms` by zone, (zones, T).
    """

    place: CellMap
    depth: FloatArray
    measured: FloatArray
    true: FloatArray
    energy: FloatArray

    def __call__(self, clusters: Clusters) -> Photons:
        """Photon candidates, one for each cluster."""
        zone, offset = self.place.zone[clusters.seed], _offset(clusters, self.place)
        size, centre = self.place.size[clusters.seed, None], self.place.centres[clusters.seed]
        moved = np.empty_like(offset)
        for k in range(len(self.measured)):
            here = zone == k
            magnitude = np.interp(np.abs(offset[here]), self.measured[k], self.true[k])
            moved[here] = np.copysign(magnitude, offset[here])
        factor = np.einsum("nt,nt->n", _terms(clusters.energy, moved), self.energy[zone])
        point = (centre + moved * size) / (1.0 + self._depth(clusters.energy)[:, None] / self.place.z)
        return Photons(clusters.event, clusters.energy * factor, point, clusters.seed)

    def _depth(self, energy: FloatArray) -> FloatArray:
        return np.asarray(self.depth[0] + self.depth[1] * np.log(energy / 1e3))


def fit_calibration(clusters: Clusters, energy: FloatArray, point: FloatArray, place: CellMap) -> Calibration:
    """Corrections from clusters of one photon each, with its true energy (K,) MeV and point of impact (K, 2) mm.

    Raises:
        FacsimError: a zone has too few clusters.
    """
    zone = place.zone[clusters.seed]
    counts = np.bincount(zone, minlength=len(place.zones))
    if counts.min() < FEWEST:
        few = place.zones[int(counts.argmin())].name
        raise FacsimError(
            f"the calibration of clusters needs {FEWEST} photons in each zone, and there are {counts.min()} in the "
            f"{few} zone: simulate more of them."
        )
    depth = _fit_depth(clusters, point, place)
    seen = point * (1.0 + (depth[0] + depth[1] * np.log(clusters.energy / 1e3))[:, None] / place.z)
    true = (seen - place.centres[clusters.seed]) / place.size[clusters.seed, None]
    offset = _offset(clusters, place)
    curves, factors = [], []
    for k in range(len(place.zones)):
        here = zone == k
        curves.append(_fit_shape(offset[here], true[here]))
        moved = np.copysign(np.interp(np.abs(offset[here]), *curves[-1]), offset[here])
        terms = _terms(clusters.energy[here], moved)
        factors.append(_robust_fit(terms, energy[here] / clusters.energy[here]))
    measured, corrected = np.array(curves).transpose(1, 0, 2)
    return Calibration(place, depth, measured, corrected, np.array(factors))


def _offset(clusters: Clusters, place: CellMap) -> FloatArray:
    """Mean of cell centres from the middle of the seed, in widths of the seed (K, 2)."""
    return np.asarray((clusters.point - place.centres[clusters.seed]) / place.size[clusters.seed, None])


def _fit_depth(clusters: Clusters, point: FloatArray, place: CellMap) -> FloatArray:
    """Depth and its change with ln E from the displacement away from the beam; the S-shape averages out."""
    slope = point / place.z
    log = np.log(clusters.energy / 1e3)[:, None]
    weight = 1.0 / place.size[clusters.seed, None]
    terms = np.stack([(slope * weight).ravel(), (slope * log * weight).ravel()], axis=1)
    return _robust_fit(terms, ((clusters.point - point) * weight).ravel())


def _fit_shape(offset: FloatArray, true: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean true offset against the measured one, both from 0 on; x and y, and both signs, are taken together."""
    measured, signed = np.abs(offset).ravel(), (true * np.sign(offset)).ravel()
    edges = np.quantile(measured, np.linspace(0, 1, BINS))
    knots, values = [0.0], [0.0]
    for low, high in pairwise(edges):
        inside = (measured >= low) & (measured <= high)
        knots.append(float(measured[inside].mean()))
        values.append(float(np.median(signed[inside])))
    return np.array(knots), np.maximum.accumulate(np.array(values))


def _terms(energy: FloatArray, offset: FloatArray) -> FloatArray:
    """Terms (K, 6) of true over measured energy: 1, ln E, ln^2 E, squares of the offsets, their sum's square,
    product."""
    log = np.log(energy / 1e3)
    x, y = np.clip(offset, -0.6, 0.6).T ** 2
    return np.stack([np.ones_like(log), log, log**2, x + y, (x + y) ** 2, x * y], axis=1)


def _robust_fit(terms: FloatArray, value: FloatArray) -> FloatArray:
    """Least squares, repeated without what lies `REJECTED` widths away: photons that were not seen as one cluster."""
    kept = np.ones(len(value), dtype=bool)
    for _ in range(ROUNDS):
        fit = np.linalg.lstsq(terms[kept], value[kept], rcond=None)[0]
        distance = np.abs(value - terms @ fit)
        kept = distance <= REJECTED * 1.4826 * np.median(distance[kept]) + 1e-12
    return np.asarray(fit)
