"""Published results as data: which model reached what, on which data set, by which definition, and who says so.

Facts from papers and public evaluation repositories, with their caveats; sources in every row. Explained in
docs/leaderboards.md.
"""

from facsim.evaluate.leaderboards.boards import BOARDS, Board, find_board
from facsim.evaluate.leaderboards.pareto import Point, front, points
from facsim.evaluate.leaderboards.standing import Standing, place
from facsim.evaluate.leaderboards.tables import METRICS, PROTOCOLS, Entry, Metric, entries

__all__ = [
    "BOARDS",
    "METRICS",
    "PROTOCOLS",
    "Board",
    "Entry",
    "Metric",
    "Point",
    "Standing",
    "entries",
    "find_board",
    "front",
    "place",
    "points",
]
