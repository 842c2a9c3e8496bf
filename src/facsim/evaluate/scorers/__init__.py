"""Baseline scores of anomaly, one file each: what any learnt score is to be compared with.

`SCORERS` lists them. To add one: a subclass of `Scorer` in a file of this folder and a line here.
"""

from __future__ import annotations

from facsim.evaluate.scorers.base import Learns, Scorer
from facsim.evaluate.scorers.isolation_forest import IsolationForestScorer
from facsim.evaluate.scorers.mixture import Mixture
from facsim.evaluate.scorers.neighbours import Neighbours
from facsim.evaluate.scorers.scalar_sum import ScalarSum
from facsim.evaluate.scorers.sphericity import Sphericity
from facsim.evaluate.scorers.supervised import Supervised
from facsim.evaluate.scorers.teacher import Teacher
from facsim.evaluate.scorers.tracks import Tracks
from facsim.models.choices import known

SCORERS: dict[str, type[Scorer]] = {
    "tracks": Tracks,
    "scalar-sum": ScalarSum,
    "sphericity": Sphericity,
    "isolation-forest": IsolationForestScorer,
    "mixture": Mixture,
    "neighbours": Neighbours,
    "supervised": Supervised,
    "teacher": Teacher,
}

__all__ = ["SCORERS", "Learns", "Scorer", "find_scorer"]


def find_scorer(name: str) -> type[Scorer]:
    """The scorer called `name`.

    Raises:
        FacsimError: there is none.
    """
    known(name, SCORERS, "scorer")
    return SCORERS[name]
