"""Variants of graphs: whole numbers where they should be, zeros as many as were asked for, and nothing else changed."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facsim.core.errors import FacsimError
from facsim.core.image import regular_image
from facsim.core.schema import Feature, Schema
from facsim.export.check import open_session
from facsim.export.onnx import export_predictor
from facsim.export.variants import pruned, quantised
from facsim.models import Predictor
from facsim.models.checkpoint import build_model

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

SCHEMA = Schema("grid", (Feature("et", "GeV"),), (), regular_image("toy", (-np.pi, np.pi, 18), (-2.5, 2.5, 20)))
TEACHER = {"name": "autoencoder", "widths": [4, 4], "strides": [2, 2], "latent": 4}
KINDS: dict[str, dict[str, Any]] = {
    "conv": {"network": {"name": "conv", "channels": [3, 4], "kernels": [3, 3], "pools": [2, 2], "widths": [8]}},
    "dense": {"input": "regional", "regions": [6, 5]},
}


def graph(kind: str, folder: Path) -> Path:
    torch.manual_seed(4)
    model = build_model("student", SCHEMA, {"teacher": TEACHER, **KINDS[kind]}).eval()
    assert isinstance(model, Predictor)
    export_predictor(model, folder / "model.onnx", 20)
    return folder / "model.onnx"


def events(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    share = rng.uniform(0.02, 0.5, (n, 1, 1))
    return (rng.exponential(2, (n, 360, 1)) * (rng.random((n, 360, 1)) < share)).astype(np.float32)


def scores(path: Path, x: np.ndarray) -> np.ndarray:
    found: np.ndarray = open_session(path).run(None, {"events": x})[0][:, 0]
    return found


def operations(path: Path) -> list[str]:
    return [node.op_type for node in onnx.load(str(path)).graph.node]


@pytest.mark.parametrize(("kind", "method", "layers"), [("conv", "static", 4), ("dense", "dynamic", 2)])
def test_layers_of_whole_numbers_say_nearly_the_same(kind: str, method: str, layers: int, tmp_path: Path) -> None:
    full, path = graph(kind, tmp_path), tmp_path / "int8.onnx"
    before = logging.root.manager.disable
    found = quantised(full, path, ({"events": events(16, seed)} for seed in range(4)))
    assert logging.root.manager.disable == before
    assert found == {"method": method, "layers": layers}
    kinds = operations(path)
    assert ("QuantizeLinear" in kinds, "DynamicQuantizeLinear" in kinds) == (method == "static", method == "dynamic")
    assert kinds.count("MatMul") == operations(full).count("MatMul")  # sums over regions stay as they are
    x = events(600, 9)
    a, b = scores(full, x), scores(path, x)
    assert len(np.unique(b)) > 300  # no scores of 8 bits
    assert 0 < np.abs(a - b).max() < 0.5 * a.std()
    assert np.corrcoef(a, b)[0, 1] > 0.98


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.25, 0.9])
def test_the_smallest_weights_of_each_layer_are_zero(kind: str, share: float, tmp_path: Path) -> None:
    full, path = graph(kind, tmp_path), tmp_path / "pruned.onnx"
    found = pruned(full, path, share)
    arrays, changed = (
        {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(str(p)).graph.initializer} for p in (full, path)
    )
    weights = [name for name in arrays if (arrays[name] != changed[name]).any()]
    assert len(weights) == {"conv": 4, "dense": 2}[kind]
    for name in weights:
        zero = changed[name] == 0
        assert zero.sum() == int(share * zero.size)
        assert np.abs(arrays[name][zero]).max() <= np.abs(arrays[name][~zero]).min()
        np.testing.assert_array_equal(changed[name][~zero], arrays[name][~zero])
    assert found["weights"] == sum(arrays[name].size for name in weights)
    assert found["zeros"] == sum(int((changed[name] == 0).sum()) for name in weights)
    x = events(50, 3)
    assert np.isfinite(scores(path, x)).all()
    assert (scores(path, x) != scores(full, x)).any()


def test_few_zeros_change_scores_less_than_many(tmp_path: Path) -> None:
    full, x = graph("conv", tmp_path), events(100, 5)
    paths = {share: tmp_path / f"{share}.onnx" for share in (0.05, 0.5)}
    for share, path in paths.items():
        pruned(full, path, share)
    away = {share: np.std(scores(path, x) - scores(full, x)) for share, path in paths.items()}
    assert 0 < away[0.05] < away[0.5]


def test_a_graph_without_layers_is_told(tmp_path: Path) -> None:
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    given, made = (helper.make_tensor_value_info(name, kind, ["batch", 3]) for name in ("events", "scores"))
    made_of = helper.make_graph([helper.make_node("Abs", ["events"], ["scores"])], "toy", [given], [made])
    onnx.save(helper.make_model(made_of), str(tmp_path / "plain.onnx"))
    for make in (
        lambda: pruned(tmp_path / "plain.onnx", tmp_path / "v.onnx", 0.5),
        lambda: quantised(tmp_path / "plain.onnx", tmp_path / "v.onnx", []),
    ):
        with pytest.raises(FacsimError, match=r"has no layers.*export\.variants"):
            make()
    assert not (tmp_path / "v.onnx").exists()
