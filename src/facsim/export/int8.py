"""Graphs of samplers whose layers multiply 8-bit whole numbers, by ONNX Runtime's quantiser."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from facsim.core.store import atomic_path
from facsim.export.layers import layer_nodes, read_graph, same_arrays
from facsim.export.quantiser import Given, calibration, quantization, quietly

PLAIN_GEMM = {"alpha": 1.0, "beta": 1.0, "transB": 1}
"""Attributes of the linear layers that torch writes."""


def quantise_sampler(
    graph: Path,
    path: Path,
    weights: Iterable[NDArray[Any]],
    examples: Iterable[Given] | None = None,
    *,
    per_channel: bool = True,
    reduce_range: bool = False,
) -> int:
    """Write the ONNX file `graph` with 8-bit layers to `path`, atomically; return how many products are quantised.

    Weights are signed and symmetric, what layers read is unsigned. Biases and all else stay in single precision. With
    separate operations for quantising (QDQ) ONNX Runtime would merge products with biases again and gain nothing.

    Args:
        weights: of the layers, as torch has them.
        examples: inputs by name, from which the ranges of what each layer reads and gives are fixed (static); without,
            each call finds the ranges of what they read, and what they give is in single precision (dynamic).
        per_channel: a scale of its own for each output of a layer.
        reduce_range: weights of 7 bits, for processors without VNNI, whose sums of 8-bit products overflow.

    Raises:
        MissingExtraError: onnx or onnxruntime is not installed.
        FacsimError: the graph has none of the layers.
    """
    tools = quantization()
    model, names = plain_products(graph, weights)
    given: dict[str, Any] = {"per_channel": per_channel, "reduce_range": reduce_range, "nodes_to_quantize": names}
    given |= {"weight_type": tools.QuantType.QInt8}
    given["extra_options"] = {"DefaultTensorType": import_module("onnx").TensorProto.FLOAT}  # of what it cannot infer
    plain = path.with_name(f".{path.stem}.plain.onnx")
    with atomic_path(plain) as temporary:
        import_module("onnx").save(model, str(temporary))
    try:
        with atomic_path(path) as temporary, quietly():
            if examples is None:
                tools.quantize_dynamic(plain, temporary, ["MatMul", "Conv"], **given)
            else:
                given |= {"activation_type": tools.QuantType.QUInt8, "quant_format": tools.QuantFormat.QOperator}
                tools.quantize_static(plain, temporary, calibration(tools, examples), **given)
    finally:
        plain.unlink(missing_ok=True)
    return len(names)


def plain_products(graph: Path, weights: Iterable[NDArray[Any]]) -> tuple[Any, list[str]]:
    """The graph with products and sums in place of the linear layers of `weights`, and names of the layers' products.

    ONNX Runtime's quantiser would do that by itself, but turns a matrix once for each product with it, and a sampler of
    several steps multiplies by each of its matrices several times.

    Raises:
        FacsimError: the graph has none of the layers.
    """
    model = read_graph(graph)
    onnx, arrays = import_module("onnx"), import_module("onnx.numpy_helper")
    chosen = {node.output[0] for node in layer_nodes(model, weights, graph)}
    known = {tensor.name: tensor for tensor in model.graph.initializer}
    same = same_arrays(model)
    nodes, products, turned = list[Any](), list[str](), dict[str, Any]()
    for node in model.graph.node:
        product, added = node, []
        given = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
        if node.output[0] in chosen and node.op_type == "Gemm" and given == PLAIN_GEMM and len(node.input) == 3:
            weight = known[same.get(node.input[1], node.input[1])]
            name, out = f"{weight.name}.turned", f"{node.output[0]}.product"
            turned[name] = arrays.from_array(arrays.to_array(weight).T.copy(), name)
            product = onnx.helper.make_node("MatMul", [node.input[0], name], [out])
            added = [onnx.helper.make_node("Add", [out, node.input[2]], node.output)]
        product.name = f"{product.op_type}_{len(nodes)}"
        products += [product.name] if node.output[0] in chosen else []
        nodes += [product, *added]
    model.graph.ClearField("node")
    model.graph.node.extend(nodes)
    read = {name for node in nodes for name in node.input}
    kept = [tensor for tensor in known.values() if tensor.name in read]
    model.graph.ClearField("initializer")
    model.graph.initializer.extend([*kept, *turned.values()])
    return model, products
