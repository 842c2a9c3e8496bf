"""Published CaloChallenge results as context, where the run has the read-out of one of its data sets."""

from __future__ import annotations

import math
from collections.abc import Callable

from facsim.evaluate.leaderboards import BOARDS, Board
from facsim.evaluate.leaderboards.challenge import PublishedRow, published_rows_for
from facsim.report.figures_time import CostPoint
from facsim.report.rundata import RunData
from facsim.report.showers import run_geometry


def published_points(run: RunData, batch: int, device: str = "cpu") -> list[CostPoint]:
    """AUC-high and time of the submissions for the run's read-out and particle, timed at `batch` (1 or 100).

    Empty for other read-outs, particles and batch sizes.
    """
    if batch not in (1, 100):
        return []
    costs = {
        ("cpu", 1): lambda row: row.cpu_b1_ms,
        ("cpu", 100): lambda row: row.cpu_b100_ms,
        ("cuda", 1): lambda row: row.gpu_b1_ms,
        ("cuda", 100): lambda row: row.gpu_b100_ms,
    }
    return published_costs(run, costs[device, batch])


def published_costs(run: RunData, cost: Callable[[PublishedRow], float]) -> list[CostPoint]:
    """AUC-high of the submissions for the run's read-out and particle against a cost; those that have both."""
    return [
        CostPoint(row.model, row.model, "published", cost(row), row.auc_high)
        for row in _rows(run)
        if not row.is_truth and math.isfinite(cost(row)) and math.isfinite(row.auc_high)
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
