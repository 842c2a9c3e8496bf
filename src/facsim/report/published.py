"""Published CaloChallenge results as context, where the run has the read-out of one of its data sets."""

from __future__ import annotations

import math

from facsim.evaluate.leaderboards import BOARDS
from facsim.evaluate.leaderboards.challenge import PublishedRow, published_rows_for
from facsim.report.figures_time import TimePoint
from facsim.report.rundata import RunData
from facsim.report.showers import run_geometry


def published_points(run: RunData, batch: int) -> list[TimePoint]:
    """AUC-high and CPU time of the submissions for the run's read-out and particle, timed at `batch` (1 or 100).

    Empty for other read-outs, particles and batch sizes.
    """
    geometry = run_geometry(run)
    if geometry is None or batch not in (1, 100):
        return []
    fired = (run.config.get("simulate") or {}).get("particle") or geometry.particle
    particles = set(fired if isinstance(fired, list) else [fired])
    rows = [row for row in published_rows_for(geometry) if particles <= set(BOARDS[row.dataset].particles)]
    return [
        TimePoint(row.model, row.model, "published", _time(row, batch), row.auc_high)
        for row in rows
        if not row.is_truth and math.isfinite(_time(row, batch)) and math.isfinite(row.auc_high)
    ]


def _time(row: PublishedRow, batch: int) -> float:
    return row.cpu_b1_ms if batch == 1 else row.cpu_b100_ms
