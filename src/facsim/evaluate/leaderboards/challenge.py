"""The published results of the CaloChallenge 2022, as context for a run on the same read-out.

Facts from the tables of C. Krause et al., "CaloChallenge 2022: A Community Challenge for Fast Calorimeter Simulation",
arXiv 2410.21611, and its public evaluation repository. The models were trained and judged on the challenge's own
showers, with its own classifiers, and timed on its machines: context, never a ranking against a run of facsim.

The times carry no unit in the source. They are exact multiples of 1 s / (number of showers), which makes them
milliseconds per shower (inferred). The challenge published no Geant4 time, so no speed-up follows from them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cache

from facsim.core.geometry import Geometry
from facsim.evaluate.leaderboards.boards import BOARDS
from facsim.evaluate.leaderboards.tables import TRUTHS, entries
from facsim.physics.geometries import GEOMETRIES

CITATION = "CaloChallenge 2022, arXiv 2410.21611"
DATASETS = {board.geometry: board.name for board in BOARDS.values() if board.table == "calochallenge"}
"""Built-in geometry to the challenge's data set."""


@dataclass(frozen=True)
class PublishedRow:
    """One submission on one data set; NaN where the challenge has no number.

    Args:
        dataset: `ds1-photons`, `ds1-pions`, `ds2` or `ds3`.
        model: name of the submission; `GEANT4` is truth against truth.
        params: parameters used in generation.
        auc_low, auc_high: AUC of the challenge's network on cells and on high-level features.
        auc_resnet: AUC of its convolutional network (data sets 2 and 3).
        fpd_e3, kpd_e3: Frechet and kernel physics distance, times 1000.
        cpu_b1_ms, cpu_b100_ms, gpu_b1_ms, gpu_b100_ms: milliseconds per shower at batch 1 and 100.
    """

    dataset: str
    model: str
    params: float
    auc_low: float
    auc_high: float
    auc_resnet: float
    fpd_e3: float
    kpd_e3: float
    cpu_b1_ms: float
    cpu_b100_ms: float
    gpu_b1_ms: float
    gpu_b100_ms: float

    @property
    def is_truth(self) -> bool:
        """Whether this is the challenge's truth against truth."""
        return self.model in TRUTHS


def published_rows(geometry_name: str) -> list[PublishedRow]:
    """Rows of the challenge's data set with the built-in geometry `geometry_name`, truth's own first; else none."""
    return [row for row in _all_rows() if row.dataset == DATASETS.get(geometry_name)]


def published_rows_for(geometry: Geometry) -> list[PublishedRow]:
    """Rows of the challenge's data set with the same read-out as `geometry`, whatever its name; else none."""
    return next((published_rows(name) for name, known in GEOMETRIES.items() if known.same_cells(geometry)), [])


@cache
def _all_rows() -> tuple[PublishedRow, ...]:
    names = [field.name for field in fields(PublishedRow)][2:]
    rows: dict[tuple[str, str], dict[str, float]] = {}
    for entry in entries("calochallenge"):
        rows.setdefault((entry.dataset, entry.model), {})[entry.metric] = entry.value
    return tuple(
        PublishedRow(dataset, model, **{name: row.get(name, math.nan) for name in names})
        for (dataset, model), row in rows.items()
    )
