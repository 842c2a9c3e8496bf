"""Names beside points that meet neither one another nor a point."""

from __future__ import annotations

from matplotlib.axes import Axes

Box = tuple[float, float, float, float]
SHIFTS = (0, 8, -8, 15, -15, 23, -23, 32, -32, 42, -42, 53, -53)
LINE_FROM = 20
OVER = 15
"""Points from which on a text over or under its point does not touch it."""


class Labels:
    """Places for names in the axes' pixels; set the limits and scales of the axes first."""

    def __init__(self, axes: Axes) -> None:
        self.axes = axes
        self.scale = axes.figure.dpi / 72
        self.taken: list[Box] = []

    def block(self, x: float, y: float, half: float = 4.0) -> None:
        """Keep the surroundings of a data point free."""
        across, up = self.axes.transData.transform((x, y))
        self.taken.append((across - half, up - half, across + half, up + half))

    def line(self, start: tuple[float, float], end: tuple[float, float], half: float = 1.5) -> None:
        """Keep a horizontal or vertical line free."""
        (a, b), (c, d) = self.axes.transData.transform([start, end])
        self.taken.append((min(a, c) - half, min(b, d) - half, max(a, c) + half, max(b, d) + half))

    def place(
        self, x: float, y: float, text: str, colour: str, size: float, *, must: bool = False, reach: float = 23
    ) -> bool:
        """Write `text` in the first free place beside (x, y); without one, only if it must be there.

        `reach` is how far above or below the point it may be, in points; from 20 points on a thin line leads there. A
        text that must be there may also stand over or under its point.

        Returns:
            Whether it was written.
        """
        width, height = 0.56 * size * len(text) * self.scale, 1.15 * size * self.scale
        across, up = self.axes.transData.transform((x, y))
        places = [(side, shift) for shift in SHIFTS if abs(shift) <= reach for side in (1, -1)]
        if must:
            places += [(0, shift) for shift in SHIFTS if abs(shift) >= OVER]
        for side, shift in places:
            left = across + 7 * side * self.scale - (1 - side) / 2 * width
            low = up + shift * self.scale - height / 2
            box = (left, low, left + width, low + height)
            if self._inside(box) and not any(_meet(box, other) for other in self.taken):
                self.taken.append(box)
                self._write(x, y, text, colour, size, side, shift, must)
                return True
        if must:
            side = 1 if across + 7 * self.scale + width < self.axes.bbox.x1 else -1
            self._write(x, y, text, colour, size, side, 8, must)
        return must

    def _inside(self, box: Box) -> bool:
        frame, edge = self.axes.bbox, 2 * self.scale
        across = frame.x0 + edge < box[0] and box[2] < frame.x1 - edge
        return bool(across and frame.y0 < box[1] and box[3] < frame.y1)

    def _write(
        self, x: float, y: float, text: str, colour: str, size: float, side: int, shift: float, bold: bool
    ) -> None:
        far = abs(shift) >= LINE_FROM
        self.axes.annotate(
            text,
            (x, y),
            xytext=(7 * side, shift),
            textcoords="offset points",
            ha={1: "left", 0: "center", -1: "right"}[side],
            va="center",
            color=colour,
            fontsize=size,
            fontweight="bold" if bold else "normal",
            arrowprops={"arrowstyle": "-", "lw": 0.4, "color": colour, "shrinkA": 0, "shrinkB": 3} if far else None,
        )


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
