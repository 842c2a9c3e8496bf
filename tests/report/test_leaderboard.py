"""Pictures of leaderboards: everything in its place, names apart."""

from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text

from facsim.evaluate.leaderboards import BOARDS, Point, place, points
from facsim.report.figures_leaderboard import pareto_figure, strips_figure
from facsim.report.leaderboard import standing_pictures
from facsim.report.style import facsim_style

MOST_UNNAMED = 1


def _names(figure: Figure) -> list[Annotation]:
    FigureCanvasAgg(figure).draw()
    return [text for text in figure.axes[0].texts if isinstance(text, Annotation)]


@pytest.mark.parametrize("name", list(BOARDS))
def test_names_are_there_and_do_not_overlap(name: str) -> None:
    board = BOARDS[name]
    with facsim_style():
        figure = pareto_figure(board, board.x, board.y, [Point("a new model", "x", 30.0, 0.7, new=True)])
        texts = _names(figure)
        canvas = figure.canvas
        # of the words alone, without the line that may lead to the point
        boxes = [Text.get_window_extent(text, canvas.get_renderer()).padded(-1.0) for text in texts]  # type: ignore[attr-defined]
    written = [text.get_text() for text in texts]
    assert "a new model" in written
    shown = [point for point in points(board, board.x, board.y) if any(point.model in text for text in written)]
    assert len(shown) >= len(points(board, board.x, board.y)) - MOST_UNNAMED
    frame = figure.axes[0].bbox
    for text, box in zip(written, boxes, strict=True):
        assert frame.x0 <= box.x0, text
        assert box.x1 <= frame.x1, text
    assert not [(a, b) for (a, p), (b, q) in combinations(zip(written, boxes, strict=True), 2) if p.overlaps(q)]


def test_axes_are_logarithmic_where_fitting() -> None:
    with facsim_style():
        axes = pareto_figure(BOARDS["ds2"], "cpu_b100_ms", "kpd_e3").axes[0]
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "symlog")
        axes = pareto_figure(BOARDS["ds2"], "params", "auc_high").axes[0]
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")
    low, high = axes.get_ylim()
    assert low < 0.4993 < high


def test_strips_show_every_model_and_the_rank() -> None:
    board = BOARDS["ds2"]
    standings = place(board, {"fpd_e3": (100.0, 20.0), "logpost": -3.0, "kpd_e3": (0.1, 0.05)})
    with facsim_style():
        figure = strips_figure(board, standings, "mine")
    assert len(figure.axes) == 3
    assert len(figure.axes[0].lines[1].get_xdata()) == 17
    assert figure.axes[1].xaxis_inverted()
    assert "2 of 18" in [text.get_text() for text in figure.texts]


def test_a_cost_gives_a_front_too(tmp_path: Path) -> None:
    board = BOARDS["ds2"]
    rows = [s.to_dict() for s in place(board, {"fpd_e3": (100.0, math.nan), "cpu_b1_ms": 3.0})]
    written = standing_pictures(board, {"standings": rows}, "mine", tmp_path)
    assert [path.name for path in written] == ["ds2.png", "ds2_fpd_e3_cpu_b1_ms.png"]
    assert all(path.stat().st_size > 5000 for path in written)
    assert standing_pictures(board, {"standings": []}, "mine", tmp_path) == []
