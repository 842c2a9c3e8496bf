"""A graph from anyone is looked through before ONNX Runtime opens it: what it would read, load, or make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from facsim.core.errors import FacsimError, MissingExtraError
from facsim.core.guard import check_file
from facsim.export.guard_nodes import DOMAINS, check_nodes

LARGEST_GRAPH = (2 << 30) - 1
"""Bytes; protobuf reads no more."""
SURE_OPSET, SURE_IR = 20, 9
"""What every ONNX Runtime that facsim works with reads."""


@dataclass(frozen=True)
class Port:
    """An input or output of a graph: its ONNX type (`FLOAT`, ...) and its axes, None where they are free."""

    dtype: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class GraphFacts:
    """Inputs and outputs of a graph by name, in order."""

    inputs: Mapping[str, Port]
    outputs: Mapping[str, Port]


def check_graph(path: Path, card: Mapping[str, Any] | None = None) -> GraphFacts:
    """Look through an ONNX file without running it; what goes in and comes out.

    Args:
        path: of the file. card: that it came with: size, checksum, inputs and output are compared.

    Raises:
        MissingExtraError: onnx is not installed.
        FacsimError: the file is not the one of its card or no graph; it names other files, operations outside of the
            ONNX standard or functions of its own; arrays are not as large as declared or absurdly large; graphs are
            nested deep; or it needs a newer ONNX Runtime.
    """
    if card is not None and isinstance(card.get("graph"), Mapping):
        check_file(path, card["graph"], "the card")
    model = _parsed(path)
    try:
        _check_versions(model, path)
        check_nodes(model.graph)
        facts = GraphFacts(_ports(model.graph.input), _ports(model.graph.output))
        if card is not None:
            _check_card(facts, card)
    except ValueError as error:
        raise FacsimError(f"the graph '{path}' is refused: {error}.") from None
    return facts


def _parsed(path: Path) -> Any:
    try:
        onnx, message = import_module("onnx"), import_module("google.protobuf.message")
    except ImportError:
        raise MissingExtraError("onnx", "onnx") from None
    if not path.is_file():
        raise FacsimError(f"there is no graph '{path}'.")
    size = path.stat().st_size
    if not 0 < size <= LARGEST_GRAPH:
        raise FacsimError(f"the graph '{path}' has {size} bytes: expected 1 to {LARGEST_GRAPH}.")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except message.DecodeError:
        raise FacsimError(f"'{path}' is no ONNX file, or damaged: export the model again.") from None
    if not model.graph.node or not model.graph.output:
        raise FacsimError(f"'{path}' is no ONNX file, or damaged: it holds no graph.")
    return model


def _check_versions(model: Any, path: Path) -> None:
    """Raise ValueError where the runtime or facsim would not know what is meant."""
    if len(model.functions) or len(model.training_info):
        raise ValueError("it defines functions or a training of its own, which facsim does not write")
    strange = [entry.domain for entry in model.opset_import if entry.domain not in DOMAINS]
    if strange:
        raise ValueError(f"it uses operations of '{strange[0][:60]}', which need a library of their own")
    opset = max((entry.version for entry in model.opset_import if entry.domain in DOMAINS[:2]), default=0)
    if opset > SURE_OPSET or model.ir_version > SURE_IR:
        why = _runtime_refuses(int(opset), int(model.ir_version))
        if why:
            raise ValueError(
                f"it is written with opset {opset} of ONNX (IR version {model.ir_version}), which this ONNX Runtime "
                f"({why}) does not read; upgrade onnxruntime, or export with a smaller --set export.opset"
            )


@cache
def _runtime_refuses(opset: int, ir_version: int) -> str:
    """The version of ONNX Runtime, if it does not open a graph of these versions; empty if it does or is not there."""
    try:
        onnxruntime, onnx = import_module("onnxruntime"), import_module("onnx")
    except ImportError:
        return ""
    helper = onnx.helper
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception:  # a class of its own for each kind of failure
        return str(onnxruntime.__version__)
    return ""


def _ports(infos: Any) -> dict[str, Port]:
    names = import_module("onnx").TensorProto.DataType
    found = {}
    for info in infos:
        tensor = info.type.tensor_type
        if info.type.WhichOneof("value") != "tensor_type" or tensor.elem_type not in names.values():
            raise ValueError(f"its input or output '{info.name[:60]}' is no array")
        axes = tensor.shape.dim if tensor.HasField("shape") else ()
        shape = tuple(int(d.dim_value) if d.WhichOneof("value") == "dim_value" else None for d in axes)
        found[str(info.name)] = Port(str(names.Name(tensor.elem_type)), shape)
    return found


def _check_card(facts: GraphFacts, card: Mapping[str, Any]) -> None:
    """Raise ValueError where the inputs and outputs are not those of the card."""
    inputs = card.get("inputs", {})
    wanted = {name: part for name, part in inputs.items() if name != "noise"}
    wanted |= {part["name"]: part for part in inputs.get("noise", [])}
    output = card.get("output", {})
    output = {output.get("name"): output}
    for kind, known, ports in (("input", wanted, facts.inputs), ("output", output, facts.outputs)):
        for name, port in ports.items():
            if name not in known and not (kind == "input" and name == "mask" and "events" in known):
                raise ValueError(f"the card knows no {kind} '{name[:60]}'; it has {list(known)}")
            shape = known.get(name, {}).get("shape", port.shape)
            if len(shape) != len(port.shape) or any(
                isinstance(a, int) and b is not None and a != b for a, b in zip(shape, port.shape, strict=True)
            ):
                raise ValueError(f"its {kind} '{name}' has the shape {list(port.shape)}, and the card says {shape}")
        lacking = [name for name, part in known.items() if name not in ports and 0 not in part.get("shape", [])]
        if lacking:
            raise ValueError(f"it has no {kind} '{lacking[0]}', which its card names")
