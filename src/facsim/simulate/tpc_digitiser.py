"""The detailed digitiser of the TPC: amplitudes in pads and time buckets around a track in one pad row.

Ionisation in single collisions, clusters, diffusion of every electron, fluctuations of its gain, induction on three
pads, shaping and threshold, with the constants of MPD (MpdRoot; arXiv 2012.04595). Many responses at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.physics import tpc
from facsim.physics.ionisation import transfer_table
from facsim.physics.tpc_window import CONDITIONS, CROSSING, DIP, DRIFT, PAD, PAD_LOW, PADS, PT, ROW, TIME_LOW, TIMES
from facsim.simulate.tpc_electrons import REACH, Tracks, free_electrons
from facsim.simulate.tpc_readout import extended, induced_charge, pad_gains, shaper
from facsim.simulate.tpc_settings import DigitiserSettings

FloatArray = NDArray[np.float64]

AT_ONCE = 1000
SECOND_CROSSING, SECOND_DIP = 20.0, 60.0
"""Largest angles of a second track, deg."""


def digitise(
    cond: NDArray[Any],
    rng: np.random.Generator,
    settings: DigitiserSettings | None = None,
    *,
    span: NDArray[Any] | None = None,
    deposit: NDArray[Any] | None = None,
) -> NDArray[np.float32]:
    """Responses at given conditions.

    Args:
        cond: (N, 6), columns as `physics.tpc_window.CONDITIONS`: angles in degrees, drift length in time buckets, pad
            coordinate in pads, pad row, pT in GeV. Steep angles and drift lengths near 0 are fine.
        rng: of all draws.
        settings: of the digitiser.
        span: (N, 2), the part of y from the middle of the pad row (cm) where the track is; by default all of it, and
            what of the neighbouring rows induces on this one.
        deposit: (N,), energy in keV that the track loses in its span inside of the window; NaN where it is drawn.

    Returns:
        (N, 128, 1) amplitudes, 8 pads x 16 time buckets (`physics.tpc_window.WINDOW`), 0 below the threshold.

    Raises:
        FacsimError: conditions of another shape, not finite, no pad row, or no momentum.
    """
    used = settings or DigitiserSettings()
    checked = checked_conditions(cond)
    out = np.zeros((len(checked), PADS * TIMES, 1), dtype=np.float32)
    for first in range(0, len(checked), AT_ONCE):
        part = slice(first, first + AT_ONCE)
        some = [None if each is None else np.asarray(each, dtype=np.float64)[part] for each in (span, deposit)]
        tracks = _tracks(checked[part], used, some[0], some[1])
        if used.effects.second_track:
            tracks = _with_second(tracks, used.effects.second_track, rng)
        out[part, :, 0] = _response(checked[part], tracks, used, rng).reshape(-1, PADS * TIMES)
    return out


def checked_conditions(cond: NDArray[Any]) -> FloatArray:
    """Conditions (N, 6) as float64.

    Raises:
        FacsimError: as `digitise`.
    """
    values = np.asarray(cond, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != len(CONDITIONS):
        names = ", ".join(feature.name for feature in CONDITIONS)
        raise FacsimError(f"a TPC response needs the conditions ({names}), not an array of shape {values.shape}.")
    for k, feature in enumerate(CONDITIONS):
        wrong = np.flatnonzero(~np.isfinite(values[:, k]))
        if len(wrong):
            raise FacsimError(f"'{feature.name}' of response {wrong[0]} is {values[wrong[0], k]}, not a finite number.")
    tpc.check_rows(values[:, ROW])
    wrong = np.flatnonzero(values[:, PT] <= 0)
    if len(wrong):
        raise FacsimError(
            f"the pT of a track must be above 0 GeV; that of response {wrong[0]} is {values[wrong[0], PT]}."
        )
    return values


def _tracks(cond: FloatArray, settings: DigitiserSettings, span: Any, deposit: Any) -> Tracks:
    n, half = len(cond), 0.5 * tpc.row_height(cond[:, ROW])
    ends = np.column_stack([-half - REACH, half + REACH]) if span is None else span
    return Tracks(
        event=np.arange(n),
        crossing=np.radians(cond[:, CROSSING]),
        dip=np.radians(cond[:, DIP]),
        drift=tpc.drift_cm(cond[:, DRIFT]),
        beta_gamma=tpc.beta_gamma(cond[:, PT], cond[:, DIP], tpc.MASSES[settings.species]),
        half=half,
        pad=cond[:, PAD] % 1,
        time=cond[:, DRIFT] % 1,
        low=np.maximum(ends[:, 0], -half - REACH),
        high=np.minimum(ends[:, 1], half + REACH),
        deposit=np.full(n, np.nan) if deposit is None else deposit,
    )


def _with_second(tracks: Tracks, probability: float, rng: np.random.Generator) -> Tracks:
    """Beside some tracks another one of the same momentum, anywhere in the window."""
    chosen = np.flatnonzero(rng.random(len(tracks.event)) < probability)
    n = len(chosen)
    values = {name: getattr(tracks, name)[chosen] for name in vars(tracks)}
    values["crossing"] = np.radians(rng.uniform(-SECOND_CROSSING, SECOND_CROSSING, n))
    values["dip"] = np.radians(rng.uniform(-SECOND_DIP, SECOND_DIP, n))
    values["pad"] = rng.uniform(PAD_LOW, PAD_LOW + PADS, n) - 0.5
    values["time"] = rng.uniform(TIME_LOW, TIME_LOW + TIMES, n) - 0.5
    values["low"], values["high"] = -values["half"] - REACH, values["half"] + REACH
    values["deposit"] = np.full(n, np.nan)
    return Tracks(**{name: np.concatenate([getattr(tracks, name), values[name]]) for name in vars(tracks)})


def _response(cond: FloatArray, tracks: Tracks, settings: DigitiserSettings, rng: np.random.Generator) -> FloatArray:
    """Amplitudes (N, 8, 16) of the tracks of N responses."""
    effects = settings.effects
    table = transfer_table(settings.intervals, settings.highest, 1e9 * tpc.MASSES[settings.species])
    electrons = free_electrons(tracks, table, settings.step, effects.attachment, rng)
    charge = induced_charge(electrons, tracks, len(cond), effects, rng)
    amplitude = settings.scale * (charge @ shaper(effects.shaper))
    seen = ((charge > 0).astype(np.float32) @ extended(settings.extension)) > 0
    if effects.gain_map:
        amplitude *= pad_gains(cond, effects.gain_map)[:, :, None]
    if effects.noise:
        amplitude += effects.noise * rng.standard_normal(amplitude.shape)
        seen = np.ones_like(seen)
    if effects.saturation is not None:
        amplitude = np.minimum(amplitude, effects.saturation)
    return np.where(seen & (amplitude >= settings.threshold), amplitude, 0.0)
