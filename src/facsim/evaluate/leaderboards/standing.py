"""Where a new model stands among the published ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from facsim.core.errors import FacsimError
from facsim.evaluate.leaderboards.boards import Board, find_board
from facsim.evaluate.leaderboards.tables import Entry, Metric


@dataclass(frozen=True)
class Standing:
    """The place of one number.

    Args:
        metric, protocol: what is compared, and by which definition.
        value, error: the new model's; the error is NaN where none was given.
        rank: 1 is best; the published models that are better, plus 1.
        best_rank, worst_rank: the rank with the value one error better and worse.
        models: published models with this metric, in this protocol.
        truth, truth_error: the published value of truth against truth, NaN where there is none.
        better_model, better_value: the published model just ahead, and its value; empty and NaN for the first.
        worse_model, worse_value: the one just behind.
        note: what a reader must know about the metric.
    """

    metric: str
    protocol: str
    value: float
    error: float
    rank: int
    best_rank: int
    worst_rank: int
    models: int
    truth: float
    truth_error: float
    better_model: str = ""
    better_value: float = math.nan
    worse_model: str = ""
    worse_value: float = math.nan
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready mapping; what is not known is None."""
        return {
            key: None if isinstance(value, float) and math.isnan(value) else value
            for key, value in asdict(self).items()
        }


def place(
    board: str | Board, values: Mapping[str, tuple[float, float] | float], *, protocol: str | None = None
) -> list[Standing]:
    """The places of a new model's numbers.

    Args:
        board: a leaderboard or its name.
        values: metric to (value, error), or to the value alone, in the board's units.
        protocol: compare with numbers of this protocol only; else one standing for each protocol of the metric.

    Raises:
        FacsimError: no such board or metric, a value that is not finite, or no published number to compare with.
    """
    found = find_board(board) if isinstance(board, str) else board
    standings = []
    for name, given in values.items():
        metric = found.metric(name)
        value, error = given if isinstance(given, tuple) else (given, math.nan)
        if not math.isfinite(value):
            raise FacsimError(f"the new model's '{name}' is {value}: expected a finite number.")
        rows = [e for e in found.rows if e.metric == name and not e.is_truth and protocol in (None, e.protocol)]
        if not rows:
            raise FacsimError(f"leaderboard '{found.name}' has no '{name}' in protocol '{protocol}'.")
        for known in dict.fromkeys(e.protocol for e in rows):
            floor = found.floors(name).get(known)
            standings.append(_standing(metric, value, error, [e for e in rows if e.protocol == known], floor))
    return standings


def _standing(metric: Metric, value: float, error: float, rows: list[Entry], floor: Entry | None) -> Standing:
    aim = math.nan if floor is None else floor.value

    def badness(number: float) -> float:
        if metric.better == "truth":
            return abs(number - (1.0 if math.isnan(aim) else aim))
        return number if metric.better == "lower" else -number

    def rank(bad: float) -> int:
        return 1 + sum(badness(row.value) < bad for row in rows)

    own = badness(value)
    spread = 0.0 if math.isnan(error) else error
    ahead = [row for row in rows if badness(row.value) < own]
    behind = [row for row in rows if badness(row.value) >= own]
    better = max(ahead, key=lambda row: badness(row.value), default=None)
    worse = min(behind, key=lambda row: badness(row.value), default=None)
    return Standing(
        metric.name,
        rows[0].protocol,
        value,
        error,
        rank(own),
        rank(own - spread),
        rank(own + spread),
        len(rows),
        aim,
        math.nan if floor is None else floor.error,
        better.model if better else "",
        better.value if better else math.nan,
        worse.model if worse else "",
        worse.value if worse else math.nan,
        metric.note,
    )
