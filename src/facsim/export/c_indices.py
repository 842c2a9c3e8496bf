"""Where elements lie: maps of flat indices, and the C expressions that follow them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
SHORT = 8
"""Runs of neighbours up to which elements are copied run by run; more go through a table."""


def affine(indices: Indices) -> tuple[int, int] | None:
    """(first, step) if the flat `indices` are first + step * i, else None."""
    flat = indices.ravel()
    if flat.size == 0:
        return None
    step = int(flat[1] - flat[0]) if flat.size > 1 else 1
    if not np.array_equal(flat, flat[0] + step * np.arange(flat.size)):
        return None
    return int(flat[0]), step


def runs(indices: Indices) -> list[tuple[int, int, int]]:
    """(first of the result, first of the source, number) of each run of neighbours in the flat `indices`."""
    flat = indices.ravel()
    breaks = [0, *(np.flatnonzero(np.diff(flat) != 1) + 1).tolist(), flat.size]
    return [(first, int(flat[first]), last - first) for first, last in pairwise(breaks)]


def broadcast(shape: tuple[int, ...], target: tuple[int, ...], i: str = "i") -> str:
    """The flat index in an array of `shape` of the element that broadcasting puts at flat index `i` of `target`."""
    shape = (1,) * (len(target) - len(shape)) + shape
    dims: list[list[int]] = []  # [size, stride in the array (0 where it repeats)], merged where they go on
    stride = 1
    for size, own in zip(reversed(target), reversed(shape), strict=True):
        if size == 1:
            continue
        here = 0 if own == 1 else stride
        if dims and (dims[-1][1] == here == 0 or (dims[-1][1] > 0 and here == dims[-1][0] * dims[-1][1])):
            dims[-1][0] *= size
        else:
            dims.append([size, here])
        stride *= own
    terms, inner = [], 1
    for position, (size, step) in enumerate(dims):
        if step:
            term = i if inner == 1 else f"{i} / {inner}"
            term = term if position == len(dims) - 1 else f"({term}) % {size}"
            terms.append(term if step == 1 else f"({term}) * {step}")
        inner *= size
    return " + ".join(terms) or "0"


def split_axes(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, int, int] | None:
    """(outer, reduced, inner) sizes if the `axes` are neighbours, axes of size one aside; else None."""
    axes = tuple(axis % len(shape) for axis in axes)
    wide = [axis for axis in range(len(shape)) if shape[axis] > 1]
    chosen = [position for position, axis in enumerate(wide) if axis in axes]
    if not chosen:
        return int(np.prod(shape)), 1, 1
    if chosen[-1] - chosen[0] + 1 != len(chosen):
        return None
    sizes = [shape[axis] for axis in wide]
    first, last = chosen[0], chosen[-1] + 1
    return int(np.prod(sizes[:first])), int(np.prod(sizes[first:last])), int(np.prod(sizes[last:]))


def number(value: Any, kind: str) -> str:
    """A value as a C constant of the type `kind`."""
    if kind in ("float", "double"):
        suffix = "f" if kind == "float" else ""
        if not np.isfinite(value):
            return "NAN" if np.isnan(value) else "INFINITY" if value > 0 else "(-INFINITY)"
        text = f"{float(value):.9g}" if kind == "float" else f"{float(value):.17g}"
        text = text if any(c in text for c in ".en") else text + ".0"
        return f"({text}{suffix})" if text.startswith("-") else text + suffix
    whole = int(np.clip(int(value), -(2**31) + 1, 2**31 - 1))
    return f"({whole})" if whole < 0 else str(whole)
