"""Which nodes of an exported graph are the layers of a model: those whose weights are the layers' own."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError, MissingExtraError

PRODUCTS = ("MatMul", "Gemm", "Conv", "ConvTranspose")


def read_graph(path: Path) -> Any:
    """The ONNX model in `path`.

    Raises:
        MissingExtraError: onnx is not installed.
    """
    try:
        return import_module("onnx").load(str(path))
    except ImportError:
        raise MissingExtraError("onnx", "onnx") from None


def layer_nodes(model: Any, weights: Iterable[NDArray[Any]], path: Path) -> list[Any]:
    """Nodes of the graph `model` that multiply by one of the `weights`, turned or not; `path` is for messages.

    Other products, such as those with roots of covariances, are none of them: latents would lose digits.

    Raises:
        FacsimError: there is none.
    """
    same, there = same_arrays(model), arrays_like(model, weights)
    found = []
    for node in model.graph.node:
        if node.op_type in PRODUCTS and same.get(node.input[1], node.input[1]) in there:
            found.append(node)
    if not found:
        raise FacsimError(f"'{path}' multiplies by no weights of the model's layers: none of them can be made smaller.")
    return found


def arrays_like(model: Any, wanted: Iterable[NDArray[Any]]) -> set[str]:
    """Names of the arrays of the graph `model` that are equal to some of `wanted`, turned or not."""
    helper = import_module("onnx.numpy_helper")
    keys = {_key(array) for given in wanted for array in (given, given.T)}
    return {tensor.name for tensor in model.graph.initializer if _key(np.asarray(helper.to_array(tensor))) in keys}


def same_arrays(model: Any) -> dict[str, str]:
    """The arrays behind names that an Identity gave."""
    same: dict[str, str] = {}
    for node in model.graph.node:  # in order of the computation
        if node.op_type == "Identity":
            same[node.output[0]] = same.get(node.input[0], node.input[0])
    return same


def _key(array: NDArray[Any]) -> tuple[tuple[int, ...], bytes]:
    return array.shape, np.ascontiguousarray(array, np.float32).tobytes()
