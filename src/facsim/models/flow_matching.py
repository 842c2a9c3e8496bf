"""Flow matching from a Gaussian prior along a path of constant variance."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from facsim.models.base import Batch, Method, MethodOptions, NoiseSpec, event_loss
from facsim.models.nets import build_network
from facsim.models.nets.prior import build_prior
from facsim.models.solvers import SOLVERS
from facsim.models.space import Space


class FlowMatchingOptions(MethodOptions):
    """Options of `FlowMatching`."""

    steps: int = Field(4, ge=0, le=64, description="solver steps; 0 samples the prior alone")
    solver: Literal["euler", "heun", "midpoint"] = "euler"
    prior: Literal["white", "gaussian"] = "white"


class FlowMatching(Method):
    """Conditional flow matching (Lipman et al., arXiv 2210.02747) on the trigonometric interpolant.

    x_t = cos(pi t / 2) x_0 + sin(pi t / 2) x_1 with x_0 from the prior (stochastic interpolants, Albergo &
    Vanden-Eijnden, arXiv 2209.15571). When the prior has the data's covariance (`gaussian`) the variance is constant
    along the path and the velocity vanishes for Gaussian data, so the network, whose last layer starts at zero, learns
    only what the prior lacks and few solver steps are enough.
    """

    Options: ClassVar[type[MethodOptions]] = FlowMatchingOptions

    def __init__(self, space: Space, n_cond: int, options: FlowMatchingOptions) -> None:
        super().__init__(space, n_cond, options)
        self.net = build_network(options.network, space, space.channels, space.channels, n_cond)
        self.prior = build_prior(options.prior, space)
        self.steps, self.solver = options.steps, options.solver

    def noise_spec(self, n: int) -> dict[str, NoiseSpec]:
        return {"noise": NoiseSpec((n, *self.space.shape))}

    @torch.no_grad()
    def begin_phase(self, phase: str, batch: Batch, generator: torch.Generator) -> None:
        """Fit the prior."""
        self.prior.fit(batch.x, batch.mask)

    def losses(self, batch: Batch, turn: str, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        x1 = batch.x
        x0 = self.prior(torch.randn(x1.shape, generator=generator, device=x1.device, dtype=x1.dtype))
        t = torch.rand(len(x1), generator=generator, device=x1.device)
        angle = (0.5 * math.pi * t).reshape(-1, *[1] * (x1.dim() - 1))
        x_t = torch.cos(angle) * x0 + torch.sin(angle) * x1
        target = torch.cos(angle) * x1 - torch.sin(angle) * x0
        error = (self.net(x_t, t, batch.cond, batch.mask) - target) ** 2
        return {"flow": event_loss(error, batch)}

    def sample(self, cond: Tensor, noise: Mapping[str, Tensor], mask: Tensor | None = None) -> Tensor:
        x: Tensor = self.prior(noise["noise"])
        if self.steps == 0:
            return x

        def velocity(x: Tensor, t: float) -> Tensor:
            v: Tensor = self.net(x, x.new_full((1,), t), cond, mask)
            return 0.5 * math.pi * v

        return SOLVERS[self.solver](velocity, x, self.steps)
