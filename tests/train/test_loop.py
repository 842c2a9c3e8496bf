"""Training: resumable to the bit, honest about bad settings."""

from __future__ import annotations

import errno
import json
import os
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from facsim.core.errors import FacsimError
from facsim.core.events import Events, make_events
from facsim.core.geometry import regular_cylinder
from facsim.core.rng import generator
from facsim.core.schema import Feature, Schema, calorimeter_schema
from facsim.core.sources import MemorySource
from facsim.models.checkpoint import build_model, load_model, save_model
from facsim.train.ema import EMA
from facsim.train.loop import Trainer, TrainProgress
from facsim.train.settings import TrainSettings
from facsim.train.state import save_state

OPTIONS = {
    "layers": {
        "name": "flow-matching",
        "prior": "gaussian",
        "steps": 2,
        "network": {"name": "residual-mlp", "width": 8, "depth": 1},
    },
    "pattern": {
        "name": "flow-matching",
        "prior": "gaussian",
        "network": {"name": "layer-transformer", "width": 8, "heads": 2, "depth": 1},
    },
    "steps": 2,
}


@pytest.fixture(scope="module")
def events() -> Events:
    rng = generator(1, "toy")
    energy = rng.uniform(1e3, 1e4, (64, 1))
    cells = rng.exponential(1.0, (64, 24)) * energy / 50
    cells[rng.random(cells.shape) < 0.5] = 0
    schema = calorimeter_schema(regular_cylinder("toy", "electron", 2, 4, 3, 5.0, 0.01))
    return make_events(schema, cells[..., None].astype(np.float32), energy)


def trainer(events: Events, folder: Path, seed: int = 5, **changes: object) -> Trainer:
    settings = TrainSettings.model_validate({"steps": 6, "batch_size": 16, "log_every": 1, "device": "cpu", **changes})
    return Trainer("two-stage", OPTIONS, MemorySource(events[:48]), MemorySource(events[48:]), folder, seed, settings)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_model(folder).state_dict()


def test_interrupted_training_resumes_to_the_bit(events: Events, tmp_path: Path) -> None:
    trainer(events, tmp_path / "whole").run()

    def stop(progress: TrainProgress) -> None:
        if progress.done == 15:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer(events, tmp_path / "parts").run(stop)
    assert not (tmp_path / "parts" / "weights.safetensors").exists()
    seen: list[int] = []
    trainer(events, tmp_path / "parts").run(lambda p: seen.append(p.done))
    assert seen[0] == 16
    for name, value in weights(tmp_path / "whole").items():
        assert torch.equal(value, weights(tmp_path / "parts")[name]), name
    rows = [json.loads(line) for line in (tmp_path / "parts" / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, 25))


def test_other_seeds_give_other_weights_and_the_global_generator_is_left_alone(events: Events, tmp_path: Path) -> None:
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    trainer(events, tmp_path / "a").run()
    assert torch.equal(torch.rand(3), expected)
    trainer(events, tmp_path / "b", seed=6).run()
    a, b = weights(tmp_path / "a"), weights(tmp_path / "b")
    assert any(not torch.equal(a[name], b[name]) for name in a)


def test_a_killed_training_logs_no_step_twice(events: Events, tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    def kill(progress: TrainProgress) -> None:
        if progress.done == 15:
            raise Killed

    with pytest.raises(Killed):
        trainer(events, tmp_path, checkpoint_seconds=1e-9).run(kill)
    log = tmp_path / "metrics.jsonl"
    with log.open("a") as handle:
        handle.write('{"step": 16, "los')
    trainer(events, tmp_path).run()
    assert [json.loads(line)["step"] for line in log.read_text().splitlines()] == list(range(1, 25))


@pytest.mark.parametrize("content", [b"garbage" * 100, b"\x80\x02junk", b""])
def test_damaged_state_is_one_sentence(events: Events, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "training.pt").write_bytes(content)
    with pytest.raises(FacsimError, match=r"training.pt' is damaged \(\w+\): remove it"):
        trainer(events, tmp_path).run()


def refuse(path: Path, content: object) -> int:
    path.touch()
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_one_sentence(events: Events, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build_model("two-stage", events.schema, OPTIONS)
    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(FacsimError, match="the disk is full"):
        save_model(model, "two-stage", tmp_path)
    with pytest.raises(FacsimError, match="the disk is full"):
        save_state(tmp_path, {"step": 1})
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_event_weights_are_refused_by_models_that_take_none(events: Events, tmp_path: Path) -> None:
    with pytest.raises(FacsimError, match="'two-stage' takes no event weights"):
        trainer(replace(events, weight=np.ones(len(events))), tmp_path)


def test_negative_weights_are_refused_by_losses_that_take_positive_ones(tmp_path: Path) -> None:
    schema = Schema("table", (Feature("a"),), (Feature("c"),))
    x = np.linspace(-1, 1, 40)[:, None]
    weighted = make_events(schema, x, x, weight=np.where(x[:, 0] < 0.9, 1.0, -1.0))
    settings = TrainSettings(steps=2, batch_size=16, device="cpu")
    for loss, refused in (("hinge", True), ("wasserstein", False)):
        method = {"name": "gan", "loss": loss, "network": {"name": "residual-mlp", "width": 8, "depth": 1}}
        run = Trainer("single-stage", {"method": method}, MemorySource(weighted), None, tmp_path, 1, settings)
        with pytest.raises(FacsimError, match="have negative weights") if refused else nullcontext():
            run.run()


def test_state_of_another_model_is_one_sentence(rivals: ModuleType, tmp_path: Path) -> None:
    def stop(progress: TrainProgress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rivals.rivals_trainer(tmp_path).run(stop)
    changed = rivals.rivals_trainer(tmp_path)
    changed.model = rivals.Rivals(changed.model.schema, rivals.RivalsOptions(width=4))
    with pytest.raises(FacsimError, match="is of a model with other options: remove it"):
        changed.run()


@pytest.mark.parametrize("text", ["{}", "[]", '{"model": "two-stage"}'])
def test_a_description_of_no_model_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(FacsimError, match=r"model\.json' (does not describe a model|holds list, where)"):
        load_model(tmp_path)


def test_steps_are_not_negative() -> None:
    for steps in (-1, {"flow": -3}):
        with pytest.raises(ValidationError, match="cannot be negative"):
            TrainSettings(steps=steps)


def test_steps_must_name_the_phases(events: Events, tmp_path: Path) -> None:
    with pytest.raises(FacsimError, match=r"train\.steps must name the phases"):
        trainer(events, tmp_path, steps={"flow": 3})


def test_unavailable_device_is_one_sentence(events: Events, tmp_path: Path) -> None:
    with pytest.raises(FacsimError, match=r"train.device 'cuda:99' is not available"):
        trainer(events, tmp_path, device="cuda:99")


def test_diverging_loss_is_told(events: Events, tmp_path: Path) -> None:
    with pytest.raises(FacsimError, match=r"lower train.lr"):
        trainer(events, tmp_path, lr=1e12, clip_norm=1e30, steps=60).run()


def test_average_follows_constant_parameters() -> None:
    parameter = torch.nn.Parameter(torch.zeros(2))
    ema = EMA([parameter], 0.9)
    with torch.no_grad():
        parameter.fill_(1.0)
    for _ in range(200):
        ema.update()
    ema.copy_to_parameters()
    torch.testing.assert_close(parameter.detach(), torch.ones(2))


@pytest.mark.parametrize("changes", [{"precision": "bf16"}, {"precision": 16}, {"schedule": "cosine", "accumulate": 3}])
def test_other_ways_to_train_give_a_model_too(events: Events, tmp_path: Path, changes: dict[str, object]) -> None:
    trainer(events, tmp_path, **changes).run()
    assert {tensor.dtype for tensor in weights(tmp_path).values()} <= {torch.float32, torch.int64, torch.bool}
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert all(np.isfinite(row["loss"]) for row in rows)
