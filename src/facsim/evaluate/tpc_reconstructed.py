"""Full TPC events made of local responses and reconstructed: what is known of each track and cluster afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.rng import generator
from facsim.physics import tpc
from facsim.physics.helix import Crossings, Helices, conditions_of
from facsim.physics.tpc_plane import PadPlane, Responder, fill_plane, plane_group
from facsim.physics.tpc_reco.clusters import Clusters, find_clusters
from facsim.physics.tpc_reco.dedx import truncated_mean
from facsim.physics.tpc_reco.finder import FinderSettings, find_tracks
from facsim.physics.tpc_reco.fit import FittedTracks, fit_tracks
from facsim.physics.tpc_reco.matching import truth_of_clusters, truth_of_tracks
from facsim.physics.tpc_reco.points import PointErrors, calibrated_errors

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

BLOCK = 50_000
"""Crossings of the events that are reconstructed together."""
PURE = 0.95
MATCHED = 0.5
FEWEST_FOR_DEDX = 15


@dataclass(frozen=True)
class ClusterTable:
    """Clusters of one track each that are not at an edge; arrays of shape (M,).

    `truth`: track. `row`. `drift`: cm. `slope_x`, `slope_z`: dx/dy and dz/dy of the track. `off_pad`, `off_time`: place
    less the track's in the middle of the pad row, cm. `charge`: ADC.
    """

    truth: IntArray
    row: IntArray
    drift: FloatArray
    slope_x: FloatArray
    slope_z: FloatArray
    off_pad: FloatArray
    off_time: FloatArray
    charge: FloatArray


@dataclass(frozen=True)
class TrackTable:
    """Reconstructed tracks; arrays of shape (T,), `parameters` and `covariance` as in `FittedTracks`.

    `truth`: simulated track, -1 where there is none; `part`: that track's part of the clusters. `points`: clusters in
    the fit. `dedx`: truncated mean, ADC/cm. `pulls_pad`, `pulls_time`: mean squares of the pulls of a track's clusters.
    """

    truth: IntArray
    part: FloatArray
    points: IntArray
    parameters: FloatArray
    covariance: FloatArray
    dedx: FloatArray
    pulls_pad: FloatArray
    pulls_time: FloatArray


@dataclass(frozen=True)
class Reconstructed:
    """All events of one role. `shown`: pad plane of the first block, for pictures; `cells`, `found`: cells and clusters
    in all events."""

    tracks: TrackTable
    clusters: ClusterTable
    shown: PadPlane
    cells: int
    found: int


@dataclass(frozen=True)
class Truth:
    """Simulated tracks, where they cross pad rows, and the conditions (K, 6) of the local responses there."""

    tracks: Helices
    crossings: Crossings
    cond: FloatArray

    @classmethod
    def of(cls, tracks: Helices, crossings: Crossings, mass: float) -> Truth:
        """As seen by local responses to particles of `mass`, GeV."""
        return cls(tracks, crossings, conditions_of(tracks, crossings, mass))

    @property
    def rows(self) -> IntArray:
        """Pad rows in whose pads each track lies, (T,)."""
        inside = np.abs(self.crossings.x) < 0.5 * tpc.PAD_WIDTH * tpc.pads_of_row(self.crossings.row)
        return np.bincount(self.crossings.track[inside], minlength=len(self.tracks)).astype(np.int64)

    @property
    def group(self) -> IntArray:
        """Pad row of each crossing, see `plane_group`."""
        c = self.crossings
        return plane_group(self.tracks.event[c.track], c.side * tpc.SECTORS + c.sector, c.row)

    def blocks(self) -> Iterator[IntArray]:
        """Crossings of a few whole events at a time."""
        event = self.tracks.event[self.crossings.track]
        order = np.argsort(event, kind="stable")
        count = np.bincount(event)
        block = (np.cumsum(count) - 1) // BLOCK
        for number in np.unique(block[count > 0]):
            yield order[block[event[order]] == number]


@dataclass(frozen=True)
class Reading:
    """How events are read out and reconstructed: `threshold` and `saturation` in ADC; see `FinderSettings`."""

    threshold: float = 3.0
    saturation: float | None = 1023.0
    finder: FinderSettings = field(default_factory=FinderSettings)


def reconstruct(
    truth: Truth,
    responder: Responder,
    seed: int,
    role: str,
    reading: Reading,
    advance: Callable[[float], None] | None = None,
) -> Reconstructed:
    """Events of all local responses of a responder, reconstructed.

    Args:
        responder: see `tpc_plane.Responder`. seed, role: name its random numbers. advance: of the fraction done.
    """
    rng, done = generator(seed, "tpc", "responses", role), 0
    tables: list[tuple[TrackTable, ClusterTable]] = []
    shown, cells, found = None, 0, 0
    for block in truth.blocks():
        plane = _plane(truth, block, responder, rng, reading)
        clusters, of_cell = find_clusters(plane)
        label, pure = truth_of_clusters(plane, of_cell, len(clusters))
        fitted = fit_tracks(find_tracks(clusters, reading.finder), clusters, reading.finder.errors)
        known = _clusters(truth, block, clusters, np.where(pure > PURE, label, -1))
        tables.append((_tracks(fitted, label), known))
        shown = plane if shown is None else shown
        cells, found, done = cells + len(plane), found + len(clusters), done + len(block)
        if advance is not None:
            advance(done / len(truth.cond))
    if shown is None:
        shown = _plane(truth, np.zeros(0, dtype=np.int64), responder, rng, reading)
        clusters, _ = find_clusters(shown)
        none = np.zeros(0, dtype=np.int64)
        fitted = fit_tracks(find_tracks(clusters), clusters)
        tables.append((_tracks(fitted, none), _clusters(truth, none, clusters, none)))
    tracks, known = (_joined([table[k] for table in tables]) for k in (0, 1))
    return Reconstructed(tracks, known, shown, cells, found)


def calibrate(truth: Truth, responder: Responder, seed: int, reading: Reading) -> PointErrors:
    """Errors of clusters as a detailed simulation gives them, from the first events.

    Raises:
        FacsimError: too few clusters.
    """
    block = next(truth.blocks(), np.zeros(0, dtype=np.int64))
    plane = _plane(truth, block, responder, generator(seed, "tpc", "responses", "calibration"), reading)
    clusters, of_cell = find_clusters(plane)
    label, pure = truth_of_clusters(plane, of_cell, len(clusters))
    known = _clusters(truth, block, clusters, np.where(pure > PURE, label, -1))
    off = np.stack([known.off_pad, known.off_time])
    return calibrated_errors(off, known.drift, (known.slope_x, known.slope_z), known.row)


def _plane(truth: Truth, block: IntArray, responder: Responder, rng: np.random.Generator, reading: Reading) -> PadPlane:
    track, group = truth.crossings.track[block], truth.group[block]
    cond, limit = truth.cond[block], reading.saturation
    return fill_plane(cond, group, track, responder, rng, threshold=reading.threshold, saturation=limit)


def _clusters(truth: Truth, block: IntArray, clusters: Clusters, label: IntArray) -> ClusterTable:
    """Clusters at the crossing of their track; the nearest one where it crosses a pad row twice."""
    crossings, many = truth.crossings[block], int(clusters.group.max(initial=0)) + 1
    key = crossings.track * many + truth.group[block]
    order = np.argsort(key, kind="stable")
    usable = np.flatnonzero((label >= 0) & ~clusters.edge)
    wanted = label[usable] * many + clusters.group[usable]
    at = np.minimum(np.searchsorted(key[order], wanted), max(len(order) - 1, 0))
    hit = (key[order][at] == wanted) if len(order) else np.zeros(len(usable), dtype=bool)
    usable, crossed = usable[hit], crossings[order[at[hit]]]
    some = clusters[usable]
    angle = np.radians(crossed.crossing)
    dip = np.radians(crossed.dip)
    return ClusterTable(
        crossed.track, some.row, some.drift, np.tan(angle), np.tan(dip) / np.cos(angle),
        some.x - crossed.x, some.drift - (crossed.drift + tpc.BUCKET_SHIFT) * tpc.BUCKET_LENGTH, some.charge,
    )  # fmt: skip


def _tracks(fitted: FittedTracks, label: IntArray) -> TrackTable:
    truth, part = truth_of_tracks(fitted.clusters, label)
    points = np.maximum(fitted.points, 1)
    squares = [np.nansum(pull**2, axis=1) / points for pull in (fitted.pull_pad, fitted.pull_time)]
    dedx = truncated_mean(fitted.charge_per_cm, fewest=FEWEST_FOR_DEDX)
    return TrackTable(truth, part, fitted.points, fitted.parameters, fitted.covariance, dedx, *squares)


def _joined(tables: list[Any]) -> Any:
    first = tables[0]
    columns = (np.concatenate([getattr(table, column.name) for table in tables]) for column in fields(first))
    return type(first)(*columns)
