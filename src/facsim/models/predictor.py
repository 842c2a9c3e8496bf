"""Predictors: what says something of events instead of making them, such as scores of anomaly."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from facsim.core.errors import FacsimError
from facsim.core.schema import Feature, Schema
from facsim.models.base import RunModel


class PredictorOptions(BaseModel):
    """Options that every predictor has.

    Args:
        background: conditions and the values that background has in them, such as `{is_qcd: 1}`; left empty, all events
            are background. A run fills it in from `prepare.background`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    background: Mapping[str, float] = {}


class Predictor(RunModel):
    """What says something of events: scores of anomaly, reconstructed quantities. `predict` has no noise.

    `outputs` are its columns; of scores of anomaly more is more unusual, and the first is the one that counts. Training
    sees background alone, unless `sees_signal` of its options says otherwise; nothing but training reads labels, so
    that events to come need none.

    Args:
        schema: of the events. options: an instance of the class's `Options`.

    Raises:
        FacsimError: `options.background` names a condition that the events have not.
    """

    Options = PredictorOptions
    conditional: ClassVar[bool] = False
    """Whether `predict` reads conditions; an exported graph has them as an input then."""
    outputs: tuple[Feature, ...]
    one_sided: bool = False
    """Whether the training itself decides that more is more unusual; then scores without a sign are not chosen."""

    def __init__(self, schema: Schema, options: Any) -> None:
        super().__init__(schema, options)
        check_background(schema, options.background)

    @classmethod
    def sees_signal(cls, options: Any) -> bool:
        """Whether training takes events of all classes."""
        return False

    @abstractmethod
    def predict(self, x: Tensor, cond: Tensor, mask: Tensor | None = None) -> Tensor:
        """Outputs (N, D) of events `x` as in `Events`, at conditions (N, K), real points of clouds in `mask`."""

    def reconstruct(self, x: Tensor) -> tuple[Tensor, Tensor] | None:
        """What is seen of images (N, V, C) and what is made of it, (N, C, rows, columns) both, where something is."""
        return None

    def latents(self, x: Tensor) -> Tensor | None:
        """The numbers (N, ...) that events become inside, if they do."""
        return None

    def is_background(self, cond: Tensor) -> Tensor:
        """Which events (N,) with conditions (N, K) are background."""
        found = torch.ones(len(cond), dtype=torch.bool, device=cond.device)
        for name, value in self.options.background.items():
            found &= cond[:, self.schema.condition_index(name)] == value
        return found


def check_background(schema: Schema, background: Mapping[str, float]) -> None:
    """Refuse a background that events of `schema` cannot be told by.

    Raises:
        FacsimError: it names a condition that they have not.
    """
    names = [feature.name for feature in schema.conditions]
    for name in background:
        if name not in names:
            raise FacsimError(
                f"background is told by the condition '{name}', which the events have not (they have {names}): name "
                "one of these in 'prepare.background', or {} where all events are background."
            )
