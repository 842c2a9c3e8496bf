"""Students of anomaly scores: they learn what a teacher says, nothing else changes the teacher, and they are small."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from facsim.core.errors import FacsimError
from facsim.core.events import Events, concatenate, make_events
from facsim.core.image import regular_image
from facsim.core.schema import Feature, Schema
from facsim.core.sources import MemorySource
from facsim.metrics.auc import stratified_auc
from facsim.metrics.fidelity import agreement
from facsim.models.base import Batch
from facsim.models.checkpoint import build_model, load_predictor, save_model, small_weights
from facsim.models.student import Student
from facsim.train.loop import Trainer
from facsim.train.settings import TrainSettings

ROWS, COLUMNS = 12, 15
GEOMETRY = regular_image("toy", (-np.pi, np.pi, ROWS), (-2.5, 2.5, COLUMNS), units=("rad", ""))
SCHEMA = Schema("grid", (Feature("tracker", "GeV"), Feature("ecal", "GeV")), (Feature("is_qcd"),), GEOMETRY)
TEACHER = {"name": "autoencoder", "error": "bce", "cells": "hit", "widths": [16, 16], "strides": [2, 2], "latent": 8}
NETWORK = {"name": "conv", "channels": [6], "kernels": [3], "pools": [2], "widths": [8]}
OPTIONS = {"teacher": TEACHER, "network": NETWORK, "cells": "hit", "background": {"is_qcd": 1}}
STEPS = {"teacher": 200, "student": 800}


def deposits(n: int, cores: int, seed: int, is_qcd: float = 1.0) -> Events:
    """Images with `cores` round deposits in the mean, turned about the beam."""
    rng = np.random.default_rng(seed)
    x = np.zeros((n, ROWS, COLUMNS, 2))
    for _ in range(2 * cores):
        row, column = rng.uniform(0, ROWS, (n, 1, 1)), rng.uniform(1, COLUMNS - 1, (n, 1, 1))
        away = np.abs(np.arange(ROWS)[:, None] - row)
        square = np.minimum(away, ROWS - away) ** 2 + (np.arange(COLUMNS) - column) ** 2
        there = rng.random((n, 1, 1)) < 0.5
        x += (there * 10 * np.exp(-square) * (square < 2))[..., None]
    cond = np.full((n, 1), is_qcd, np.float32)
    return make_events(SCHEMA, x.reshape(n, -1, 2).astype(np.float32), cond)


def batch(events: Events) -> Batch:
    return Batch(torch.from_numpy(events.x), torch.from_numpy(events.cond))


@cache
def trained() -> tuple[Student, Path]:
    """A student, its teacher trained with it, and where they lie."""
    folder = Path(mkdtemp())
    settings = TrainSettings(steps=STEPS, batch_size=64, lr=1e-2, device="cpu", fit_events=1000)
    model = Trainer("student", OPTIONS, MemorySource(deposits(2000, 2, 1)), None, folder, 1, settings).run()
    assert isinstance(model, Student)
    return model, folder


@torch.inference_mode()
def both(model: Student, events: Events) -> tuple[np.ndarray, np.ndarray]:
    """Scores of student and teacher."""
    given = batch(events)
    return model.predict(given.x, given.cond)[:, 0].numpy(), model.teacher_scores(given.x, given.cond).numpy()


@pytest.mark.slow
def test_a_student_finds_what_its_teacher_finds() -> None:
    model, _ = trained()
    background, signal = both(model, deposits(2000, 2, 2)), both(model, deposits(1000, 4, 3, 0.0))
    student, teacher = (stratified_auc(a, b)[0] for a, b in zip(background, signal, strict=True))
    assert teacher > 0.8
    assert student > teacher - 0.01
    whole, tail = agreement(background[1], background[0], (1.0, 0.1), replicas=50)
    assert whole.spearman.value > 0.9
    assert tail.overlap.value > 0.55
    assert tail.spearman.value > 0.4


@pytest.mark.slow
def test_what_is_saved_is_what_was_trained_and_the_teacher_may_be_left_out(tmp_path: Path) -> None:
    model, folder = trained()
    events = deposits(50, 3, 4)
    again = load_predictor(folder)
    assert isinstance(again, Student)
    assert all(np.array_equal(a, b) for a, b in zip(both(model, events), both(again, events), strict=True))
    save_model(model, "student", tmp_path)
    weights = small_weights(model)
    assert not any(name.startswith("teacher") for name in weights)
    save_file(weights, tmp_path / "weights.safetensors")
    assert (tmp_path / "weights.safetensors").stat().st_size < 0.25 * (folder / "weights.safetensors").stat().st_size
    alone = load_predictor(tmp_path)
    assert isinstance(alone, Student)
    given = batch(events)
    with torch.inference_mode():
        assert np.array_equal(alone.predict(given.x, given.cond)[:, 0].numpy(), both(model, events)[0])
    with pytest.raises(FacsimError, match="without a trained teacher"):
        alone.teacher_scores(given.x, given.cond)


@pytest.mark.slow
def test_a_student_exports_without_its_teacher(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    model, _ = trained()

    class Graph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.model.predict(x, x.new_zeros(x.shape[0], 1))

    events, path = deposits(20, 3, 5), str(tmp_path / "student.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = {"input_names": ["x"], "dynamic_axes": {"x": {0: "batch"}}, "dynamo": False}
        torch.onnx.export(Graph(), (torch.from_numpy(events.x[:3]),), path, **options)
    found = onnxruntime.InferenceSession(path).run(None, {"x": events.x})[0][:, 0]
    assert found == pytest.approx(both(model, events)[0], rel=1e-4, abs=1e-4)
    assert Path(path).stat().st_size < 4 * model.sizes()[0] + 10_000


@pytest.mark.slow
def test_a_trained_teacher_comes_from_its_folder_and_stays_as_it_is(tmp_path: Path) -> None:
    settings = TrainSettings(steps=20, batch_size=32, device="cpu", fit_events=100)
    events = MemorySource(deposits(200, 2, 6))
    teacher = {key: value for key, value in TEACHER.items() if key != "name"}
    Trainer("autoencoder", teacher, events, None, tmp_path / "run/models/surrogate", 1, settings).run()
    options = {**OPTIONS, "teacher": {"name": "trained", "folder": str(tmp_path / "run")}, "outliers": "none"}
    model = Trainer("student", options, events, None, tmp_path / "student", 1, settings).run()
    assert model.phases == ("student",)
    given = batch(deposits(20, 3, 7))
    with torch.inference_mode():
        expected = load_predictor(tmp_path / "run/models/surrogate").predict(given.x, given.cond)[:, 0]
    for folder in (tmp_path / "run", tmp_path / "student"):
        (folder if folder.name == "student" else folder / "models/surrogate").rename(tmp_path / f"moved-{folder.name}")
    moved = load_predictor(tmp_path / "moved-student")
    assert isinstance(moved, Student)
    assert torch.equal(moved.teacher_scores(given.x, given.cond), expected)


def built(**options: Any) -> Student:
    torch.manual_seed(1)
    model = build_model("student", SCHEMA, {**OPTIONS, **options})
    assert isinstance(model, Student)
    return model


def test_a_student_is_no_teacher_by_folder_either(tmp_path: Path) -> None:
    save_model(built(), "student", tmp_path)
    with pytest.raises(FacsimError, match="a teacher is a predictor that is no student, and 'student' is none"):
        built(teacher={"name": "trained", "folder": str(tmp_path)})


@pytest.mark.parametrize("outliers", ["none", "signal", "mixed"])
def test_gradients_reach_the_student_alone_in_its_phase(outliers: str) -> None:
    model, given = built(outliers=outliers), batch(concatenate([deposits(40, 2, 8), deposits(20, 4, 9, 0.0)]))
    model.train()
    for phase in model.phases:
        model.begin_phase(phase, given, torch.Generator())
        before = {name: value.clone() for name, value in model.state_dict().items()}
        model.zero_grad(set_to_none=True)
        torch.stack(list(model.losses(given, phase, torch.Generator().manual_seed(1)).values())).sum().backward()
        reached = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
        assert reached == {phase}
        changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
        assert all("running" in name or "num_batches" in name for name in changed)
        assert not (phase == "student" and changed)
        model.end_phase(phase, given, torch.Generator())
    assert bool(model.teacher.training)


def test_with_outliers_by_label_the_teacher_sees_background_alone() -> None:
    background, signal = deposits(40, 2, 10), deposits(20, 4, 11, 0.0)
    mixture, alone = batch(concatenate([background, signal])), batch(background)
    same = {}
    model = built(outliers="signal", turned=False)
    for phase in model.phases:
        model.begin_phase(phase, mixture, torch.Generator())
        fitted = {name: value.clone() for name, value in model.state_dict().items()}
        model.begin_phase(phase, alone, torch.Generator())
        assert all(torch.equal(value, fitted[name]) for name, value in model.state_dict().items())
        losses = [model.losses(given, phase, torch.Generator().manual_seed(2)) for given in (mixture, alone)]
        same[phase] = {name: torch.equal(value, losses[1][name]) for name, value in losses[0].items()}
    assert all(same["teacher"].values())
    assert same["student"] == {"background": True, "outliers": False}
    nothing = [*model.losses(batch(signal), "teacher").values(), model.losses(alone, "student")["outliers"]]
    assert [float(value.detach()) for value in nothing] == [0, 0]


def test_without_them_labels_are_not_read() -> None:
    events = deposits(40, 2, 10)
    for outliers in ("none", "mixed"):
        found = []
        for label in (0.0, 1.0):
            model, given = built(outliers=outliers), replace(batch(events), cond=torch.full((40, 1), label))
            assert not model.sees_signal(model.options)
            for phase in model.phases:
                model.begin_phase(phase, given, torch.Generator())
                found.append(model.losses(given, phase, torch.Generator().manual_seed(2)))
        assert found[:2] == found[2:]


def test_the_share_of_outliers_in_the_loss_is_the_exposure() -> None:
    mixture = batch(concatenate([deposits(60, 2, 12), deposits(20, 4, 13, 0.0)]))
    values = {}
    for exposure in (0.2, 0.8):
        model = built(outliers="signal", exposure=exposure, turned=False, tail=0)
        model.begin_phase("student", mixture, torch.Generator())
        values[exposure] = model.losses(mixture, "student")
    for name, factor in (("background", 0.25), ("outliers", 4.0)):
        low, high = (values[exposure][name].detach() for exposure in (0.2, 0.8))
        assert float(high) == pytest.approx(factor * float(low), rel=1e-5)


def test_training_and_options_decide_the_same_way_twice(tmp_path: Path) -> None:
    settings = TrainSettings(steps={"teacher": 4, "student": 6}, batch_size=16, device="cpu", fit_events=64)
    events = MemorySource(deposits(64, 2, 14))
    found = []
    for k in range(2):
        Trainer("student", OPTIONS, events, None, tmp_path / str(k), 3, settings).run()
        found.append((tmp_path / str(k) / "weights.safetensors").read_bytes())
    assert found[0] == found[1]


@pytest.mark.parametrize("transform", ["none", "log", "sqrt", "rank", "quantised"])
@pytest.mark.parametrize(("maps", "channels"), [("sum", []), ("each", ["tracker", "ecal"])])
def test_regional_students_see_sums_alone(transform: str, maps: str, channels: list[str]) -> None:
    looks = {"maps": maps, "channels": channels, "cells": "log"}
    model = built(input="regional", regions=(6, 4), transform=transform, network=None, **looks)
    events = deposits(30, 2, 15)
    given = batch(events)
    for phase in model.phases:
        model.begin_phase(phase, given, torch.Generator())
    model.eval()
    sums = model.seen.sums(given.x)
    assert sums.shape == (30, 1 if maps == "sum" else 2, 6, 4)
    chosen = given.x[:, :, 1:] if maps == "sum" else given.x
    assert sums.sum((1, 2, 3)).numpy() == pytest.approx(chosen.sum((1, 2)).numpy(), rel=1e-5)
    with torch.inference_mode():
        scores = model.predict(given.x, given.cond)
    assert scores.shape == (30, 1)
    assert bool(torch.isfinite(scores).all())
    assert model.sizes()[0] == 24 * sums.shape[1] * 16 + 16 + 17
    if transform == "quantised":
        assert bool(((256 * scores) % 1 == 0).all())


@pytest.mark.parametrize(("shown", "parameters"), [("full", 675), ("regional", 4065)])
def test_students_of_published_images_are_a_hundredth_of_their_teacher_or_less(shown: str, parameters: int) -> None:
    geometry = regular_image("cms", (-np.pi, np.pi, 72), (-2.5, 2.5, 58), units=("rad", ""))
    channels = (Feature("tracker", "GeV"), Feature("ecal", "GeV"), Feature("hcal", "GeV"))
    model = build_model("student", Schema("grid", channels, (), geometry), {"input": shown})
    assert isinstance(model, Student)
    student, teacher = model.sizes()
    assert student == parameters
    assert student < teacher / 100


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"teacher": "nobody"}, "unknown model 'nobody'"),
        ({"teacher": "student"}, "a teacher is a predictor that is no student, and 'student' is none"),
        ({"teacher": "single-stage"}, "'single-stage' is none"),
        ({"teacher": {"name": "autoencoder", "latant": 3}}, r"unknown option 'teacher\.latant'"),
        ({"teacher": {"name": "trained"}}, "needs its folder"),
        ({"teacher": {"name": "trained", "folder": "nowhere"}}, "holds no trained model"),
        ({"network": {"name": "dense", "depth": 2}}, r"unknown option 'network\.depth'"),
        ({"network": "tree"}, "unknown network of a student 'tree'"),
        ({"network": {"name": "conv", "kernels": [3]}}, "as many channels as kernels and pools"),
        ({"network": {"name": "conv"}}, "too small for convolutions"),
        ({"input": "regional", "regions": (50, 2), "network": "dense"}, "50 regions cannot be made of 12 rows"),
        ({"outliers": "signal", "background": {}}, "needs to know what background is"),
        ({"exposure": 1.0}, "exposure"),
        ({"channels": ["muons"]}, "'muons', which the images have not"),
    ],
)
def test_bad_options_are_told_in_one_sentence(options: dict[str, Any], message: str) -> None:
    with pytest.raises(FacsimError, match=message) as raised:
        build_model("student", SCHEMA, {**OPTIONS, **options})
    assert "\n" not in str(raised.value)


def test_what_is_no_image_and_fits_without_background_are_refused() -> None:
    with pytest.raises(FacsimError, match="takes images, not a table"):
        build_model("student", Schema("table", (Feature("a"),)), {})
    with pytest.raises(FacsimError, match=r"built for images of 12 x 15 cells in 2 channels, .* not \(10, 180, 1\)"):
        built().predict(torch.zeros(10, 180, 1), torch.zeros(10, 1))
    with pytest.raises(FacsimError, match="none of the 10 events to fit on is background"):
        built(outliers="signal").begin_phase("teacher", batch(deposits(10, 2, 1, 0.0)), torch.Generator())
