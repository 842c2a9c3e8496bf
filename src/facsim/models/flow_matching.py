"""Flow matching from a Gaussian prior along a path of constant variance."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from facsim.models.base import Batch, GenerativeModel, NoiseSpec, weighted_mean
from facsim.models.solvers import SOLVERS


class FlowMatching(GenerativeModel):
    """Conditional flow matching (Lipman et al., arXiv 2210.02747) on the trigonometric interpolant.

    x_t = cos(pi t / 2) x_0 + sin(pi t / 2) x_1 with x_0 from the prior (stochastic interpolants, Albergo &
    Vanden-Eijnden, arXiv 2209.15571). When the prior has the data's covariance the variance is constant along the
    path and the velocity vanishes for Gaussian data, so the network, whose last layer starts at zero, learns only
    what the prior lacks and few solver steps are enough.

    Args:
        net: network (x, t, cond) -> velocity of the shape of x; t has shape (N,) or (1,).
        event_shape: shape of one event.
        prior: map from white noise to the start of the flow; identity when None.
        steps: solver steps.
        solver: name in `models.solvers.SOLVERS`.
    """

    phases = ("flow",)

    def __init__(
        self,
        net: nn.Module,
        event_shape: tuple[int, ...],
        prior: nn.Module | None = None,
        steps: int = 4,
        solver: str = "euler",
    ) -> None:
        super().__init__()
        self.net = net
        self.prior = nn.Identity() if prior is None else prior
        self.event_shape = event_shape
        self.steps, self.solver = steps, solver

    def noise_spec(self, n: int) -> dict[str, NoiseSpec]:
        return {"flow": NoiseSpec((n, *self.event_shape))}

    def losses(self, batch: Batch, phase: str, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        return self.weighted_losses(batch, None, generator)

    def weighted_losses(
        self, batch: Batch, importance: Tensor | None, generator: torch.Generator | None
    ) -> dict[str, Tensor]:
        """Losses with positive factors per element of x, of mean one.

        The factors may depend on the condition only, which leaves the best velocity as it is and lowers the noise of
        the gradient where the data are noise themselves.
        """
        x1 = batch.x
        x0 = self.prior(torch.randn(x1.shape, generator=generator, device=x1.device, dtype=x1.dtype))
        t = torch.rand(len(x1), generator=generator, device=x1.device)
        angle = (0.5 * math.pi * t).reshape(-1, *[1] * (x1.dim() - 1))
        x_t = torch.cos(angle) * x0 + torch.sin(angle) * x1
        target = torch.cos(angle) * x1 - torch.sin(angle) * x0
        error = (self.net(x_t, t, batch.cond) - target) ** 2
        if importance is not None:
            error = error * importance
        return {"flow": weighted_mean(error.flatten(1).mean(1), batch.weight)}

    def sample(self, cond: Tensor, noise: Mapping[str, Tensor]) -> Tensor:
        x: Tensor = self.prior(noise["flow"])
        if self.steps == 0:
            return x

        def velocity(x: Tensor, t: float) -> Tensor:
            v: Tensor = self.net(x, x.new_full((1,), t), cond)
            return 0.5 * math.pi * v

        return SOLVERS[self.solver](velocity, x, self.steps)
