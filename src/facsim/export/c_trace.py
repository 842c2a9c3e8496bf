"""An ONNX graph at batch one as a plain list of steps: every shape known, what depends on no input computed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError, MissingExtraError

ALWAYS_KNOWN = ("Shape", "Size")
"""Operations whose result depends on the shape of their input alone."""


@dataclass(frozen=True)
class Step:
    """One operation: its name in ONNX, attributes, and the names of what it reads ('' where left out) and gives."""

    op: str
    label: str
    attributes: Mapping[str, Any]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass
class Program:
    """Steps in order. `values` holds an example of every array, `constants` the names of those that never change."""

    inputs: tuple[str, ...] = ()
    output: str = ""
    steps: list[Step] = field(default_factory=list)
    values: dict[str, NDArray[Any]] = field(default_factory=dict)
    constants: set[str] = field(default_factory=set)

    def constant(self, name: str) -> NDArray[Any] | None:
        """The array `name` if it never changes."""
        return self.values[name] if name in self.constants else None

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of the array `name` for one event."""
        return tuple(int(n) for n in self.values[name].shape)


def trace(path: Path, examples: Mapping[str, NDArray[Any]]) -> Program:
    """The graph of the file `path` for one event, with `examples` of its inputs by name; others are 0.5.

    Raises:
        MissingExtraError: onnx is not installed.
        FacsimError: a branch that depends on the event.
    """
    try:
        onnx = import_module("onnx")
        reference = import_module("onnx.reference")
    except ImportError:
        raise MissingExtraError("onnx", "onnx") from None
    model = onnx.load(str(path))
    tracer = _Tracer(onnx, reference, {entry.domain: entry.version for entry in model.opset_import})
    program = tracer.program
    for entry in model.graph.input:
        shape = [dim.dim_value or 1 for dim in entry.type.tensor_type.shape.dim]
        kind = onnx.helper.tensor_dtype_to_np_dtype(entry.type.tensor_type.elem_type)
        given = np.asarray(examples.get(entry.name, np.full(shape, 0.5)), kind)
        program.values[entry.name] = given.reshape(shape)
    program.inputs = tuple(entry.name for entry in model.graph.input)
    tracer.run(model.graph, {})
    program.output = model.graph.output[0].name
    program.steps = _needed(program)
    return program


class _Tracer:
    """Follows the graph node by node with the reference implementation of ONNX."""

    def __init__(self, onnx: Any, reference: Any, opsets: Mapping[str, int]) -> None:
        self.onnx, self.reference, self.opsets = onnx, reference, dict(opsets)
        self.program = Program()

    def run(self, graph: Any, names: Mapping[str, str], prefix: str = "") -> dict[str, str]:
        """Follow `graph`; `names` are those by which it knows arrays that are called otherwise outside."""
        known = dict(names)
        for tensor in graph.initializer:
            known[tensor.name] = self._keep(prefix + tensor.name, self.onnx.numpy_helper.to_array(tensor))
        for index, node in enumerate(graph.node):
            inputs = tuple(known.get(name, name) for name in node.input)
            outputs = tuple(prefix + name for name in node.output)
            known.update(zip(node.output, outputs, strict=True))
            if node.op_type == "If":
                self._branch(node, inputs[0], outputs, known, f"{prefix}{index}/")
            else:
                self._follow(node, inputs, outputs)
        return known

    def _keep(self, name: str, value: NDArray[Any]) -> str:
        self.program.values[name] = value
        self.program.constants.add(name)
        return name

    def _branch(self, node: Any, test: str, outputs: Iterable[str], known: Mapping[str, str], prefix: str) -> None:
        found = self.program.constant(test)
        if found is None:
            raise FacsimError(
                f"the graph's node '{node.name}' (If) chooses by the event, which C code of one event is not written "
                "for: use torch.where in the model, or leave the C export out with --set export.c=false."
            )
        graphs = {attribute.name: attribute.g for attribute in node.attribute}
        graph = graphs["then_branch" if bool(found) else "else_branch"]
        inside = self.run(graph, known, prefix)
        for name, result in zip(outputs, graph.output, strict=True):
            source = inside.get(result.name, result.name)
            self.program.values[name] = self.program.values[source]
            self.program.steps.append(Step("Identity", node.name, {}, (source,), (name,)))
            if source in self.program.constants:
                self.program.constants.add(name)

    def _follow(self, node: Any, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> None:
        program = self.program
        copy = self.onnx.NodeProto()
        copy.CopyFrom(node)
        feed = {name: program.values[source] for name, source in zip(node.input, inputs, strict=True) if name}
        try:
            with np.errstate(all="ignore"):
                if node.op_type == "GatherElements":  # the reference knows no axis that counts from the end
                    found = [_gather_elements(node, program.values[inputs[0]], program.values[inputs[1]])]
                elif node.op_type == "Gelu":  # nor this one
                    found = [_gelu(node, program.values[inputs[0]])]
                else:
                    found = self.reference.ReferenceEvaluator(copy, opsets=self.opsets).run(None, feed)
        except Exception as error:
            raise FacsimError(
                f"the graph's node '{node.name}' ({node.op_type}) cannot be followed at batch 1 ({error}): leave the "
                "C export out with --set export.c=false."
            ) from error
        fixed = node.op_type in ALWAYS_KNOWN or all(name in program.constants for name in inputs if name)
        for name, value in zip(outputs, found, strict=False):
            program.values[name] = np.asarray(value)
            if fixed:
                program.constants.add(name)
        if not fixed:
            attributes = {a.name: self.onnx.helper.get_attribute_value(a) for a in node.attribute}
            program.steps.append(Step(node.op_type, node.name, attributes, inputs, outputs))


def _gather_elements(node: Any, data: NDArray[Any], index: NDArray[Any]) -> NDArray[Any]:
    axis = next((int(a.i) for a in node.attribute if a.name == "axis"), 0) % data.ndim
    part = tuple(slice(None) if d == axis else slice(n) for d, n in enumerate(index.shape))
    return np.take_along_axis(data[part], index, axis)


def _gelu(node: Any, x: NDArray[Any]) -> NDArray[Any]:
    if any(a.name == "approximate" and a.s == b"tanh" for a in node.attribute):
        inner = np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))
    else:
        inner = np.vectorize(math.erf)(x / math.sqrt(2))
    found: NDArray[Any] = (0.5 * x * (1 + inner)).astype(x.dtype)
    return found


def _needed(program: Program) -> list[Step]:
    """The steps that the output depends on."""
    wanted, kept = {program.output}, []
    for step in reversed(program.steps):
        changing = [name for name in step.outputs if name in wanted and name not in program.constants]
        if changing:
            kept.append(step)
            wanted.update(name for name in step.inputs if name)
    return kept[::-1]


def moved(step: Step, arrays: list[NDArray[Any]], opset: int = 20) -> list[NDArray[Any]]:
    """What `step`, an operation that only moves elements, does to `arrays` in place of its inputs."""
    helper, reference = import_module("onnx.helper"), import_module("onnx.reference")
    names = [f"i{k}" for k in range(len(arrays))]
    node = helper.make_node(step.op, names, [f"o{k}" for k in range(len(step.outputs))], **dict(step.attributes))
    found = reference.ReferenceEvaluator(node, opsets={"": opset}).run(None, dict(zip(names, arrays, strict=True)))
    return [np.asarray(array) for array in found]
