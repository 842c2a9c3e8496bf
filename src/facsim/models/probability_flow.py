"""What diffusion and flow matching have in common: an ordinary differential equation from a prior to the data."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from facsim.models.base import Batch, Method, event_loss
from facsim.models.nets import Network

PathName = Literal["trigonometric", "linear"]


RATES: dict[PathName, float] = {"trigonometric": 0.5 * math.pi, "linear": 1.0}
"""ds/dt of the parameter s in which a path's derivatives are given: an angle, or the time itself."""


class Path(NamedTuple):
    """x = a x_0 + b x_1 at times t: the factors and their derivatives in the path's parameter s (`RATES`)."""

    a: Tensor
    b: Tensor
    da: Tensor
    db: Tensor


def path_at(name: PathName, t: Tensor, like: Tensor) -> Path:
    """Factors of the path at the times `t` (N,), to broadcast with events `like` (N, ...).

    `trigonometric` keeps the variance of independent ends (arXiv 2209.15571), `linear` goes straight
    (arXiv 2209.03003).
    """
    t = t.reshape(-1, *[1] * (like.dim() - 1))
    if name == "linear":
        one = torch.ones_like(t)
        return Path(1 - t, t, -one, one)
    angle = RATES[name] * t
    cos, sin = torch.cos(angle), torch.sin(angle)
    return Path(cos, sin, -sin, cos)


class ProbabilityFlow(Method):
    """A method whose samples solve dx/dt = `velocity` from the prior at t = 0 to the data at t = 1.

    What is distilled into few steps (`distilled`) is any of these.
    """

    path: PathName = "trigonometric"
    net: Network

    @abstractmethod
    def start(self, noise: Mapping[str, Tensor], cond: Tensor) -> Tensor:
        """Draws (N, *space.shape) of the prior, made of the arrays of `noise_spec`."""

    @abstractmethod
    def pair(self, batch: Batch, generator: torch.Generator | None) -> Tensor:
        """Draws of the prior, one for each event of `batch`, coupled with it as in training."""

    @abstractmethod
    def velocity(self, x: Tensor, t: Tensor, cond: Tensor, mask: Tensor | None, net: nn.Module | None = None) -> Tensor:
        """dx/dt at the states `x` and times `t`, (N,) or (1,), by the network `net` or the method's own."""

    def between(self, x0: Tensor, x1: Tensor, t: Tensor) -> Tensor:
        """States at the times `t` on the way from prior `x0` to events `x1`."""
        path = path_at(self.path, t, x1)
        return path.a * x0 + path.b * x1

    def follow(self, leader: ProbabilityFlow, batch: Batch, generator: torch.Generator | None) -> Tensor:
        """How far the velocity is from that of `leader` at states on the way to the events of `batch`: a scalar.

        A network learns more of another one's velocity than of single events, whose directions scatter about it.
        """
        t = torch.rand(len(batch), generator=generator, device=batch.x.device)
        x = self.between(self.pair(batch, generator), batch.x, t)
        with torch.no_grad():
            target = leader.velocity(x, t, batch.cond, batch.mask)
        size = None if batch.weight is None else batch.weight.abs()
        error = (self.velocity(x, t, batch.cond, batch.mask) - target) ** 2
        return event_loss(error, replace(batch, weight=size))
