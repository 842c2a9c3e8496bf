"""A traced graph as the body of one C function: places of arrays, fused loops over elements, copies."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.export.c_elementwise import ELEMENTWISE, Operands, kind_of
from facsim.export.c_indices import SHORT, Indices, affine, broadcast, number, runs
from facsim.export.c_trace import Program, Step, moved

MOVES = (
    *("Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Slice", "Transpose", "Expand", "Split", "Gather"),
    *("Tile", "Concat", "Pad", "Trilu"),
)
"""Operations that only move elements, as long as all but the elements is constant."""


@dataclass(frozen=True)
class Place:
    """Elements `first + step * i` of the C array `array`; `base` is the array of the program that owns it."""

    array: str
    base: str
    first: int = 0
    step: int = 1

    def at(self, index: str) -> str:
        """The element at the flat index `index`."""
        if self.step == 0 or index == "0":
            return f"{self.array}[{self.first}]"
        text = index if self.step == 1 else f"{self.step} * ({index})"
        return f"{self.array}[{text}]" if self.first == 0 else f"{self.array}[{self.first} + {text}]"

    @property
    def pointer(self) -> str:
        """The first element's address, of neighbours (`step` 1)."""
        return self.array if self.first == 0 else f"{self.array} + {self.first}"


class Emitter:
    """Writes the steps of `program` as C.

    Arrays that are no longer read give their room to later ones; results of operations on elements that are read once,
    by another of these, get none.

    Args:
        program: the graph for one event.
        name: beginning of the names of constants.

    Raises:
        FacsimError: an operation that C is not written for.
    """

    def __init__(self, program: Program, name: str) -> None:
        self.program, self.name = program, name
        self.lines: list[str] = []
        self.tables: dict[bytes, str] = {}
        self.table_lines: list[str] = []
        self.places: dict[str, Place] = {key: Place(key, key) for key in program.inputs}
        self.inline: dict[str, Step] = {}
        self.moves: dict[str, tuple[Indices, list[str]]] = {}
        self.views: dict[str, tuple[str, int, int]] = {}
        self.bases: dict[str, str] = {}
        self.room: dict[str, tuple[str, int]] = {}
        self.free: list[tuple[str, int, str]] = []
        self.buffers: list[tuple[str, int, str]] = []
        self.variables = 0

    def emit(self) -> None:
        """Write all steps; the result is copied to `out`."""
        from facsim.export.c_kernels import KERNELS  # noqa: PLC0415  kernels write with this class

        self._check(KERNELS)
        for step in self.program.steps:
            if step.op in MOVES and self._constant_plan(step):
                self._plan_move(step)
        self._plan_inline()
        last = self._last_reads()
        for index, step in enumerate(self.program.steps):
            if step.outputs[0] in self.inline:
                continue
            if step.op in MOVES and self._constant_plan(step):
                self._move(step)
            else:
                self.lines.append(self._title(step))
                write = type(self)._elementwise if step.op in ELEMENTWISE else KERNELS[step.op]
                write(self, step)
            for base in last.get(index, ()):
                self._release(base)
        output = self.program.output
        n = self.program.values[output].size
        self.lines.append(f"    for (i = 0; i < {n}; ++i) out[i] = {self.element(output, 'i')};")

    def _check(self, kernels: Any) -> None:
        """Refuse what cannot be written, before anything is."""
        known = {*ELEMENTWISE, *MOVES, *kernels}
        for step in self.program.steps:
            if step.op not in known:
                raise self.refusal(step, f"the operation {step.op}, which the C export does not know")
            for name in (*step.inputs, *step.outputs):
                if name in self.program.values and kind_of(self.program.values[name]) is None:
                    kind = self.program.values[name].dtype
                    raise self.refusal(step, f"numbers of type {kind}, which the C export does not know")
            if step.op in MOVES and not self._constant_plan(step) and step.op not in kernels:
                raise self.refusal(step, f"an operation {step.op} whose shape depends on the event")

    @staticmethod
    def _title(step: Step) -> str:
        return f"    /* {step.op} {step.label.replace('*/', '* /')} */"

    @staticmethod
    def refusal(step: Step, what: str) -> FacsimError:
        """The sentence for a step that has `what`."""
        return FacsimError(
            f"the graph's node '{step.label}' has {what}: choose a plainer network or method, or leave the C export "
            "out with --set export.c=false."
        )

    def kind(self, name: str) -> str:
        """C type of the array `name`."""
        found = kind_of(self.program.values[name])
        assert found is not None
        return found

    def size(self, name: str) -> int:
        return int(self.program.values[name].size)

    # places and room

    def _release(self, base: str) -> None:
        if base in self.room:
            array, size = self.room.pop(base)
            self.free.append((array, size, self.kind(base)))

    def allocate(self, name: str) -> Place:
        """Room for the array `name`."""
        size, kind = self.size(name), self.kind(name)
        fitting = [entry for entry in self.free if entry[1] >= size and entry[2] == kind]
        if fitting:
            entry = min(fitting, key=lambda item: item[1])
            self.free.remove(entry)
        else:
            entry = (f"t{len(self.buffers)}", size, kind)
            self.buffers.append(entry)
        self.room[name] = entry[0], entry[1]
        self.places[name] = Place(entry[0], name)
        return self.places[name]

    def table(self, values: NDArray[Any], kind: str | None = None) -> str:
        """Name of a constant C array of the `values`."""
        kind = kind or kind_of(values) or "float"
        key = kind.encode() + np.ascontiguousarray(values).tobytes()
        if key not in self.tables:
            name = self.tables[key] = f"{self.name}_k{len(self.tables)}"
            numbers = [number(v, kind) for v in values.ravel()]
            rows = [", ".join(numbers[i : i + 8]) for i in range(0, len(numbers), 8)]
            body = ",\n  ".join(rows)
            self.table_lines.append(f"static const {kind} {name}[{len(numbers)}] = {{\n  {body}}};")
        return self.tables[key]

    def place(self, name: str) -> Place:
        """Where the array `name` lies; constants get a table."""
        constant = self.program.constant(name)
        if constant is not None and name not in self.places:
            self.places[name] = Place(self.table(constant, self.kind(name)), name)
        return self.places[name]

    def pointer(self, name: str) -> str:
        """C pointer to the elements of `name`, one after the other; copied there if they lie apart."""
        found = self.place(name)
        if found.step == 1 or self.size(name) == 1:
            return Place(found.array, found.base, found.first).pointer
        array = f"c{len(self.buffers)}"
        self.buffers.append((array, self.size(name), self.kind(name)))
        self.lines.append(f"    for (i = 0; i < {self.size(name)}; ++i) {array}[i] = {found.at('i')};")
        return array

    def element(self, name: str, index: str) -> str:
        """C expression of one element of `name` at the flat `index`."""
        constant = self.program.constant(name)
        if constant is not None and constant.size and (constant == constant.flat[0]).all():
            return number(constant.flat[0], self.kind(name))
        return self.place(name).at("0" if self.size(name) == 1 else index)

    # moves

    def _constant_plan(self, step: Step) -> bool:
        rest = () if step.op == "Concat" else step.inputs[1:]
        return all(not name or name in self.program.constants for name in rest)

    def _plan_move(self, step: Step) -> None:
        """Where each element comes from: number of the element among all inputs', from 1; 0 is what fills up."""
        sources = [name for name in step.inputs if name] if step.op == "Concat" else [step.inputs[0]]
        arrays, first = [], 1
        for name in sources:
            shape = self.program.shape(name)
            arrays.append(np.arange(first, first + self.size(name), dtype=np.int64).reshape(shape))
            first += self.size(name)
        rest = [] if step.op == "Concat" else [self.program.values[name] for name in step.inputs[1:] if name]
        if step.op == "Pad":
            rest = rest[:1]
        for name, indices in zip(step.outputs, moved(step, [*arrays, *rest]), strict=True):
            found = affine(indices - 1)
            if len(sources) > 1 or found is None or indices.min() < 1:
                self.moves[name] = indices.ravel(), sources
            else:
                self.views[name] = (sources[0], *found)
                self.bases[name] = self._base(sources[0])

    def _base(self, name: str) -> str:
        """The array in whose room `name` lies."""
        return self.bases.get(name, name)

    def _move(self, step: Step) -> None:
        for name in step.outputs:
            if name in self.views:
                source, first, stride = self.views[name]
                whole = self.place(source)
                self.places[name] = Place(
                    whole.array, whole.base, whole.first + whole.step * first, whole.step * stride
                )
            elif name in self.moves:
                self.lines.append(self._title(step))
                self._copy(step, name, *self.moves[name])

    def _copy(self, step: Step, name: str, indices: Indices, sources: list[str]) -> None:
        target = self.allocate(name)
        fill = number(0, self.kind(name))
        if step.op == "Pad" and len(step.inputs) > 2 and step.inputs[2]:
            fill = number(self.program.values[step.inputs[2]].flat[0], self.kind(name))
        first = 1
        if (indices < 1).any():
            self.lines.append(f"    for (i = 0; i < {indices.size}; ++i) {target.array}[i] = {fill};")
        for source in sources:
            last = first + self.size(source)
            where = np.flatnonzero((indices >= first) & (indices < last))
            self._copy_from(target.array, source, where, indices[where] - first)
            first = last

    def _copy_from(self, target: str, source: str, where: Indices, indices: Indices) -> None:
        """Elements `where` of `target` from elements `indices` of `source`."""
        if not len(where):
            return
        pieces = [(int(where[first]), int(indices[first]), n) for first, n in _together(where, indices)]
        if len(pieces) <= SHORT:
            for start, origin, n in pieces:
                index = f"{origin} + i" if origin else "i"
                self.lines.append(
                    f"    for (i = 0; i < {n}; ++i) {target}[{start} + i] = {self.element(source, index)};"
                )
            return
        table = self.table(indices.astype(np.int32), "int32_t")
        places = self.table(where.astype(np.int32), "int32_t")
        value = self.element(source, f"{table}[i]")
        self.lines.append(f"    for (i = 0; i < {len(where)}; ++i) {target}[{places}[i]] = {value};")

    # elements

    def _plan_inline(self) -> None:
        """Find the operations on elements whose result is read once, by another one of the same size."""
        reads: Counter[str] = Counter()
        readers: dict[str, Step] = {}
        for step in self.program.steps:
            for name in step.inputs:
                if name:
                    reads[name] += 1
                    readers[name] = step
        makers = {step.outputs[0]: step for step in self.program.steps if step.op in ELEMENTWISE}
        for name, step in makers.items():
            reader = readers.get(name)
            if reads[name] != 1 or reader is None or reader.op not in ELEMENTWISE or name == self.program.output:
                continue
            if self.size(reader.outputs[0]) == self.size(name):
                self.inline[name] = step

    def _elementwise(self, step: Step) -> None:
        output = step.outputs[0]
        size = self.size(output)
        body: list[str] = []
        value = self._expression(step, "i" if size > 1 else "0", size, body)
        target = self.allocate(output)
        if size == 1:
            inside = " ".join(body)
            self.lines.append(f"    {{ {inside} {target.array}[0] = {value}; }}")
            return
        self.lines.append(f"    for (i = 0; i < {size}; ++i) {{")
        self.lines += [f"        {line}" for line in body]
        self.lines += [f"        {target.array}[i] = {value};", "    }"]

    def _expression(self, step: Step, index: str, size: int, body: list[str]) -> str:
        """Expression of `step` at the flat `index`; what it needs before is added to `body`."""
        shape = self.program.shape(step.outputs[0])
        names = []
        for name in step.inputs:
            if name and name in self.inline:
                inner = self._expression(self.inline[name], index, size, body)
                variable = f"v{self.variables}"
                self.variables += 1
                body.append(f"const {self.kind(name)} {variable} = {inner};")
                names.append(variable)
            else:
                names.append(name and self.element(name, broadcast(self.program.shape(name), shape, index)))
        constants = [self.program.constant(name) if name else None for name in step.inputs]
        kind = self.kind(step.outputs[0])
        operands = Operands(names, constants, kind, size, step.attributes)
        return ELEMENTWISE[step.op](operands)

    # life of arrays

    def _last_reads(self) -> dict[int, list[str]]:
        """The arrays that are read for the last time at each step."""
        last: dict[str, int] = {}
        for index, step in enumerate(self.program.steps):
            if step.outputs[0] in self.inline:
                continue
            for base in self._reads(step):
                last[base] = index
        last.pop(self._base(self.program.output), None)
        found: dict[int, list[str]] = {}
        for base, index in last.items():
            found.setdefault(index, []).append(base)
        return found

    def _reads(self, step: Step) -> set[str]:
        found: set[str] = set()
        for name in step.inputs:
            if name in self.inline:
                found |= self._reads(self.inline[name])
            elif name:
                found.add(self._base(name))
        return found


def _together(where: Indices, indices: Indices) -> list[tuple[int, int]]:
    """(first, number) of the runs in which both go on by one."""
    ends = {first for first, _, _ in runs(where)} | {first for first, _, _ in runs(indices)} | {len(where)}
    places = sorted(ends)
    return [(a, b - a) for a, b in pairwise(places)]
