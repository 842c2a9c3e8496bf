"""The study: the same trials whatever was interrupted, and a known minimum found."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from facsim.config.sweep import Parameter, Sweep
from facsim.core.errors import FacsimError, MissingExtraError
from facsim.pipeline.study_of_sweep import Study

pytest.importorskip("optuna")

SWEEP = Sweep(
    parameters={
        "train.lr": Parameter(log_uniform=(1e-4, 1.0)),
        "train.ema": Parameter(uniform=(0.0, 0.9)),
        "train.batch_size": Parameter(integer=(1, 8)),
        "model.solver": Parameter(choice=["euler", "heun"]),
    }
)


def bowl(values: dict[str, Any]) -> float:
    return abs(values["train.ema"] - 0.3) + values["train.batch_size"] / 8 + (values["model.solver"] == "euler")


def search(out: Path, most: int, seed: int = 1) -> list[tuple[int, dict[str, Any], float | None]]:
    study = Study.open(out, SWEEP, seed, "same")
    while (trial := study.next(most)) is not None:
        study.tell(trial[0], bowl(trial[1]))
    return study.trials()


def test_it_finds_a_known_minimum(tmp_path: Path) -> None:
    found = search(tmp_path, 30)
    _, values, value = min(found, key=lambda trial: trial[2] or 0.0)
    assert value is not None
    assert value < 0.3
    assert values["model.solver"] == "heun"
    assert all(1e-4 <= values["train.lr"] <= 1 for _, values, _ in found)


def test_interrupted_trials_come_again_and_later_ones_are_the_same(tmp_path: Path) -> None:
    whole = search(tmp_path / "whole", 14)
    for interrupted in (3, 12):
        search(tmp_path / "parts", interrupted)
        number, values = Study.open(tmp_path / "parts", SWEEP, 1, "same").next(14)  # and it is never told
        assert (number, values) == whole[interrupted][:2]
        assert Study.open(tmp_path / "parts", SWEEP, 1, "same").next(14) == (number, values)
    assert search(tmp_path / "parts", 14) == whole
    assert search(tmp_path / "other", 1, seed=2) != whole[:1]


def test_failed_trials_count_but_have_no_value(tmp_path: Path) -> None:
    study = Study.open(tmp_path, SWEEP, 1, "same")
    number, _ = study.next(2)
    study.tell(number, None)
    assert study.trials()[0][2] is None
    assert study.next(2)[0] == 1


def test_another_sweep_is_refused_only_where_something_would_be_lost(tmp_path: Path) -> None:
    study = Study.open(tmp_path, SWEEP, 1, "one")
    number, _ = study.next(9)
    again = Study.open(tmp_path, SWEEP, 1, "two")
    assert again.trials() == []
    number, _ = again.next(9)
    again.tell(number, 1.0)
    with pytest.raises(FacsimError, match="holds a sweep of other parameters or settings"):
        Study.open(tmp_path, SWEEP, 1, "one")


def test_without_optuna_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'facsim\[sweep\]'"):
        Study.open(tmp_path, SWEEP, 1, "same")
