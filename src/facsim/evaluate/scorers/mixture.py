"""How thin a mixture of Gaussians is where an event lies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.rng import integer_seed
from facsim.evaluate.scorers.base import FloatArray, check_positive, check_whole
from facsim.evaluate.scorers.features import FeatureScorer, scikit_learn


@dataclass(kw_only=True)
class Mixture(FeatureScorer):
    """-ln of the density of a mixture of Gaussians with full covariances, fitted by scikit-learn.

    Args:
        components: Gaussians. starts: fits from different starts, the best of which is kept.
        floor: added to the variances of the standardised features, above 0.
    """

    name = "mixture"
    components: int = 4
    starts: int = 3
    floor: float = 1e-3
    _mixture: Any = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_whole(self.name, "components", self.components, 1)
        check_whole(self.name, "starts", self.starts, 1)
        check_positive(self.name, "a floor", self.floor)

    def _learn(self, values: FloatArray, seed: int) -> None:
        if len(values) < 2 * self.components:
            raise FacsimError(
                f"{self.components} components need at least {2 * self.components} events of background, and there "
                f"are {len(values)}: choose fewer."
            )
        self._mixture = scikit_learn("mixture").GaussianMixture(
            self.components,
            n_init=self.starts,
            reg_covar=self.floor,
            random_state=integer_seed(seed, "mixture") % 2**32,
        )
        self._mixture.fit(values)

    def _score(self, values: FloatArray) -> NDArray[Any]:
        found: NDArray[Any] = -self._mixture.score_samples(values)
        return found
