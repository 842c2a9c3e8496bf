"""The score of a model while it trained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from facsim.report.figures_time import SIZE
from facsim.report.rundata import Json
from facsim.report.style import new_figure


def score_figure(records: Sequence[Json], part: str) -> Figure:
    """Score of the validation events against training time, the best one marked.

    Args:
        records: rows of `metrics.jsonl` with `score` and `value`, at least one. part: the phase that was judged.
    """
    figure = new_figure(*SIZE)
    axes = figure.add_axes((0.15, 0.135, 0.815, 0.79))
    time = np.array([r["time_s"] for r in records], dtype=np.float64)
    value = np.array([r["value"] for r in records], dtype=np.float64)
    best = int(np.argmin(value))
    axes.plot(time, value, "o-", ms=3.5, lw=1.0, color="#0072b2")
    axes.plot(time[best], value[best], "o", ms=9, mfc="none", mec="#d55e00", label=f"best, {value[best]:.4g}")
    axes.set_xlabel("training time [s]")
    axes.set_ylabel(f"{records[0]['score']}, validation")
    axes.set_title(part, loc="left")
    axes.legend(loc="upper right")
    return figure
