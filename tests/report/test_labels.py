"""Names beside points: none over another, where there is room."""

from __future__ import annotations

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from facsim.report.labels import Labels


def test_a_name_between_an_edge_and_a_line_stands_over_or_under_its_point() -> None:
    figure = Figure((4, 4), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 1), ylim=(0, 1))
    labels = Labels(axes)
    points = {"shower library": (0.05, 0.50), "tuned parametrisation": (0.25, 0.52)}
    for x, y in points.values():
        labels.block(x, y)
    labels.line((0.5, 0.0), (0.5, 1.0))
    for text, (x, y) in points.items():
        assert labels.place(x, y, text, "black", 9.5, must=True)
    canvas.draw()
    first, second = (text.get_window_extent() for text in axes.texts)
    assert not first.overlaps(second)
    for box in (first, second):
        assert box.x0 >= 0
        assert box.x1 < 200
