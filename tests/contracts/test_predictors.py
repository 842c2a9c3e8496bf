"""The contract every registered predictor keeps, with each of its kinds of options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facsim.core.errors import FacsimError
from facsim.core.events import Events, make_events
from facsim.core.image import regular_image
from facsim.core.rng import generator
from facsim.core.schema import Feature, Schema
from facsim.core.sources import MemorySource
from facsim.export.check import check_predictor, open_session
from facsim.export.onnx import export_predictor
from facsim.metrics.auc import stratified_auc
from facsim.models import MODELS, Predictor
from facsim.models.base import Batch
from facsim.models.checkpoint import build_model, load_predictor, save_model
from facsim.train.loop import Trainer
from facsim.train.settings import TrainSettings

ROWS, COLUMNS, N = 11, 14, 24
SCHEMA = Schema(
    "grid",
    (Feature("tracker", "GeV"), Feature("ecal", "GeV")),
    (Feature("is_background"),),
    regular_image("toy", (-2.5, 2.5, ROWS), (-3.2, 3.2, COLUMNS)),
)
CONV = {"name": "conv", "channels": [6], "kernels": [3], "pools": [2], "widths": [8]}
OPTIONS: dict[str, dict[str, dict[str, Any]]] = {
    "autoencoder": {
        "default": {},
        "log": {"error": "mse", "cells": "log", "channels": ["ecal"], "strides": [[2, 3], 2]},
        "hit-variational": {"error": "bce", "cells": "hit", "beta": 0.1},
        "share-average": {"error": "mse", "cells": "share", "pooling": "average", "dense": [16], "strides": [1, 2]},
        "dense": {"widths": [], "strides": [], "dense": [32], "error": "mse", "beta": 0.01},
        "patterns": {"output": "patterns", "widths": [16, 8]},
        "sparse": {"output": "patterns", "sparse": True, "widths": [16, 8], "strides": [3, 2]},
        "sparse-variational": {"error": "mse", "output": "patterns", "sparse": True, "beta": 0.1},
    },
    "codae": {
        "deterministic": {},
        "categorical": {"latent": "categorical"},
        "mixture": {"latent": "categorical", "prior": "mixture", "components": 3},
        "dirichlet": {"latent": "dirichlet", "concentration": 0.3},
        "energy": {"error": "inverse-dice", "cells": "energy", "channels": [], "numbers": 1},
    },
    "contrast": {
        "linear": {},
        "features": {"features": ["tracker_hits", "ecal_largest", "sphericity"], "smoothing": 0.0},
        "hidden": {"hidden": [16, 8]},
        "image": {"network": "image", "widths": [8, 8], "strides": [2, 2]},
    },
    "student": {
        "full": {"network": CONV, "cells": "hit", "transform": "none"},
        "regional": {"input": "regional", "regions": [6, 7], "maps": "each"},
        "of-codae": {"network": CONV, "teacher": {"name": "codae", "widths": [8, 8], "codes": 8, "groups": 2}},
    },
}
"""Options of each predictor; a new one is a line."""
SMALL: dict[str, dict[str, Any]] = {
    "autoencoder": {"widths": [8, 8], "strides": [2, 2], "latent": 8},
    "codae": {"widths": [8, 8], "codes": 8, "groups": 2},
    "contrast": {"hits": [3.0, 20.0]},
    "student": {
        "teacher": {"name": "autoencoder", "widths": [8, 8], "strides": [2, 2], "latent": 8},
        "tail": 0.0,
        "turned": False,
    },
}
STEPS = {"codae": 100, "contrast": 100, "student-of-codae": 100}
Case = tuple[str, str]
RECONSTRUCT = ("autoencoder", "codae")
"""Predictors whose scores are their losses."""
CASES: list[Case] = [(name, kind) for name, kinds in OPTIONS.items() for kind in kinds]
EACH = pytest.mark.parametrize("case", CASES, ids=["-".join(case) for case in CASES])


def images(n: int, cores: int, seed: int) -> Events:
    """Events of `cores` round deposits at random places; one core is background."""
    rng = generator(seed, "toy-images")
    x = np.zeros((n, ROWS, COLUMNS, 2))
    for _ in range(cores):
        row, column = rng.uniform(2, ROWS - 2, (n, 1, 1)), rng.uniform(2, COLUMNS - 2, (n, 1, 1))
        square = (np.arange(ROWS)[:, None] - row) ** 2 + (np.arange(COLUMNS) - column) ** 2
        x += (rng.uniform(5, 15, (n, 1, 1)) * np.exp(-square) * (square < 3))[..., None]
    return make_events(SCHEMA, x.reshape(n, -1, 2).astype(np.float32), np.full((n, 1), cores == 1, np.float32), 0)


def options(case: Case) -> dict[str, Any]:
    return {**SMALL.get(case[0], {}), **OPTIONS[case[0]][case[1]]}


def prepared(case: Case) -> tuple[Predictor, Batch]:
    torch.manual_seed(3)
    events = images(N, 2, 1)
    batch = Batch(torch.from_numpy(events.x), torch.from_numpy(events.cond))
    model = build_model(case[0], SCHEMA, options(case))
    assert isinstance(model, Predictor)
    for phase in model.phases:
        model.begin_phase(phase, batch, torch.Generator())
        model.end_phase(phase, batch, torch.Generator())
    return model, batch


def scores(model: Predictor, x: torch.Tensor, cond: torch.Tensor | None = None) -> torch.Tensor:
    with torch.inference_mode():
        return model.eval().predict(x, torch.zeros(len(x), 1) if cond is None else cond)


def test_every_predictor_is_listed_here() -> None:
    assert set(OPTIONS) == {name for name, kind in MODELS.items() if issubclass(kind, Predictor)}


@EACH
def test_losses_are_finite_and_every_phase_trains_its_parameters(case: Case) -> None:
    model, batch = prepared(case)
    names = {id(p): name for name, p in model.named_parameters()}
    reached: set[int] = set()
    for phase in model.phases:
        for turn in model.turns(phase):
            optimiser = torch.optim.Adam(model.parameters_of(turn), 1e-3)
            for seed in range(3):
                losses = model.losses(batch, turn, torch.Generator().manual_seed(seed))
                assert all(loss.ndim == 0 and torch.isfinite(loss) for loss in losses.values())
                optimiser.zero_grad()
                torch.stack(list(losses.values())).sum().backward()
                reached |= {id(p) for p in model.parameters_of(turn) if p.grad is not None and bool(p.grad.any())}
                optimiser.step()
    assert not [name for p, name in names.items() if p not in reached]


@EACH
def test_losses_follow_their_generator(case: Case) -> None:
    model, batch = prepared(case)
    for turn in (turn for phase in model.phases for turn in model.turns(phase)):
        first, again = (model.losses(batch, turn, torch.Generator().manual_seed(1)) for _ in range(2))
        assert first == again


@EACH
def test_predictions_are_of_each_event_alone_and_without_noise(case: Case) -> None:
    model, batch = prepared(case)
    state, random = {key: value.clone() for key, value in model.state_dict().items()}, torch.get_rng_state()
    whole = scores(model, batch.x)
    assert whole.shape == (N, len(model.outputs))
    assert len({feature.name for feature in model.outputs}) == len(model.outputs)
    assert torch.isfinite(whole).all()
    assert torch.equal(whole, scores(model, batch.x))
    torch.testing.assert_close(scores(model, batch.x[5:6]), whole[5:6], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(scores(model, batch.x.flip(0)).flip(0), whole, rtol=1e-4, atol=1e-5)
    assert torch.equal(random, torch.get_rng_state())
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


@EACH
def test_only_conditional_predictors_read_conditions(case: Case) -> None:
    model, batch = prepared(case)
    found = [scores(model, batch.x, torch.full((N, 1), value)) for value in (0.0, 1.0)]
    assert torch.equal(*found) != model.conditional


@pytest.mark.parametrize("case", [case for case in CASES if case[0] in RECONSTRUCT], ids="-".join)
def test_what_is_trained_is_what_is_scored(case: Case) -> None:
    """The losses of a model in evaluation are the means of its scores, as far as nothing is drawn."""
    model, batch = prepared(case)
    found = scores(model, batch.x).mean(0)
    with torch.inference_mode():
        losses = model.losses(batch, model.phases[-1], torch.Generator())
    names = [feature.name for feature in model.outputs]
    if "kl" in names:
        assert float(losses["kl"]) == pytest.approx(model.options.beta * float(found[names.index("kl")]), rel=1e-4)
    else:
        assert float(losses["reconstruction"]) == pytest.approx(float(found[0]), rel=1e-4)


@EACH
def test_save_and_load_give_the_same_scores(case: Case, tmp_path: Path) -> None:
    model, batch = prepared(case)
    save_model(model, case[0], tmp_path)
    assert torch.equal(scores(load_predictor(tmp_path), batch.x), scores(model, batch.x))


@EACH
def test_a_different_signal_scores_higher(case: Case, tmp_path: Path) -> None:
    settings = TrainSettings(
        steps=STEPS.get("-".join(case), STEPS.get(case[0], 300)), batch_size=64, lr=5e-3, device="cpu"
    )
    Trainer(case[0], options(case), MemorySource(images(2000, 1, 1)), None, tmp_path / "model", 1, settings).run()
    model = load_predictor(tmp_path / "model")
    background, signal = (scores(model, torch.from_numpy(images(200, *of).x))[:, 0].numpy() for of in ((1, 2), (4, 3)))
    assert stratified_auc(background, signal)[0] > 0.85


@EACH
def test_exported_graph_scores_as_the_model(case: Case, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    model, batch = prepared(case)
    names = export_predictor(model.eval(), tmp_path / "model.onnx")
    assert names == (["events", "condition"] if model.conditional else ["events"])
    session = open_session(tmp_path / "model.onnx")
    assert [node.name for node in session.get_outputs()] == ["scores"]
    assert session.get_inputs()[0].shape == ["batch", ROWS * COLUMNS, 2]
    x = batch.x.numpy().copy()
    x[3] = 0
    events = make_events(SCHEMA, x, batch.cond.numpy(), 0)
    assert check_predictor(model, tmp_path / "model.onnx", events, batches=(1, 9, 33))["passed"]


@EACH
def test_empty_images_have_finite_scores(case: Case) -> None:
    model, batch = prepared(case)
    both = torch.cat([torch.zeros_like(batch.x[:2]), batch.x[:2]])
    for x in (both[:2], both):
        assert torch.isfinite(scores(model, x)).all()
    for turn in model.turns(model.phases[-1]):
        losses = model.train().losses(Batch(both, torch.zeros(4, 1)), turn, torch.Generator())
        assert all(torch.isfinite(loss) for loss in losses.values())


@EACH
def test_other_images_are_refused(case: Case) -> None:
    model, batch = prepared(case)
    with pytest.raises(FacsimError, match=r"built for images of 11 x 14 cells in 2 channels, .* not \(24, 153, 2\)"):
        scores(model, batch.x[:, 1:])
    with pytest.raises(FacsimError, match="not"):
        scores(model, batch.x[..., :1])
    with pytest.raises(FacsimError, match="takes images, not a table"):
        build_model(case[0], Schema("table", (Feature("tracker"),), ()), options(case))
    if "channels" not in type(model.options).model_fields:
        return
    with pytest.raises(FacsimError, match=r"'muons', which the images have not.*\['tracker', 'ecal'\]"):
        build_model(case[0], SCHEMA, {**options(case), "channels": ["muons"]})


def test_check_notices_another_predictor(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    model, batch = prepared(("autoencoder", "default"))
    export_predictor(model.eval(), tmp_path / "model.onnx")
    torch.manual_seed(4)
    other = build_model("autoencoder", SCHEMA, options(("autoencoder", "default"))).eval()
    assert isinstance(other, Predictor)
    with pytest.raises(FacsimError, match="disagrees with the model: scores differ"):
        check_predictor(other, tmp_path / "model.onnx", make_events(SCHEMA, batch.x.numpy(), batch.cond.numpy(), 0))
