"""Pictures of leaderboards as files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from facsim.core.store import atomic_path
from facsim.evaluate.leaderboards import Board, Point, Standing
from facsim.report.figures_leaderboard import pareto_figure, strips_figure
from facsim.report.style import facsim_style

PREFERRED = ("fpd_e3", "kpd_e3")
"""Qualities for the front of a new model where the board's usual one was not computed."""


def save(figure: Figure, path: Path) -> None:
    """Write `figure` as a PNG, whole or not at all."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150, facecolor="white")


def pareto_picture(board: Board, x: str, y: str, path: Path, new: Sequence[Point] = ()) -> None:
    """Write `pareto_figure` as a PNG."""
    with facsim_style():
        save(pareto_figure(board, x, y, new), path)


def strips_picture(board: Board, standings: Sequence[Standing], name: str, path: Path) -> None:
    """Write `strips_figure` as a PNG."""
    with facsim_style():
        save(strips_figure(board, standings, name), path)


def standing_pictures(board: Board, placed: dict[str, Any], name: str, folder: Path) -> list[Path]:
    """Pictures of `evaluate.leaderboards.scored.place_scores`: strips of all metrics, and a front for each cost.

    Args:
        board: the leaderboard. placed: the result. name: of the new model. folder: where to.

    Returns:
        The files written; none when nothing could be compared.
    """
    rows = [_standing(row) for row in placed["standings"]]
    if not rows:
        return []
    written = [folder / f"{board.name}.png"]
    strips_picture(board, rows, name, written[0])
    qualities = {row.metric: row for row in rows if not board.metric(row.metric).cost}
    quality = next((qualities[name] for name in (board.y, *PREFERRED, *qualities) if name in qualities), None)
    for cost in rows:
        if quality is not None and board.metric(cost.metric).cost:
            point = Point(name, quality.protocol, cost.value, quality.value, y_error=quality.error, new=True)
            written.append(folder / f"{board.name}_{quality.metric}_{cost.metric}.png")
            pareto_picture(board, cost.metric, quality.metric, written[-1], [point])
    return written


def _standing(row: dict[str, Any]) -> Standing:
    known: dict[str, Any] = {
        field.name: math.nan if row[field.name] is None else row[field.name] for field in fields(Standing)
    }
    return Standing(**known)
