"""Graphs of samplers with 8-bit layers and with arrays in half precision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.schema import Feature, Schema
from facsim.export.check import open_session
from facsim.export.half import half_weights
from facsim.export.int8 import plain_products, quantise_sampler
from facsim.export.layers import read_graph
from facsim.export.onnx import export_onnx
from facsim.models import EventModel
from facsim.models.checkpoint import build_model
from facsim.models.sampled_layers import sampled_layers
from facsim.models.sampling import draw_noise

pytest.importorskip("onnxruntime")

SCHEMA = Schema("table", tuple(Feature(name) for name in "abc"), (Feature("c"),))
COND = np.linspace(-1, 1, 200, dtype=np.float32)[:, None]
STEPS = 4
# square layers, each of them in the graph several times
METHOD = {
    "name": "flow-matching",
    "steps": STEPS,
    "network": {"name": "mlp", "widths": [128, 128], "activation": "silu"},
}


@pytest.fixture(scope="module")
def model() -> EventModel:
    torch.manual_seed(3)
    found = build_model("single-stage", SCHEMA, {"method": METHOD, "transform": "standard"})
    for parameter in found.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    assert isinstance(found, EventModel)
    return found.eval()


@pytest.fixture(scope="module")
def graph(model: EventModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("graph") / "model.onnx"
    export_onnx(model, path, 20)
    return path


def weights(model: EventModel) -> list[NDArray[Any]]:
    return [layer.weight.detach().numpy() for layer in sampled_layers(model, torch.from_numpy(COND[:2])).values()]


def given(model: EventModel, seed: int = 1) -> dict[str, NDArray[Any]]:
    return {"condition": COND, **draw_noise(model, len(COND), np.random.default_rng(seed))}


def outputs(path: Path, model: EventModel) -> NDArray[Any]:
    found: NDArray[Any] = open_session(path).run(None, given(model))[0]
    return found


@pytest.mark.parametrize("static", [False, True])
def test_an_8_bit_graph_differs_but_little(static: bool, model: EventModel, graph: Path, tmp_path: Path) -> None:
    examples = [given(model, seed) for seed in (5, 6)] if static else None
    n = quantise_sampler(graph, tmp_path / "int8.onnx", weights(model), examples)
    assert n == 3 * STEPS
    expected, found = outputs(graph, model), outputs(tmp_path / "int8.onnx", model)
    difference = np.abs(found - expected).mean() / expected.std()
    assert 1e-5 < difference < 0.03
    assert (tmp_path / "int8.onnx").stat().st_size < graph.stat().st_size
    whole = [t for t in read_graph(tmp_path / "int8.onnx").graph.initializer if t.data_type == 3 and len(t.dims) == 2]
    assert len(whole) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["int8.onnx"]


def test_products_and_sums_say_the_same_as_linear_layers(model: EventModel, graph: Path, tmp_path: Path) -> None:
    plain, names = plain_products(graph, weights(model))
    (tmp_path / "plain.onnx").write_bytes(plain.SerializeToString())
    assert len(names) == 3 * STEPS
    np.testing.assert_allclose(outputs(tmp_path / "plain.onnx", model), outputs(graph, model), rtol=1e-4, atol=1e-5)


def test_a_graph_without_the_layers_is_refused(graph: Path, tmp_path: Path) -> None:
    with pytest.raises(FacsimError, match="no weights of the model's layers"):
        quantise_sampler(graph, tmp_path / "int8.onnx", [np.ones((7, 9), np.float32)])
    assert not list(tmp_path.iterdir())


def test_arrays_in_half_precision_are_smaller_and_say_nearly_the_same(
    model: EventModel, graph: Path, tmp_path: Path
) -> None:
    assert half_weights(graph, tmp_path / "half.onnx", weights(model)) == 3
    expected, found = outputs(graph, model), outputs(tmp_path / "half.onnx", model)
    assert 0 < np.abs(found - expected).mean() / expected.std() < 1e-3
    assert (tmp_path / "half.onnx").stat().st_size < graph.stat().st_size
