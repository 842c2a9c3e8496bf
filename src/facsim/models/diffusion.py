"""Diffusion in the parametrisation of EDM (Karras et al., arXiv 2206.00364)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from facsim.models.base import Batch, MethodOptions, NoiseSpec, event_loss
from facsim.models.nets import build_network
from facsim.models.probability_flow import ProbabilityFlow
from facsim.models.samplers import SAMPLERS, churned, karras_sigmas
from facsim.models.space import Space


class DiffusionOptions(MethodOptions):
    """Options of `Diffusion`; noise levels are in units of the data's root mean square."""

    steps: int = Field(24, ge=1, le=1000, description="noise levels of the sampler")
    sampler: Literal["ddim", "heun", "dpm-solver"] = "dpm-solver"
    churn: float = Field(0.0, ge=0, description="S_churn of stochastic sampling; above 0 in Heun's steps")
    sigma_min: float = Field(0.005, gt=0)
    sigma_max: float = Field(40.0, gt=1)
    log_sigma_mean: float = Field(-0.5, description="of the noise levels in training (P_mean - log sigma_data of EDM)")
    log_sigma_std: float = Field(1.2, gt=0, description="P_std of EDM")

    @model_validator(mode="after")
    def _in_order(self) -> DiffusionOptions:
        if self.sigma_min >= self.sigma_max:
            raise ValueError(f"'sigma_min' {self.sigma_min} has to be below 'sigma_max' {self.sigma_max}")
        return self


def coefficients(sigma: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """c_skip, c_out and c_in of arXiv 2206.00364, table 1, for data of root mean square 1."""
    total = (1 + sigma**2).sqrt()
    return 1 / total**2, sigma / total, 1 / total


class Diffusion(ProbabilityFlow):
    """Denoising diffusion: D(x; sigma) = c_skip x + c_out F(c_in x; c_noise) is trained to remove noise of size sigma.

    EDM's weight of the loss is 1 / c_out^2, so the network F's own squared error is minimised. Its time is c_noise,
    log(sigma), mapped from (log sigma_max, log sigma_min) to (0, 1). c_in x runs along the trigonometric path of flow
    matching and F is its velocity (arXiv 2410.11081): that is how diffusion is a `ProbabilityFlow`. Signed weights
    as for flow matching: right on average, with no least value on few events.
    """

    Options: ClassVar[type[MethodOptions]] = DiffusionOptions
    phases = ("diffusion",)
    weights = "signed"
    scale: Tensor

    def __init__(self, space: Space, n_cond: int, options: DiffusionOptions) -> None:
        super().__init__(space, n_cond, options)
        self.net = build_network(options.network, space, space.channels, space.channels, n_cond)
        self.options = options
        self.register_buffer("scale", torch.ones(()))

    @torch.no_grad()
    def begin_phase(self, phase: str, batch: Batch, generator: torch.Generator) -> None:
        """Take the data's root mean square as sigma_data."""
        x = batch.x if batch.mask is None else batch.x[batch.mask]
        self.scale.copy_((x**2).mean().sqrt().clamp(min=1e-3))

    def noise_spec(self, n: int) -> dict[str, NoiseSpec]:
        specs = {"noise": NoiseSpec((n, *self.space.shape))}
        if self.options.churn > 0:
            specs["churn"] = NoiseSpec((n, self.options.steps, *self.space.shape))
        return specs

    def _time(self, log_sigma: Tensor) -> Tensor:
        high, low = math.log(self.options.sigma_max), math.log(self.options.sigma_min)
        return ((high - log_sigma) / (high - low)).clamp(0, 1)

    def losses(self, batch: Batch, turn: str, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        x = batch.x / self.scale
        normal = torch.randn(len(x), generator=generator, device=x.device)
        noise = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
        log_sigma = self.options.log_sigma_mean + self.options.log_sigma_std * normal
        sigma = log_sigma.exp().reshape(-1, *[1] * (x.dim() - 1))
        noisy = x + sigma * noise
        skip, out, into = coefficients(sigma)
        found = self.net(into * noisy, self._time(log_sigma), batch.cond, batch.mask)
        return {"diffusion": event_loss((found - (x - skip * noisy) / out) ** 2, batch)}

    def denoise(self, x: Tensor, sigma: Tensor, cond: Tensor, mask: Tensor | None) -> Tensor:
        """D(x; sigma), all in units of the data's root mean square; `sigma` is (1,)."""
        skip, out, into = coefficients(sigma)
        found: Tensor = skip * x + out * self.net(into * x, self._time(sigma.log()), cond, mask)
        return found

    def sample(self, cond: Tensor, noise: Mapping[str, Tensor], mask: Tensor | None = None) -> Tensor:
        options = self.options
        sigmas = karras_sigmas(options.steps, options.sigma_min, options.sigma_max)

        def denoise(x: Tensor, sigma: float) -> Tensor:
            return self.denoise(x, x.new_full((1,), sigma), cond, mask)

        x = options.sigma_max * noise["noise"]
        if options.churn > 0:
            return self.scale * churned(denoise, x, sigmas, noise["churn"], options.churn)
        return self.scale * SAMPLERS[options.sampler](denoise, x, sigmas)

    def start(self, noise: Mapping[str, Tensor], cond: Tensor) -> Tensor:
        return self.scale * noise["noise"]

    def pair(self, batch: Batch, generator: torch.Generator | None) -> Tensor:
        x = batch.x
        return self.scale * torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)

    def velocity(self, x: Tensor, t: Tensor, cond: Tensor, mask: Tensor | None, net: nn.Module | None = None) -> Tensor:
        """With sigma = 1 / tan(pi t / 2), the state is c_in times the noisy event."""
        angle = 0.5 * torch.pi * t
        log_sigma = torch.cos(angle).clamp(min=1e-6).log() - torch.sin(angle).clamp(min=1e-6).log()
        found: Tensor = (net or self.net)(x / self.scale, self._time(log_sigma), cond, mask)
        return 0.5 * torch.pi * self.scale * found
