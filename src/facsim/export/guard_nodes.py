"""Nodes and arrays of a graph: none that lies outside of the file, is not as large as it says, or makes too large ones.

What is refused is told as a ValueError; `export.guard` says of which file.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib import import_module
from typing import Any

MOST_NODES = 500_000
DEEPEST = 8
"""Graphs within graphs: branches of If, bodies of Loop and Scan."""
MOST_NUMBERS = 1 << 28
"""Of one array that the graph itself says the size of, 1 GB in single precision."""
DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
"""Of operations that ONNX itself defines; others need a library of their own, whose code would run."""
BYTES = {
    **{"FLOAT": 4, "UINT8": 1, "INT8": 1, "UINT16": 2, "INT16": 2, "INT32": 4, "INT64": 8, "BOOL": 1, "FLOAT16": 2},
    **{"DOUBLE": 8, "UINT32": 4, "UINT64": 8, "BFLOAT16": 2},
}
LISTS = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data")
SIZED = {"ConstantOfShape": 0, "Expand": 1, "Tile": 1, "OneHot": 1}
"""Operations that make arrays of a size that is one of their inputs, and which."""


def check_nodes(graph: Any) -> None:
    """Look through a graph and those within it.

    Raises:
        ValueError: something is refused, and why.
    """
    kinds = import_module("onnx").TensorProto.DataType
    nodes, constants = 0, {}
    for part in _graphs(graph, 0):
        nodes += len(part.node)
        if nodes > MOST_NODES:
            raise ValueError(f"it has more than {MOST_NODES} nodes")
        for info in (*part.input, *part.output, *part.value_info):
            _check_declared(info)
        for tensor in part.initializer:
            check_tensor(tensor, kinds)
            constants[tensor.name] = tensor
        for sparse in part.sparse_initializer:
            _check_sparse(sparse, kinds)
        for node in part.node:
            constants |= _check_node(node, kinds)
    for part in _graphs(graph, 0):
        for node in part.node:
            _check_made(node, constants)


def _graphs(graph: Any, depth: int) -> Iterator[Any]:
    """The graph and all within it."""
    if depth > DEEPEST:
        raise ValueError(f"its graphs are nested deeper than {DEEPEST}")
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _graphs(inner, depth + 1)


def _check_node(node: Any, kinds: Any) -> dict[str, Any]:
    """Refuse operations and arrays of a node; its output by name where it is a constant."""
    if node.domain not in DOMAINS:
        raise ValueError(
            f"its operation '{node.domain[:60]}.{node.op_type[:60]}' is none of the ONNX standard, and needs a library "
            "of its own"
        )
    found = {}
    for attribute in node.attribute:
        single = [attribute.t] if attribute.HasField("t") else []
        for tensor in (*single, *attribute.tensors):
            check_tensor(tensor, kinds)
        if single and node.op_type == "Constant" and node.output:
            found[node.output[0]] = attribute.t
        for sparse in (*([attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else ()),
                       *attribute.sparse_tensors):  # fmt: skip
            _check_sparse(sparse, kinds)
        if attribute.name == "shape" and math.prod(attribute.ints) > MOST_NUMBERS:
            raise _too_large(node, list(attribute.ints))
    return found


def check_tensor(tensor: Any, kinds: Any) -> None:
    """Refuse an array whose data is not in the file, or not as long as its shape says.

    Raises:
        ValueError: as said.
    """
    name = tensor.name[:60]
    if tensor.data_location or len(tensor.external_data):
        wanted = {entry.key: entry.value for entry in tensor.external_data}.get("location", "")
        raise ValueError(
            f"its array '{name}' lies in another file, '{wanted[:100]}'; facsim writes none such, and none is read"
        )
    if any(not 0 <= n < 1 << 48 for n in tensor.dims) or len(tensor.dims) > 32:
        raise ValueError(f"its array '{name}' has the shape {list(tensor.dims)[:32]}")
    size, kind = math.prod(tensor.dims), tensor.data_type
    if kind == kinds.Value("STRING"):
        known, there = size, len(tensor.string_data)
    elif kind in kinds.values() and kinds.Name(kind) in BYTES:
        raw = BYTES[kinds.Name(kind)] * size
        listed = sum(len(getattr(tensor, key)) for key in LISTS)
        known, there = (raw, len(tensor.raw_data)) if not listed else (size, listed)
    else:
        raise ValueError(f"its array '{name}' is of the type {kind}, which facsim does not write")
    if known != there:
        raise ValueError(f"its array '{name}' declares the shape {list(tensor.dims)}, and the file does not hold that")


def _check_sparse(sparse: Any, kinds: Any) -> None:
    check_tensor(sparse.values, kinds)
    check_tensor(sparse.indices, kinds)
    if not 0 <= math.prod(sparse.dims) <= MOST_NUMBERS:
        raise ValueError(f"its sparse array '{sparse.values.name[:60]}' has the shape {list(sparse.dims)[:32]}")


def _check_declared(info: Any) -> None:
    """Refuse an input, output or intermediate array that would be absurdly large for one event."""
    dims = [d.dim_value for d in info.type.tensor_type.shape.dim if d.WhichOneof("value") == "dim_value"]
    if any(n < 0 for n in dims) or math.prod(dims) > MOST_NUMBERS:
        raise ValueError(f"its array '{info.name[:60]}' would have the shape {dims[:32]}")


def _check_made(node: Any, constants: dict[str, Any]) -> None:
    """Refuse an operation that makes an array of an absurd size, where the size stands in the graph."""
    place = SIZED.get(node.op_type)
    if place is None or len(node.input) <= place or node.input[place] not in constants:
        return
    tensor = constants[node.input[place]]
    if math.prod(tensor.dims) > 64:
        raise ValueError(f"its operation {node.op_type} makes an array of more than 64 axes")
    sizes = [int(n) for n in import_module("onnx.numpy_helper").to_array(tensor).ravel()]
    if math.prod(abs(n) for n in sizes) > MOST_NUMBERS:
        raise _too_large(node, sizes)


def _too_large(node: Any, sizes: list[int]) -> ValueError:
    return ValueError(f"its operation {node.op_type} would make an array of the size {sizes[:32]}")
