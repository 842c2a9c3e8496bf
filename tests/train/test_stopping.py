"""Early stopping keeps the best state, ends without progress, and resumes to the bit."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import ModuleType

import pytest
import torch

from facsim.core.errors import FacsimError
from facsim.models.base import Batch, EventModel
from facsim.models.checkpoint import load_model
from facsim.train.loop import Trainer, TrainProgress
from facsim.train.stopping import Best

SETTINGS = {"early_stopping": {"score": "w1", "every": 2, "patience": 3}}


class Told:
    """A judge with given scores, which remembers whom it judged."""

    def __init__(self, scores: list[float]) -> None:
        self.scores = iter(scores)
        self.seen: list[dict[str, torch.Tensor]] = []

    def __call__(self, model: EventModel) -> float:
        assert not model.training
        self.seen.append({name: value.clone() for name, value in model.state_dict().items()})
        return next(self.scores)


def told(trainer: Trainer, scores: list[float]) -> Told:
    judge = Told(scores)
    assert trainer.settings.early_stopping is not None
    trainer.best = Best(trainer.settings.early_stopping, judge)
    return judge


def scores(folder: Path) -> list[tuple[int, float | None]]:
    found = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [(row["step"], row["value"]) for row in found if "score" in row]


def test_training_ends_and_the_best_state_is_kept(rivals: ModuleType, tmp_path: Path) -> None:
    trainer = rivals.rivals_trainer(tmp_path, **SETTINGS)
    judge = told(trainer, [5.0, math.nan, 2.0, 3.0, 2.0, math.inf])
    trainer.run()
    assert trainer.over
    assert scores(tmp_path) == [(6, 5.0), (8, None), (10, 2.0), (12, 3.0), (14, 2.0), (16, None)]
    kept = load_model(tmp_path).state_dict()
    assert all(torch.equal(kept[name], judge.seen[2][name]) for name in kept)
    assert any(not torch.equal(kept[name], judge.seen[5][name]) for name in kept)


def test_phases_end_once_each_with_the_weights_that_are_kept(
    rivals: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[tuple[str, dict[str, torch.Tensor]]] = []

    def end_phase(model: EventModel, phase: str, batch: Batch, generator: torch.Generator) -> None:
        assert len(batch) > 1
        ended.append((phase, {name: value.clone() for name, value in model.state_dict().items()}))

    trainer = rivals.rivals_trainer(tmp_path, **SETTINGS)
    monkeypatch.setattr(type(trainer.model), "end_phase", end_phase)
    judge = told(trainer, [5.0, 2.0, 3.0, 3.0, 3.0])
    trainer.run()
    assert [phase for phase, _ in ended] == ["start", "rivals"]
    assert all(torch.equal(ended[1][1][name], judge.seen[1][name]) for name in judge.seen[1])


def test_the_last_step_is_judged_too(rivals: ModuleType, tmp_path: Path) -> None:
    stopping = {"score": "w1", "every": 15, "patience": 1}
    trainer = rivals.rivals_trainer(tmp_path, early_stopping=stopping)
    judge = told(trainer, [1.0, 0.5])
    trainer.run()
    assert scores(tmp_path) == [(19, 1.0), (24, 0.5)]
    kept = load_model(tmp_path).state_dict()
    assert all(torch.equal(kept[name], judge.seen[1][name]) for name in kept)


def test_judged_is_the_average_and_training_goes_on_as_without(rivals: ModuleType, tmp_path: Path) -> None:
    judged = rivals.rivals_trainer(tmp_path / "judged", early_stopping={"every": 3, "patience": 99}, ema=0.9)
    judge = told(judged, [7.0 - number for number in range(7)])
    judged.run()
    rivals.rivals_trainer(tmp_path / "plain", ema=0.9).run()
    plain = load_model(tmp_path / "plain").state_dict()
    assert all(torch.equal(judge.seen[-1][name], plain[name]) for name in plain)


@pytest.mark.parametrize("at", [9, 10, 12])
def test_interrupted_it_resumes_to_the_bit(rivals: ModuleType, tmp_path: Path, at: int) -> None:
    rivals.rivals_trainer(tmp_path / "whole", **SETTINGS).run()

    def stop(progress: TrainProgress) -> None:
        if progress.done == at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rivals.rivals_trainer(tmp_path / "parts", **SETTINGS).run(stop)
    resumed = rivals.rivals_trainer(tmp_path / "parts", **SETTINGS)
    resumed.run()
    whole, parts = (load_model(tmp_path / name).state_dict() for name in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    assert scores(tmp_path / "whole") == scores(tmp_path / "parts")


def test_it_needs_a_judge(rivals: ModuleType, tmp_path: Path) -> None:
    good = rivals.rivals_trainer(tmp_path, **SETTINGS)
    with pytest.raises(FacsimError, match=r"train\.early_stopping needs a score"):
        Trainer("rivals", {}, good.loader.source, None, tmp_path, 1, good.settings)
