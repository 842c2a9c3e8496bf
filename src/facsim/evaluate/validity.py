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
Range = tuple[float, float]
EMPTY = (np.inf, -np.inf)


@dataclass
class _Counts:
    """Running counts of one sample; `seen` holds a short hash of every shower."""

    cells_not_finite: int = 0
    negative_cells: int = 0
    cells_below_threshold: int = 0
    showers_not_finite: int = 0
    empty_showers: int = 0
    response_outside: int = 0
    incident_outside: int = 0
    cell_above_incident: int = 0
    exact_duplicates: int = 0
    response: Range = EMPTY
    incident: Range = EMPTY
    seen: set[bytes] = field(default_factory=set, repr=False)

    def public(self) -> dict[str, int]:
        """The counts alone."""
        return {name: value for name, value in vars(self).items() if isinstance(value, int)}


def validity(generated: EventSource, reference: EventSource) -> dict[str, Any]:
    """Count what is wrong with generated showers, streaming both samples.

    Args:
        generated: showers to judge, MeV.
        reference: truth; gives the range of incident energies, and that of E_tot / E_inc, allowed with a margin of
            10 % of its width or, if that is more, of its ends.

    Returns:
        JSON-ready mapping. Counts of cells: `cells_not_finite`, `negative_cells`, `cells_below_threshold` (above 0).
        Counts of showers: `showers_not_finite`, `empty_showers`, `response_outside` (E_tot / E_inc out of the allowed
        range), `incident_outside` (incident energy out of truth's range), `cell_above_incident` (one cell with more
        than the incident energy), `exact_duplicates` (equal to an earlier one to the last bit, empty ones apart).
        `shared_with_truth` counts showers that are showers of the reference, to the last bit.
        `response` has the sample's range and the allowed one, `reference` truth's own counts. `valid` is false when a
        cell is not finite, negative or below threshold; the rest is told but may have reasons.

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
    truth = _count(reference, threshold, None)
    mine = _count(generated, threshold, truth)
    return {
        "format": FORMAT,
        "showers": len(generated),
        "cells": len(generated) * cells[0],
        "threshold_MeV": threshold,
        **mine.public(),
        "response": {"range": _finite(mine.response), "allowed": _finite(_allowed(truth.response))},
        "reference": {"showers": len(reference), **truth.public()},
        "shared_with_truth": len(mine.seen & truth.seen),
        "valid": not (mine.cells_not_finite or mine.negative_cells or mine.cells_below_threshold),
    }


def _allowed(truth: Range) -> Range:
    low, high = truth
    width = MARGIN * (high - low)
    return max(0.0, min(low * (1 - MARGIN), low - width)), max(high * (1 + MARGIN), high + width)


def _finite(span: Range) -> list[float] | None:
    return [float(span[0]), float(span[1])] if np.isfinite(span).all() else None


def _count(source: EventSource, threshold: float, truth: _Counts | None) -> _Counts:
    """Counts of `source`, against the ranges of `truth` where that is given."""
    counts = _Counts()
    low, high = _allowed(truth.response) if truth is not None else (-np.inf, np.inf)
    for batch in chunks(source, batch_rows(source, BATCH_MB)):
        cells, incident = np.asarray(batch.cells), batch.condition(INCIDENT)
        finite = np.isfinite(cells)
        known = cells if finite.all() else np.where(finite, cells, 0)
        good = finite.all(axis=1)
        counts.cells_not_finite += int(cells.size - finite.sum())
        counts.showers_not_finite += int(np.sum(~good))
        counts.negative_cells += int(np.sum(known < 0))
        # Cells stored as float32 may fall an ulp below a threshold that is a float64.
        counts.cells_below_threshold += int(np.sum((known > 0) & (known < threshold * (1 - 1e-6))))
        total = known.sum(axis=1, dtype=np.float64)
        full = good & (total > 0)
        counts.empty_showers += int(np.sum(good & (total <= 0)))
        counts.cell_above_incident += int(np.sum(known.max(axis=1) > incident))
        ratio = total[full] / incident[full]
        counts.response_outside += int(np.sum((ratio < low) | (ratio > high)))
        if truth is not None:
            counts.incident_outside += int(np.sum((incident < truth.incident[0]) | (incident > truth.incident[1])))
        counts.response, counts.incident = _widen(counts.response, ratio), _widen(counts.incident, incident)
        counts.exact_duplicates += _repeats(cells[full], counts.seen)
    return counts


def _widen(span: Range, values: NDArray[Any]) -> Range:
    if not len(values):
        return span
    return min(span[0], float(values.min())), max(span[1], float(values.max()))


def _repeats(cells: NDArray[Any], seen: set[bytes]) -> int:
    """How many rows were seen before; adds the new ones, 16 bytes each, to `seen`."""
    before = len(seen)
    rows = np.ascontiguousarray(cells)
    seen.update(hashlib.blake2b(row.data, digest_size=16).digest() for row in rows)
    return len(rows) - (len(seen) - before)
