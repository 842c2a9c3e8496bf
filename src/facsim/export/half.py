"""Graphs whose layers keep their weights in half precision."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.store import atomic_path
from facsim.export.layers import layer_nodes, read_graph, same_arrays


def half_weights(graph: Path, path: Path, weights: Iterable[NDArray[Any]]) -> int:
    """Write the ONNX file `graph` with the `weights` of layers as float16 to `path`, atomically; return how many.

    A cast stands behind each. ONNX Runtime does it once, when it loads the graph, and computes in single precision.

    Raises:
        MissingExtraError: onnx is not installed.
        FacsimError: the graph has none of the layers.
    """
    model = read_graph(graph)
    onnx, helper = import_module("onnx"), import_module("onnx.numpy_helper")
    same = same_arrays(model)
    names = {same.get(node.input[1], node.input[1]) for node in layer_nodes(model, weights, graph)}
    casts = []
    for tensor in model.graph.initializer:
        if tensor.name in names:
            full = tensor.name
            tensor.CopyFrom(helper.from_array(helper.to_array(tensor).astype(np.float16), f"{full}.half"))
            casts.append(onnx.helper.make_node("Cast", [f"{full}.half"], [full], f"{full}.cast", to=1))
    for node in reversed(casts):
        model.graph.node.insert(0, node)
    with atomic_path(path) as temporary:
        onnx.save(model, str(temporary))
    return len(casts)
