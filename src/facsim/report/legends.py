"""Legends above the panels of a figure that hold any number of names."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise

from matplotlib import rcParams
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

LINE = 0.162
"""Height of a line of a legend, inches."""


def legend_shape(labels: Sequence[str], width: float, most: int, handle: float | None = None) -> tuple[int, int]:
    """Columns and rows of a legend that fits, filled column by column as matplotlib does.

    Args:
        labels: in order. width: room, inches. most: columns at most. handle: length of a symbol in font sizes, by
            default that of lines.
    """
    size = float(rcParams["legend.fontsize"])
    extra = (rcParams["legend.handlelength"] if handle is None else handle) + 0.5
    for columns in range(max(1, min(most, len(labels))), 0, -1):
        rows = -(-len(labels) // columns)
        widths = [max(text_width(text, size) for text in part) + extra * size for part in _columns(labels, columns)]
        if sum(widths) + (len(widths) - 1) * rcParams["legend.columnspacing"] * size <= 72 * width or columns == 1:
            return columns, rows
    raise AssertionError("one column always fits")


def _columns(labels: Sequence[str], columns: int) -> list[Sequence[str]]:
    """The labels of each column; the first ones take what does not divide evenly."""
    rows, rest = divmod(len(labels), columns)
    ends = [k * rows + min(k, rest) for k in range(columns + 1)]
    return [labels[a:b] for a, b in pairwise(ends) if b > a]


@cache
def text_width(text: str, size: float) -> float:
    """Width of `text` in points."""
    if not text.strip():
        return 0.0
    return float(TextPath((0, 0), text, size=size, prop=FontProperties()).get_extents().width)
