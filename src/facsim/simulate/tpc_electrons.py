"""Electrons that tracks set free near a pad row of the TPC, and their drift to the pads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facsim.physics import tpc
from facsim.physics.ionisation import TransferTable

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

REACH = 0.6
"""Electrons this far (cm) beyond a pad row still induce on it."""
SPREAD_X, SPREAD_Z = 5.0, 7.0
"""Parts of a track farther than this from its middle (cm) are outside of the window."""
LEAST_SLOPE = 1e-6
SIZES_AT_ONCE = 24
LARGEST_CLUSTER = 100
SHARED = 16


@dataclass(frozen=True)
class Tracks:
    """Straight pieces of tracks through pad rows; arrays of shape (T,).

    Attributes:
        event: response that a track belongs to. crossing, dip: angles, rad. drift: cm. beta_gamma: momentum over mass.
        half: half height of the pad row, cm. pad, time: place where it crosses the middle of the row, in pads and time
            buckets from the integer parts of the response's.
        low, high: the part of y from the middle of the row (cm) where the track is.
        deposit: energy lost there, keV; NaN where it is to be drawn.
    """

    event: IntArray
    crossing: FloatArray
    dip: FloatArray
    drift: FloatArray
    beta_gamma: FloatArray
    half: FloatArray
    pad: FloatArray
    time: FloatArray
    low: FloatArray
    high: FloatArray
    deposit: FloatArray

    @property
    def direction(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Along x, y and z of the sector, for a path of unit length."""
        return np.sin(self.crossing) * np.cos(self.dip), np.cos(self.crossing) * np.cos(self.dip), -np.sin(self.dip)


class Electrons(NamedTuple):
    """Electrons at the read-out: `track` (n,), place from where the track crosses the row's middle (n,), cm."""

    track: IntArray
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    z: NDArray[np.float32]


@lru_cache(maxsize=1)
def _sizes() -> NDArray[np.uint8]:
    """65 536 equally likely cluster sizes: HEED's distribution for P10 (MpdRoot's gas file), smooth above 40."""
    first = (
        63403, 19005, 7334, 3335, 1790, 1040, 663, 460, 340, 256, 209, 161, 129, 108, 95, 87, 79, 72, 63, 55, 55, 55,
        56, 58, 61, 58, 58, 51, 50, 46, 39, 36, 34, 30, 28.5, 28, 24, 22, 21.5, 19,
    )  # fmt: skip
    tail = 19 * (40 / np.arange(41, LARGEST_CLUSTER)) ** 2.73
    weights = np.concatenate([first, tail, [148]])
    edges = np.cumsum(weights) / weights.sum()
    return (np.searchsorted(edges, (np.arange(65_536) + 0.5) / 65_536) + 1).astype(np.uint8)


class _Steps(NamedTuple):
    track: IntArray
    start: FloatArray
    length: FloatArray


def free_electrons(
    tracks: Tracks, table: TransferTable, step: float, attachment: float, rng: np.random.Generator
) -> Electrons:
    """Collisions in steps, clusters evenly along a step, electrons diffused one by one (MpdRoot's recipe).

    Args:
        tracks: as given. table: collisions. step: cm. attachment: electrons lost per cm of drift.
    """
    steps = _cut_into_steps(tracks, step, rng)
    energy = _as_given(tracks, steps, _energies(tracks, steps, table, rng))
    of_step, place, size = _clusters((energy / tpc.W_VALUE).astype(np.int64), rng)
    along = (steps.start[of_step] + steps.length[of_step] * place).astype(np.float32)
    track = steps.track[of_step]
    if attachment:
        size = rng.binomial(size, np.exp(-attachment * tracks.drift[track]))
    return _drifted(tracks, np.repeat(track, size), np.repeat(along, size), rng)


def _cut_into_steps(tracks: Tracks, step: float, rng: np.random.Generator) -> _Steps:
    """Steps that begin anywhere, cut to what can be seen of each track."""
    along_x, along_y, along_z = tracks.direction
    slopes = [np.maximum(np.abs(one), LEAST_SLOPE) for one in (along_x, along_z)]
    room = np.minimum(SPREAD_X / slopes[0], SPREAD_Z / slopes[1])
    upwards = np.where(np.abs(along_y) < LEAST_SLOPE, LEAST_SLOPE, along_y)
    ends = np.sort([tracks.low / upwards, tracks.high / upwards], axis=0)
    low, high = np.clip(ends, -room, room)
    count = np.ceil((high - low) / step).astype(np.int64) + 1
    track = np.repeat(np.arange(len(count)), count)
    number = np.arange(len(track)) - np.repeat(np.cumsum(count) - count, count)
    begin = (low - step * rng.random(len(low)))[track] + step * number
    start, stop = np.maximum(begin, low[track]), np.minimum(begin + step, high[track])
    return _Steps(track, start, np.maximum(stop - start, 0.0))


def _energies(tracks: Tracks, steps: _Steps, table: TransferTable, rng: np.random.Generator) -> FloatArray:
    """Energy lost in each step, eV."""
    mean = table.collisions(tracks.beta_gamma)[steps.track] * steps.length
    number = rng.poisson(mean)
    of_step = np.repeat(np.arange(len(number)), number)
    each = table.energies(np.repeat(tracks.beta_gamma[steps.track], number), rng)
    return np.bincount(of_step, each, len(number)).astype(np.float64)


def _as_given(tracks: Tracks, steps: _Steps, energy: FloatArray) -> FloatArray:
    """The energies of steps scaled to the `deposit` of their track, where it has one; evenly where none was drawn."""
    given = np.isfinite(tracks.deposit)
    if not given.any():
        return energy
    drawn = np.bincount(steps.track, energy, len(given))
    path = np.bincount(steps.track, steps.length, len(given))
    share = np.where(drawn[steps.track] > 0, energy, steps.length)
    whole = np.where(drawn > 0, drawn, path)[steps.track]
    wanted = 1000 * np.where(given, tracks.deposit, 0.0)[steps.track]
    scaled = np.divide(wanted * share, whole, out=np.zeros_like(share), where=whole > 0)
    return np.asarray(np.where(given[steps.track], scaled, energy))


def _clusters(electrons: IntArray, rng: np.random.Generator) -> tuple[IntArray, FloatArray, IntArray]:
    """Clusters of steps with so many electrons: step, place in the step in (0, 1], size; the last ones are cut."""
    left, count = electrons.copy(), np.zeros(len(electrons), dtype=np.int64)
    open_steps, parts = np.flatnonzero(left > 0), []
    sizes = _sizes()
    while len(open_steps):
        drawn = sizes[rng.integers(0, 65_536, (len(open_steps), SIZES_AT_ONCE), dtype=np.uint16)].astype(np.int64)
        total = np.cumsum(drawn, axis=1)
        size = np.minimum(drawn, left[open_steps, None] - (total - drawn))
        row, column = np.nonzero(size > 0)
        parts.append((open_steps[row], count[open_steps[row]] + column + 1, size[row, column]))
        count[open_steps] += np.bincount(row, minlength=len(open_steps))
        left[open_steps] -= np.minimum(total[:, -1], left[open_steps])
        open_steps = open_steps[left[open_steps] > 0]
    if not parts:
        none = np.zeros(0, dtype=np.int64)
        return none, np.zeros(0), none
    step, number, size = (np.concatenate(column) for column in zip(*parts, strict=True))
    return step, number / count[step], size


def _drifted(tracks: Tracks, track: IntArray, along: NDArray[np.float32], rng: np.random.Generator) -> Electrons:
    """Electrons set free at the path length `along` of their track, after diffusion."""
    root = np.sqrt(tracks.drift)
    width = (tpc.DIFFUSION_TRANSVERSE, tpc.DIFFUSION_TRANSVERSE, tpc.DIFFUSION_LONGITUDINAL)
    noise = rng.standard_normal((3, len(track)), dtype=np.float32)
    places = []
    for direction, normal, spread in zip(tracks.direction, noise, width, strict=True):
        diffused = normal * (spread * root).astype(np.float32)[track]
        places.append(diffused + along * direction.astype(np.float32)[track])
    return Electrons(track, *places)
