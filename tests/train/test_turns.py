"""Phases of several turns: each optimiser touches its own parameters, and resumes to the bit."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from facsim.core.errors import FacsimError
from facsim.core.events import make_events
from facsim.core.schema import Feature, Schema
from facsim.models.base import EventModel
from facsim.models.checkpoint import build_model, load_model
from facsim.train.device import to_batch
from facsim.train.loop import TrainProgress
from facsim.train.settings import TrainSettings
from facsim.train.turns import Turns


@pytest.fixture
def model(rivals: ModuleType) -> EventModel:
    return build_model("rivals", rivals.make_pairs(1).schema, {})


def rows(folder: Path) -> list[dict[str, object]]:
    return [{**json.loads(line), "time_s": 0} for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_each_step_moves_the_parameters_of_its_turn_alone(rivals: ModuleType, model: EventModel) -> None:
    turns = Turns(model, "rivals", TrainSettings(lr=0.01))
    batch = to_batch(rivals.make_pairs(16), torch.device("cpu"))
    assert [turns.turn(step) for step in range(6)] == ["critic", "critic", "generator"] * 2
    assert turns.rates == {"critic": 0.0025, "generator": 0.01}
    assert turns.optimisers["critic"].defaults["betas"] == (0.5, 0.9)
    for step in range(6):
        before = {name: value.clone() for name, value in model.state_dict().items()}
        turn = turns.turn(step)
        turns.start(turn)
        turns.add(turn, model.losses(batch, turn, torch.Generator().manual_seed(step)), 1.0)
        turns.finish(turn, 1.0)
        after = model.state_dict()
        assert {name.split(".")[0] for name in after if not torch.equal(after[name], before[name])} == {turn}
        assert all(p.grad is None for p in model.parameters_of("start"))


def test_average_moves_once_a_cycle(model: EventModel) -> None:
    turns = Turns(model, "rivals", TrainSettings())
    for done in range(1, 8):
        turns.average(done, last=False)
    assert turns.ema.updates == 2
    turns.average(8, last=True)
    assert turns.ema.updates == 3
    assert len(turns.ema.average) == 4


@pytest.mark.parametrize("changes", [{}, {"accumulate": 2}, {"schedule": "constant", "memory": 800}])
def test_interrupted_in_any_turn_it_resumes_to_the_bit(
    rivals: ModuleType, tmp_path: Path, changes: dict[str, object]
) -> None:
    rivals.rivals_trainer(tmp_path / "whole", **changes).run()
    for at in (9, 10, 11):

        def stop(progress: TrainProgress, at: int = at) -> None:
            if progress.done == at:
                raise KeyboardInterrupt

        folder = tmp_path / str(at)
        with pytest.raises(KeyboardInterrupt):
            rivals.rivals_trainer(folder, **changes).run(stop)
        rivals.rivals_trainer(folder, **changes).run()
        whole, parts = (load_model(f).state_dict() for f in (tmp_path / "whole", folder))
        assert all(torch.equal(whole[name], parts[name]) for name in whole)
        assert rows(tmp_path / "whole") == rows(folder)


def test_accumulated_parts_give_the_step_of_the_whole_batch(rivals: ModuleType, tmp_path: Path) -> None:
    found = []
    for batch_size, accumulate in ((16, 1), (8, 2), (4, 4)):
        folder = tmp_path / str(accumulate)
        steps = {"start": 6, "rivals": 0}  # the phase without noise
        rivals.rivals_trainer(
            folder, rivals.make_pairs(weighted=False), steps=steps, batch_size=batch_size, accumulate=accumulate
        ).run()
        found.append(load_model(folder).state_dict()["mean"])
        assert len(rows(folder)) == 6
    torch.testing.assert_close(found[1], found[0])
    torch.testing.assert_close(found[2], found[0])


def test_every_turn_is_logged(rivals: ModuleType, tmp_path: Path) -> None:
    rivals.rivals_trainer(tmp_path, log_every=5).run()
    found = [(row["step"], row["part"]) for row in rows(tmp_path)]
    later = [(step, part) for step in (9, 14, 19, 24) for part in ("critic", "generator")]
    assert found == [(4, "start"), *later]
    assert all(np.isfinite(row["validation_loss"]) for row in rows(tmp_path) if row["step"] in (4, 24))


def test_turn_without_parameters_is_one_sentence(model: EventModel) -> None:
    with pytest.raises(FacsimError, match=r"the turn 'critic' of the phase 'rivals' has no parameters"):
        Turns(model.requires_grad_(False), "rivals", TrainSettings())


def test_phase_without_steps_is_no_optimiser(rivals: ModuleType, tmp_path: Path) -> None:
    rivals.rivals_trainer(tmp_path, steps={"start": 0, "rivals": 0}).run()
    assert torch.equal(load_model(tmp_path).state_dict()["mean"], torch.zeros(2))


def test_batches_carry_masks_and_weights() -> None:
    schema = Schema("cloud", (Feature("e", "MeV"),), (Feature("c", ""),))
    mask = np.array([[True, True, False], [True, False, False]])
    clouds = make_events(schema, np.ones((2, 3, 1)), np.ones((2, 1)), mask=mask, weight=np.array([1.0, 2.0]))
    batch = to_batch(clouds, torch.device("cpu"))
    assert batch.mask is not None
    assert batch.mask.dtype == torch.bool
    np.testing.assert_array_equal(batch.mask, mask)
    np.testing.assert_array_equal(batch.weight, [1.0, 2.0])
    assert batch.x.dtype == torch.float32
