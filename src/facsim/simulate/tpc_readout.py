"""Read-out of the TPC: induction on pads, fluctuations of the gain, shaping."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from facsim.core.rng import generator
from facsim.physics import tpc
from facsim.physics.tpc_window import PAD, PAD_LOW, PADS, ROW, TIME_LOW, TIMES
from facsim.simulate.tpc_electrons import Electrons, Tracks
from facsim.simulate.tpc_settings import TPCEffects

FloatArray = NDArray[np.float64]

INDUCTION = 0.196
"""Width s of the induction on pads, cm, as erf(x / s)."""
NEAR = 3 * INDUCTION
POLYA, GEM = 2.5, 1 / 0.78**2
GAUSSIAN_WIDTH = 190.0 / (2 * np.sqrt(2 * np.log(2))) / tpc.BUCKET
"""Of the shaper, time buckets."""
PEAKING = 160.0 / tpc.BUCKET
MARGIN = 8
"""Time buckets beyond the window whose electrons reach into it."""
BINS = 1024


def induced_charge(
    electrons: Electrons, tracks: Tracks, n: int, effects: TPCEffects, rng: np.random.Generator
) -> FloatArray:
    """Charge in electrons of mean gain by pad and time bucket, (n, 8, 32): eight buckets beyond each side."""
    track, x, y, z = electrons
    if effects.exb:
        x = x + np.float32(effects.exb) * (y - np.float32(effects.wire_pitch) * np.rint(y / effects.wire_pitch))
    beyond = np.abs(y) - tracks.half.astype(np.float32)[track]
    pads = tracks.pad.astype(np.float32)[track] + x * np.float32(1 / tpc.PAD_WIDTH)
    pad = np.floor(pads + np.float32(0.5))
    time = np.floor((tracks.time + tpc.BUCKET_SHIFT).astype(np.float32)[track] + z * np.float32(1 / tpc.BUCKET_LENGTH))
    inside = (beyond < NEAR) & (pad >= PAD_LOW - 1) & (pad <= PAD_LOW + PADS)
    inside &= (time >= TIME_LOW - MARGIN) & (time < TIME_LOW + TIMES + MARGIN)
    track, y, pads, pad, time = track[inside], y[inside], pads[inside], pad[inside], time[inside]
    shape = GEM if effects.gain == "gem" else POLYA
    charge = rng.standard_gamma(shape, len(track), dtype=np.float32) * np.float32(1 / shape)
    half = tracks.half.astype(np.float32)[track]
    charge = charge * 0.5 * (erf((half - y) / np.float32(INDUCTION)) + erf((half + y) / np.float32(INDUCTION)))
    rows, columns = PADS + 4, TIMES + 2 * MARGIN
    middle = pad.astype(np.int64) - PAD_LOW + 2
    cell = (tracks.event[track] * rows + middle) * columns + time.astype(np.int64) - TIME_LOW + MARGIN
    shares = _shares()[:, ((pads - pad + np.float32(0.5)) * BINS).astype(np.int64)]
    found = np.zeros(n * rows * columns)
    for k, share in enumerate(shares):
        found += np.bincount(cell + (k - 1) * columns, charge * share, len(found))
    return found.reshape(n, rows, columns)[:, 2 : 2 + PADS]


@lru_cache(maxsize=1)
def _shares() -> NDArray[np.float32]:
    """Charge on the pad before, below and after an electron by its place in the pad, (3, BINS + 1)."""
    place = (np.arange(BINS + 1) + 0.5) / BINS - 0.5
    edges = erf((np.arange(4)[:, None] - 1.5 - place) * tpc.PAD_WIDTH / INDUCTION)
    return np.asarray(0.5 * np.diff(edges, axis=0), dtype=np.float32)


def _lags() -> NDArray[np.int64]:
    """Read-out bucket less the electron's, (32, 16)."""
    return np.arange(TIMES)[None, :] - (np.arange(TIMES + 2 * MARGIN)[:, None] - MARGIN)


@lru_cache(maxsize=2)
def shaper(kind: str) -> NDArray[np.float64]:
    """Amplitude in each read-out bucket (16) of an electron in each bucket (32), 1 in the peak."""
    lag = _lags().astype(np.float64)
    if kind == "gaussian":
        return np.where(np.abs(lag) <= 5 * GAUSSIAN_WIDTH, np.exp(-0.5 * (lag / GAUSSIAN_WIDTH) ** 2), 0.0)
    after = np.maximum(lag / PEAKING + 1, 0.0)
    return np.asarray(after**4 * np.exp(4 * (1 - after)))


@lru_cache(maxsize=4)
def extended(extension: int) -> NDArray[np.float32]:
    """1 where a read-out bucket (16) is at most `extension` buckets from an electron's (32)."""
    return (np.abs(_lags()) <= extension).astype(np.float32)


@lru_cache(maxsize=4)
def _gain_map(spread: float) -> FloatArray:
    most = int(tpc.pads_of_row(np.arange(tpc.ROWS)).max())
    return np.maximum(1 + spread * generator(0, "tpc", "gain map").standard_normal((tpc.ROWS, most)), 0.1)


def pad_gains(cond: FloatArray, spread: float) -> FloatArray:
    """Gains of the pads of the windows at the conditions (N, 6): (N, 8)."""
    gains = _gain_map(spread)
    pad = np.floor(cond[:, PAD]).astype(np.int64)[:, None] + PAD_LOW + np.arange(PADS)
    return np.asarray(gains[cond[:, ROW].astype(np.int64)[:, None], np.clip(pad, 0, gains.shape[1] - 1)])
