"""What is asked of `facsim compress`, and which results are good enough."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facsim.config import run_config
from facsim.core.errors import FacsimError
from facsim.core.events import make_events
from facsim.core.schema import Feature, Schema
from facsim.core.sources import MemorySource
from facsim.models.checkpoint import build_model, save_model
from facsim.pipeline.compression import refuse
from facsim.pipeline.compression.distil import DistilOptions, distil
from facsim.pipeline.compression.gate import Limits, compared, failures, limits, watched
from facsim.pipeline.compression.half import HalfOptions, fp16
from facsim.pipeline.compression.job import Job
from facsim.pipeline.compression.judging import Finite
from facsim.pipeline.compression.methods import METHODS, asked, check_fit, fitting, listed
from facsim.run import Run

SCHEMA = Schema("table", tuple(Feature(name) for name in "abc"), (Feature("c"),))


def row(name: str, value: float | None, error: float, **more: Any) -> dict[str, Any]:
    base = {"name": name, "protocol": "strict", "region": "all", "null": 0.5, "null_error": 0.01, "better": "lower"}
    return {**base, "value": value, "error": error, **more}


SCORES = [
    row("auc_high", 0.60, 0.03),
    row("auc_high", 0.70, 0.05, region="E1"),
    row("fpd", 9.9, 0.1, protocol="jetnet-0.2.5"),
    row("fpd", 0.2, 0.01),
    row("reach", 0.9, 0.01, better="higher"),
    row("memorisation", 1.2, 0.1, null=1.0, better="null"),
    row("kpd", None, 0.0),
]


def changed(**values: float) -> list[dict[str, Any]]:
    return [{**one, "value": values.get(one["name"], one["value"])} for one in SCORES]


def test_every_method_says_what_it_does_and_what_its_options_mean() -> None:
    for name, told in listed().items():
        assert told["does"].endswith("."), name
        assert all(option["meaning"] for option in told["options"].values()), name


def test_options_go_to_the_methods_that_have_them() -> None:
    ones = asked(["sparse", "narrow", "narrow:share=0.75,tune=0"], ["tune=0.1", "narrow.rate=2"])
    assert [one.label for one in ones] == [
        "sparse-tune=0.1",
        "narrow-tune=0.1-rate=2.0",
        "narrow-tune=0.0-rate=2.0-share=0.75",
    ]
    assert asked(["int8-dynamic:after=narrow-share=0.75"], [])[0].options.after == "narrow-share=0.75"
    assert asked(["narrow:share=0.5"], [])[0].label == "narrow"  # as by default
    student = asked(["distil"], ["network={name: mlp, widths: [8, 8]}"])[0]
    assert student.options.model_dump()["network"] == {"name": "mlp", "widths": [8, 8]}
    assert student.label == "distil-network=name:mlp+widths:8x8"


@pytest.mark.parametrize(
    ("methods", "settings", "words"),
    [
        ([], [], "say how to compress"),
        (["prune"], [], "unknown method of compression 'prune'"),
        (["narow"], [], "did you mean 'narrow'"),
        (["narrow"], ["shares=1"], "narrow: ['after', 'rate', 'share', 'tune']"),
        (["fp16"], ["share=1"], "fp16: ['after']"),
        (["narrow"], ["share"], "sets no option"),
        (["narrow"], ["sparse.share=0.2"], "sets no option"),
        (["narrow"], ["share=1.5"], "'narrow.share'"),
        (["narrow:width=3"], [], "unknown option 'narrow.width'"),
        (["narrow"], ["share=[1"], "is no YAML"),
        (["narrow", "narrow:share=0.5"], [], "once with the same options"),
    ],
)
def test_what_cannot_be_asked_is_refused(methods: list[str], settings: list[str], words: str) -> None:
    with pytest.raises(FacsimError) as caught:
        asked(methods, settings)
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_methods_that_do_not_fit_are_refused_with_those_that_do() -> None:
    gan = build_model("single-stage", SCHEMA, {"method": {"name": "gan"}})
    assert fitting(gan) == [name for name in METHODS if "steps" not in name]
    with pytest.raises(FacsimError, match=r"'few-steps' does not fit this model: its methods make no steps .*'narrow'"):
        check_fit(asked(["few-steps"], []), gan)
    flow = build_model("single-stage", SCHEMA, {"method": {"name": "flow", "kind": "autoregressive"}})
    with pytest.raises(FacsimError, match="too long for a graph"):
        check_fit(asked(["int8-static"], []), flow)


def test_few_scores_are_watched_and_others_on_demand() -> None:
    assert watched(SCORES, {}) == ["auc_high", "fpd"]
    assert watched(SCORES, {"auc_high@E1": 0.8, "reach": 0.5}) == ["auc_high", "fpd", "auc_high@E1", "reach"]
    for name in ("auc", "kpd", "auc_high@E9"):
        with pytest.raises(FacsimError, match=f"no score '{name}': expected one of .*auc_high"):
            watched(SCORES, {name: 1.0})


def test_sigma_is_of_both_errors_and_positive_where_it_is_worse() -> None:
    found = compared(changed(auc_high=0.66, reach=0.8, memorisation=0.7), SCORES, ["auc_high", "fpd", "reach"])
    assert found["auc_high"]["sigma"] == pytest.approx(0.06 / (0.03 * math.sqrt(2)))
    assert found["fpd"]["original"] == 0.2  # facsim's own protocol
    assert found["fpd"]["sigma"] == 0
    assert found["reach"]["sigma"] > 5
    # 0.7 is farther from 1 than 1.2 is
    both = compared(changed(memorisation=0.7), SCORES, ["memorisation"])["memorisation"]
    assert both["sigma"] == pytest.approx(0.1 / (0.1 * math.sqrt(2)))


@pytest.mark.parametrize(
    ("values", "allowed", "fails"),
    [
        ({}, Limits(0.0), 0),
        ({"auc_high": 0.64}, Limits(1.0), 0),
        ({"auc_high": 0.65}, Limits(1.0), 1),
        ({"auc_high": 0.65, "fpd": 0.3}, Limits(1.0), 2),
        ({"auc_high": 0.99, "fpd": 9.0}, Limits(None), 0),
        ({"auc_high": 0.5}, Limits(0.0), 0),  # better
        ({"auc_high": 0.65}, Limits(None, {"auc_high": 0.64}), 1),
        ({"reach": 0.95}, Limits(None, {"reach": 0.94}), 0),
        ({"reach": 0.93}, Limits(None, {"reach": 0.94}), 1),
        ({"memorisation": 0.85}, Limits(None, {"memorisation": 1.1}), 1),
        ({"reach": 0.1}, Limits(1.0), 0),  # not watched
    ],
)
def test_what_is_allowed(values: dict[str, float], allowed: Limits, fails: int) -> None:
    names = watched(SCORES, allowed.at_least)
    assert len(failures(compared(changed(**values), SCORES, names), allowed)) == fails


def test_limits_are_read() -> None:
    assert limits(2.0, ["auc_high=0.6"]) == Limits(2.0, {"auc_high": 0.6})
    assert limits(math.inf, []).within is None
    for within, texts in ((-1.0, []), (math.nan, []), (1.0, ["auc_high"]), (1.0, ["auc_high=good"])):
        with pytest.raises(FacsimError):
            limits(within, texts)
    with pytest.raises(FacsimError, match=r"narrow \(auc_high 0.7\).*--force"):
        refuse({"refused": {"narrow": ["auc_high 0.7"]}, "failed": {}})
    with pytest.raises(FacsimError, match=r"^'fp16' was not made: too large. worse than allowed.*narrow"):
        refuse({"refused": {"narrow": ["auc_high 0.7"]}, "failed": {"fp16": "too large."}})
    refuse({"refused": {}, "failed": {}})


def test_scores_of_one_protocol_are_compared() -> None:
    """As told of jets: facsim's own number of the original has no value, so that the community's is compared."""
    original = [row("fpd", 9.9, 0.1, protocol="jetnet-0.2.5"), row("fpd", None, 0.0)]
    both = [row("fpd", 9.9, 0.1, protocol="jetnet-0.2.5"), row("fpd", 0.2, 0.01)]
    found = compared(both, original, ["fpd"])["fpd"]
    assert (found["protocol"], found["value"], found["sigma"]) == ("jetnet-0.2.5", 9.9, 0)
    with pytest.raises(FacsimError, match=r"'fpd' of the original .*'jetnet-0.2.5'.*\['strict'\].*facsim evaluate"):
        compared([row("fpd", 0.2, 0.01)], original, ["fpd"])
    # there is one of the same protocol, without a value
    lost = [row("fpd", None, 0.0), row("fpd", 9.9, 0.1, protocol="jetnet-0.2.5")]
    assert failures(compared(lost, both, ["fpd"]), Limits()) == ["fpd has no value"]


def test_a_loss_without_errors_is_told_without_a_number_of_sigma() -> None:
    exact, worse = [row("fpd", 0.2, 0.0)], [row("fpd", 0.3, 0.0)]
    assert failures(compared(worse, exact, ["fpd"]), Limits()) == [
        "fpd 0.3 instead of 0.2, worse, both without errors, where 1 are allowed"
    ]


def test_a_score_that_cannot_be_had_is_refused() -> None:
    lost = compared(changed(auc_high=None), SCORES, ["auc_high", "fpd"])
    assert lost["auc_high"]["value"] is None
    assert failures(lost, Limits()) == ["auc_high has no value"]
    assert failures(lost, Limits(None)) == []
    assert failures(lost, Limits(None, {"auc_high": 0.6})) == ["auc_high has no value"]


@pytest.mark.parametrize("text", ["auc_high=nan", "auc_high=inf", "auc_high"])
def test_values_that_no_score_could_miss_are_refused(text: str) -> None:
    with pytest.raises(FacsimError, match="should look like"):
        limits(1.0, [text])


def test_a_graph_that_disagrees_is_left_out_and_told(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    model = build_model("single-stage", SCHEMA, {"method": {"name": "flow", "network": {"name": "mlp", "widths": [8]}}})

    class Crooked(type(model)):  # type: ignore[misc]
        def sample(self, cond: torch.Tensor, noise: Mapping[str, torch.Tensor]) -> torch.Tensor:
            x: torch.Tensor = super().sample(cond, noise)
            return x + 1 if torch.onnx.is_in_onnx_export() else x

    rng = np.random.default_rng(1)
    truth = MemorySource(make_events(SCHEMA, rng.normal(size=(90, 3)), rng.normal(size=(90, 1))))
    run = Run(tmp_path, run_config({"task": "rich", "data": {"files": ["x"]}, "model": {"name": "single-stage"}}))
    place = Run(tmp_path / "compressed" / "fp16", run.config)
    for kind, there in ((type(model), True), (Crooked, False)):
        model.__class__ = kind
        job = Job(run, place, tmp_path, {"train": truth}, seed=1)
        job.keep(model)
        assert place.onnx.is_file() == there
        assert (place.model() / "weights.safetensors").is_file()
        assert ("disagrees with the model" in job.facts.get("graph", "")) != there


class Given:
    """A sampler that gives the events that it was given, or ends as one does that looks up a place in a table."""

    def __init__(self, x: np.ndarray[Any, Any] | None) -> None:
        self.x = x

    def sample(self, cond: np.ndarray[Any, Any], rng: np.random.Generator) -> np.ndarray[Any, Any]:
        if self.x is None:
            raise IndexError("index -9223372036854775808 is out of bounds\nfor dimension 0")
        return self.x[: len(cond)]


def test_events_that_are_not_finite_are_refused() -> None:
    rng, x = np.random.default_rng(1), np.ones((4, 2, 3), np.float32)
    assert Finite(Given(x), "fp16").sample(np.zeros((3, 1)), rng).shape == (3, 2, 3)
    x[1, 0, 2], x[2, 1, 1] = np.inf, np.nan
    with pytest.raises(FacsimError, match=r"2 of 4 events of 'fp16' .* not finite: .*bf16"):
        Finite(Given(x), "fp16").sample(np.zeros((4, 1)), rng)
    with pytest.raises(FacsimError, match=r"^'fp16' cannot be sampled \(index \S+ is out of bounds\): .*bf16"):
        Finite(Given(None), "fp16").sample(np.zeros((4, 1)), rng)


def test_weights_beyond_float16_are_refused(tmp_path: Path) -> None:
    model = build_model("single-stage", SCHEMA, {"method": {"name": "flow", "network": {"name": "mlp", "widths": [8]}}})
    name = next(name for name, _ in model.named_parameters() if name.endswith("net.layers.0.weight"))
    with torch.no_grad():
        model.get_parameter(name)[0, 0] = -7e4
    save_model(model, "single-stage", tmp_path)
    truth = MemorySource(make_events(SCHEMA, np.ones((9, 3)), np.ones((9, 1))))
    run = Run(tmp_path, run_config({"task": "rich", "data": {"files": ["x"]}, "model": {"name": "single-stage"}}))
    job = Job(run, Run(tmp_path / "fp16", run.config), tmp_path, {"train": truth}, seed=1)
    with pytest.raises(FacsimError, match=rf"'{name}' has numbers up to 7e\+04, and float16 ends at 65504: .*bf16"):
        fp16(job, HalfOptions())
    assert not job.place.dir.exists()


def test_a_student_follows_from_the_seed(tmp_path: Path) -> None:
    method = {"name": "flow-matching", "steps": 2, "network": {"name": "mlp", "widths": [8]}}
    save_model(build_model("single-stage", SCHEMA, {"method": method}), "single-stage", tmp_path / "teacher")
    rng = np.random.default_rng(1)
    truth = MemorySource(make_events(SCHEMA, rng.normal(size=(90, 3)), rng.normal(size=(90, 1))))
    run = Run(tmp_path, run_config({"task": "rich", "data": {"files": ["x"]}, "model": {"name": "single-stage"}}))
    found = []
    for k, seed in enumerate((1, 1, 2)):
        place = Run(tmp_path / str(k), run.config)
        torch.manual_seed(k)
        distil(Job(run, place, tmp_path / "teacher", {"train": truth}, seed, smoke=True), DistilOptions())
        found.append((place.model() / "weights.safetensors").read_bytes())
    assert found[0] == found[1]
    assert found[0] != found[2]
