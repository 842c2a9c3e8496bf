"""Exported models run from C++: the numbers of Python's ONNX Runtime, noise, threads, predictors, the example."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facsim.core.rng import generator
from facsim.core.store import write_json
from facsim.export.card import make_card
from facsim.export.check import open_session
from facsim.export.onnx import export_onnx
from facsim.models.sampling import draw_noise

from .programs import Built, save, write_card, write_toy
from .test_c_export import METHODS, cells, fitted, philox, table

pytest.importorskip("onnxruntime")

KINDS: dict[str, Any] = {"library": table, "gan": table, "diffusion": table, "cells": cells}


@pytest.fixture(scope="module", params=KINDS)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Graph and card of a model, conditions in its range and noise."""
    kind = request.param
    folder = tmp_path_factory.mktemp(kind)
    schema, batch = KINDS[kind]()
    model = fitted(schema, batch, METHODS["gan" if kind == "cells" else kind])
    graph, card = folder / "model.onnx", folder / "card.json"
    export_onnx(model, graph, 17)
    cond = batch.cond.numpy()[:37]
    write_json(card, make_card(model, "single-stage", graph, cond, [], {}))
    noise = draw_noise(model, len(cond), generator(1, "cpp", kind))
    return {"graph": graph, "card": card, "cond": cond, "noise": noise, "folder": folder}


def in_python(exported: dict[str, Any], batch: int, noise: dict[str, np.ndarray] | None = None) -> np.ndarray:
    session, inputs = open_session(exported["graph"]), {"condition": exported["cond"], **(noise or exported["noise"])}
    parts = [
        session.run(None, {name: array[at : at + batch] for name, array in inputs.items()})[0]
        for at in range(0, len(exported["cond"]), batch)
    ]
    return np.concatenate(parts)


@pytest.mark.parametrize("batch", [1, 8, 64])
def test_events_equal_those_of_python(built: Built, exported: dict[str, Any], batch: int, tmp_path: Path) -> None:
    cond, *noise = save(tmp_path, {"cond": exported["cond"], **exported["noise"]})
    out = tmp_path / "out.f32"
    built.text("run", exported["graph"], exported["card"], batch, cond, out, *noise)
    expected = in_python(exported, batch)
    assert np.isfinite(expected).all()
    assert expected.std() > 0
    np.testing.assert_array_equal(np.fromfile(out, np.float32).reshape(expected.shape), expected)


def test_threads_and_batches_do_not_change_events(built: Built, exported: dict[str, Any], tmp_path: Path) -> None:
    (cond,) = save(tmp_path, {"cond": exported["cond"]})
    found = []
    for threads in (1, 2, 4):
        out = tmp_path / f"{threads}.f32"
        built.text("generate", exported["graph"], exported["card"], 10, cond, out, 7, threads)
        found.append(np.fromfile(out, np.float32))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
    alone = tmp_path / "alone.f32"
    built.text("generate", exported["graph"], exported["card"], 1, cond, alone, 7, 1)
    noise = philox_noise(built, exported, 7, tmp_path)
    np.testing.assert_array_equal(np.fromfile(alone, np.float32), in_python(exported, 1, noise).ravel())


def philox_noise(built: Built, exported: dict[str, Any], seed: int, folder: Path) -> dict[str, np.ndarray]:
    """The noise that `generate` uses, from the driver's own generator: event k, array i is stream i."""
    out, found = folder / "noise.f32", {}
    for stream, spec in enumerate(json.loads(exported["card"].read_text())["inputs"]["noise"]):
        shape = spec["shape"][1:]
        rows = []
        for event in range(len(exported["cond"])):
            size = int(np.prod(shape, dtype=int))
            built.text("fill", "philox", spec["distribution"], size, out, seed, event, stream)
            rows.append(np.fromfile(out, np.float32).reshape(shape))
        found[spec["name"]] = np.stack(rows)
    return found


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_noise_of_a_seed_is_that_of_the_export_to_c(built: Built, distribution: str, tmp_path: Path) -> None:
    seed, event, stream, n, out = 0x123456789ABCDEF0, 2**40 + 7, 2, 1001, tmp_path / "out.f32"
    built.text("fill", "philox", distribution, n, out, seed, event, stream)
    counters = np.array([[event & 0xFFFFFFFF, event >> 32, block, stream] for block in range(-(-n // 4))], np.uint64)
    words = philox(seed, counters).astype(np.float64).reshape(-1, 2)
    if distribution == "uniform":
        np.testing.assert_array_equal(np.fromfile(out, np.float32), (words.ravel() // 256 / 2**24)[:n])
        return
    radius, angle = np.sqrt(-2 * np.log((words[:, 0] + 1) / 2**32)), 2 * np.pi * (words[:, 1] // 256) / 2**24
    expected = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).ravel()[:n]
    np.testing.assert_allclose(np.fromfile(out, np.float32), expected, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("engine", ["philox", "mt19937", "mt19937_64", "minstd", "ranlux", "flat"])
def test_any_generator_gives_normal_and_uniform_numbers(built: Built, engine: str, tmp_path: Path) -> None:
    from scipy.stats import kstest  # noqa: PLC0415

    n, out = 40_000, tmp_path / "out.f32"
    for distribution, reference in (("normal", "norm"), ("uniform", "uniform")):
        built.text("fill", engine, distribution, n, out, 1, 2, 3)
        x = np.fromfile(out, np.float32).astype(np.float64)
        assert kstest(x, reference).pvalue > 1e-4
        assert abs(np.corrcoef(x[1:], x[:-1])[0, 1]) < 4.5 / np.sqrt(n)
        assert distribution == "normal" or (x.min() >= 0 and x.max() < 1)


def test_a_host_that_gives_0_1_or_nan_makes_no_infinity(built: Built, tmp_path: Path) -> None:
    out = tmp_path / "out.f32"
    for distribution in ("normal", "uniform"):
        built.text("fill", "edges", distribution, 99, out)
        assert np.isfinite(np.fromfile(out, np.float32)).all()


def test_the_hosts_generator_makes_events_that_the_batch_does_not_change(built: Built, tmp_path: Path) -> None:
    graph, card = write_toy(tmp_path)
    rng = generator(1, "toy")
    (cond,) = save(tmp_path, {"cond": np.stack([rng.uniform(100, 1000, 500), rng.uniform(2, 5, 500)], 1)})
    found = []
    for batch in (1, 7, 500):
        built.text("sample", graph, card, batch, cond, tmp_path / "out.f32", 3)
        found.append(np.fromfile(tmp_path / "out.f32", np.float32))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
    c = np.fromfile(cond, np.float32).reshape(-1, 2).astype(np.float64)
    noise = found[0].reshape(-1, 3) - c @ np.array([[1, 2, 3], [0, 1, -1]])
    assert np.abs(noise.mean(0) - 0.5).max() < 5 * np.sqrt((1 + 1 / 12) / 500)
    np.testing.assert_allclose(np.cov(noise.T), np.eye(3) + 1 / 12, atol=0.25)


def test_card_is_known_in_cpp(built: Built, exported: dict[str, Any]) -> None:
    lines = built.text("card", exported["graph"], exported["card"]).splitlines()
    card = json.loads(exported["card"].read_text())
    names = [spec["name"] for spec in card["inputs"]["noise"]]
    assert lines[0].split()[0] == "single-stage"
    assert lines[0].split()[1] == card["schema"]["representation"]
    assert lines[1] == card["output"]["order"]
    assert [line.split()[0] for line in lines[2 + len(card["training_range"]) :]][: len(names)] == names
    column = card["training_range"][0]
    name, unit, low, high = lines[2].split()
    assert (name, unit) == (column["name"], column["unit"])
    np.testing.assert_allclose([float(low), float(high)], [column["min"], column["max"]], rtol=1e-8)
    if card["schema"]["representation"] == "grid":
        assert lines[-4:-1] == ["0 7", "7 8", "15 9"]


@pytest.mark.parametrize("n", [0, 1, 55, 56, 63, 64, 65, 119, 120, 1000, 100_001])
def test_sha256_is_pythons(built: Built, n: int, tmp_path: Path) -> None:
    data = generator(1, "sha", n).bytes(n)
    (tmp_path / "data").write_bytes(data)
    assert built.text("sha256", tmp_path / "data").strip() == hashlib.sha256(data).hexdigest()


def test_a_session_with_more_threads_gives_the_same(built: Built, tmp_path: Path) -> None:
    graph, card = write_toy(tmp_path)
    assert built.text("threads", graph, card, 2) == ""
    assert "at least 1 thread" in built.error("threads", graph, card, 0)


def write_predictor(folder: Path, clouds: bool) -> tuple[Path, Path]:
    """scores = sum of events (batch, 4, 2) that the mask keeps, plus condition."""
    onnx = pytest.importorskip("onnx")
    helper, real = onnx.helper, onnx.TensorProto.FLOAT
    shapes = {"events": ["batch", 4, 2], **({"mask": ["batch", 4], "condition": ["batch", 1]} if clouds else {})}
    kinds = {"mask": onnx.TensorProto.BOOL}
    inputs = [helper.make_tensor_value_info(name, kinds.get(name, real), shape) for name, shape in shapes.items()]
    axes = onnx.numpy_helper.from_array(np.array([1]), "axes")
    if clouds:
        nodes = [
            helper.make_node("Cast", ["mask"], ["kept"], to=real),
            helper.make_node("Unsqueeze", ["kept", "last"], ["there"]),
            helper.make_node("Mul", ["events", "there"], ["product"]),
            helper.make_node("ReduceSum", ["product", "axes"], ["sum"], keepdims=0),
            helper.make_node("Add", ["sum", "condition"], ["scores"]),
        ]
    else:
        nodes = [helper.make_node("ReduceSum", ["events", "axes"], ["scores"], keepdims=0)]
    arrays = [axes, onnx.numpy_helper.from_array(np.array([2]), "last")]
    out = [helper.make_tensor_value_info("scores", real, ["batch", 2])]
    graph = helper.make_graph(nodes, "predictor", inputs, out, arrays[: 1 + clouds])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = folder / "predictor.onnx"
    path.write_bytes(model.SerializeToString())
    columns = [{"name": "pt", "unit": "GeV"}, {"name": "eta", "unit": ""}]
    given = {"events": {"shape": ["batch", "points" if clouds else 4, 2], "columns": columns, "order": "points"}}
    pile_up = [{"name": "pile-up", "unit": "", "min": 0, "max": 60}]
    if clouds:
        given["condition"] = {"shape": ["batch", 1], "columns": pile_up}  # type: ignore[dict-item]
    scores = {"name": "scores", "shape": ["batch", 2], "columns": [{"name": n, "unit": ""} for n in ("s", "t")]}
    schema = {"representation": "cloud" if clouds else "grid", "geometry": None}
    return path, write_card(path, inputs=given, output=scores, schema=schema)


@pytest.mark.parametrize("clouds", [False, True])
def test_predictors_score(built: Built, clouds: bool, tmp_path: Path) -> None:
    graph, card = write_predictor(tmp_path, clouds)
    rng = generator(1, "predictor")
    x, mask, cond = rng.normal(size=(9, 4, 2)), rng.random((9, 4)) < 0.5, rng.uniform(0, 60, (9, 1))
    events, conditions = save(tmp_path, {"events": x, "conditions": cond})
    mask.tofile(tmp_path / "mask")
    given = [tmp_path / "mask", conditions] if clouds else []
    built.text("score", graph, card, events, tmp_path / "out.f32", 9, *given)
    expected = (x * mask[..., None]).sum(1) + cond if clouds else x.sum(1)
    np.testing.assert_allclose(np.fromfile(tmp_path / "out.f32", np.float32).reshape(9, 2), expected, atol=1e-4)
    assert "use facsim::Predictor" in built.error("run", graph, card, 1, conditions, "x")
    assert "use facsim::Sampler" in built.error("score", *write_toy(tmp_path), events, "x", 9)
    if not clouds:
        return
    assert "a mask is needed" in built.error("score", graph, card, events, "x", 9)
    assert "none are given" in built.error("score", graph, card, events, "x", 9, tmp_path / "mask")
    (wrong,) = save(tmp_path, {"wrong": np.full(9, 61)})
    told = built.error("score", graph, card, events, "x", 9, tmp_path / "mask", wrong)
    assert told == "event 0: condition 'pile-up' is 61, outside of the training range 0 to 60."


def test_the_example_samples_the_same_on_any_number_of_threads(built: Built, tmp_path: Path) -> None:
    graph, card = write_toy(tmp_path)
    found = []
    for threads in (1, 3):
        out = tmp_path / "events.f32"
        words = ["--events", 203, "--energy", 500, "--set", "eta=3", "--threads", threads, "--batch", 20, "--out", out]
        told = built.text(graph, card, *words, program=built.example)
        found.append(np.fromfile(out, np.float32).reshape(203, 3))
        assert "energy = 500 MeV\neta = 3 \n" in told
        assert re.search(rf"203 events in .* events/s \({threads} threads, batches of 20, ONNX Runtime 1\.", told)
    np.testing.assert_array_equal(*found)
    mean = float(re.search(r"sum of b: mean ([\d.]+) ", told)[1])  # type: ignore[index]
    assert mean == pytest.approx(found[0][:, 1].mean(dtype=np.float64), rel=1e-5)
    assert abs(mean - 1003.5) < 5 * np.sqrt((1 + 1 / 12) / 203)


def test_what_the_example_is_told_wrongly_is_told(built: Built, tmp_path: Path) -> None:
    graph, card = write_toy(tmp_path)
    wrong = {
        ("--energy", "5000"): "outside of the training range 100 to 1000 MeV",
        ("--set", "phi=1"): "no condition 'phi'",
        ("--events", "9" * 18): "are too many to keep: run several jobs",
        ("--events", "-1"): "--events needs a whole number from 1",
        ("--energy", "fast"): "--energy needs a number, not 'fast'",
        ("--threads",): "--threads needs a value",
        ("--bogus", "1"): "unknown option --bogus",
        ("more.onnx",): "usage",
        ("--help",): "usage",
    }
    for words, why in wrong.items():
        done = built.call(graph, card, *words, program=built.example)
        assert done.returncode == 1
        assert why in done.stderr


def test_a_batch_of_more_events_than_there_are_takes_no_memory_of_its_own(built: Built, tmp_path: Path) -> None:
    graph, card = write_toy(tmp_path)
    limited = ["-c", 'ulimit -v 4000000 && exec "$@"', "sh", built.example, graph, card]
    told = built.text(*limited, "--energy", 500, "--events", 7, "--batch", 400_000_000, program=Path("/bin/sh"))
    assert "7 events in" in told


def test_more_threads_than_the_system_starts_are_told(built: Built, tmp_path: Path) -> None:
    graph, card = write_toy(tmp_path)
    limited = ["-c", 'ulimit -v 4000000 && exec "$@"', "sh", built.example, graph, card]  # 8 MB of stack each
    done = built.call(*limited, "--energy", 500, "--threads", 5000, program=Path("/bin/sh"))
    assert done.returncode == 1
    assert re.search(r"starts no more than \d+ threads: ask for fewer --threads", done.stderr)


def test_the_program_of_the_page_runs(built: Built, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")

    def one_condition(model: Any) -> None:
        model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 1
        model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(np.ones((1, 3), np.float32), "W"))

    column = {"name": "incident_energy", "unit": "MeV", "min": 1e4, "max": 2e4}
    changes = {"inputs.condition": {"shape": ["batch", 1], "columns": [column]}}
    graph, card = write_toy(tmp_path, one_condition, **changes)
    assert built.text(graph, card, program=built.folder / "page") == "3 numbers, mm, rows\n"
