"""How far an event is from background events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.evaluate.scorers.base import FloatArray, check_whole
from facsim.evaluate.scorers.features import FeatureScorer, scikit_learn


@dataclass(kw_only=True)
class Neighbours(FeatureScorer):
    """Euclidean distance to the k-th nearest event of background, in standardised features, by scikit-learn.

    An event that is itself in the background has itself as the first.

    Args:
        k: which neighbour. events: background events kept, a random choice of more.
    """

    name = "neighbours"
    k: int = 10
    events: int = 50_000
    _tree: Any = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_whole(self.name, "k", self.k, 1)
        check_whole(self.name, "events", self.events, self.k)

    def _learn(self, values: FloatArray, seed: int) -> None:
        if len(values) < self.k:
            raise FacsimError(
                f"the {self.k}-th neighbour needs as many events of background, and there are {len(values)}."
            )
        if len(values) > self.events:
            values = values[generator(seed, "neighbours").choice(len(values), self.events, replace=False)]
        self._tree = scikit_learn("neighbors").NearestNeighbors(n_neighbors=self.k)
        self._tree.fit(values)

    def _score(self, values: FloatArray) -> NDArray[Any]:
        found: NDArray[Any] = self._tree.kneighbors(values)[0][:, -1]
        return found
