"""Operations that act on each element alone, as C expressions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.export.c_indices import number

WIDE = 16
"""Elements from which choices are written without branches, so that the compiler can do several at a time."""


@dataclass(frozen=True)
class Operands:
    """What an expression is made of: C names of the arguments ('' where left out) and of types.

    Args:
        names: expressions of the arguments, without side effects.
        constants: their values where they never change.
        kind: C type of the result. size: its elements.
    """

    names: Sequence[str]
    constants: Sequence[NDArray[Any] | None]
    kind: str
    size: int
    attributes: Mapping[str, Any]

    @property
    def f(self) -> str:
        """Suffix of functions of `math.h`."""
        return "" if self.kind == "double" else "f"

    def choice(self, test: str, yes: str, no: str) -> str:
        if self.kind == "float" and self.size >= WIDE:
            return f"m_select({test}, {yes}, {no})"
        return f"({test} ? {yes} : {no})"

    def value(self, value: float) -> str:
        return number(value, self.kind)

    def attribute(self, name: str, default: float) -> str:
        return number(self.attributes.get(name, default), self.kind)


Expression = Callable[[Operands], str]


def _binary(symbol: str) -> Expression:
    return lambda o: f"{o.names[0]} {symbol} {o.names[1]}"


def _function(name: str) -> Expression:
    return lambda o: f"{name}{o.f}({o.names[0]})"


def _own(name: str, *attributes: tuple[str, float]) -> Expression:
    """A function of the generated file, for float; attributes follow the argument."""

    def make(o: Operands) -> str:
        further = "".join(f", {o.attribute(*attribute)}" for attribute in attributes)
        return f"{name}({o.names[0]}{further})"

    return make


def _clip(o: Operands) -> str:
    text = o.names[0]
    for position, symbol in ((1, "<"), (2, ">")):
        if len(o.names) > position and o.names[position]:
            text = o.choice(f"{text} {symbol} {o.names[position]}", o.names[position], text)
    return text


def _extreme(symbol: str) -> Expression:
    def make(o: Operands) -> str:
        text = o.names[0]
        for name in o.names[1:]:
            text = o.choice(f"{text} {symbol} {name}", text, name)
        return text

    return make


def _pow(o: Operands) -> str:
    power = o.constants[1]
    if power is not None and power.size == 1 and float(power.flat[0]) in (1.0, 2.0, 3.0):
        return " * ".join([o.names[0]] * int(power.flat[0]))
    return f"pow{o.f}({o.names[0]}, {o.names[1]})"


def _mod(o: Operands) -> str:
    a, b = o.names
    if o.kind in ("float", "double"):
        return f"fmod{o.f}({a}, {b})"
    return f"({a} % {b} + {b}) % {b}"


def _cast(o: Operands) -> str:
    return f"{o.names[0]} != 0" if o.kind == "uint8_t" else f"({o.kind}){o.names[0]}"


def _where(o: Operands) -> str:
    return o.choice(o.names[0], o.names[1], o.names[2])


def _sum(o: Operands) -> str:
    return " + ".join(o.names)


def _gelu(o: Operands) -> str:
    a = o.names[0]
    if o.attributes.get("approximate", b"none") == b"tanh":
        return f"0.5f * {a} * (1.0f + tanhf(0.797884561f * ({a} + 0.044715f * {a} * {a} * {a})))"
    return f"0.5f * {a} * (1.0f + erff({a} * 0.707106781f))"


ELEMENTWISE: dict[str, Expression] = {
    **{op: _binary(s) for op, s in (("Add", "+"), ("Sub", "-"), ("Mul", "*"), ("Div", "/"))},
    **{op: _binary(s) for op, s in (("Less", "<"), ("LessOrEqual", "<="), ("Greater", ">"), ("GreaterOrEqual", ">="))},
    **{op: _binary(s) for op, s in (("Equal", "=="), ("And", "&&"), ("Or", "||"), ("Xor", "!="))},
    **{
        op: _function(name)
        for op, name in (
            *(("Log", "log"), ("Sqrt", "sqrt"), ("Sin", "sin"), ("Cos", "cos"), ("Tan", "tan"), ("Atan", "atan")),
            *(("Tanh", "tanh"), ("Erf", "erf"), ("Floor", "floor"), ("Ceil", "ceil"), ("Round", "rint")),
        )
    },
    "Exp": _own("m_exp"),
    "Sigmoid": _own("m_sigmoid"),
    "Softplus": _own("m_softplus"),
    "Elu": _own("m_elu", ("alpha", 1.0)),
    "LeakyRelu": _own("m_leaky", ("alpha", 0.01)),
    "PRelu": lambda o: o.choice(f"{o.names[0]} < 0", f"{o.names[1]} * {o.names[0]}", o.names[0]),
    "Gelu": _gelu,
    "Relu": lambda o: f"({o.names[0]} < 0 ? 0 : {o.names[0]})",
    "Neg": lambda o: f"-{o.names[0]}",
    "Abs": lambda o: f"({o.names[0]} < 0 ? -{o.names[0]} : {o.names[0]})",
    "Reciprocal": lambda o: f"{o.value(1)} / {o.names[0]}",
    "Sign": lambda o: f"({o.kind})(({o.names[0]} > 0) - ({o.names[0]} < 0))",
    "Not": lambda o: f"!{o.names[0]}",
    "IsNaN": lambda o: f"{o.names[0]} != {o.names[0]}",
    "Clip": _clip,
    "Max": _extreme(">"),
    "Min": _extreme("<"),
    "Sum": _sum,
    "Pow": _pow,
    "Mod": _mod,
    "Cast": _cast,
    "Where": _where,
}
"""C of each operation; comparisons and logic give 0 or 1."""

KINDS = {"float32": "float", "float64": "double", "int64": "int32_t", "int32": "int32_t", "bool": "uint8_t"}
"""C types. Whole numbers of these graphs are indices and counts, for which 32 bits are enough."""


def kind_of(value: NDArray[Any]) -> str | None:
    """The C type of an array, None where there is none."""
    return KINDS.get(np.asarray(value).dtype.name)
