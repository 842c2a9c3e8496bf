"""The picture of a sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from facsim.report.sweep import sweep_figure, sweep_picture


@pytest.fixture
def found() -> dict[str, Any]:
    parameters = {"train.lr": {"log_uniform": [1e-4, 1e-2]}, "model.solver": {"choice": ["euler", "heun"]}}
    values = [(0.7, 1e-3, "euler"), (None, 1e-2, "heun"), (0.6, 5e-4, "heun"), (0.65, 2e-4, "euler")]
    trials = [
        {
            "number": i,
            "value": v,
            "score": "AUC",
            "error": 0.01,
            "null": 0.5,
            "parameters": {"train.lr": lr, "model.solver": solver},
        }
        for i, (v, lr, solver) in enumerate(values)
    ]
    return {"objective": "auc_high", "direction": "minimize", "parameters": parameters, "trials": trials, "best": 2}


def test_history_and_a_panel_for_each_parameter(found: dict[str, Any]) -> None:
    history, rate, solver = sweep_figure(found).axes
    best_so_far = next(line for line in history.lines if line.get_label() == "best so far")
    assert history.get_ylabel() == "AUC"
    assert list(best_so_far.get_ydata()) == [0.7, 0.6, 0.6]
    assert list(best_so_far.get_xdata()) == [0, 2, 3]
    assert (rate.get_xlabel(), rate.get_xscale()) == ("train.lr", "log")
    assert list(rate.lines[1].get_xdata()) == [5e-4]
    low, high = rate.get_xlim()  # what was searched, not where trials happen to lie
    assert low < 1e-4
    assert high > 1e-2
    assert rate.get_ylim() == history.get_ylim()
    assert len(rate.containers) == 1  # differences within the errors look like that
    assert [label.get_text() for label in solver.get_xticklabels()] == ["euler", "heun"]
    assert list(solver.lines[0].get_xdata()) == [0, 1, 0]


def test_it_is_a_picture(found: dict[str, Any], tmp_path: Path) -> None:
    sweep_picture({**found, "direction": "maximize", "best": 0}, tmp_path / "sweep.png")
    assert (tmp_path / "sweep.png").read_bytes().startswith(b"\x89PNG")
