"""Cheaper variants of a predictor's graph: whole numbers of 8 bits in its layers, or the smallest weights set to 0."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.store import atomic_path
from facsim.export.layers import read_graph, same_arrays
from facsim.export.quantiser import Given, calibration, quantization, quietly

LAYERS = ("Conv", "ConvTranspose", "Gemm")
"""Operations with weights that were learnt; products that sum cells into regions are others (MatMul)."""
STATIC = "Conv"


def quantised(graph: Path, path: Path, examples: Iterable[Given]) -> dict[str, Any]:
    """Write the ONNX file `graph` with layers of 8-bit whole numbers to `path`, atomically; what the check file holds.

    With convolutions the ranges of what the layers read are fixed, from `examples` (static); linear layers alone find
    them anew in each event (dynamic). Everything before the layers stays as it is: energies span too many decades.

    Args:
        examples: inputs by name, typical events.

    Raises:
        MissingExtraError: onnx or onnxruntime is not installed.
        FacsimError: the graph has no layers.
    """
    model = read_graph(graph)
    layers, tools = _layers(model, graph), quantization()
    static = any(node.op_type == STATIC for node in layers)
    with atomic_path(path) as temporary, quietly():
        if static:
            nodes = [node.name for node in layers if node.op_type in (STATIC, "Gemm")]
            reader = calibration(tools, examples)
            # scores of 256 values would have ties where a trigger cuts
            kept = {"OpTypesToExcludeOutputQuantization": ["Gemm"]}
            tools.quantize_static(
                graph, temporary, reader, nodes_to_quantize=nodes, per_channel=True, extra_options=kept
            )
        else:  # which makes products and sums of linear layers first, under names of its own
            sums = [node.name for node in model.graph.node if node.op_type == "MatMul"]
            tools.quantize_dynamic(graph, temporary, ["MatMul"], nodes_to_exclude=sums)
    return {"method": "static" if static else "dynamic", "layers": _whole(read_graph(path))}


def pruned(graph: Path, path: Path, share: float) -> dict[str, Any]:
    """Write the ONNX file `graph` with the smallest `share` of each layer's weights set to 0 to `path`, atomically.

    Nothing is trained again. ONNX Runtime multiplies by zeros too: it is firmware that gains.

    Raises:
        MissingExtraError: onnx is not installed.
        FacsimError: the graph has no layers.
    """
    model = read_graph(graph)
    helper = import_module("onnx.numpy_helper")
    arrays = {tensor.name: tensor for tensor in model.graph.initializer}
    same = same_arrays(model)
    names = {same.get(node.input[1], node.input[1]) for node in _layers(model, graph)}
    weights = zeros = 0
    for name in sorted(names & set(arrays)):
        array = np.array(helper.to_array(arrays[name]))
        smallest = np.argsort(np.abs(array), axis=None, kind="stable")[: int(share * array.size)]
        array.flat[smallest] = 0
        arrays[name].CopyFrom(helper.from_array(array, name))
        weights, zeros = weights + array.size, zeros + int((array == 0).sum())
    with atomic_path(path) as temporary:
        import_module("onnx").save(model, str(temporary))
    return {"share": share, "weights": weights, "zeros": zeros}


def _whole(model: Any) -> int:
    """Arrays of weights that are 8-bit whole numbers."""
    kinds = import_module("onnx").TensorProto
    return sum(len(t.dims) > 1 and t.data_type in (kinds.INT8, kinds.UINT8) for t in model.graph.initializer)


def _layers(model: Any, graph: Path) -> list[Any]:
    known = {tensor.name for tensor in model.graph.initializer}
    same = same_arrays(model)
    found = [n for n in model.graph.node if n.op_type in LAYERS and same.get(n.input[1], n.input[1]) in known]
    if not found:
        raise FacsimError(
            f"'{graph}' has no layers ({', '.join(LAYERS)}) whose weights could be smaller: leave variants out with "
            "--set export.variants=[]."
        )
    return found
