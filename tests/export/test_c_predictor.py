"""Exported C of predictors gives the scores of the graph, one event after the other, and tells broken events."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facsim.core.errors import FacsimError
from facsim.core.image import regular_image
from facsim.core.schema import Feature, Schema
from facsim.export.c_check import COMPILERS, compile_c
from facsim.export.c_check_predictor import CPredictor, check_c_predictor, compile_predictor
from facsim.export.c_predictor import PredictorFacts, export_c_predictor, predictor_facts
from facsim.export.card import make_card
from facsim.export.onnx import export_predictor
from facsim.models import Predictor
from facsim.models.base import Batch
from facsim.models.checkpoint import build_model

pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.skipif(
    not any(map(shutil.which, COMPILERS)), reason=f"there is no C compiler on PATH ({', '.join(COMPILERS)})"
)

ROWS, COLUMNS = 18, 23
GEOMETRY = regular_image("toy", (-np.pi, np.pi, ROWS), (-2.5, 2.5, COLUMNS), units=("rad", ""))
SCHEMA = Schema("grid", (Feature("tracker", "GeV"), Feature("ecal", "GeV")), (Feature("is_qcd"),), GEOMETRY)
TEACHER = {"name": "autoencoder", "widths": [4, 4], "strides": [2, 2], "latent": 4}
CONV = {"name": "conv", "channels": [2, 3], "kernels": [3, 2], "pools": [2, 2], "widths": [5]}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "conv": ("student", {"teacher": TEACHER, "network": CONV, "cells": "hit"}),
    "conv-log": ("student", {"teacher": TEACHER, "network": CONV, "channels": ["ecal"], "transform": "rank"}),
    "dense": ("student", {"teacher": TEACHER, "input": "regional", "regions": [5, 4]}),
    "dense-each": (
        "student",
        {"teacher": TEACHER, "input": "regional", "regions": [6, 7], "maps": "each", "channels": ["ecal", "tracker"]},
    ),
    "linear": ("student", {"teacher": TEACHER, "network": {"name": "dense", "widths": []}, "cells": "energy"}),
    "quantised": ("student", {"teacher": TEACHER, "input": "regional", "regions": [5, 4], "transform": "quantised"}),
    "features": ("contrast", {"hidden": [6]}),
    "image": ("contrast", {"network": "image"}),
}


def events(n: int, seed: int) -> np.ndarray:
    """Sparse images (n, V, C), GeV."""
    rng = np.random.default_rng(seed)
    x = rng.exponential(2, (n, ROWS * COLUMNS, 2)) * (rng.random((n, ROWS * COLUMNS, 2)) < 0.1)
    return x.astype(np.float32)


def written(kind: str, folder: Path) -> tuple[Predictor, Path, Path, PredictorFacts]:
    """(model, graph, source, facts) of an export with fitted inputs and weights as at the start."""
    torch.manual_seed(2)
    name, options = KINDS[kind]
    model = build_model(name, SCHEMA, options).eval()
    assert isinstance(model, Predictor)
    x = torch.from_numpy(events(100, 1))
    for phase in model.phases:
        model.begin_phase(phase, Batch(x, torch.ones(len(x), 1)), torch.Generator().manual_seed(1))
    graph = folder / "model.onnx"
    export_predictor(model, graph, 20)
    card = make_card(model, name, graph, np.ones((9, 1)), [], {})
    facts = predictor_facts(card, "toy", "0" * 64)
    return model, graph, export_c_predictor(graph, folder, facts)[0], facts


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> tuple[Predictor, CPredictor, Path]:
    folder = tmp_path_factory.mktemp("dense")
    model, _, source, facts = written("dense-each", folder)
    return model, compile_predictor(source, facts, folder)[0], source


@pytest.mark.parametrize("kind", KINDS)
def test_c_gives_the_scores_of_the_graph(kind: str, tmp_path: Path) -> None:
    _, graph, source, facts = written(kind, tmp_path)
    found = check_c_predictor(source, graph, facts, {"events": events(300, 3)})
    assert found["passed"]
    assert found["share_within"] >= 0.99
    assert found["median_relative_difference"] < 1e-5
    assert 0.01 < found["us_per_call_least"] <= found["us_per_call"] < 10_000
    strict = ("-Wall", "-Wextra", "-pedantic", "-Werror")
    compile_c(source, tmp_path / "strict.so", strict)


def test_c_gives_the_scores_of_the_model(dense: tuple[Predictor, CPredictor, Path]) -> None:
    model, compiled, _ = dense
    x = events(50, 4)
    found, state = compiled.predict({"events": x})
    with torch.inference_mode():
        expected = model.predict(torch.from_numpy(x), torch.zeros(50, 1)).numpy()
    assert state == 0
    assert expected.std() > 1e-3
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_an_event_is_scored_as_among_others(dense: tuple[Predictor, CPredictor, Path]) -> None:
    x = events(30, 5)
    together = dense[1].predict({"events": x})[0]
    alone = [dense[1].predict({"events": x[k : k + 1]})[0] for k in range(30)]
    np.testing.assert_array_equal(together, np.concatenate(alone))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_broken_event_is_told_and_spoils_no_other(dense: tuple[Predictor, CPredictor, Path], value: float) -> None:
    x = events(5, 6)
    whole = dense[1].predict({"events": x})[0]
    x[2, 100, 1] = value
    found, state = dense[1].predict({"events": x})
    assert state == 2
    assert np.isnan(found[2]).all()
    np.testing.assert_array_equal(np.delete(found, 2, 0), np.delete(whole, 2, 0))


def test_header_says_what_goes_in_and_out(dense: tuple[Predictor, CPredictor, Path]) -> None:
    header = dense[2].with_suffix(".h").read_text()
    assert f"#define TOY_N_EVENTS {ROWS * COLUMNS * 2}" in header
    assert "#define TOY_N_SCORES 1" in header
    assert "tracker [GeV]; ecal [GeV]" in header
    assert "int toy_predict(int32_t n, const float *events, float *scores);" in header
    assert dense[1].facts.checksums["graph"] in header
    source = dense[2].read_text()
    included = {line.split()[1] for line in source.splitlines() if line.startswith("#include")}
    assert included == {'"toy.h"', "<float.h>", "<math.h>", "<string.h>"}
    assert "malloc" not in source


def test_changed_weights_are_noticed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    _, _, source, facts = written("conv", tmp_path / "a")
    _, graph, _, _ = written("conv-log", tmp_path / "b")
    with pytest.raises(FacsimError, match="disagrees with the graph"):
        check_c_predictor(source, graph, facts, {"events": events(40, 7)})


def test_a_missing_operation_is_named(tmp_path: Path) -> None:
    torch.manual_seed(1)
    model = build_model("autoencoder", SCHEMA, {"widths": [4, 4], "strides": [2, 2], "latent": 4}).eval()
    assert isinstance(model, Predictor)
    graph = tmp_path / "model.onnx"
    export_predictor(model, graph, 20)
    facts = predictor_facts(make_card(model, "autoencoder", graph, np.ones((9, 1)), [], {}), "toy", "")
    with pytest.raises(
        FacsimError, match=r"operation ConvTranspose, which the C export does not know.*export\.c=false"
    ):
        export_c_predictor(graph, tmp_path, facts)
    assert not list(tmp_path.glob("toy.*"))


def test_an_image_too_large_for_the_stack_is_told(tmp_path: Path) -> None:
    geometry = regular_image("large", (-np.pi, np.pi, 900), (-2.5, 2.5, 800))
    schema = Schema("grid", (Feature("tracker", "GeV"),), (), geometry)
    network = {"name": "conv", "channels": [1], "kernels": [2], "pools": [64]}
    model = build_model("student", schema, {"teacher": TEACHER, "network": network}).eval()
    assert isinstance(model, Predictor)
    graph = tmp_path / "model.onnx"
    export_predictor(model, graph, 20)
    facts = predictor_facts(make_card(model, "student", graph, np.zeros((9, 0)), [], {}), "toy", "")
    with pytest.raises(FacsimError, match=r"MB of stack a call.*regions"):
        export_c_predictor(graph, tmp_path, facts)
