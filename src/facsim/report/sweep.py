"""The picture of a sweep: the objective trial by trial, and against every parameter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from facsim.core.store import atomic_path
from facsim.report.style import MUTED, facsim_style, log_axis, new_figure

BLUE, ORANGE = "#0072b2", "#d55e00"
PANEL = (3.4, 2.9)  # inches
COLUMNS = 3


def sweep_picture(found: dict[str, Any], path: Path) -> None:
    """Write the picture as a PNG; `found` as in `sweep.json`."""
    with facsim_style():
        figure = sweep_figure(found)
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format="png", dpi=150, facecolor="white")


def sweep_figure(found: dict[str, Any]) -> Figure:
    """First panel: values and the best so far. Then one panel a parameter; the best trial is marked in all."""
    names = list(found["parameters"])
    columns = min(COLUMNS, 1 + len(names))
    rows = -(-(1 + len(names)) // columns)
    figure = new_figure(PANEL[0] * columns, PANEL[1] * rows)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    figure.subplots_adjust(0.18 / columns, 0.2 / rows, 0.98, 1 - 0.1 / rows, wspace=0.32, hspace=0.45)
    for axes in panels[1 + len(names) :]:
        axes.remove()
    for axes in panels:
        axes.margins(0.07)
    trials = [trial for trial in found["trials"] if trial["value"] is not None]
    _history(panels[0], found, trials)
    for axes, name in zip(panels[1:], names, strict=False):
        _slice(axes, found, trials, name)
    return figure


def _history(axes: Axes, found: dict[str, Any], trials: list[dict[str, Any]]) -> None:
    number = [trial["number"] for trial in trials]
    value = np.array([trial["value"] for trial in trials])
    axes.errorbar(number, value, _errors(trials), fmt="o", ms=4, lw=1, color=BLUE)
    so_far = np.minimum.accumulate(value) if found["direction"] == "minimize" else np.maximum.accumulate(value)
    axes.step(number, so_far, where="post", color=ORANGE, lw=1.4, label="best so far")
    nulls = [trial["null"] for trial in trials if trial.get("null") is not None]
    if nulls:
        axes.axhline(nulls[0], color=MUTED, lw=1, ls=":", label="truth against truth")
    axes.set_xlabel("trial")
    axes.set_ylabel(trials[0].get("score", found["objective"]))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.2, fontsize=7)


def _errors(trials: list[dict[str, Any]]) -> list[float]:
    return [trial.get("error") or 0.0 for trial in trials]


def _slice(axes: Axes, found: dict[str, Any], trials: list[dict[str, Any]], name: str) -> None:
    given = [trial["parameters"][name] for trial in trials]
    kind = next(iter(found["parameters"][name]))
    if kind == "choice":
        labels = list(found["parameters"][name]["choice"])
        x = [labels.index(value) for value in given]
        axes.set_xticks(range(len(labels)), [str(label) for label in labels])
        axes.set_xmargin(0.25)
    else:
        x = given
        if "log" in kind:
            axes.set_xscale("log")
            log_axis(axes.xaxis)
        axes.set_xlim(*_margins(*found["parameters"][name][kind], log="log" in kind))
    value = [trial["value"] for trial in trials]
    best = next(i for i, trial in enumerate(trials) if trial["number"] == found["best"])
    axes.errorbar(x, value, _errors(trials), fmt="o", ms=4, lw=1, color=BLUE)
    axes.plot(x[best], value[best], "o", ms=10, mfc="none", mec=ORANGE)
    axes.set_xlabel(name)


def _margins(low: float, high: float, *, log: bool) -> tuple[float, float]:
    """The range that was searched, and a little more to either side."""
    if log:
        return low * (low / high) ** 0.07, high * (high / low) ** 0.07
    return low - 0.07 * (high - low), high + 0.07 * (high - low)
