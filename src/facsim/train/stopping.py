"""Early stopping on a score that is handed in: the best averaged state is kept, and training ends without progress."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from torch import Tensor

from facsim.models.base import RunModel
from facsim.train.settings import EarlyStopping

Judge = Callable[[RunModel], float]
"""The score of a model in evaluation mode, smaller for a better one; the same model has the same score."""


class Best:
    """The best state so far.

    Attributes:
        score: the smallest, infinite before the first. step: of the phase, when it was reached.
        misses: judgements since. weights: the model's state then, on the CPU.
    """

    def __init__(self, settings: EarlyStopping, judge: Judge) -> None:
        self.settings, self._judge = settings, judge
        self.score, self.step, self.misses = math.inf, 0, 0
        self.weights: dict[str, Tensor] = {}

    def judge(self, model: RunModel, step: int) -> float:
        """Judge `model`, which is left in training mode, and keep its state if it is the best."""
        score = self._judge(model.eval())
        model.train()
        if score < self.score:
            self.score, self.step, self.misses = score, step, 0
            self.weights = {name: tensor.detach().to("cpu", copy=True) for name, tensor in model.state_dict().items()}
        else:
            self.misses += 1
        return score

    @property
    def over(self) -> bool:
        """Whether the score has not become better for too long."""
        return self.misses >= self.settings.patience

    def state(self) -> dict[str, Any]:
        """All that `restore` needs."""
        return {name: getattr(self, name) for name in ("score", "step", "misses", "weights")}

    def restore(self, saved: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        for name, value in saved.items():
            setattr(self, name, value)
