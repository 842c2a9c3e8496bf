"""Phases of several turns: each optimiser touches its own parameters, and resumes to the bit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from facsim.core import plugins
from facsim.core.errors import FacsimError
from facsim.core.events import Events, make_events
from facsim.core.rng import generator
from facsim.core.schema import Feature, Schema
from facsim.core.sources import MemorySource
from facsim.models.checkpoint import build_model, load_model
from facsim.train.device import to_batch
from facsim.train.loop import Trainer, TrainProgress
from facsim.train.settings import TrainSettings
from facsim.train.turns import Turns

SCHEMA = Schema("table", (Feature("a", ""), Feature("b", "")), (Feature("c", ""),))
SETTINGS = {"steps": {"start": 4, "rivals": 20}, "batch_size": 16, "log_every": 1, "device": "cpu"}


@pytest.fixture(autouse=True)
def _rivals() -> None:
    plugins.load_plugin(Path(__file__).with_name("rivals.py"))


@pytest.fixture(scope="module")
def events() -> Events:
    rng = generator(1, "pairs")
    cond = rng.uniform(size=(64, 1))
    return make_events(SCHEMA, rng.normal(cond + 1, 0.3, (64, 2)), cond, weight=rng.uniform(0.5, 1.5, 64))


def trainer(events: Events, folder: Path, **changes: object) -> Trainer:
    settings = TrainSettings.model_validate({**SETTINGS, **changes})
    return Trainer("rivals", {}, MemorySource(events[:48]), MemorySource(events[48:]), folder, 5, settings)


def rows(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_each_step_moves_the_parameters_of_its_turn_alone(events: Events) -> None:
    model = build_model("rivals", SCHEMA, {})
    turns = Turns(model, "rivals", TrainSettings(lr=0.01))
    batch = to_batch(events[:16], torch.device("cpu"))
    assert [turns.turn(step) for step in range(6)] == ["critic", "critic", "generator"] * 2
    assert turns.rates == {"critic": 0.0025, "generator": 0.01}
    assert turns.optimisers["critic"].defaults["betas"] == (0.5, 0.9)
    for step in range(6):
        before = {name: value.clone() for name, value in model.state_dict().items()}
        turn = turns.turn(step)
        turns.step(step, model.losses(batch, turn, torch.Generator().manual_seed(step)), 1.0)
        moved = {
            name.split(".")[0] for name, value in model.state_dict().items() if not torch.equal(value, before[name])
        }
        assert moved == {turn}
        assert all(p.grad is None for p in model.parameters_of("start"))


def test_average_moves_once_a_cycle(events: Events) -> None:
    turns = Turns(build_model("rivals", SCHEMA, {}), "rivals", TrainSettings())
    for done in range(1, 8):
        turns.average(done, last=False)
    assert turns.ema.updates == 2
    turns.average(8, last=True)
    assert turns.ema.updates == 3
    assert len(turns.ema.average) == 4


def test_interrupted_in_any_turn_it_resumes_to_the_bit(events: Events, tmp_path: Path) -> None:
    trainer(events, tmp_path / "whole").run()
    for at in (9, 10, 11):

        def stop(progress: TrainProgress, at: int = at) -> None:
            if progress.done == at:
                raise KeyboardInterrupt

        folder = tmp_path / str(at)
        with pytest.raises(KeyboardInterrupt):
            trainer(events, folder).run(stop)
        trainer(events, folder).run()
        whole, parts = (load_model(f).state_dict() for f in (tmp_path / "whole", folder))
        assert all(torch.equal(whole[name], parts[name]) for name in whole)
        without_time = [[{**row, "time_s": 0} for row in rows(f)] for f in (tmp_path / "whole", folder)]
        assert without_time[0] == without_time[1]


def test_every_turn_is_logged(events: Events, tmp_path: Path) -> None:
    trainer(events, tmp_path, log_every=5).run()
    found = [(row["step"], row["part"]) for row in rows(tmp_path)]
    later = [(step, part) for step in (9, 14, 19, 24) for part in ("critic", "generator")]
    assert found == [(4, "start"), *later]
    assert all(np.isfinite(row["validation_loss"]) for row in rows(tmp_path) if row["step"] in (4, 24))


def test_turn_without_parameters_is_one_sentence() -> None:
    model = build_model("rivals", SCHEMA, {}).requires_grad_(False)
    with pytest.raises(FacsimError, match=r"the turn 'critic' of the phase 'rivals' has no parameters"):
        Turns(model, "rivals", TrainSettings())


def test_phase_without_steps_is_no_optimiser(events: Events, tmp_path: Path) -> None:
    trainer(events, tmp_path, steps={"start": 0, "rivals": 0}).run()
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
