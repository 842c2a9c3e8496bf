"""Single events drawn as circles: what a particle cloud looks like, truth beside a generator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["Display"]

DIGITS = 4


@dataclass(frozen=True)
class Display:
    """Single events of every role, one beside the other.

    Args:
        name: unique in a task. title, caption: for a reader. x_label, y_label: mathtext, with units.
        size: what the area of a circle stands for.
        events: role to events, each points (n, 3): x, y and size.
        extent: left, right, bottom, top.
        heads: what is written above the events of each role, as many as events.
        ring: radius of a circle about 0 that is drawn, 0 for none.
    """

    name: str
    title: str
    x_label: str
    y_label: str
    size: str
    events: Mapping[str, Sequence[ArrayLike]]
    extent: tuple[float, float, float, float]
    heads: Mapping[str, Sequence[str]]
    ring: float = 0.0
    caption: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready mapping."""
        events = {role: [_rounded(points) for points in drawn] for role, drawn in self.events.items()}
        heads = {role: list(words) for role, words in self.heads.items()}
        return {**vars(self), "events": events, "heads": heads, "extent": list(self.extent)}


def _rounded(points: ArrayLike) -> list[list[float]]:
    array = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    return [[float(f"{value:.{DIGITS}g}") for value in row] for row in array]
