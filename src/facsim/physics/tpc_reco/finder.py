"""Track finding: seeds followed through all pad rows, those that share clusters resolved."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from facsim.physics import tpc
from facsim.physics.tpc_plane import plane_group
from facsim.physics.tpc_reco.clusters import Clusters
from facsim.physics.tpc_reco.filter import Filter
from facsim.physics.tpc_reco.points import ClusterIndex, PointErrors
from facsim.physics.tpc_reco.seeds import find_seeds

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

HALF_WIDTHS = 0.5 * tpc.PAD_WIDTH * tpc.pads_of_row(np.arange(tpc.ROWS))
"""Of the pad rows along x, cm."""


@dataclass(frozen=True)
class FinderSettings:
    """How tracks are found.

    Args:
        starts: outer pad rows of seeds, in the order in which they are tried. spacing: between the rows of a seed.
        gate: largest chi2 (two degrees of freedom) of a cluster that is taken. misses: pad rows without a cluster, one
            after another, after which a track ends. fewest: clusters of a track. owned: part of a track's clusters that
            must belong to no better one.
        errors: of clusters.
    """

    starts: tuple[int, ...] = (52, 48, 42, 36, 30, 24, 18, 12)
    spacing: int = 4
    gate: float = 25.0
    misses: int = 6
    fewest: int = 10
    owned: float = 0.6
    errors: PointErrors = field(default_factory=PointErrors)


@dataclass(frozen=True)
class FoundTracks:
    """Tracks as found.

    Attributes:
        clusters: cluster in each pad row, -1 where there is none, (T, 53). event: (T,).
        state: the filter's, at the innermost row that was reached.
    """

    clusters: IntArray
    event: IntArray
    x: FloatArray
    y: FloatArray
    z: FloatArray
    psi: FloatArray
    kappa: FloatArray
    tan_lambda: FloatArray
    azimuth: IntArray

    def __len__(self) -> int:
        return len(self.event)


def find_tracks(clusters: Clusters, settings: FinderSettings | None = None) -> FoundTracks:
    """Tracks of all events at once; every cluster belongs to one track at most."""
    used, index = settings or FinderSettings(), ClusterIndex(clusters)
    free, parts = np.ones(len(clusters), dtype=bool), []
    for start in used.starts:
        rows = (start - 2 * used.spacing, start - used.spacing, start)
        if rows[0] < 0 or len(clusters) == 0:
            continue
        seeds, states = find_seeds(index, free, rows, used.errors)
        if not len(seeds):
            continue
        table = np.full((len(seeds), tpc.ROWS), -1, dtype=np.int64)
        table[:, rows] = seeds
        event = index.event[seeds[:, 0]]
        misfit = _follow(index, free, states, event, table, used)
        kept = _resolve(table, misfit, used)
        free[table[kept][table[kept] >= 0]] = False
        parts.append(_found(states, table, event, kept))
    if not parts:
        none, table = np.zeros(0), np.zeros((0, tpc.ROWS), dtype=np.int64)
        return FoundTracks(table, table[:, 0], none, none, none, none, none, none, table[:, 0])
    return FoundTracks(*(np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])))


def _follow(
    index: ClusterIndex, free: NDArray[np.bool_], states: Filter, event: IntArray, table: IntArray, used: FinderSettings
) -> FloatArray:
    """Clusters from the seed inwards, then back outwards into the rows still empty; mean chi2 of each track."""
    chi2 = np.zeros(len(event))
    seeded = int(np.flatnonzero(table[0] >= 0)[0])
    for rows in (range(seeded - 1, -1, -1), range(tpc.ROWS)):
        alive, missed = np.ones(len(event), dtype=bool), np.zeros(len(event), dtype=np.int64)
        outwards = rows.step > 0
        for row in rows:
            here = alive & (states.y < tpc.row_centre(row)) if outwards else alive
            at = np.flatnonzero(here)
            if not len(at):
                continue
            ok = states.to_row(at, row)
            alive[at[~ok]] = False
            at = at[ok]
            at = at[table[at, row] < 0]
            _take(index, free, states, (at, event[at], row), table, (chi2, missed), used)
            alive &= missed <= used.misses
    return np.asarray(chi2 / np.maximum((table >= 0).sum(axis=1), 1))


def _take(
    index: ClusterIndex,
    free: NDArray[np.bool_],
    states: Filter,
    where: tuple[IntArray, IntArray, int],
    table: IntArray,
    counts: tuple[FloatArray, IntArray],
    used: FinderSettings,
) -> None:
    """The nearest cluster of each track in a pad row, if it has one near enough."""
    at, event, row = where
    chi2, missed = counts
    x, z = states.across[at, 0], states.along[at, 0]
    rows = np.full(len(at), row)
    drift = tpc.DRIFT_LENGTH - np.abs(z)
    var_x, var_z = used.errors.variances(drift, *states.slopes(at), rows)
    spread = (var_x + states.cov_across[at, 0, 0], var_z + states.cov_along[at, 0, 0])
    group = plane_group(event, np.where(z < 0, tpc.SECTORS, 0) + states.azimuth[at], rows)
    found, least = index.nearest(group, (x, z), spread, free, used.gate)
    hit = found >= 0
    table[at[hit], row] = found[hit]
    chi2[at[hit]] += least[hit]
    missed[at[hit]] = 0
    readable = (np.abs(x) < HALF_WIDTHS[row] - tpc.PAD_WIDTH) & (drift > 0)
    missed[at[~hit & readable]] += 1
    taken = found[hit]
    states.update(at[hit], index.x[taken], index.z[taken], var_x[hit], var_z[hit])


def _resolve(table: IntArray, misfit: FloatArray, used: FinderSettings) -> IntArray:
    """Tracks to keep, best first; clusters that a better track has are taken from the others (in `table`)."""
    count = (table >= 0).sum(axis=1)
    alive = count >= used.fewest
    while True:
        rank = np.lexsort((misfit, -count))
        place = np.empty(len(rank), dtype=np.int64)
        place[rank] = np.arange(len(rank))
        place[~alive] = len(rank)
        has = table >= 0
        best = np.full(int(table.max(initial=-1)) + 1, len(rank), dtype=np.int64)
        np.minimum.at(best, table[has], np.broadcast_to(place[:, None], table.shape)[has])
        mine = has & (best[table] == place[:, None])
        owned = mine.sum(axis=1)
        lost = alive & ((owned < used.owned * count) | (owned < used.fewest))
        if not lost.any():
            break
        # of the tracks that lose, only those whose better rivals stay for certain go now
        firm = ~lost & alive
        worst = np.full(len(best), False)
        worst[table[firm][table[firm] >= 0]] = True
        against_firm = (has & worst[table]).sum(axis=1)
        going = lost & ((count - against_firm < used.owned * count) | (count - against_firm < used.fewest))
        alive[going if going.any() else lost] = False
    table[~mine] = -1
    return np.flatnonzero(alive)


def _found(states: Filter, table: IntArray, event: IntArray, kept: IntArray) -> FoundTracks:
    x, sine, kappa = states.across[kept].T
    z, tan_lambda = states.along[kept].T
    return FoundTracks(
        table[kept], event[kept], x, states.y[kept], z, np.arcsin(sine), kappa, tan_lambda, states.azimuth[kept]
    )
