"""Scores of a teacher as what a student learns: monotone functions that give the tail of background a finite size.

`TRANSFORMS` lists them. They are fitted on scores of background events; torch tensors in and out.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from facsim.core.arrays import to_numpy
from facsim.core.errors import FacsimError

KNOTS = 257
FARTHEST = 10
"""Background events whose mean excess is the scale beyond the last of them, and that weights tell no further apart."""
STEP, RANGE, FACTOR = 1 / 256, 256.0, 32.0
"""Of `Quantised`: steps and range of ufixed<16,8>, and units a natural logarithm."""


class ScoreTransform(nn.Module):
    """Scores (N,) as they are."""

    def fit(self, scores: Tensor, weight: Tensor | None = None) -> None:
        """Learn from scores (N,) of background, with event weights (N,).

        Raises:
            FacsimError: scores that the function has no value for.
        """

    def forward(self, scores: Tensor) -> Tensor:
        """What the student learns, (N,)."""
        return scores

    def told(self, values: Tensor) -> Tensor:
        """A student's values (N,) as it tells them."""
        return values


class Log(ScoreTransform):
    """Natural logarithm (arXiv 2310.06047); scores below the smallest positive one of background count as that."""

    least: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("least", torch.ones(()))

    def fit(self, scores: Tensor, weight: Tensor | None = None) -> None:
        if bool((scores < 0).any()) or not bool((scores > 0).any()):
            raise FacsimError(
                f"the teacher's scores of background go from {float(scores.min()):.3g} to {float(scores.max()):.3g}, "
                "and logarithms need positive ones: choose the transform 'rank' or 'none'."
            )
        self.least.copy_(scores[scores > 0].min())

    def forward(self, scores: Tensor) -> Tensor:
        return torch.maximum(scores, self.least).log()


class Quantised(Log):
    """32 ln(score / smallest of background), told in steps of 1/256 from 0 to 256, as CICADA's scores."""

    def forward(self, scores: Tensor) -> Tensor:
        return self.told(FACTOR * (super().forward(scores) - self.least.log()))

    def told(self, values: Tensor) -> Tensor:
        return ((values / STEP).floor() * STEP).clamp(0.0, RANGE - STEP)


class Sqrt(ScoreTransform):
    """Square root."""

    def fit(self, scores: Tensor, weight: Tensor | None = None) -> None:
        if bool((scores < 0).any()):
            raise FacsimError(
                f"the teacher's scores of background go down to {float(scores.min()):.3g}, and square roots need ones "
                "that are not negative: choose the transform 'rank' or 'none'."
            )

    def forward(self, scores: Tensor) -> Tensor:
        return scores.clamp(min=0).sqrt()


class Rank(ScoreTransform):
    """-ln of the share of background above: 0 at its smallest score, 4.6 where a hundredth is left.

    Between 257 quantiles it is interpolated; beyond the last background event it rises in units of the mean excess of
    the ten that are farthest, as an exponential tail would.
    """

    knots: Tensor
    rarity: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("knots", torch.linspace(0, 1, KNOTS))
        self.register_buffer("rarity", torch.linspace(0, 1, KNOTS))
        self.register_buffer("scale", torch.ones(()))

    def fit(self, scores: Tensor, weight: Tensor | None = None) -> None:
        values = to_numpy(scores).astype(np.float64)
        order = np.argsort(values, kind="stable")
        given = np.ones(len(values)) if weight is None else to_numpy(weight).astype(np.float64)
        ordered, share = values[order], given[order] / given.sum()
        above = np.maximum(1 - np.cumsum(share) + 0.5 * share, 0.5 * share)
        rarity = -np.log(np.maximum(above, 1e-12))
        levels = np.linspace(0, rarity[-1], KNOTS)
        excess = float(ordered[-FARTHEST:].mean() - ordered[-FARTHEST:][0])
        self.rarity.copy_(torch.from_numpy(levels))
        self.knots.copy_(torch.from_numpy(np.interp(levels, rarity, ordered)))
        self.scale.fill_(excess or float(values.std()) or 1.0)

    def forward(self, scores: Tensor) -> Tensor:
        right = torch.searchsorted(self.knots, scores.contiguous()).clamp(1, KNOTS - 1)
        low, high = self.knots[right - 1], self.knots[right]
        step = ((scores - low) / (high - low).clamp(min=1e-30)).clamp(0, 1)
        inside = self.rarity[right - 1] + step * (self.rarity[right] - self.rarity[right - 1])
        return inside + (scores - self.knots[-1]).clamp(min=0) / self.scale


class Rarity(Rank):
    """Weights of events (N,) that count rare background more: share above to the power -`tail`, of mean one over
    background. With `tail` 1 every power of ten of the share counts alike.

    The share is at least `least`, and at least that of ten of the events of the fit, so that no few of them decide.
    """

    mean: Tensor
    most: Tensor

    def __init__(self, tail: float, least: float = 1e-3) -> None:
        super().__init__()
        self.tail, self.least = tail, least
        self.register_buffer("mean", torch.ones(()))
        self.register_buffer("most", torch.tensor(-math.log(least)))

    def fit(self, scores: Tensor, weight: Tensor | None = None) -> None:
        super().fit(scores, weight)
        self.most.fill_(-math.log(min(1.0, max(self.least, FARTHEST / len(scores)))))
        found = self._factors(scores)
        self.mean.copy_(found.mean() if weight is None else (found * weight).sum() / weight.sum())

    def forward(self, scores: Tensor) -> Tensor:
        return self._factors(scores) / self.mean

    def _factors(self, scores: Tensor) -> Tensor:
        return (self.tail * torch.minimum(super().forward(scores), self.most)).exp()


TRANSFORMS: dict[str, type[ScoreTransform]] = {
    "none": ScoreTransform,
    "log": Log,
    "sqrt": Sqrt,
    "rank": Rank,
    "quantised": Quantised,
}
