"""report: the page that shows a predictor's run."""

from __future__ import annotations

from facsim.report.anomaly_page import write_anomaly_report
from facsim.run import Run


def report(run: Run) -> None:
    """Write `report/index.html` from what the run directory holds; parts not there yet are left out."""
    path = write_anomaly_report(run.dir, title=run.config.report.title)
    run.reporter.say(f"  {path} ({path.stat().st_size / 1e6:.1f} MB): open it in a browser")
