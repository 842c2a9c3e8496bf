"""Published CaloChallenge results as context, where the run has the read-out of one of its data sets."""

from __future__ import annotations

from facsim.report.figures_time import TimePoint
from facsim.report.rundata import RunData


def published_points(run: RunData, batch: int) -> list[TimePoint]:
    """AUC-high and CPU time of the submissions on the run's read-out, timed at `batch`; empty on other read-outs."""
    return []
