"""Graphs that are looked through and refused: what they would read, load or make."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.guard import sha256
from facsim.export.check import open_session
from facsim.export.guard import Port, check_graph

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
h, T = onnx.helper, onnx.TensorProto


def info(name: str, shape: Any = ("batch", 2), kind: int = T.FLOAT) -> Any:
    return h.make_tensor_value_info(name, kind, shape)


def model(nodes: list[Any] | None = None, arrays: Any = (), opset: int = 20, ir: int = 9, **changes: Any) -> Any:
    """A graph of `nodes` from `condition` to `events`, both (batch, 2)."""
    nodes = [h.make_node("Identity", ["condition"], ["events"])] if nodes is None else nodes
    inputs, outputs = changes.pop("inputs", [info("condition")]), changes.pop("outputs", [info("events")])
    graph = h.make_graph(nodes, "g", inputs, outputs, initializer=list(arrays))
    domains = changes.pop("domains", [])
    imports = [h.make_opsetid("", opset), *(h.make_opsetid(domain, 1) for domain in domains)]
    return h.make_model(graph, opset_imports=imports, ir_version=ir, **changes)


def saved(tmp_path: Path, made: Any) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(made if isinstance(made, bytes) else made.SerializeToString())
    return path


def array(name: str = "w", values: Any = (1.0, 2.0)) -> Any:
    return onnx.numpy_helper.from_array(np.asarray(values, np.float32), name)


ADD = [h.make_node("Add", ["condition", "w"], ["events"])]


def test_a_sound_graph_runs(tmp_path: Path) -> None:
    path = saved(tmp_path, model(ADD, [array()]))
    facts = check_graph(path)
    assert facts.inputs == {"condition": Port("FLOAT", (None, 2))}
    assert facts.outputs == {"events": Port("FLOAT", (None, 2))}
    found = open_session(path).run(None, {"condition": np.ones((3, 2), np.float32)})[0]
    np.testing.assert_array_equal(found, np.tile([2.0, 3.0], (3, 1)))


def external(location: str) -> Any:
    tensor = array()
    tensor.ClearField("raw_data")
    tensor.data_location = T.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "8")):
        tensor.external_data.add(key=key, value=value)
    return tensor


@pytest.mark.parametrize("where", ["../secret.bin", "weights.bin", "/etc/hostname", "../../../../etc/passwd"])
def test_data_in_other_files_is_never_read(tmp_path: Path, where: str) -> None:
    """Also where the file exists and ONNX Runtime or onnx would read it: none of facsim's graphs has any."""
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(np.array([7, 8], np.float32).tobytes())
    (folder / "weights.bin").write_bytes(np.array([7, 8], np.float32).tobytes())
    path = saved(folder, model(ADD, [external(where)]))
    with pytest.raises(FacsimError, match=r"its array 'w' lies in another file, '.*'; facsim writes none such"):
        check_graph(path)
    with pytest.raises(FacsimError, match="lies in another file"):
        open_session(path)


def subgraph(node: Any, name: str = "branch") -> Any:
    return h.make_graph([node], name, [], [info("y", None)])


def constant(tensor: Any) -> Any:
    return h.make_node("Constant", [], ["y"], value=tensor)


def conditional(inner: Any) -> list[Any]:
    true = h.make_node("Constant", [], ["yes"], value=onnx.numpy_helper.from_array(np.array(True)))
    other = subgraph(constant(array()))
    return [true, h.make_node("If", ["yes"], ["events"], then_branch=inner, else_branch=other)]


def nested(depth: int) -> list[Any]:
    inner = subgraph(constant(array()))
    for _ in range(depth):
        inner = h.make_graph([*conditional(inner)], "branch", [], [info("events", None)])
    return conditional(inner)


def without(tensor: Any, dims: list[int]) -> Any:
    del tensor.dims[:]
    tensor.dims.extend(dims)
    return tensor


def sized(op: str, sizes: Any) -> Any:
    size = onnx.numpy_helper.from_array(np.asarray(sizes, np.int64), "size")
    inputs = ["size"] if op == "ConstantOfShape" else ["condition", "size"]
    return model([h.make_node(op, inputs, ["events"])], [size], outputs=[info("events", None)])


def with_function() -> Any:
    made = model([h.make_node("f", ["condition"], ["events"], domain="local")], domains=["local"])
    node = h.make_node("f", ["x"], ["y"], domain="local")  # calls itself
    made.functions.append(h.make_function("local", "f", ["x"], ["y"], [node], [h.make_opsetid("local", 1)]))
    return made


def with_sparse(dims: list[int]) -> Any:
    made = model(ADD)
    indices = onnx.numpy_helper.from_array(np.array([0], np.int64), "i")
    made.graph.sparse_initializer.append(h.make_sparse_tensor(array("w", [1.0]), indices, dims))
    return made


def _external_flag() -> Any:
    tensor = array()
    tensor.data_location = T.EXTERNAL
    return model(ADD, [tensor])


def _sparse_external() -> Any:
    made = with_sparse([2])
    made.graph.sparse_initializer[0].values.CopyFrom(external("../x"))
    return made


def _typed(kind: int) -> Any:
    tensor = array()
    tensor.data_type = kind
    return tensor


def _training() -> Any:
    made = model()
    made.training_info.add()
    return made


HOSTILE: dict[str, tuple[Callable[[], Any], str]] = {
    "nothing": (lambda: b"", "has 0 bytes"),
    "text": (lambda: b"not a graph", "is no ONNX file"),
    "pickle": (lambda: b"\x80\x04cos\nsystem\n(S'true'\ntR.", "is no ONNX file"),
    "truncated": (lambda: model(ADD, [array()]).SerializeToString()[:-20], "is no ONNX file"),
    "empty": (lambda: model([]), "is no ONNX file"),
    "external in a constant": (lambda: model(conditional(subgraph(constant(external("../x"))))), "in another file"),
    "external in a sparse array": (_sparse_external, "in another file"),
    "external without a place": (_external_flag, "in another file"),
    "domain": (lambda: model([h.make_node("Run", ["condition"], ["events"], domain="evil")]), "'evil.Run' is none of"),
    "domain imported": (lambda: model(domains=["com.evil"]), "uses operations of 'com.evil'"),
    "domain within": (lambda: model(conditional(subgraph(h.make_node("Run", [], ["y"], domain="evil")))), "'evil.Run'"),
    "function": (with_function, "functions or a training of its own"),
    "training": (_training, "functions or a training of its own"),
    "opset": (lambda: model(opset=1000), "written with opset 1000"),
    "ir": (lambda: model(ir=1000), r"IR version 1000\), which this ONNX Runtime"),
    "larger than its data": (lambda: model(ADD, [without(array(), [1 << 40])]), "the file does not hold that"),
    "smaller than its data": (lambda: model(ADD, [without(array(), [1])]), "the file does not hold that"),
    "overflow": (lambda: model(ADD, [without(array(), [1 << 47] * 3)]), "the file does not hold that"),
    "negative": (lambda: model(ADD, [without(array(), [-1, -2])]), r"has the shape \[-1, -2\]"),
    "type": (lambda: model(ADD, [_typed(999)]), "is of the type 999"),
    "input": (lambda: model(inputs=[info("condition", [1 << 40, 2])]), "would have the shape"),
    "declared": (lambda: model(outputs=[info("events", [-5, 2])]), r"would have the shape \[-5, 2\]"),
    "constant of shape": (lambda: sized("ConstantOfShape", [1 << 20, 1 << 20]), "would make an array of the size"),
    "expand": (lambda: sized("Expand", [1 << 30, 2]), "would make an array of the size"),
    "tile": (lambda: sized("Tile", [1 << 30, 1]), "would make an array of the size"),
    "many axes": (lambda: sized("Tile", [1] * 65), "more than 64 axes"),
    "random": (lambda: model([h.make_node("RandomNormal", [], ["events"], shape=[1 << 31])]), "would make an array"),
    "depth": (lambda: model(nested(12)), "nested deeper than 8"),
    "sparse": (lambda: with_sparse([1 << 40]), "its sparse array 'w' has the shape"),
    "no array": (lambda: model(inputs=[h.make_tensor_sequence_value_info("condition", T.FLOAT, None)]), "is no array"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_graphs_are_refused_in_a_sentence(tmp_path: Path, what: str) -> None:
    make, words = HOSTILE[what]
    path = saved(tmp_path, make())
    with pytest.raises(FacsimError, match=words) as told:
        open_session(path)
    assert len(str(told.value)) < 500
    assert "model.onnx" in str(told.value)


def test_many_nodes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facsim.export.guard_nodes.MOST_NODES", 10)
    nodes = [h.make_node("Identity", ["condition"], [f"x{n}"]) for n in range(10)]
    with pytest.raises(FacsimError, match="more than 10 nodes"):
        check_graph(saved(tmp_path, model([*nodes, *ADD], [array()])))


def test_an_operation_that_the_runtime_has_not_is_told(tmp_path: Path) -> None:
    path = saved(tmp_path, model([h.make_node("NoSuchOperation", ["condition"], ["events"])]))
    with pytest.raises(FacsimError, match=r"ONNX Runtime [\d.]+ cannot open '.*model.onnx'"):
        open_session(path)
    with pytest.raises(FacsimError, match="there is no graph"):
        check_graph(tmp_path / "none.onnx")


def card(path: Path, **changes: Any) -> dict[str, Any]:
    return {
        "graph": {"bytes": path.stat().st_size, "sha256": sha256(path)},
        "inputs": {"condition": {"shape": ["batch", 2]}, "noise": []},
        "output": {"name": "events", "shape": ["batch", 2]},
        **changes,
    }


def test_the_graph_is_the_one_of_its_card(tmp_path: Path) -> None:
    path = saved(tmp_path, model())
    assert check_graph(path, card(path))
    wrong = {
        "has the shape": {"inputs": {"condition": {"shape": ["batch", 3]}, "noise": []}},
        "the card says": {"output": {"name": "events", "shape": ["batch", 2, 1]}},
        "knows no input 'condition'": {"inputs": {"noise": []}},
        "knows no output 'events'": {"output": {"name": "scores", "shape": ["batch", 2]}},
        "has no input 'z'": {"inputs": {**card(path)["inputs"], "noise": [{"name": "z", "shape": ["batch", 3]}]}},
        "is damaged or was changed": {"graph": {"bytes": path.stat().st_size, "sha256": "0" * 64}},
        "and the card states 1": {"graph": {"bytes": 1, "sha256": "0" * 64}},
    }
    for words, changes in wrong.items():
        with pytest.raises(FacsimError, match=words):
            open_session(path, card=card(path, **changes))
