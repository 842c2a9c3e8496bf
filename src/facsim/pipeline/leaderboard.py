"""leaderboard: published results as a table, and as a picture of two metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from facsim.evaluate.leaderboards import BOARDS, PROTOCOLS, Board, Entry, find_board, front, points
from facsim.run import Reporter

FORMAT = "facsim-leaderboard-1"
Json = dict[str, Any]


def leaderboard(name: str | None, *, x: str | None, y: str | None, out: Path | None, reporter: Reporter) -> Json:
    """One published leaderboard, or which there are; arguments as for `facsim.leaderboard`."""
    if name is None:
        return {"format": FORMAT, "boards": [_summary(board) for board in BOARDS.values()]}
    board = find_board(name)
    across, up = board.metric(x or board.x), board.metric(y or board.y)
    best = front(points(board, across.name, up.name), across.better, up.better, _floors(board, across.name, up.name))
    found = {
        "format": FORMAT,
        **_summary(board),
        "x": across.name,
        "y": up.name,
        "columns": list(dict.fromkeys([*(c for c in board.columns if c in board.metrics), across.name, up.name])),
        "better": {metric: board.metric(metric).better for metric in board.metrics},
        "protocols": {entry.protocol: PROTOCOLS[entry.protocol] for entry in board.rows},
        "front": [{"model": p.model, "protocol": p.protocol, "x": p.x, "y": p.y} for p in best],
        "rows": _rows(board),
    }
    if out is not None:
        from facsim.report.leaderboard import pareto_picture  # noqa: PLC0415  matplotlib is heavy

        path = out / f"{board.name}_{up.name}_{across.name}.png"
        pareto_picture(board, across.name, up.name, path)
        found["picture"] = str(path)
        reporter.say(f"  {path}")
    return found


def _summary(board: Board) -> Json:
    return {"name": board.name, "title": board.title, "models": len(board.models), "caveat": board.caveat}


def _floors(board: Board, x: str, y: str) -> tuple[float, float]:
    first, second = (next((e.value for e in board.floors(name).values()), 0.0) for name in (x, y))
    return first, second


def _rows(board: Board) -> list[Json]:
    """One row a model and protocol."""
    rows: dict[tuple[str, str], list[Entry]] = {}
    for entry in board.rows:
        rows.setdefault((entry.model, entry.protocol), []).append(entry)
    return [
        {
            "model": model,
            "truth": found[0].is_truth,
            "protocol": protocol,
            "source": found[0].source,
            "note": found[0].note,
            "values": {e.metric: e.value for e in found},
            "errors": {e.metric: e.error for e in found if e.error == e.error},
        }
        for (model, protocol), found in rows.items()
    ]
