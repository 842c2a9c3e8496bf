"""Full events of the TPC: local responses put on the pad plane, as a sparse list of cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.physics import tpc
from facsim.physics.tpc_window import PADS, TIMES, as_images, window_origin

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Responder = Callable[[NDArray[Any], np.random.Generator], NDArray[Any]]
"""Amplitudes (N, 128[, 1]) of local responses at conditions (N, 6)."""

AT_ONCE = 10_000
SECTORS = tpc.SIDES * tpc.SECTORS
PAD_SLOTS, TIME_SLOTS = 128, 512
"""Cells between the first ones of neighbouring pad rows and pads in `cell_key`: there are always empty ones."""


def plane_group(event: IntArray, sector: IntArray, row: IntArray) -> IntArray:
    """Number of a pad row among those of all events; `sector` is 0 to 23, the side z < 0 from 12 on."""
    return (event * SECTORS + sector) * tpc.ROWS + row


def cell_key(group: IntArray, pad: IntArray, bucket: IntArray) -> IntArray:
    """Number of a cell; that of neighbours differs by 1 (time) and `TIME_SLOTS` (pad)."""
    return (group * PAD_SLOTS + pad + 1) * TIME_SLOTS + bucket + 1


class OnPadRows:
    """What lies on pad rows, whose numbers are `group` (N,), see `plane_group`."""

    group: IntArray

    @property
    def row(self) -> IntArray:
        return self.group % tpc.ROWS

    @property
    def sector(self) -> IntArray:
        """0 to 23, the side z < 0 from 12 on."""
        return self.group // tpc.ROWS % SECTORS

    @property
    def event(self) -> IntArray:
        return self.group // tpc.ROWS // SECTORS


@dataclass(frozen=True)
class PadPlane(OnPadRows):
    """Cells of events, sorted by event, sector, row, pad and bucket.

    Attributes:
        group: pad row of a cell, see `plane_group`, (C,). pad, bucket: (C,). amplitude: ADC, above 0, (C,).
        part_cell, part_track, part_amplitude: what each track has put into which cell, (P,); empty for real data.
    """

    group: IntArray
    pad: IntArray
    bucket: IntArray
    amplitude: FloatArray
    part_cell: IntArray
    part_track: IntArray
    part_amplitude: FloatArray

    def __len__(self) -> int:
        return len(self.group)

    @property
    def key(self) -> IntArray:
        """Numbers of the cells, increasing."""
        return cell_key(self.group, self.pad, self.bucket)


def fill_plane(
    cond: FloatArray,
    group: IntArray,
    track: IntArray,
    responder: Responder,
    rng: np.random.Generator,
    *,
    threshold: float = 0.0,
    saturation: float | None = None,
    advance: Callable[[float], None] | None = None,
) -> PadPlane:
    """Local responses as one pad plane: amplitudes in one cell add, what lies beyond the pads or the read-out is lost.

    Args:
        cond: (N, 6), see `tpc_window.CONDITIONS`. group: pad rows (N,), see `plane_group`. track: (N,).
        responder: local responses, called for `AT_ONCE` conditions at a time. rng: given to it.
        threshold: cells below it are empty, ADC. saturation: largest amplitude, e.g. 1023 for ten bits.
        advance: called with the fraction done.

    Raises:
        FacsimError: arrays of different lengths, or a responder that gives other than so many finite amplitudes.
    """
    if not len(cond) == len(group) == len(track):
        raise FacsimError(f"{len(cond)} conditions came with {len(group)} pad rows and {len(track)} track numbers.")
    keys, owners, amplitudes = [], [], []
    for first in range(0, len(cond), AT_ONCE):
        part = slice(first, first + AT_ONCE)
        key, response, amplitude = _cells(cond[part], group[part], _answer(responder, cond[part], rng))
        keys.append(key)
        owners.append(track[part][response])
        amplitudes.append(amplitude)
        if advance is not None:
            advance(min(1.0, (first + AT_ONCE) / len(cond)))
    none = np.zeros(0, dtype=np.int64)
    key, owner = np.concatenate([none, *keys]), np.concatenate([none, *owners])
    return _summed(key, owner, np.concatenate([np.zeros(0), *amplitudes]), threshold, saturation)


def _answer(responder: Responder, cond: FloatArray, rng: np.random.Generator) -> FloatArray:
    x = np.asarray(responder(cond, rng))
    if len(x) != len(cond):
        raise FacsimError(f"the responder gave {len(x)} responses at {len(cond)} conditions.")
    images = as_images(x).astype(np.float64)
    if not np.isfinite(images).all():
        raise FacsimError("the responder gave amplitudes that are not finite.")
    return images


def _cells(cond: FloatArray, group: IntArray, images: FloatArray) -> tuple[IntArray, IntArray, FloatArray]:
    """Keys, responses and amplitudes of the cells with a signal."""
    response, i, j = np.nonzero(images > 0)
    first_pad, first_bucket = window_origin(cond)
    pad, bucket = first_pad[response] + i, first_bucket[response] + j
    read = (pad >= 0) & (pad < tpc.pads_of_row(group % tpc.ROWS)[response]) & (bucket >= 0) & (bucket < tpc.BUCKETS)
    response, pad, bucket = response[read], pad[read], bucket[read]
    amplitude = images.reshape(-1)[(response * PADS + i[read]) * TIMES + j[read]]
    return cell_key(group[response], pad, bucket), response, amplitude


def _summed(key: IntArray, owner: IntArray, amplitude: FloatArray, threshold: float, most: float | None) -> PadPlane:
    cells, index = np.unique(key, return_inverse=True)
    total = np.bincount(index, amplitude, len(cells)).astype(np.float64)
    if most is not None:
        total = np.minimum(total, most)
    kept = total >= max(threshold, np.finfo(np.float64).tiny)
    new = np.cumsum(kept) - 1
    part = kept[index]
    cells = cells[kept]
    pads = cells // TIME_SLOTS
    return PadPlane(
        pads // PAD_SLOTS,
        pads % PAD_SLOTS - 1,
        cells % TIME_SLOTS - 1,
        total[kept],
        new[index[part]],
        owner[part],
        amplitude[part],
    )
