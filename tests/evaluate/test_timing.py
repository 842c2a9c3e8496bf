"""The timing harness: real samplers in fresh processes, and the exact bookkeeping of one in this process."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facsim.core.errors import FacsimError, MissingExtraError
from facsim.core.events import make_events
from facsim.core.geometry import regular_cylinder
from facsim.core.schema import calorimeter_schema
from facsim.core.sources import MemorySource
from facsim.evaluate import timing, timing_worker
from facsim.evaluate.timing import TimedSampler, TimingPlan, thread_counts, time_sampler, time_samplers
from facsim.models.checkpoint import build_model, save_model
from facsim.simulate.bootstrap import Bootstrap

GEOMETRY = regular_cylinder("small", "electron", 3, 4, 2, 5.0, 0.01)
COND = np.geomspace(1e3, 1e4, 40)[:, None]
QUICK = TimingPlan(batches=(1, 10), repeats=3, seconds=0.0)


@pytest.fixture(scope="module")
def baseline() -> Bootstrap:
    cells = np.random.default_rng(1).exponential(1.0, (40, GEOMETRY.n_cells, 1)).astype(np.float32)
    return Bootstrap.fit(MemorySource(make_events(calorimeter_schema(GEOMETRY), cells, COND)), seed=1)


def test_measure_counts_and_times_real_calls() -> None:
    """A sampler that sleeps 2 ms per shower is measured as that, whatever the batch."""
    calls: list[Any] = []

    def sleeper(cond: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        calls.append(cond)
        time.sleep(0.002 * len(cond))
        return np.zeros((len(cond), 2, 1))

    rows = timing_worker.measure(sleeper, COND, TimingPlan(batches=(1, 5), repeats=4, seconds=0.05))
    assert [row["batch"] for row in rows] == [1, 5]
    for row in rows:
        assert 2.0 <= row["low"] <= row["ms_per_shower"] <= row["high"]
        assert row["repeats"] >= 4
        assert row["peak_rss_MB"] > 10
    assert len(calls) == sum(row["repeats"] for row in rows) + 2
    assert [len(cond) for cond in calls] == [1] * (rows[0]["repeats"] + 1) + [5] * (rows[1]["repeats"] + 1)
    assert all(np.isin(cond, COND).all() for cond in calls)
    assert len(np.unique(np.concatenate(calls))) > 5


def test_a_sampler_that_runs_another_batch_is_refused() -> None:
    with pytest.raises(FacsimError, match="gave 1 showers for 10 conditions"):
        timing_worker.measure(lambda cond, rng: np.zeros((1, 2, 1)), COND, QUICK)


def test_baseline_in_a_fresh_process(baseline: Bootstrap) -> None:
    told: list[str] = []
    result = time_samplers(
        [TimedSampler("bootstrap", "numpy", baseline=baseline)],
        COND,
        plan=QUICK,
        geant4_ms=73.0,
        geant4_events=100,
        progress=told.append,
    )
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["format"] == "facsim-timing-1"
    assert result["geant4"] == {"ms_per_shower": 73.0, "n": 100}
    assert result["hardware"]["threads_available"] >= 1
    assert result["hardware"]["cpu"]
    assert told == ["bootstrap, numpy, 1 thread"]
    assert [(row["name"], row["batch"], row["threads"]) for row in result["rows"]] == [
        ("bootstrap", 1, 1),
        ("bootstrap", 10, 1),
    ]
    for row in result["rows"]:
        assert 0 < row["low"] <= row["ms_per_shower"] <= row["high"] < 1e3
        assert 10 < row["peak_rss_MB"] < 2000


def test_onnx_graph_with_its_noise(tmp_path: Path) -> None:
    """A graph whose batch is checked by adding noise to broadcast conditions."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("Add", ["condition", "noise"], ["events"])],
        "adder",
        [
            helper.make_tensor_value_info("condition", kind, ["batch", 1]),
            helper.make_tensor_value_info("noise", kind, ["batch", 24]),
        ],
        [helper.make_tensor_value_info("events", kind, ["batch", 24])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(tmp_path / "model.onnx"))
    sampler = TimedSampler(
        "surrogate", "onnxruntime", tmp_path / "model.onnx", steps=4, parameters=7, noise={"noise": "uniform"}
    )
    sample = timing_worker.make_sample(sampler, 1)
    showers = sample(np.full((1000, 1), 5.0), np.random.default_rng(1))
    assert showers.shape == (1000, 24)
    assert showers.min() >= 5
    assert showers.max() <= 6
    rows = time_sampler(sampler, COND, threads=2, plan=QUICK)
    assert [(row["batch"], row["threads"], row["steps"], row["parameters"]) for row in rows] == [
        (1, 2, 4, 7),
        (10, 2, 4, 7),
    ]


def test_torch_model_with_its_own_and_other_steps(tmp_path: Path) -> None:
    options = {
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
        "steps": 1,
    }
    model = build_model("two-stage", calorimeter_schema(GEOMETRY), options)
    save_model(model, "two-stage", tmp_path)
    sampler = TimedSampler("surrogate", "torch", tmp_path, steps=3)
    assert timing_worker.make_sample(sampler, 1)(COND, np.random.default_rng(1)).shape == (40, 24, 1)
    rows = time_sampler(sampler, COND, plan=QUICK)
    assert [(row["batch"], row["steps"]) for row in rows] == [(1, 3), (10, 3)]


def test_failures_come_back_as_one_sentence(tmp_path: Path, baseline: Bootstrap) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"nothing")
    with pytest.raises((FacsimError, MissingExtraError), match=r"could not be timed|onnxruntime"):
        time_sampler(TimedSampler("broken", "onnxruntime", tmp_path / "broken.onnx"), COND, plan=QUICK)
    with pytest.raises(FacsimError, match="holds no trained model"):
        time_sampler(TimedSampler("empty", "torch", tmp_path), COND, plan=QUICK)
    with pytest.raises(FacsimError, match="fitted baseline is needed"):
        TimedSampler("nothing", "numpy")
    with pytest.raises(FacsimError, match="there is no"):
        TimedSampler("nothing", "torch", tmp_path / "absent")
    with pytest.raises(FacsimError, match="conditions of shape"):
        time_sampler(TimedSampler("bootstrap", "numpy", baseline=baseline), np.zeros((0, 1)))
    with pytest.raises(FacsimError, match="at least 1"):
        TimingPlan(batches=(0,))


def test_a_process_that_dies_is_told(baseline: Bootstrap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "WORKER", "facsim.no_such_module")
    with pytest.raises(FacsimError, match=r"ended with status 1: .*No module named facsim\.no_such_module"):
        time_sampler(TimedSampler("bootstrap", "numpy", baseline=baseline), COND, plan=QUICK)


def test_threads_default_to_one_and_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "available_threads", lambda: 6)
    assert thread_counts(TimingPlan(), "torch") == (1, 6)
    assert thread_counts(TimingPlan(threads=(2, 4)), "onnxruntime") == (2, 4)
    assert thread_counts(TimingPlan(), "numpy") == (1,)
    monkeypatch.setattr(timing, "available_threads", lambda: 1)
    assert thread_counts(TimingPlan(), "torch") == (1,)
