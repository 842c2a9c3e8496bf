"""Local responses of the MPD TPC as events: what a track leaves in 8 pads x 16 time buckets of one pad row.

The window lies around the track: pad - int(pad coordinate) in [-3, 5), bucket - int(drift length) in [-7, 9)
(arXiv 2012.04595).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.image import regular_image
from facsim.core.schema import Feature, Schema

PADS, TIMES = 8, 16
PAD_LOW, TIME_LOW = -3, -7
THRESHOLD = 0.9
CROSSING, DIP, DRIFT, PAD, ROW, PT = range(6)
"""Columns of the conditions."""

CONDITIONS = (
    Feature("crossing_angle", "deg"),
    Feature("dip_angle", "deg"),
    Feature("drift_length", "time bucket"),
    Feature("pad_coordinate", "pad"),
    Feature("pad_row"),
    Feature("pt", "GeV"),
)
AMPLITUDE = (Feature("amplitude", "ADC"),)
WINDOW = regular_image(
    "mpd-tpc",
    (PAD_LOW - 0.5, PAD_LOW + PADS - 0.5, PADS),
    (TIME_LOW - 0.5, TIME_LOW + TIMES - 0.5, TIMES),
    units=("pad", "time bucket"),
    threshold=THRESHOLD,
)
"""Edges relative to the integer parts of pad coordinate and drift length; integers are middles of cells."""


def tpc_schema(conditions: int = len(CONDITIONS), provenance: Mapping[str, Any] | None = None) -> Schema:
    """Schema of local responses with the first `conditions` of `CONDITIONS`."""
    return Schema("grid", AMPLITUDE, CONDITIONS[:conditions], WINDOW, dict(provenance or {}))


def is_tpc(schema: Schema) -> bool:
    """Whether events are local responses of the TPC."""
    return schema.geometry is not None and schema.geometry.same_cells(WINDOW)


def window_origin(cond: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First pad and first time bucket of the window of each response at the conditions (N, K), K >= 4.

    Raises:
        FacsimError: conditions without drift length and pad coordinate.
    """
    if cond.ndim != 2 or cond.shape[1] <= PAD:
        raise FacsimError(f"the place of a TPC window needs four conditions or more, not an array of {cond.shape}.")
    pad, drift = (np.floor(cond[:, k]).astype(np.int64) for k in (PAD, DRIFT))
    return pad + PAD_LOW, drift + TIME_LOW


def as_images(x: NDArray[Any]) -> NDArray[Any]:
    """Responses (N, 128, 1), (N, 128) or (N, 8, 16) as (N, 8, 16).

    Raises:
        FacsimError: another number of cells.
    """
    if x.size != len(x) * PADS * TIMES:
        raise FacsimError(f"a TPC response has {PADS} x {TIMES} cells; these events have the shape {x.shape[1:]}.")
    return x.reshape(len(x), PADS, TIMES)
