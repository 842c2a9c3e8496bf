"""Graphs that keep arrays in half precision."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.store import atomic_path
from facsim.export.layers import arrays_like, read_graph


def half_weights(graph: Path, path: Path, arrays: Iterable[NDArray[Any]]) -> int:
    """Write the ONNX file `graph` with those of its arrays that are equal to some of `arrays` as float16 to `path`.

    It is written atomically. A cast stands behind each of them, which ONNX Runtime does once, when it loads the graph:
    it computes in single precision.

    Returns:
        How many they are.

    Raises:
        MissingExtraError: onnx is not installed.
    """
    model = read_graph(graph)
    onnx, helper = import_module("onnx"), import_module("onnx.numpy_helper")
    names, casts = arrays_like(model, arrays), []
    for tensor in model.graph.initializer:
        if tensor.name in names:
            full = tensor.name
            tensor.CopyFrom(helper.from_array(helper.to_array(tensor).astype(np.float16), f"{full}.half"))
            casts.append(onnx.helper.make_node("Cast", [f"{full}.half"], [full], f"{full}.cast", to=1))
    for node in casts:
        model.graph.node.insert(0, node)
    with atomic_path(path) as temporary:
        onnx.save(model, str(temporary))
    return len(casts)
