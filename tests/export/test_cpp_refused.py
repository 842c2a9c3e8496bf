"""What the C++ loader refuses: cards, graphs, and pairs that do not fit, each with one sentence that says why."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .programs import Built, toy_card, write_card, write_toy

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

COLUMNS = toy_card()["inputs"]["condition"]["columns"]


def test_the_toy_itself_is_taken(built: Built, tmp_path: Path) -> None:
    lines = built.text("card", *write_toy(tmp_path)).splitlines()
    assert lines[:2] == ["toy table mm 3", "rows"]
    assert lines[2:6] == ["energy MeV 100 1000", "eta  2 5", "noise 3 normal", "pick 1 uniform"]


CARDS: dict[str, tuple[dict[str, Any], str]] = {
    "newer": ({"format": "facsim-card-2"}, "newer facsim (facsim-card-2, these headers read up to facsim-card-1)"),
    "much newer": ({"format": "facsim-card-99999999999"}, "expected 'facsim-card-1'"),
    "no card": ({"format": "facsim-check-1"}, "expected 'facsim-card-1'"),
    "version 0": ({"format": "facsim-card-0"}, "expected 'facsim-card-1'"),
    "no format": ({"format": None}, "lacks 'format'"),
    "size": ({"graph.bytes": 12}, r"bytes, but '.*toy.card.json' says 12; export again"),
    "checksum": ({"graph.sha256": "0" * 64}, "its SHA-256 is another"),
    "negative size": ({"graph.bytes": -1}, "at 'graph.bytes': expected a whole number"),
    "text for a size": ({"graph.bytes": "many"}, "at 'graph.bytes': expected a number"),
    "no columns": ({"inputs.condition.columns": []}, "'columns' and 'shape' disagree"),
    "one column less": (
        {"inputs.condition.columns": COLUMNS[:1], "inputs.condition.shape": ["batch", 1]},
        r"'condition' has the shape \(any, 2\), but the card says \(any, 1\)",
    ),
    "range turned round": ({"inputs.condition.columns.0.min": 1e9}, "'min' is above 'max'"),
    "no number": ({"inputs.condition.columns.1.max": "5"}, r"columns\[1\].max': expected a number"),
    "another input": ({"inputs.noise.0.name": "rauschen"}, "no input 'rauschen', which the card names"),
    "an input less": ({"inputs.noise": toy_card()["inputs"]["noise"][:1]}, "3 inputs, but the card names 2"),
    "shape of noise": ({"inputs.noise.0.shape": ["batch", 4]}, r"\(any, 3\), but the card says \(any, 4\)"),
    "rank of noise": ({"inputs.noise.0.shape": ["batch", 3, 1]}, r"\(any, 3\), but the card says \(any, 3, 1\)"),
    "distribution": ({"inputs.noise.0.distribution": "cauchy"}, "'cauchy', expected 'normal' or 'uniform'"),
    "size by name": ({"inputs.noise.0.shape": ["batch", "points"]}, "a size that is no number"),
    "no batch": ({"inputs.noise.0.shape": [3]}, "expected a text"),
    "batch is named otherwise": ({"inputs.noise.0.shape": ["n", 3]}, "expected the batch first"),
    "huge size": ({"inputs.noise.0.shape": ["batch", 2**40]}, "expected a whole number up to"),
    "huge product": ({"inputs.noise.0.shape": ["batch", *[60_000] * 5]}, r"more than 2\^28 numbers an event"),
    "half a number": ({"inputs.noise.0.shape": ["batch", 2.5]}, "expected a whole number"),
    "another output": ({"output.name": "showers"}, "'showers'"),
    "shape of output": ({"output.shape": ["batch", 4, 3]}, r"\(any, 3\), but the card says \(any, 4, 3\)"),
    "columns of output": ({"output.columns": []}, "'columns' and the last size of 'shape' disagree"),
    "input twice": ({"inputs.noise.1": {**toy_card()["inputs"]["noise"][0]}}, "names the input 'noise' twice"),
    "layer of a huge number": (
        {"schema.geometry": {"layers": [{"id": 1e300, "x_mm": [1]}]}},
        r"layers\[0\].id': expected a whole number",
    ),
    "layers without cells": ({"schema.geometry": {"layers": [{"id": 1}]}}, "lacks 'r_edges_mm'"),
    "no schema": ({"schema": None}, "lacks 'schema'"),
    "schema of text": ({"schema": "table"}, "lacks 'representation'"),
}


@pytest.mark.parametrize("case", CARDS)
def test_card_is_refused(built: Built, case: str, tmp_path: Path) -> None:
    changes, why = CARDS[case]
    pattern = why if "\\" in why or ".*" in why else why.replace("(", r"\(").replace(")", r"\)").replace("[", r"\[")
    assert re.search(pattern, built.error("card", *write_toy(tmp_path, **changes)))


TEXTS = {
    "nothing": ("", "has something that is no value"),
    "cut short": ('{"format": "facsim-card-1", ', "has a key that is no text"),
    "cut in a text": ('{"format": "facsim', "ends too early"),
    "no JSON": ("format: facsim-card-1", "has a word that is none"),
    "NaN": ('{"a": NaN}', "has something that is no value"),
    "number too large": ('{"a": 1e999}', "a number that is too large"),
    "leading zero": ('{"a": 01}', "begins with 0"),
    "comma at the end": ("[1, 2,]", "has something that is no value"),
    "two documents": ("{} {}", "goes on after its end"),
    "key twice": ('{"format": "a", "format": "facsim-card-1"}', "has a key twice"),
    "too deep": ("[" * 100_000, "is nested too deeply"),
    "bare control character": ('["\n"]', "a control character"),
    "broken escape": ('["\\x41"]', "has a broken escape"),
    "half a character": ('["\\ud800"]', "has half a character"),
    "list": ("[1, 2]", "lacks 'format'"),
}


@pytest.mark.parametrize("case", TEXTS)
def test_text_of_a_card_is_refused(built: Built, case: str, tmp_path: Path) -> None:
    graph, card = write_toy(tmp_path)
    card.write_text(TEXTS[case][0])
    told = built.error("card", graph, card)
    assert TEXTS[case][1] in told
    assert str(card) in told


def shown(value: Any) -> str:
    """As the driver shows it."""
    if isinstance(value, dict):
        return "".join(f"{key}:{shown(value[key])};" for key in sorted(value, key=lambda key: key.encode()))
    if isinstance(value, list):
        return "".join(f"{shown(one)}|" for one in value)
    return f"{value:.17g}" if isinstance(value, float) else value if isinstance(value, str) else ""


def test_json_is_read_as_python_reads_it(built: Built, tmp_path: Path) -> None:
    numbers = [1.0, -2.5e-3, 1e-320, 0.1, 2.0**53, 1.7976931348623157e308, -0.0, 5e-324, 1e22, 123456789.123456789]
    value = {"a": numbers, 'ä€😀\n"\\/\t': ["é", {}, [], None, True, False, [[0.5]]], "": {"\u0001": "\b\f\r"}}
    path = tmp_path / "value.json"
    for ascii_only in (True, False):
        path.write_text(json.dumps(value, ensure_ascii=ascii_only), encoding="utf-8")
        assert built.call("json", path).stdout.encode() == shown(value).replace("\r", "\n").encode()


def test_numbers_do_not_depend_on_the_locale(built: Built, tmp_path: Path) -> None:
    (tmp_path / "n.json").write_text("[0.5]")
    assert built.text("json", tmp_path / "n.json", LC_ALL="de_DE.UTF-8") == "0.5|"


def external(model: Any) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../../etc/passwd"


def external_in_attribute(model: Any) -> None:
    inner = onnx.numpy_helper.from_array(np.zeros(3, np.float32), "inner")
    inner.data_location = onnx.TensorProto.EXTERNAL
    model.graph.node.append(onnx.helper.make_node("Constant", [], ["c"], value=inner))


def external_in_branch(model: Any) -> None:
    tensor = onnx.numpy_helper.from_array(np.zeros(3, np.float32), "deep")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    branch = onnx.helper.make_graph([], "branch", [], [], [tensor])
    model.graph.node.append(onnx.helper.make_node("If", ["c"], ["d"], then_branch=branch, else_branch=branch))


def external_in_function(model: Any) -> None:
    inner = onnx.numpy_helper.from_array(np.zeros(3, np.float32), "inner")
    inner.data_location = onnx.TensorProto.EXTERNAL
    node = onnx.helper.make_node("Constant", [], ["c"], value=inner)
    model.functions.append(
        onnx.helper.make_function("mine", "F", [], ["c"], [node], [onnx.helper.make_opsetid("", 17)])
    )


def huge(model: Any) -> None:
    del model.graph.initializer[0].dims[:]
    model.graph.initializer[0].dims.extend([2**31, 2**31])


def negative(model: Any) -> None:
    model.graph.initializer[0].dims[0] = -2


def sparse(model: Any) -> None:
    model.graph.sparse_initializer.add().dims.extend([2**40])


def deep(model: Any) -> None:
    graph = onnx.helper.make_graph([], "end", [], [])
    for _ in range(20):
        graph = onnx.helper.make_graph([onnx.helper.make_node("If", ["c"], ["d"], then_branch=graph)], "g", [], [])
    model.graph.node.append(graph.node[0])


def fixed(model: Any) -> None:
    for port in (*model.graph.input, *model.graph.output):
        port.type.tensor_type.shape.dim[0].dim_value = 4


def double(model: Any) -> None:
    model.graph.input[2].type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    cast = onnx.helper.make_node("Cast", ["pick"], ["single"], to=onnx.TensorProto.FLOAT)
    model.graph.node.insert(0, cast)
    model.graph.node[3].input[1] = "single"


def one_more(model: Any) -> None:
    model.graph.input.append(onnx.helper.make_tensor_value_info("extra", onnx.TensorProto.FLOAT, ["batch"]))


def two_outputs(model: Any) -> None:
    model.graph.output.append(onnx.helper.make_tensor_value_info("sum", onnx.TensorProto.FLOAT, ["batch", 3]))


GRAPHS: dict[str, tuple[Callable[[Any], None], str]] = {
    "external data": (external, "its array 'W' lies in another file, which is not followed"),
    "external data in an attribute": (external_in_attribute, "'inner' lies in another file"),
    "external data in a branch": (external_in_branch, "'deep' lies in another file"),
    "external data in a function": (external_in_function, "'inner' lies in another file"),
    "huge array": (huge, "declares an array that is larger than the file holds"),
    "negative array": (negative, "declares an array that is larger than the file holds"),
    "sparse": (sparse, "has sparse arrays"),
    "deep": (deep, "its graphs are nested too deeply"),
    "training": (lambda model: model.training_info.add(), "holds a training"),
    "IR version": (
        lambda model: setattr(model, "ir_version", 99),
        "(IR version 99, opset 17) does not run on ONNX Run",
    ),
    "opset": (lambda model: setattr(model.opset_import[0], "version", 999), "opset 999) does not run on ONNX Runtime"),
    "operation": (lambda model: setattr(model.graph.node[0], "op_type", "Tracking"), "Tracking"),
    "domain": (lambda model: setattr(model.graph.node[0], "domain", "mine"), "does not run on ONNX Runtime"),
    "batch is fixed": (fixed, "takes batches of 4 only"),
    "double": (double, "'pick' has numbers of type 11 of ONNX, expected 1"),
    "an input more": (one_more, "has 4 inputs, but the card names 3"),
    "two outputs": (two_outputs, "output is not the one that the card names, 'events'"),
}


@pytest.mark.parametrize("case", GRAPHS)
def test_graph_is_refused(built: Built, case: str, tmp_path: Path) -> None:
    change, why = GRAPHS[case]
    told = built.error("card", *write_toy(tmp_path, change))
    assert why in told
    assert "toy.onnx" in told


def test_versions_that_are_missing_are_said_with_what_to_do(built: Built, tmp_path: Path) -> None:
    told = built.error("card", *write_toy(tmp_path, GRAPHS["opset"][0]))
    assert "use a newer one or export with a lower export.opset" in told


def test_damaged_graphs_are_refused(built: Built, tmp_path: Path) -> None:
    graph, _ = write_toy(tmp_path)
    whole = graph.read_bytes()
    for damaged in (b"", b"\x00", b"ORTM" * 9, whole[: len(whole) // 2], whole[:-1], whole + b"\xff", b"{}", whole[8:]):
        graph.write_bytes(damaged)
        assert "toy.onnx" in built.error("card", graph, write_card(graph))


def test_another_graph_of_the_same_size_is_refused(built: Built, tmp_path: Path) -> None:
    graph, card = write_toy(tmp_path)
    data = bytearray(graph.read_bytes())
    data[-1] ^= 1
    graph.write_bytes(data)
    assert "is not the graph that" in built.error("card", graph, card)


def test_files_that_are_none_are_refused(built: Built, tmp_path: Path) -> None:
    graph, card = write_toy(tmp_path)
    assert built.error("card", tmp_path / "no.onnx", card) == f"'{tmp_path / 'no.onnx'}' does not exist."
    assert built.error("card", graph, tmp_path / "no.json") == f"'{tmp_path / 'no.json'}' does not exist."
    assert built.error("card", graph, tmp_path) == f"'{tmp_path}' is no file."
    os.mkfifo(tmp_path / "pipe")
    assert "is no file" in built.error("card", tmp_path / "pipe", card)
    with (tmp_path / "large").open("wb") as file:
        file.truncate(2**33)
    assert "bytes, more than the" in built.error("card", tmp_path / "large", card)
    assert "bytes, more than the" in built.error("card", graph, tmp_path / "large")


@pytest.mark.parametrize("batch", [0, 2**40, 2**63])
def test_a_batch_that_cannot_be_is_refused(built: Built, batch: int, tmp_path: Path) -> None:
    assert "a batch of" in built.error("run", *write_toy(tmp_path), batch, "x", "y")


def test_noise_that_is_missing_is_told(built: Built, tmp_path: Path) -> None:
    graph, card = write_toy(tmp_path)
    np.array([500, 3], np.float32).tofile(tmp_path / "cond")
    told = built.error("run", graph, card, 1, tmp_path / "cond", tmp_path / "out", tmp_path / "cond")
    assert told == "expected 2 arrays of noise, not 1."


@pytest.mark.parametrize("seed", [1, 2])
def test_any_damage_is_told_and_nothing_else_happens(built: Built, seed: int, tmp_path: Path) -> None:
    graph, card = write_toy(tmp_path)
    graphs, cards = map(int, built.text(graph, card, seed, program=built.folder / "damage").split())
    assert 1000 < graphs < 3000
    assert 1000 < cards < 3000
