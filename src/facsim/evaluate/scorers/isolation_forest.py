"""How few random cuts set an event apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from facsim.core.rng import integer_seed
from facsim.evaluate.scorers.base import FloatArray, check_whole
from facsim.evaluate.scorers.features import FeatureScorer, scikit_learn


@dataclass(kw_only=True)
class IsolationForestScorer(FeatureScorer):
    """Isolation forest (Liu, Ting and Zhou, ICDM 2008) of scikit-learn.

    Args:
        trees: number of trees. events: background events that each is grown on, at most.
    """

    name = "isolation-forest"
    trees: int = 200
    events: int = 256
    _forest: Any = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_whole(self.name, "trees", self.trees, 1)
        check_whole(self.name, "events", self.events, 2)

    def _learn(self, values: FloatArray, seed: int) -> None:
        number = integer_seed(seed, "isolation-forest") % 2**32
        self._forest = scikit_learn("ensemble").IsolationForest(
            n_estimators=self.trees, max_samples=min(self.events, len(values)), random_state=number
        )
        self._forest.fit(values)

    def _score(self, values: FloatArray) -> NDArray[Any]:
        found: NDArray[Any] = -self._forest.score_samples(values)
        return found
