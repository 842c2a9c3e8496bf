"""Which models no other one beats in two metrics at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from facsim.evaluate.leaderboards.boards import Board
from facsim.evaluate.leaderboards.tables import Better


@dataclass(frozen=True)
class Point:
    """A model in the plane of two metrics, both of one protocol."""

    model: str
    protocol: str
    x: float
    y: float
    x_error: float = float("nan")
    y_error: float = float("nan")
    new: bool = False


def points(board: Board, x: str, y: str) -> list[Point]:
    """The published models that have both metrics in the same protocol.

    Raises:
        FacsimError: the board has no such metric.
    """
    board.metric(x)
    board.metric(y)
    across = {(e.model, e.protocol): e for e in board.rows if e.metric == x and not e.is_truth}
    up = {(e.model, e.protocol): e for e in board.rows if e.metric == y and not e.is_truth}
    return [Point(*key, e.value, up[key].value, e.error, up[key].error) for key, e in across.items() if key in up]


def front(
    found: Sequence[Point], x_better: Better = "lower", y_better: Better = "lower", floors: tuple[float, float] = (0, 0)
) -> list[Point]:
    """The points that no other one of their protocol beats in both metrics, by protocol and increasing x.

    A model as good as another in one metric and worse in the other stays: published numbers are rounded, so equal
    digits leave open which is better. `floors` are truth's own values, which matter where the best value is truth's.
    """
    costs = [(p.protocol, _cost(p.x, x_better, floors[0]), _cost(p.y, y_better, floors[1])) for p in found]
    kept = [
        point
        for point, (protocol, a, b) in zip(found, costs, strict=True)
        if not any(other == protocol and u < a and v < b for other, u, v in costs)
    ]
    return sorted(kept, key=lambda point: (point.protocol, point.x, -_cost(point.y, y_better, floors[1])))


def _cost(value: float, better: Better, floor: float) -> float:
    """A number that is lower where `value` is better."""
    return {"lower": value, "higher": -value, "truth": abs(value - floor)}[better]
