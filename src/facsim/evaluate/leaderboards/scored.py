"""A scorecard's numbers on a leaderboard: only those that mean the same as the published ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from facsim.core.errors import FacsimError
from facsim.core.geometry import Geometry
from facsim.evaluate.leaderboards.boards import Board, find_board
from facsim.evaluate.leaderboards.standing import place
from facsim.metrics.score import Score
from facsim.physics.geometries import GEOMETRIES

Json = dict[str, Any]

PROTOCOL = "calochallenge-2022"
NOISE = 2.0
"""Truth against truth may score so many times the published floor before a number is not compared."""

SCORED: Mapping[str, tuple[str, float]] = {
    "fpd": ("fpd_e3", 1e3),
    "kpd": ("kpd_e3", 1e3),
    **{
        f"separation/{name}": (f"sep_{name}_e3", 1e3)
        for name in (
            "e_ratio", "e_layer", "cells", "ec_x", "ec_y", "ec_r", "width_x", "width_y", "width_r", "sparsity",
        )
    },
    "auc_high": ("auc_high", 1.0),
    "auc_cells": ("auc_low", 1.0),
    **{name: (name, 1.0) for name in ("auc_low", "auc_resnet", "precision", "recall", "density", "coverage")},
}  # fmt: skip
"""Score to metric of the board, and the factor between them."""

COUNTED = tuple(metric for metric, _ in SCORED.values() if metric == "fpd_e3" or metric.startswith("sep_"))
"""Metrics whose value for truth against truth falls with the number of showers."""

OTHERWISE: Mapping[str, str] = {
    "auc_high": "facsim's own classifier test, not the challenge's network and training set",
    "auc_low": "facsim's own classifier test, not the challenge's network and training set",
    "auc_resnet": "the challenge's convolutional network was not trained",
    "logpost": "one classifier of all submissions: it cannot be extended to a new one",
    "logpost_resnet": "one classifier of all submissions: it cannot be extended to a new one",
    "sep_cells_e3": "the scorecard has the cell spectrum in the strict protocol only",
}


def scored_board(name: str, times: Mapping[str, float] | None = None) -> Board:
    """The leaderboard `name`, if a scorecard can be placed on it, with these costs.

    Raises:
        FacsimError: an unknown leaderboard, one that is not of the CaloChallenge, or a cost that it does not have.
    """
    board = find_board(name)
    if board.geometry is None:
        raise FacsimError(
            f"files cannot be scored for the leaderboard '{name}': compute its metrics as it does, and place them with "
            "facsim.evaluate.leaderboards.place."
        )
    for metric, value in (times or {}).items():
        if not board.metric(metric).cost:
            raise FacsimError(f"'{metric}' is no cost on the leaderboard '{name}': costs are {_costs(board)}.")
        if not (math.isfinite(value) and value > 0):
            raise FacsimError(f"the cost '{metric}' is {value}: expected a number above 0.")
    return board


def check_readout(board: Board, geometry: Geometry | None) -> None:
    """See that events have the board's read-out.

    Raises:
        FacsimError: they have another, or none.
    """
    assert board.geometry is not None
    if geometry is None or not GEOMETRIES[board.geometry].same_cells(geometry):
        have = "none" if geometry is None else f"'{geometry.name}' with {geometry.n_cells} cells"
        cells = GEOMETRIES[board.geometry].n_cells
        raise FacsimError(
            f"leaderboard '{board.name}' is of the read-out '{board.geometry}' with {cells} cells: these events have "
            f"{have}."
        )


def place_scores(board: Board, scores: Sequence[Score], times: Mapping[str, float] | None = None) -> Json:
    """Where the scores of one model stand: JSON-ready `standings`, and in `not_compared` what differs, and why.

    A score is compared when it was computed in the challenge's protocol and, for FPD and separation powers, truth
    against truth in samples of the same sizes scores no more than twice the published floor: with fewer showers,
    counting noise would rank.

    Args:
        board: from `scored_board`.
        scores: of a scorecard. times: costs by metric, in the board's units.
    """
    standings: list[Json] = []
    refused: dict[str, Json] = {}
    for score in scores:
        metric, factor = SCORED.get(score.name, ("", 1.0))
        if score.region != "all" or metric not in board.metrics:
            continue
        why = _difference(board, metric, score, factor)
        if not why:
            (found,) = place(board, {metric: (score.value * factor, score.error * factor)}, protocol=PROTOCOL)
            refused.pop(metric, None)
            standings.append({**found.to_dict(), "null": score.null * factor, "null_error": score.null_error * factor})
        elif score.protocol == PROTOCOL or metric not in {row["metric"] for row in [*standings, *refused.values()]}:
            numbers = {"value": score.value * factor, "null": score.null * factor}
            refused[metric] = _clean({"metric": metric, **numbers, "why": why})
    known = {row["metric"] for row in standings} | set(refused)
    for metric in board.metrics:
        if metric not in known and not board.metric(metric).cost:
            refused[metric] = {
                "metric": metric,
                "value": None,
                "null": None,
                "why": OTHERWISE.get(metric, "not computed"),
            }
    costs = [found.to_dict() for name, value in (times or {}).items() for found in place(board, {name: value})]
    return {
        "board": board.name,
        "title": board.title,
        "caveat": f"{board.caveat} Compare only where the reference is the challenge's own file.",
        "standings": [_clean(row) for row in [*standings, *costs]],
        "not_compared": list(refused.values()),
    }


def _difference(board: Board, metric: str, score: Score, factor: float) -> str:
    """Why a score does not compare with the published numbers; empty when it does."""
    if score.protocol != PROTOCOL:
        return OTHERWISE.get(metric, f"protocol '{score.protocol}', not '{PROTOCOL}'")
    if not math.isfinite(score.value):
        return score.note or score.status
    floor = board.floors(metric)[PROTOCOL].value
    if metric in COUNTED and score.null * factor > NOISE * abs(floor):
        return f"too few showers ({score.n_generated}): truth against truth scores more than {NOISE:g} published floors"
    return ""


def _costs(board: Board) -> str:
    return ", ".join(name for name in board.metrics if board.metric(name).cost)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _clean(row: Json) -> Json:
    return {key: _finite(value) if isinstance(value, float) else value for key, value in row.items()}
