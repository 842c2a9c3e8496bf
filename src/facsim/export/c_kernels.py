"""Operations that combine elements, as C loops: products with matrices, sums, norms, look-ups."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.export.c_emit import Emitter
from facsim.export.c_images import IMAGE_KERNELS
from facsim.export.c_indices import number, split_axes
from facsim.export.c_trace import Step

BLOCK = 32
"""Outputs of a linear layer that are summed at a time: as many as fit the registers."""
FEW = 64
"""Numbers of a matrix that are written out where many rows are multiplied with it."""
MANY = 256
"""Numbers beyond which a sum is taken in double: one after the other in float would lose the fifth digit."""


def pack(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """A matrix (n_in, n_out) in the order in which the generated code reads it: blocks of outputs, input by input."""
    missing = -weight.shape[1] % BLOCK
    wide = np.pad(weight, ((0, 0), (0, missing)))
    return np.ascontiguousarray(wide.reshape(len(weight), -1, BLOCK).transpose(1, 0, 2))


def _gemm(emitter: Emitter, step: Step) -> None:
    attributes, (x, w, *rest) = step.attributes, step.inputs
    weight = emitter.program.constant(w)
    if weight is None or attributes.get("transA", 0):
        raise emitter.refusal(step, "a product (Gemm) with a matrix that depends on the event")
    matrix = (weight.T if attributes.get("transB", 0) else weight) * np.float32(attributes.get("alpha", 1.0))
    bias = np.zeros(matrix.shape[1], np.float32)
    if rest and rest[0]:
        constant = emitter.program.constant(rest[0])
        if constant is None:
            raise emitter.refusal(step, "a product (Gemm) whose offset depends on the event")
        bias = np.broadcast_to(constant * np.float32(attributes.get("beta", 1.0)), (1, len(bias))).ravel()
    _affine(emitter, x, matrix, bias, step.outputs[0])


def _affine(emitter: Emitter, x: str, matrix: NDArray[Any], bias: NDArray[Any], output: str) -> None:
    """Rows of `x` times a constant matrix (n_in, n_out), plus `bias` (n_out,)."""
    n_in, n_out = matrix.shape
    rows = emitter.size(x) // n_in
    if rows > n_out and matrix.size <= FEW:
        _written_out(emitter, x, matrix, bias, output)
        return
    weights = emitter.table(pack(matrix.astype(np.float32)))
    offsets = emitter.table(np.pad(bias.astype(np.float32), (0, -n_out % BLOCK)))
    source = emitter.pointer(x)
    target = emitter.allocate(output).array
    if rows == 1:
        emitter.lines.append(f"    m_affine({weights}, {offsets}, {source}, {target}, {n_in}, {n_out});")
        return
    call = f"m_affine({weights}, {offsets}, {source} + {n_in} * i, {target} + {n_out} * i, {n_in}, {n_out});"
    emitter.lines.append(f"    for (i = 0; i < {rows}; ++i) {call}")


def _written_out(emitter: Emitter, x: str, matrix: NDArray[Any], bias: NDArray[Any], output: str) -> None:
    """The same by a sum of products for each column, without those with zeros."""
    n_in, n_out = matrix.shape
    source = emitter.place(x)
    target = emitter.allocate(output).array
    emitter.lines.append(f"    for (i = 0; i < {emitter.size(x) // n_in}; ++i) {{")
    for column in range(n_out):
        terms = [(matrix[row, column], source.at(f"{n_in} * i + {row}")) for row in range(n_in)]
        products = [at if w == 1 else f"{number(w, 'float')} * {at}" for w, at in terms if w]
        total = " + ".join([*([number(bias[column], "float")] if bias[column] else []), *products]) or "0"
        emitter.lines.append(f"        {target}[{n_out} * i + {column}] = {total};")
    emitter.lines.append("    }")


def _matmul(emitter: Emitter, step: Step) -> None:
    a, b = step.inputs
    weight = emitter.program.constant(b)
    if weight is not None and weight.ndim == 2:
        _affine(emitter, a, weight, np.zeros(weight.shape[1], np.float32), step.outputs[0])
        return
    left, right = emitter.program.shape(a), emitter.program.shape(b)
    left = left if len(left) > 1 else (1, *left)
    right = right if len(right) > 1 else (*right, 1)
    n, k, m = left[-2], left[-1], right[-1]
    batch_a, batch_b = prod(left[:-2]), prod(right[:-2])
    batch = max(batch_a, batch_b)
    if not {batch_a, batch_b} <= {1, batch}:
        raise emitter.refusal(step, "a product (MatMul) of stacks of matrices of different numbers")
    x, y = emitter.pointer(a), emitter.pointer(b)
    target = emitter.allocate(step.outputs[0]).array
    of_a = f" + {n * k} * h" if batch_a > 1 else ""
    of_b = f" + {k * m} * h" if batch_b > 1 else ""
    emitter.lines.append(
        f"    for (h = 0; h < {batch}; ++h) m_product({x}{of_a}, {y}{of_b}, {target} + {n * m} * h, {n}, {k}, {m});"
    )


def _axes(emitter: Emitter, step: Step) -> tuple[int, ...]:
    given: Any = step.attributes.get("axes")
    if len(step.inputs) > 1 and step.inputs[1]:
        given = emitter.program.values[step.inputs[1]]
    rank = len(emitter.program.shape(step.inputs[0]))
    axes = () if given is None else tuple(int(axis) for axis in given)
    if not axes and not step.attributes.get("noop_with_empty_axes", 0):
        axes = tuple(range(rank))
    return axes


def _along(emitter: Emitter, step: Step, axes: tuple[int, ...]) -> tuple[int, int, int]:
    found = split_axes(emitter.program.shape(step.inputs[0]), axes)
    if found is None:
        raise emitter.refusal(step, f"an operation {step.op} over axes that are no neighbours")
    return found


def _reduce(start: str, change: str, end: str = "s") -> Callable[[Emitter, Step], None]:
    """A reduction: `change` takes one more element x into s, `end` is the result of n elements."""

    def write(emitter: Emitter, step: Step) -> None:
        outer, n, inner = _along(emitter, step, _axes(emitter, step))
        source, kind = emitter.place(step.inputs[0]), emitter.kind(step.outputs[0])
        target = emitter.allocate(step.outputs[0]).array
        first = source.at(f"h * {n * inner} + j") if start == "x" else start
        long = "double" if kind == "float" and "+=" in change and n > MANY else kind
        emitter.lines += [
            f"    for (h = 0; h < {outer}; ++h) for (j = 0; j < {inner}; ++j) {{",
            f"        {long} s = {first};",
            f"        for (i = {int(start == 'x')}; i < {n}; ++i) {{",
            f"            const {kind} x = {source.at(f'(h * {n} + i) * {inner} + j')};",
            f"            {change}",
            "        }",
            f"        {target}[h * {inner} + j] = ({kind})({end.replace('#', str(n))});",
            "    }",
        ]

    return write


def _cumsum(emitter: Emitter, step: Step) -> None:
    axis = int(emitter.program.values[step.inputs[1]].flat[0])
    outer, n, inner = _along(emitter, step, (axis,))
    source, kind = emitter.place(step.inputs[0]), emitter.kind(step.outputs[0])
    target = emitter.allocate(step.outputs[0]).array
    where = f"(n - 1 - i) * {inner}" if step.attributes.get("reverse", 0) else f"i * {inner}"
    where = f"h * {n * inner} + " + where.replace("n -", f"{n} -") + " + j"
    lines = [f"{target}[{where}] = s;", f"s += {source.at(where)};"]
    if not step.attributes.get("exclusive", 0):
        lines.reverse()
    emitter.lines += [
        f"    for (h = 0; h < {outer}; ++h) for (j = 0; j < {inner}; ++j) {{",
        f"        {kind} s = 0;",
        f"        for (i = 0; i < {n}; ++i) {{ {' '.join(lines)} }}",
        "    }",
    ]


def _layer_norm(emitter: Emitter, step: Step) -> None:
    shape = emitter.program.shape(step.inputs[0])
    axis = step.attributes.get("axis", -1) % len(shape)
    n, rows = prod(shape[axis:]), prod(shape[:axis])
    given = [emitter.pointer(name) if name else "0" for name in (*step.inputs[1:], "")[:2]]
    source = emitter.pointer(step.inputs[0])
    target = emitter.allocate(step.outputs[0]).array
    epsilon = f"{step.attributes.get('epsilon', 1e-5):.9g}f"
    emitter.lines.append(
        f"    for (h = 0; h < {rows}; ++h) "
        f"m_norm({source} + {n} * h, {given[0]}, {given[1]}, {target} + {n} * h, {n}, {epsilon});"
    )


def _softmax(emitter: Emitter, step: Step) -> None:
    outer, n, inner = _along(emitter, step, (step.attributes.get("axis", -1),))
    if inner != 1:
        raise emitter.refusal(step, "a Softmax over an axis that is not the last one")
    source = emitter.pointer(step.inputs[0])
    target = emitter.allocate(step.outputs[0]).array
    emitter.lines.append(f"    for (h = 0; h < {outer}; ++h) m_softmax({source} + {n} * h, {target} + {n} * h, {n});")


def _gather(emitter: Emitter, step: Step) -> None:
    data, index = step.inputs
    shape = emitter.program.shape(data)
    axis = step.attributes.get("axis", 0) % len(shape)
    outer, n, inner = prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])
    count = emitter.size(index)
    source, where = emitter.place(data), emitter.element(index, "i")
    target = emitter.allocate(step.outputs[0]).array
    emitter.lines += [
        f"    for (h = 0; h < {outer}; ++h) for (i = 0; i < {count}; ++i) {{",
        f"        const int32_t p = m_index({where}, {n});",
        f"        for (j = 0; j < {inner}; ++j)",
        f"            {target}[(h * {count} + i) * {inner} + j] = {source.at(f'(h * {n} + p) * {inner} + j')};",
        "    }",
    ]


def _gather_elements(emitter: Emitter, step: Step) -> None:
    data, index = step.inputs
    shape, wanted = emitter.program.shape(data), emitter.program.shape(index)
    axis = step.attributes.get("axis", 0) % len(shape)
    if shape[:axis] != wanted[:axis] or shape[axis + 1 :] != wanted[axis + 1 :]:
        raise emitter.refusal(step, "a GatherElements that reads a part of the rows")
    outer, n, inner = prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])
    count = wanted[axis]
    at = f"(h * {count} + i) * {inner} + j"
    source, where = emitter.place(data), emitter.element(index, at)
    target = emitter.allocate(step.outputs[0]).array
    emitter.lines += [
        f"    for (h = 0; h < {outer}; ++h) for (i = 0; i < {count}; ++i) for (j = 0; j < {inner}; ++j)",
        f"        {target}[{at}] = {source.at(f'(h * {n} + m_index({where}, {n})) * {inner} + j')};",
    ]


def _arg_extreme(symbol: str) -> Callable[[Emitter, Step], None]:
    def write(emitter: Emitter, step: Step) -> None:
        if step.attributes.get("select_last_index", 0):
            raise emitter.refusal(step, f"an {step.op} that takes the last of equal elements")
        outer, n, inner = _along(emitter, step, (step.attributes.get("axis", 0),))
        source = emitter.place(step.inputs[0])
        target = emitter.allocate(step.outputs[0]).array
        best, other = (source.at(f"(h * {n} + {k}) * {inner} + j") for k in ("b", "i"))
        emitter.lines += [
            f"    for (h = 0; h < {outer}; ++h) for (j = 0; j < {inner}; ++j) {{",
            "        int32_t b = 0;",
            f"        for (i = 1; i < {n}; ++i) if ({other} {symbol} {best}) b = i;",
            f"        {target}[h * {inner} + j] = b;",
            "    }",
        ]

    return write


def _top_k(emitter: Emitter, step: Step) -> None:
    outer, n, inner = _along(emitter, step, (step.attributes.get("axis", -1),))
    count = emitter.program.constant(step.inputs[1])
    if inner != 1 or count is None:
        raise emitter.refusal(step, "a TopK over an axis that is not the last one, or of a number that changes")
    k, sign = int(count.flat[0]), "" if step.attributes.get("largest", 1) else "-"
    source = emitter.pointer(step.inputs[0])
    kind = emitter.kind(step.inputs[0])
    emitter.lines += [f"    for (h = 0; h < {outer}; ++h) {{", f"        const {kind} *x = {source};"]
    at = len(emitter.lines)
    values, indices = (emitter.allocate(name).array for name in _both(emitter, step, (outer, k)))
    emitter.lines[at:] = [
        f"        for (i = 0; i < {k}; ++i) {{",
        "            int32_t b = -1;",
        f"            for (j = 0; j < {n}; ++j) {{",
        f"                int32_t used = 0, p; for (p = 0; p < i; ++p) used |= {indices}[h * {k} + p] == j;",
        f"                if (!used && (b < 0 || {sign}x[h * {n} + j] > {sign}x[h * {n} + b])) b = j;",
        "            }",
        f"            {indices}[h * {k} + i] = b; {values}[h * {k} + i] = x[h * {n} + b];",
        "        }",
        "    }",
    ]


def _both(emitter: Emitter, step: Step, shape: tuple[int, int]) -> list[str]:
    """Names of both results of a TopK, which gets room for the one that nobody reads."""
    values, indices = (*step.outputs, "", "")[:2]
    found = []
    for name, kind in ((values, np.float32), (indices, np.int64)):
        used = name or f"{step.label}:{np.dtype(kind).name}"
        emitter.program.values.setdefault(used, np.zeros(shape, kind))
        found.append(used)
    return found


KERNELS: dict[str, Callable[[Emitter, Step], None]] = {
    "Gemm": _gemm,
    "MatMul": _matmul,
    "ReduceSum": _reduce("0", "s += x;"),
    "ReduceMean": _reduce("0", "s += x;", "s / #"),
    "ReduceMax": _reduce("x", "s = x > s ? x : s;"),
    "ReduceMin": _reduce("x", "s = x < s ? x : s;"),
    "ReduceProd": _reduce("1", "s *= x;"),
    "ReduceSumSquare": _reduce("0", "s += x * x;"),
    "ReduceL2": _reduce("0", "s += x * x;", "sqrtf(s)"),
    "CumSum": _cumsum,
    "LayerNormalization": _layer_norm,
    "Softmax": _softmax,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "ArgMax": _arg_extreme(">"),
    "ArgMin": _arg_extreme("<"),
    "TopK": _top_k,
    **IMAGE_KERNELS,
}
"""What writes each operation."""
