"""The exported graph equals the model, has a dynamic batch, and its card is complete."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from facsim.core.errors import FacsimError
from facsim.core.events import Events, make_events
from facsim.core.geometry import regular_cylinder
from facsim.core.rng import generator
from facsim.core.schema import calorimeter_schema
from facsim.core.sources import MemorySource
from facsim.export.card import make_card, sha256
from facsim.export.check import check_export, open_session
from facsim.export.onnx import export_onnx
from facsim.models.base import EventModel
from facsim.models.sampling import draw_noise
from facsim.train.loop import Trainer
from facsim.train.settings import TrainSettings

pytest.importorskip("onnxruntime")

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
    cells = rng.exponential(1.0, (64, 72)) * energy / 50
    cells[rng.random(cells.shape) < 0.5] = 0
    schema = calorimeter_schema(regular_cylinder("toy", "electron", 4, 6, 3, 5.0, 0.01))
    return make_events(schema, cells[..., None].astype(np.float32), energy)


@pytest.fixture(scope="module")
def exported(events: Events, tmp_path_factory: pytest.TempPathFactory) -> tuple[EventModel, Path]:
    folder = tmp_path_factory.mktemp("export")
    settings = TrainSettings(steps=5, batch_size=16, device="cpu")
    model = Trainer("two-stage", OPTIONS, MemorySource(events), None, folder, 1, settings).run()
    names = export_onnx(model, folder / "model.onnx")
    assert names == ["condition", "layer_noise", "pattern_noise"]
    return model, folder / "model.onnx"


def test_graph_agrees_with_the_model_at_every_batch(exported: tuple[EventModel, Path], events: Events) -> None:
    result = check_export(*exported, events.cond, seed=1, batches=(1, 2, 33))
    assert result["passed"]
    assert [row["batch"] for row in result["batches"]] == [1, 2, 33]


def test_graph_has_physical_units_and_named_inputs(exported: tuple[EventModel, Path], events: Events) -> None:
    model, path = exported
    session = open_session(path)
    assert [i.name for i in session.get_inputs()] == ["condition", "layer_noise", "pattern_noise"]
    assert [o.name for o in session.get_outputs()] == ["events"]
    cond = events.cond[:16].astype(np.float32)
    x = session.run(None, {"condition": cond, **draw_noise(model, 16, generator(4))})[0]
    assert x.shape == (16, 72, 1)
    assert ((x == 0) | (x >= 0.01 * (1 - 1e-5))).all()


def test_events_without_any_hit(exported: tuple[EventModel, Path], events: Events) -> None:
    model, path = exported
    cond = events.cond[:2].astype(np.float32)
    noise = draw_noise(model, 2, generator(4)) | {"layer_noise": np.full((2, 9), -8.0, dtype=np.float32)}
    with torch.no_grad():
        assert not model.sample(torch.as_tensor(cond), {k: torch.as_tensor(v) for k, v in noise.items()}).any()
    assert not open_session(path).run(None, {"condition": cond, **noise})[0].any()


def test_check_notices_another_model(exported: tuple[EventModel, Path], events: Events, tmp_path: Path) -> None:
    settings = TrainSettings(steps=3, batch_size=16, device="cpu")
    other = Trainer("two-stage", OPTIONS, MemorySource(events), None, tmp_path, 2, settings).run()
    with pytest.raises(FacsimError, match="disagrees with the model"):
        check_export(other, exported[1], events.cond, seed=1)


def test_card_states_ranges_noise_and_checksum(exported: tuple[EventModel, Path], events: Events) -> None:
    model, path = exported
    card = make_card(model, "two-stage", path, events.cond, [{"name": "auc_high", "value": 0.6}], {"seed": 1})
    assert card["graph"]["sha256"] == sha256(path)
    assert card["training_range"][0]["min"] == events.cond.min()
    assert card["inputs"]["noise"][1]["shape"] == ["batch", 72, 1]
    assert card["output"]["shape"] == ["batch", 72, 1]
    assert card["output"]["unit"] == "MeV"


def test_a_sampler_that_onnx_cannot_say_is_told(exported: tuple[EventModel, Path], tmp_path: Path) -> None:
    class Odd(type(exported[0])):  # type: ignore[misc]
        def sample(self, cond: torch.Tensor, noise: Mapping[str, torch.Tensor]) -> torch.Tensor:
            return torch.linalg.eigvals(super().sample(cond, noise)[:, :4] * torch.eye(4)).real[..., None]

    model = Odd(exported[0].schema, exported[0].options)
    with pytest.raises(FacsimError, match=r"sampler of Odd cannot be written as an ONNX graph .*--set export=null"):
        export_onnx(model, tmp_path / "odd.onnx")
    assert not list(tmp_path.iterdir())
