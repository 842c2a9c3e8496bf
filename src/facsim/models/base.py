"""What a generative model is: losses by phase, and a sampler whose noise is an argument with a description."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from facsim.core.schema import Schema

Distribution = Literal["normal", "uniform"]


@dataclass(frozen=True)
class NoiseSpec:
    """One named noise array: its shape (first axis is the batch) and distribution.

    `normal` is N(0, 1), `uniform` is U(0, 1).
    """

    shape: tuple[int, ...]
    distribution: Distribution = "normal"


@dataclass(frozen=True)
class Batch:
    """Training examples on one device: `x` as in `Events`, `cond` (N, K), optional `weight` (N,)."""

    x: Tensor
    cond: Tensor
    weight: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)


class GenerativeModel(nn.Module, ABC):
    """Base of all generative methods.

    A method owns loss and sampler; a network knows neither; a transform owns units and ranges.
    `phases` are trained in order; `weights` says which event weights the losses accept.
    """

    phases: ClassVar[tuple[str, ...]] = ("flow",)
    weights: ClassVar[Literal["none", "positive", "signed"]] = "positive"

    @abstractmethod
    def losses(self, batch: Batch, phase: str, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Losses of `phase` by name; their sum is minimised. Scalars."""

    @abstractmethod
    def sample(self, cond: Tensor, noise: Mapping[str, Tensor]) -> Tensor:
        """Events at the conditions `cond` (N, K), a deterministic function of `noise`."""

    @abstractmethod
    def noise_spec(self, n: int) -> dict[str, NoiseSpec]:
        """The noise that `sample` needs for `n` events."""

    def parameters_of(self, phase: str) -> list[nn.Parameter]:
        """Parameters trained in `phase`; all of them unless a method says otherwise."""
        return list(self.parameters())

    def begin_phase(self, phase: str, batch: Batch, generator: torch.Generator) -> None:
        """Closed-form fits that precede the gradient steps of `phase` (normalisation, a prior's covariance)."""


class EventModel(GenerativeModel):
    """A generative model of the events of a schema: what the table `MODELS` lists and a run directory holds.

    Args:
        schema: of the events it generates.
        options: an instance of the class's `Options`.
    """

    Options: ClassVar[type[BaseModel]]
    schema: Schema
    options: Any

    def __init__(self, schema: Schema, options: Any) -> None:
        super().__init__()
        self.schema, self.options = schema, options


def weighted_mean(values: Tensor, weight: Tensor | None) -> Tensor:
    """Mean over events of `values` (N,), weighted when there are weights."""
    return values.mean() if weight is None else (values * weight).sum() / weight.sum()


def draw_noise(specs: Mapping[str, NoiseSpec], generator: torch.Generator) -> dict[str, Tensor]:
    """Draw the arrays of `specs` from `generator`, on its device."""
    draw = {"normal": torch.randn, "uniform": torch.rand}
    return {
        name: draw[spec.distribution](spec.shape, generator=generator, device=generator.device)
        for name, spec in specs.items()
    }
