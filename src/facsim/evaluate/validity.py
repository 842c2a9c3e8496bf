"""Counts of showers that cannot be: not numbers, negative, below threshold, without energy, out of range, repeated."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import EventSource, chunks
from facsim.core.sources import batch_rows

FORMAT = "facsim-validity-1"
MARGIN = 0.1
BATCH_MB = 32.0
INCIDENT = "incident_energy"


@dataclass
class _Counts:
    """Running counts of one sample; `seen` holds a short hash of every shower."""

    cells_not_finite: int = 0
    cells_negative: int = 0
    cells_below_threshold: int = 0
    showers_not_finite: int = 0
    showers_without_energy: int = 0
    showers_out_of_range: int = 0
    showers_cell_above_incident: int = 0
    exact_duplicates: int = 0
    seen: set[bytes] = field(default_factory=set, repr=False)


def validity(generated: EventSource, reference: EventSource) -> dict[str, Any]:
    """Count what is wrong with generated showers, streaming both samples.

    Args:
        generated: showers to judge, MeV.
        reference: truth; gives the range of E_tot / E_inc, widened by 10 % of its width and of its ends, and the
            share of showers without energy and of duplicates that truth itself has.

    Returns:
        JSON-ready mapping: `showers`, `cells`, counts by name (cells that are not finite, negative, or above 0 but
        below the geometry's threshold; showers with such a number, without energy, with E_tot / E_inc out of range,
        with one cell above the incident energy, and repeats of an earlier shower to the last bit, empty ones apart),
        `energy_ratio` (the sample's range and the allowed one), `reference` (its counts) and `valid`: whether no
        number is unphysical. Empty, out-of-range and repeated showers are told but do not make a sample invalid.

    Raises:
        FacsimError: a sample is empty, no grid of cells, or has other cells than the other.
    """
    for name, source in (("generated", generated), ("reference", reference)):
        if source.schema.representation != "grid" or source.schema.geometry is None or len(source) == 0:
            raise FacsimError(f"validity is counted for showers on a cylinder; the {name} sample holds none.")
    cells = [source.schema.geometry.n_cells for source in (generated, reference) if source.schema.geometry]
    if cells[0] != cells[1]:
        raise FacsimError(f"the generated showers have {cells[0]} cells, the reference {cells[1]}.")
    geometry = reference.schema.geometry
    threshold = geometry.threshold if geometry is not None else 0.0
    truth, truth_range = _count(reference, threshold, None)
    span = truth_range[1] - truth_range[0]
    allowed = (
        max(0.0, min(truth_range[0] * (1 - MARGIN), truth_range[0] - MARGIN * span)),
        max(truth_range[1] * (1 + MARGIN), truth_range[1] + MARGIN * span),
    )
    mine, mine_range = _count(generated, threshold, allowed)
    counts = _public(mine)
    return {
        "format": FORMAT,
        "showers": len(generated),
        "cells": len(generated) * cells[0],
        "threshold_MeV": threshold,
        **counts,
        "energy_ratio": {"low": mine_range[0], "high": mine_range[1], "allowed": list(allowed)},
        "reference": {"showers": len(reference), **_public(truth)},
        "valid": not (mine.cells_not_finite or mine.cells_negative or mine.cells_below_threshold),
    }


def _public(counts: _Counts) -> dict[str, int]:
    return {name: value for name, value in vars(counts).items() if name != "seen"}


def _count(
    source: EventSource, threshold: float, allowed: tuple[float, float] | None
) -> tuple[_Counts, tuple[float, float]]:
    """Counts of `source` and the range of its E_tot / E_inc (of showers with energy)."""
    counts, low, high = _Counts(), np.inf, -np.inf
    for batch in chunks(source, batch_rows(source, BATCH_MB)):
        cells, incident = np.asarray(batch.cells), batch.condition(INCIDENT)
        finite = np.isfinite(cells)
        good = finite.all(axis=1)
        counts.cells_not_finite += int(cells.size - finite.sum())
        counts.showers_not_finite += int(np.sum(~good))
        counts.cells_negative += int(np.sum(cells < 0))
        # Cells stored as float32 may fall an ulp below a threshold that is a float64.
        counts.cells_below_threshold += int(np.sum((cells > 0) & (cells < threshold * (1 - 1e-6))))
        total = np.where(finite, cells, 0).sum(axis=1, dtype=np.float64)
        counts.showers_without_energy += int(np.sum(good & (total <= 0)))
        counts.showers_cell_above_incident += int(np.sum(np.where(finite, cells, 0).max(axis=1) > incident))
        ratio = total[good & (total > 0)] / incident[good & (total > 0)]
        if allowed is not None:
            counts.showers_out_of_range += int(np.sum((ratio < allowed[0]) | (ratio > allowed[1])))
        if len(ratio):
            low, high = min(low, float(ratio.min())), max(high, float(ratio.max()))
        counts.exact_duplicates += _repeats(cells[good & (total > 0)], counts.seen)
    return counts, (low, high) if low <= high else (0.0, 0.0)


def _repeats(cells: NDArray[Any], seen: set[bytes]) -> int:
    """How many rows were seen before; adds the new ones, 16 bytes each, to `seen`."""
    before = len(seen)
    rows = np.ascontiguousarray(cells)
    seen.update(hashlib.blake2b(row.data, digest_size=16).digest() for row in rows)
    return len(rows) - (len(seen) - before)
