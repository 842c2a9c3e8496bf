"""Generative adversarial networks: a generator against a critic, with a choice of losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from facsim.models.base import Batch, Method, MethodOptions, NoiseSpec, weighted_mean
from facsim.models.gan_losses import GAN_LOSSES, cramer_score, energy_score, penalised_gradient
from facsim.models.nets import build_network
from facsim.models.nets.readers import EventReader, with_numbers
from facsim.models.space import Space

LossName = Literal["non-saturating", "least-squares", "hinge", "relativistic", "wasserstein", "cramer", "energy"]
PENALISED = ("wasserstein", "cramer")
SIGNED = ("wasserstein", "cramer", "energy")
DRIFT = {"wasserstein": 1e-3, "relativistic": 1e-3}
"""Factor of the squared score of true events, where the loss itself leaves an offset free (arXiv 1710.10196)."""


class GANOptions(MethodOptions):
    """Options of `GAN`."""

    loss: LossName = "non-saturating"
    critic_steps: int = Field(1, ge=1, le=20, description="steps of the critic for each one of the generator")
    critic: dict[str, int] = Field({}, description="options of the critic's network (nets.readers), such as width")
    features: int = Field(64, ge=1, description="outputs of the critic for the Cramer loss")
    spectral_norm: bool = False
    gradient_penalty: float = Field(1.0, ge=0, description="of the Wasserstein and Cramer losses")
    r1: float = Field(1.0, ge=0, description="penalty on the critic's gradient at real events, of the other losses")
    latent: int = Field(8, ge=0, description="noise numbers of the whole event beside those of each element")


class GAN(Method):
    """Generative adversarial network (Goodfellow et al., arXiv 1406.2661), both networks seeing the condition.

    Losses (`gan_losses`): non-saturating, least squares (arXiv 1611.04076), hinge (arXiv 1705.02894), relativistic
    (arXiv 1807.00734), Wasserstein with gradient penalty (arXiv 1704.00028), Cramer (arXiv 1705.10743), and the energy
    distance of the events themselves, which needs no critic. Spectral normalisation is that of arXiv 1802.05957, the R1
    penalty that of arXiv 1801.04406. Generated and real events are paired by condition. Losses that are linear in the
    real events (Wasserstein, Cramer, energy) take signed weights; in the others the score of an event of negative
    weight grows without end, so that they take positive ones. `Batch.importance` plays no role.
    """

    phases = ("adversarial",)
    Options: ClassVar[type[MethodOptions]] = GANOptions

    def __init__(self, space: Space, n_cond: int, options: GANOptions) -> None:
        super().__init__(space, n_cond, options)
        self.options = options
        self.weights = "signed" if options.loss in SIGNED else "positive"
        channels, latent = space.channels, options.latent
        self.net = build_network(options.network, space, channels, channels, n_cond + latent, zero=False)
        self.critic: nn.Module = nn.Identity()
        if options.loss != "energy":
            outputs = options.features if options.loss == "cramer" else 1
            self.critic = EventReader(space, n_cond, outputs, options.spectral_norm, **options.critic)

    def noise_spec(self, n: int) -> dict[str, NoiseSpec]:
        spec = {"noise": NoiseSpec((n, *self.space.shape))}
        return spec | ({"latent": NoiseSpec((n, self.options.latent))} if self.options.latent else {})

    def turns(self, phase: str) -> tuple[str, ...]:
        steps = 0 if self.options.loss == "energy" else self.options.critic_steps
        return ("critic",) * steps + ("generator",)

    def parameters_of(self, turn: str) -> list[nn.Parameter]:
        return list((self.critic if turn == "critic" else self.net).parameters())

    def optimiser_of(self, turn: str) -> dict[str, Any]:
        return {"betas": (0.0 if self.options.loss in PENALISED else 0.5, 0.9), "weight_decay": 0.0}

    def averaged(self, phase: str) -> list[nn.Parameter]:
        return self.parameters_of("generator")

    def sample(self, cond: Tensor, noise: Mapping[str, Tensor], mask: Tensor | None = None) -> Tensor:
        if self.options.latent:
            cond = with_numbers(cond, noise["latent"])
        x: Tensor = self.net(noise["noise"], None, cond, mask)
        return x

    def losses(self, batch: Batch, turn: str, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        with torch.set_grad_enabled(turn == "generator" and torch.is_grad_enabled()):
            fake = self._draw(batch, generator)
            other = self._draw(batch, generator) if self.options.loss in ("cramer", "energy") else None
        if turn == "generator":
            return {"generator": weighted_mean(self._generator_loss(batch, fake, other), batch.weight)}
        score = self._scorer(batch, other)
        critic, _ = GAN_LOSSES["wasserstein" if other is not None else self.options.loss]
        real = score(batch.x)
        losses = {"critic": weighted_mean(critic(real, score(fake)), batch.weight)}
        size = None if batch.weight is None else batch.weight.abs()
        if self.options.loss in DRIFT:
            losses["drift"] = DRIFT[self.options.loss] * weighted_mean(real**2, size)
        if self.options.loss in PENALISED:
            between = torch.rand((len(fake), *[1] * (fake.dim() - 1)), generator=generator, device=fake.device)
            slope = penalised_gradient(score, torch.lerp(fake, batch.x, between))
            losses["penalty"] = self.options.gradient_penalty * weighted_mean((slope - 1) ** 2, size)
        elif self.options.r1:
            slope = penalised_gradient(score, batch.x)
            losses["r1"] = 0.5 * self.options.r1 * weighted_mean(slope**2, size)
        return losses

    def _draw(self, batch: Batch, generator: torch.Generator | None) -> Tensor:
        """Generated events at the conditions of `batch`; points outside the mask are zero."""
        device = batch.x.device
        noise = {
            name: torch.randn(spec.shape, generator=generator, device=device)
            for name, spec in self.noise_spec(len(batch)).items()
        }
        return _real(self.sample(batch.cond, noise, batch.mask), batch)

    def _features(self, x: Tensor, batch: Batch) -> Tensor:
        return x if self.options.loss == "energy" else self.critic(x, batch.cond, batch.mask)

    def _scorer(self, batch: Batch, other: Tensor | None) -> Callable[[Tensor], Tensor]:
        """Events (N, ...) at the conditions of `batch` to the scores (N,) that the critic's loss compares."""
        if other is None:
            return lambda x: self._features(x, batch)[:, 0]
        reference = self._features(other, batch)
        return lambda x: cramer_score(self._features(x, batch), reference)

    def _generator_loss(self, batch: Batch, fake: Tensor, other: Tensor | None) -> Tensor:
        if other is not None:
            real = _real(batch.x, batch)
            return energy_score(*(self._features(x, batch).flatten(1) for x in (real, fake, other)))
        score = self._scorer(batch, None)
        real = score(batch.x) if self.options.loss == "relativistic" else fake
        return GAN_LOSSES[self.options.loss][1](real, score(fake))


def _real(x: Tensor, batch: Batch) -> Tensor:
    return x if batch.mask is None else x * batch.mask[..., None]
