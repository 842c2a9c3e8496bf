"""The range guard with its fall-back, and the queue that collects requests, in C++."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from .programs import Built, save, write_toy

pytest.importorskip("onnxruntime")

CONDITIONS = np.array(
    [[150, 3], [100, 2], [1000, 5], [99.9, 3], [500, 4], [500, 5.1], [np.nan, 3], [200, np.inf], [300, 3]]
)
OUTSIDE = [3, 5, 6, 7]
SENTENCES = [
    "3 0 99.9000015 condition 'energy' is 99.9000015 MeV, outside of the training range 100 to 1000 MeV.",
    "5 1 5.0999999 condition 'eta' is 5.0999999, outside of the training range 2 to 5.",
    "6 0 nan condition 'energy' is nan MeV, outside of the training range 100 to 1000 MeV.",
    "7 1 inf condition 'eta' is inf, outside of the training range 2 to 5.",
]


@pytest.mark.parametrize("batch", [1, 4, 64])
def test_the_fall_back_makes_what_lies_outside_and_nothing_else(built: Built, batch: int, tmp_path: Path) -> None:
    graph, card = write_toy(tmp_path)
    cond, inside = save(tmp_path, {"cond": CONDITIONS, "inside": np.tile([300, 3], (9, 1))})
    out = tmp_path / "out.f32"
    assert built.text("guard", graph, card, batch, cond, out, 0, 1).splitlines() == SENTENCES
    found = np.fromfile(out, np.float32).reshape(-1, 3)
    assert (found[OUTSIDE] == -1).all()
    assert built.text("guard", graph, card, batch, inside, out, 0, 1) == ""
    noise = np.fromfile(out, np.float32).reshape(-1, 3) - [300, 603, 897]
    rest = np.delete(np.arange(len(CONDITIONS)), OUTSIDE)
    expected = CONDITIONS[rest] @ np.array([[1, 2, 3], [0, 1, -1]]) + noise[rest]
    np.testing.assert_allclose(found[rest], expected, atol=5e-4)


@pytest.mark.parametrize("batch", [1, 4, 64])
def test_a_fall_back_may_add_up_its_event_and_call_the_sampler(built: Built, batch: int, tmp_path: Path) -> None:
    graph, card = write_toy(tmp_path)
    (cond,) = save(tmp_path, {"cond": CONDITIONS})
    told = built.text("nested", graph, card, batch, cond, tmp_path / "out").splitlines()
    assert told == [line.split(" ", 3)[3] for line in SENTENCES]
    found = np.fromfile(tmp_path / "out", np.float32).reshape(-1, 3)
    assert (found[OUTSIDE] == 1).all()
    expected = np.delete(CONDITIONS, OUTSIDE, 0) @ np.array([[1, 2, 3], [0, 1, -1]])
    assert np.abs(np.delete(found, OUTSIDE, 0) - expected).max() < 6


def test_without_a_fall_back_nothing_is_made(built: Built, tmp_path: Path) -> None:
    graph, card = write_toy(tmp_path)
    (cond,) = save(tmp_path, {"cond": CONDITIONS})
    told = built.error("sample", graph, card, 2, cond, tmp_path / "out.f32", 1)
    assert told == f"event 3: {SENTENCES[0].removeprefix('3 0 99.9000015 ')}"
    assert not (tmp_path / "out.f32").exists()


def test_a_tolerance_widens_the_range(built: Built, tmp_path: Path) -> None:
    graph, card = write_toy(tmp_path)
    (cond,) = save(tmp_path, {"cond": CONDITIONS})
    assert len(built.text("guard", graph, card, 4, cond, tmp_path / "out", 0.0005, 1).splitlines()) == 4
    assert len(built.text("guard", graph, card, 4, cond, tmp_path / "out", 0.01, 1).splitlines()) == 3
    assert len(built.text("guard", graph, card, 4, cond, tmp_path / "out", 0.05, 1).splitlines()) == 2
    assert "a tolerance is a share" in built.error("guard", graph, card, 4, cond, "out", -1, 1)
    assert "a tolerance is a share" in built.error("guard", graph, card, 4, cond, "out", "nan", 1)


def test_what_was_moved_says_so_and_what_it_was_moved_to_works(built: Built, tmp_path: Path) -> None:
    no_model = "this has no model any more, it was moved: use what it was moved to."
    no_runtime = "this has no ONNX Runtime any more, it was moved: use what it was moved to."
    of_samplers = [f"{use}: {no_model}" for use in ("sample", "generate", "run", "event_size", "submit", "flush")]
    rest = ["delivered 2", f"card: {no_model}", f"Sampler: {no_model}", f"Model: {no_runtime}"]
    assert built.text("moved", *write_toy(tmp_path)).splitlines() == [*of_samplers, *rest]


def test_a_bound_of_double_precision_is_inside(built: Built, tmp_path: Path) -> None:
    low, high = 100.0000001, 999.99999999
    graph, card = write_toy(tmp_path, **{"inputs.condition.columns.0.min": low, "inputs.condition.columns.0.max": high})
    (cond,) = save(tmp_path, {"cond": [[low, 2], [high, 5]]})
    assert built.text("guard", graph, card, 1, cond, tmp_path / "out", 0, 1) == ""


def test_coordinates_of_given_points_have_no_range_but_must_be_finite(built: Built, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")

    def wider(model: object) -> None:
        graph = model.graph  # type: ignore[attr-defined]
        graph.input[0].type.tensor_type.shape.dim[1].dim_value = 5
        weights = np.zeros((5, 3), np.float32)
        graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(weights, "W"))

    columns = [{"name": f"c{i}", "unit": "GeV", "min": 1, "max": 2} for i in range(5)]
    inputs = {"inputs.condition.columns": columns, "inputs.condition.shape": ["batch", 5]}
    graph, card = write_toy(tmp_path, wider, **inputs)
    rows = [[1, 2, 9, 9, 9], [1, 2, 9, np.nan, 9], [1, 3, 0, 0, 0]]
    (cond,) = save(tmp_path, {"cond": rows})
    assert len(built.text("guard", graph, card, 1, cond, tmp_path / "out", 0, 1).splitlines()) == 3
    condition = {"shape": ["batch", 5], "columns": columns, "given_points": 1}
    graph, card = write_toy(tmp_path, wider, **{"inputs.condition": condition})
    told = built.text("guard", graph, card, 1, cond, tmp_path / "out", 0, 1).splitlines()
    assert told == [
        "1 3 nan condition 'c3' is no finite number.",
        "2 1 3 condition 'c1' is 3 GeV, outside of the training range 1 to 2 GeV.",
    ]


def test_neither_fast_mathematics_nor_a_locale_deceives_the_guard(built: Built) -> None:
    rows = [[2000, 0.5], [1000, 0], [60_000.5, 0], [np.nan, 0], [-np.inf, 0], [2000, np.nan], [2000, np.inf]]
    bits = [f"{number:x}" for number in np.array(rows, np.float32).view(np.uint32).ravel()]
    beyond = ", outside of the training range 1000.5 to 50000.5 MeV."
    assert built.text(*bits, program=built.folder / "guard").splitlines() == [
        "inside",
        f"condition 'E' is 1000 MeV{beyond}",
        f"condition 'E' is 60000.5 MeV{beyond}",
        f"condition 'E' is nan MeV{beyond}",
        f"condition 'E' is -inf MeV{beyond}",
        "condition 'x' is no finite number.",
        "condition 'x' is no finite number.",
    ]


def queued(built: Built, folder: Path, batch: int, mode: str, cond: np.ndarray) -> tuple[list[str], np.ndarray]:
    """(lines, events) of what the driver's queue delivered."""
    graph, card = write_toy(folder)
    (path,) = save(folder, {"cond": cond})
    lines = built.text("queue", graph, card, batch, path, folder / "queued.f32", mode).splitlines()
    return lines, np.fromfile(folder / "queued.f32", np.float32).reshape(-1, 3)


@pytest.mark.parametrize("batch", [1, 2, 4, 100])
def test_requests_are_delivered_in_order_whatever_the_batch(built: Built, batch: int, tmp_path: Path) -> None:
    lines, events = queued(built, tmp_path, batch, "plain", CONDITIONS)
    assert lines == [f"{i}{' outside' if i in OUTSIDE else ''}" for i in range(9)] + ["pending 0"]
    alone = queued(built, tmp_path, 1, "plain", CONDITIONS)[1]
    np.testing.assert_array_equal(events, alone)
    assert (events[OUTSIDE] == -1).all()
    inside = np.delete(CONDITIONS, OUTSIDE, 0) @ np.array([[1, 2, 3], [0, 1, -1]])
    assert np.abs(np.delete(events, OUTSIDE, 0) - inside).max() < 6


def test_a_full_batch_runs_at_once_and_the_rest_waits(built: Built, tmp_path: Path) -> None:
    lines, _ = queued(built, tmp_path, 4, "pending", CONDITIONS[[0, 1, 2, 4, 8]])
    assert lines == ["pending 1", "pending 2", "pending 3", *"0123", "pending 0", "pending 1", "4", "pending 0"]


def test_a_callback_that_fails_loses_no_other_request(built: Built, tmp_path: Path) -> None:
    lines, events = queued(built, tmp_path, 100, "throws", CONDITIONS)
    assert [line.split()[0] for line in lines[:9]] == [str(i) for i in range(9)]
    assert lines[9] == (
        "error: 3 of the requests failed in a callback or fall-back, first that with id 0 (host is full); all others "
        "were delivered."
    )
    assert lines[10:] == ["failed 0", "failed 3", "failed 6", "pending 0"]
    assert len(events) == 6


def test_what_is_thrown_need_not_be_an_exception_of_the_library(built: Built, tmp_path: Path) -> None:
    lines, events = queued(built, tmp_path, 3, "throws-int", CONDITIONS)
    assert [line for line in lines if line.startswith("error")] == [
        "error: 1 of the requests failed in a callback or fall-back, first that with id 1 (an exception that is none "
        "of the standard library's); all others were delivered."
    ]
    assert len(events) == 8


def test_a_fall_back_that_fails_loses_no_other_request(built: Built, tmp_path: Path) -> None:
    lines, events = queued(built, tmp_path, 100, "fallback-throws", CONDITIONS)
    assert lines[:5] == ["0", "1", "2", "4", "8"]
    assert "4 of the requests failed" in lines[5]
    assert "first that with id 3 (no full simulation for energy)" in lines[5]
    assert lines[6:] == ["failed 3", "failed 5", "failed 6", "failed 7", "pending 0"]
    assert len(events) == 5


def test_failures_are_those_of_the_last_call_that_threw(built: Built, tmp_path: Path) -> None:
    lines, _ = queued(built, tmp_path, 1, "throws-refuse", CONDITIONS[[0, 3]])
    assert lines[:2] == ["0", lines[1]]
    assert "first that with id 0 (host is full)" in lines[1]
    assert lines[2] == "failed 0"
    assert lines[3].startswith("error: request 1: condition 'energy' is 99.9")
    assert lines[4:] == ["pending 0"]


def test_without_a_fall_back_a_request_outside_is_refused_and_others_stay(built: Built, tmp_path: Path) -> None:
    lines, events = queued(built, tmp_path, 100, "refuse", CONDITIONS)
    refused = [line for line in lines if line.startswith("error")]
    assert [line.split(":")[1] for line in refused] == [f" request {i}" for i in OUTSIDE]
    assert "is 99.9000015 MeV, outside of the training range 100 to 1000 MeV" in refused[0]
    assert lines[4:] == ["0", "1", "2", "4", "8", "pending 0"]
    assert len(events) == 5


@pytest.mark.parametrize("batch", [1, 2, 3, 100])
def test_callbacks_may_submit_more(built: Built, batch: int, tmp_path: Path) -> None:
    lines, events = queued(built, tmp_path, batch, "again", CONDITIONS)
    ids = [int(line.split()[0]) for line in lines[:-1]]
    assert sorted(ids) == list(range(18))
    assert [i for i in ids if i < 9] == list(range(9))
    assert [i for i in ids if i >= 9] == list(range(9, 18))
    assert lines[-1] == "pending 0"
    assert len(events) == 18


def test_where_the_runtime_fails_requests_stay(built: Built, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")

    def indices(model: object) -> None:
        """Gather with the energy as an index: out of bounds for all that is asked for here."""
        graph = model.graph  # type: ignore[attr-defined]
        cast = onnx.helper.make_node("Cast", ["product"], ["index"], to=onnx.TensorProto.INT64)
        gather = onnx.helper.make_node("GatherElements", ["noise", "index"], ["gathered"], axis=1)
        graph.node.insert(1, gather)
        graph.node.insert(1, cast)
        graph.node[3].input[0] = "gathered"

    graph, card = write_toy(tmp_path, indices)
    (cond,) = save(tmp_path, {"cond": CONDITIONS[:3]})
    done = built.call("queue", graph, card, 2, cond, tmp_path / "out", "plain")
    assert done.stderr == ""  # the runtime says nothing of its own
    lines = done.stdout.splitlines()
    errors = [line for line in lines if line.startswith("error")]
    assert len(errors) == 3  # when the batch is full, with one request more, on flush
    assert all("ONNX Runtime could not run the graph" in line for line in errors)
    assert lines[-1] == "pending 3"
