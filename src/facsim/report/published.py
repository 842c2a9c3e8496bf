"""Published CaloChallenge results as context, where the run has the read-out of one of its data sets."""

from __future__ import annotations

import math

from facsim.evaluate.leaderboards import BOARDS, Board
from facsim.evaluate.leaderboards.challenge import PublishedRow, published_rows_for
from facsim.report.figures_time import CostPoint
from facsim.report.rundata import RunData
from facsim.report.showers import run_geometry


def published_points(run: RunData, cost: str, auc: str = "auc_high") -> list[CostPoint]:
    """The submissions for the run's read-out and particle that have both a cost and an AUC; else none.

    Args:
        run: the run.
        cost: a column of the challenge's tables, e.g. `cpu_b100_ms` or `params`; others have no submissions.
        auc: `auc_high`, or `auc_low` for cells.
    """
    rows = [(row, getattr(row, cost, math.nan), getattr(row, auc)) for row in _rows(run) if not row.is_truth]
    return [
        CostPoint(row.model, row.model, "published", x, y)
        for row, x, y in rows
        if math.isfinite(x) and math.isfinite(y)
    ]


def board_of(run: RunData) -> Board | None:
    """The published leaderboard of the run's read-out and particle."""
    return next((BOARDS[row.dataset] for row in _rows(run)), None)


def _rows(run: RunData) -> list[PublishedRow]:
    geometry = run_geometry(run)
    if geometry is None:
        return []
    fired = (run.config.get("simulate") or {}).get("particle") or geometry.particle
    particles = set(fired if isinstance(fired, list) else [fired])
    return [row for row in published_rows_for(geometry) if particles <= set(BOARDS[row.dataset].particles)]
