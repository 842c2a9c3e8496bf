"""Operations on images, as C loops: convolutions, and means or maxima of rectangles."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from facsim.export.c_emit import Emitter
from facsim.export.c_indices import number
from facsim.export.c_trace import Step

Pair = tuple[int, int]


def _pair(step: Step, name: str, default: int = 1) -> Pair:
    found = tuple(int(value) for value in step.attributes.get(name, (default, default)))
    return found[0], found[1]


def _pads(emitter: Emitter, step: Step) -> tuple[int, int, int, int]:
    """Zeros before the first and after the last row and column: (top, left, bottom, right)."""
    if step.attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise emitter.refusal(step, f"an operation {step.op} that finds out its own padding")
    top, left, bottom, right = (int(value) for value in step.attributes.get("pads", (0, 0, 0, 0)))
    return top, left, bottom, right


def _image(emitter: Emitter, step: Step) -> tuple[int, int, int]:
    """Channels, rows and columns of what the step reads."""
    shape = emitter.program.shape(step.inputs[0])
    if len(shape) != 4 or shape[0] != 1:
        raise emitter.refusal(step, f"an operation {step.op} on other things than images")
    return shape[1], shape[2], shape[3]


def _conv(emitter: Emitter, step: Step) -> None:
    weight = emitter.program.constant(step.inputs[1])
    if weight is None:
        raise emitter.refusal(step, "a Conv whose weights depend on the event")
    channels, rows, columns = _image(emitter, step)
    bias = emitter.program.constant(step.inputs[2]) if len(step.inputs) > 2 and step.inputs[2] else None
    groups = int(step.attributes.get("group", 1))
    offsets = np.zeros(len(weight), np.float32) if bias is None else bias.astype(np.float32)
    source = emitter.pointer(step.inputs[0])
    pads = _pads(emitter, step)
    if any(pads):
        source = _padded(emitter, source, (channels, rows, columns), pads)
        rows, columns = rows + pads[0] + pads[2], columns + pads[1] + pads[3]
    height, width = emitter.program.shape(step.outputs[0])[2:]
    made, taken = len(weight) // groups, channels // groups
    kernel, stride, apart = weight.shape[2:], _pair(step, "strides"), _pair(step, "dilations")
    weights, shifts = emitter.table(weight.astype(np.float32)), emitter.table(offsets)
    target = emitter.allocate(step.outputs[0]).array
    sizes = [taken, rows, columns, made, height, width, *kernel, *stride, *apart]
    at = [(weights, weight.size // groups), (shifts, made), (source, taken * rows * columns)]
    given = [f"{name} + {size} * h" if groups > 1 else name for name, size in (*at, (target, made * height * width))]
    call = f"m_conv({', '.join(given)}, {', '.join(map(str, sizes))});"
    emitter.lines.append(f"    for (h = 0; h < {groups}; ++h) {call}" if groups > 1 else f"    {call}")


def _padded(emitter: Emitter, source: str, image: tuple[int, int, int], pads: tuple[int, int, int, int]) -> str:
    """Name of an array with the image and zeros around it."""
    (channels, rows, columns), (top, left, bottom, right) = image, pads
    height, width = rows + top + bottom, columns + left + right
    array = f"p{len(emitter.buffers)}"
    emitter.buffers.append((array, channels * height * width, "float"))
    emitter.lines += [
        f"    for (i = 0; i < {channels * height * width}; ++i) {array}[i] = 0;",
        f"    for (h = 0; h < {channels}; ++h) for (i = 0; i < {rows}; ++i) for (j = 0; j < {columns}; ++j)",
        f"        {array}[(h * {height} + i + {top}) * {width} + j + {left}] = "
        f"({source})[(h * {rows} + i) * {columns} + j];",
    ]
    return array


def _pool(start: str, change: str, end: str) -> Callable[[Emitter, Step], None]:
    """Something of each rectangle: `change` takes one more element x into s, `end` is the result of n elements."""

    def write(emitter: Emitter, step: Step) -> None:
        if any(_pads(emitter, step)) or step.attributes.get("ceil_mode", 0) or _pair(step, "dilations") != (1, 1):
            raise emitter.refusal(step, f"an operation {step.op} that reads beyond the image, or not neighbours")
        if len(step.outputs) > 1 and step.outputs[1]:
            raise emitter.refusal(step, f"an operation {step.op} that tells places")
        channels, rows, columns = _image(emitter, step)
        height, width = emitter.program.shape(step.outputs[0])[2:]
        kernel, stride = _pair(step, "kernel_shape"), _pair(step, "strides")
        source = emitter.place(step.inputs[0])
        target = emitter.allocate(step.outputs[0]).array
        element = source.at(f"(h * {rows} + i * {stride[0]} + k) * {columns} + j * {stride[1]} + l")
        emitter.lines += [
            f"    for (h = 0; h < {channels}; ++h) for (i = 0; i < {height}; ++i) for (j = 0; j < {width}; ++j) {{",
            "        int32_t k, l;",
            f"        float s = {start};",
            f"        for (k = 0; k < {kernel[0]}; ++k) for (l = 0; l < {kernel[1]}; ++l) {{",
            f"            const float x = {element};",
            f"            {change}",
            "        }",
            f"        {target}[(h * {height} + i) * {width} + j] = {end.replace('#', str(prod(kernel)))};",
            "    }",
        ]

    return write


def _batch_norm(emitter: Emitter, step: Step) -> None:
    given: list[Any] = [emitter.program.constant(name) for name in step.inputs[1:5]]
    if any(value is None for value in given) or step.attributes.get("training_mode", 0):
        raise emitter.refusal(step, "a BatchNormalization that depends on other events")
    scale, shift, mean, variance = (np.asarray(value, np.float64) for value in given)
    factor = scale / np.sqrt(variance + step.attributes.get("epsilon", 1e-5))
    factors, offsets = (emitter.table(a.astype(np.float32)) for a in (factor, shift - mean * factor))
    channels = len(factor)
    size = emitter.size(step.inputs[0]) // channels
    value = emitter.place(step.inputs[0]).at(f"h * {size} + i")
    target = emitter.allocate(step.outputs[0]).array
    emitter.lines += [
        f"    for (h = 0; h < {channels}; ++h) for (i = 0; i < {size}; ++i)",
        f"        {target}[h * {size} + i] = {value} * {factors}[h] + {offsets}[h];",
    ]


IMAGE_KERNELS: dict[str, Callable[[Emitter, Step], None]] = {
    "Conv": _conv,
    "AveragePool": _pool("0", "s += x;", "s * (1.0f / #)"),
    "MaxPool": _pool(number(-np.inf, "float"), "s = x > s ? x : s;", "s"),
    "BatchNormalization": _batch_norm,
}
"""What writes each operation."""
