"""Published CaloChallenge results as context, where the run has the read-out of one of its data sets."""

from __future__ import annotations

import math

from facsim.evaluate.leaderboard import published_rows_for
from facsim.report.figures_time import TimePoint
from facsim.report.rundata import RunData
from facsim.report.showers import run_geometry


def published_points(run: RunData, batch: int) -> list[TimePoint]:
    """AUC-high and CPU time of the submissions on the run's read-out, timed at `batch`; empty on other read-outs."""
    geometry = run_geometry(run)
    if geometry is None or batch not in (1, 100):
        return []
    points = []
    for row in published_rows_for(geometry):
        ms = row.cpu_b1_ms if batch == 1 else row.cpu_b100_ms
        if not row.is_truth and math.isfinite(ms) and math.isfinite(row.auc_high):
            points.append(TimePoint(row.model, row.model, "published", ms, row.auc_high))
    return points
