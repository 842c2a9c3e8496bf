"""Whether generated showers are possible at all: signs, thresholds, energies within truth's range, exact copies."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.physics.calo import Observations

MARGIN = 0.05


@dataclass
class RawChecks:
    """Counts of what is only visible before thresholds are applied, collected batch by batch.

    Args:
        threshold: cell threshold of the read-out in MeV.
    """

    threshold: float
    negative_cells: int = 0
    cells_below_threshold: int = 0
    showers_with_negative_cells: int = 0
    empty_showers: int = 0
    _digests: list[bytes] = field(default_factory=list)

    def add(self, cells: NDArray[Any]) -> None:
        """Count in cells (N, V), MeV."""
        negative = cells < 0
        self.negative_cells += int(np.count_nonzero(negative))
        self.showers_with_negative_cells += int(np.count_nonzero(negative.any(axis=1)))
        self.cells_below_threshold += int(np.count_nonzero((cells > 0) & (cells < cells.dtype.type(self.threshold))))
        self.empty_showers += int(np.count_nonzero(~(cells > 0).any(axis=1)))
        self._digests += [hashlib.blake2b(row.tobytes(), digest_size=12).digest() for row in cells]

    @property
    def exact_duplicates(self) -> int:
        """Showers that are equal, cell by cell, to an earlier one."""
        return len(self._digests) - len(set(self._digests))


def validity(checks: RawChecks, generated: Observations, reference: Observations) -> dict[str, Any]:
    """JSON-ready counts of impossible or suspicious showers.

    Args:
        checks: of the generated sample, complete.
        generated: observables of the generated sample. reference: of truth.

    Returns:
        Counts, among them `response_outside`: showers whose E_tot/E_inc lies outside the range of truth by more than
        5 % of it; `cells_above_truth`: 1 when the largest cell exceeds truth's largest by half; and `ok`: no negative
        cell, no cell below threshold, no copy, at most 1 % of responses outside.
    """
    truth, found = reference.obs["e_ratio"], generated.obs["e_ratio"]
    margin = MARGIN * float(np.ptp(truth))
    low, high = float(truth.min()) - margin, float(truth.max()) + margin
    outside = int(np.count_nonzero((found < low) | (found > high)))
    duplicates = checks.exact_duplicates
    return {
        "showers": len(generated),
        "negative_cells": checks.negative_cells,
        "showers_with_negative_cells": checks.showers_with_negative_cells,
        "cells_below_threshold": checks.cells_below_threshold,
        "empty_showers": checks.empty_showers,
        "exact_duplicates": duplicates,
        "response_range": [low, high],
        "response_outside": outside,
        "incident_outside": int(
            np.count_nonzero((generated.e_inc < reference.e_inc.min()) | (generated.e_inc > reference.e_inc.max()))
        ),
        "largest_cell_MeV": generated.cell_max,
        "largest_cell_of_truth_MeV": reference.cell_max,
        "cells_above_truth": int(generated.cell_max > 1.5 * reference.cell_max),
        "ok": not (checks.negative_cells or checks.cells_below_threshold or duplicates)
        and outside <= 0.01 * len(generated),
    }
