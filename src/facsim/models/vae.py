"""Variational autoencoders, with the standard normal or a learned distribution of the latent numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from facsim.models.base import Batch, Method, MethodOptions, NoiseSpec, event_loss, weighted_mean
from facsim.models.flow_matching import FlowMatching, FlowMatchingOptions
from facsim.models.nets import build_network
from facsim.models.nets.given import own_number
from facsim.models.nets.likelihood import GaussianLikelihood
from facsim.models.nets.readers import EventReader, flat_condition, with_numbers
from facsim.models.space import Space, table

SEED_CHANNELS = {"table": 1, "grid": 1, "cloud": 8}
LARGEST_LOG_VARIANCE = 8.0
LEAST_SPREAD = 1e-6
"""Standard deviation of an encoded number below which the events are taken for all alike."""


class VAEOptions(MethodOptions):
    """Options of `VAE`."""

    latent: int = Field(16, ge=1)
    beta: float = Field(1.0, ge=0, description="factor of the Kullback-Leibler divergence")
    prior: Literal["normal", "flow-matching"] = "normal"
    prior_steps: int = Field(8, ge=1, le=64, description="solver steps of a flow-matching prior")
    encoder: dict[str, int] = Field({}, description="options of the encoder's network (nets.readers), such as width")


class VAE(Method):
    """Conditional variational autoencoder (Kingma & Welling, arXiv 1312.6114; beta: Higgins et al., ICLR 2017).

    The decoder is a network on a seed of the event's shape, a linear function of the latent numbers, which also join
    its condition. The likelihood is Gaussian with a learned width (`nets.likelihood`), and sampling adds its noise.
    With `prior: flow-matching` a second phase learns the distribution of encoded events, which replaces the standard
    normal one (the two-stage VAE, Dai & Wipf, arXiv 1903.05789; a flow in place of its second autoencoder).

    Points of clouds are put in the order of falling first feature, and the k-th seed belongs to the k-th point.

    Weights have to be positive: with negative ones the learned width of the likelihood could shrink for ever.
    """

    phases: tuple[str, ...] = ("autoencoder",)
    Options: ClassVar[type[MethodOptions]] = VAEOptions

    mean: Tensor
    std: Tensor

    def __init__(self, space: Space, n_cond: int, options: VAEOptions) -> None:
        super().__init__(space, n_cond, options)
        self.phases, self.latent, self.beta = self.phases_of(options), options.latent, options.beta
        channels = SEED_CHANNELS[space.representation]
        self.encoder = EventReader(space, n_cond, 2 * self.latent, False, **options.encoder)
        self.decoder = build_network(options.network, space, channels, space.channels, n_cond + self.latent, zero=False)
        self.seed = nn.Linear(self.latent, math.prod(space.elements) * channels)
        self.likelihood = GaussianLikelihood(space)
        self.prior: FlowMatching | None = None
        if options.prior == "flow-matching":
            n = own_number(n_cond, space) * max(1, len(space.layers))
            flow = FlowMatchingOptions(prior="gaussian", steps=options.prior_steps)
            self.prior = FlowMatching(table(self.latent), n, flow)
        self.register_buffer("mean", torch.zeros(self.latent))
        self.register_buffer("std", torch.ones(self.latent))

    @classmethod
    def phases_of(cls, options: Any) -> tuple[str, ...]:
        return ("autoencoder", "prior") if options.prior == "flow-matching" else ("autoencoder",)

    def noise_spec(self, n: int) -> dict[str, NoiseSpec]:
        return {"latent": NoiseSpec((n, self.latent)), "noise": NoiseSpec((n, *self.space.shape))}

    def parameters_of(self, turn: str) -> list[nn.Parameter]:
        if turn == "prior" and self.prior is not None:
            return list(self.prior.parameters())
        parts = (self.encoder, self.decoder, self.seed, self.likelihood)
        return [p for part in parts for p in part.parameters()]

    @torch.no_grad()
    def begin_phase(self, phase: str, batch: Batch, generator: torch.Generator) -> None:
        """Start with posterior means of unit variance; standardise the latents and fit the flow's own prior."""
        if phase == "autoencoder":
            # latents that begin near zero end there (posterior collapse): the decoder learns to ignore them
            mean, _ = self._posterior(in_order(batch))
            std = mean.std(0, correction=0)
            self.encoder.standardise(mean.mean(0), torch.where(std > LEAST_SPREAD, std, 1.0))
        elif self.prior is not None:
            z = self._encoded(batch, generator)
            self.mean.copy_(z.mean(0))
            self.std.copy_(z.std(0, correction=0).clamp(min=1e-3))
            self.prior.begin_phase("flow", self._latents(batch, generator), generator)

    def losses(self, batch: Batch, turn: str, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        if turn == "prior" and self.prior is not None:
            return self.prior.losses(self._latents(batch, generator), "flow", generator)
        batch = in_order(batch)
        mean, log_variance = self._posterior(batch)
        centre = self._decode(_drawn(mean, log_variance, generator), batch.cond, batch.mask)
        numbers = self.space.size if batch.mask is None else (batch.mask.sum(1) * self.space.channels).clamp(min=1)
        divergence = weighted_mean(kl_from_normal(mean, log_variance) / numbers, batch.weight)
        return {"likelihood": event_loss(self.likelihood(batch.x, centre), batch), "kl": self.beta * divergence}

    def sample(self, cond: Tensor, noise: Mapping[str, Tensor], mask: Tensor | None = None) -> Tensor:
        z = noise["latent"]
        if self.prior is not None:
            z = self.mean + self.std * self.prior.sample(flat_condition(cond, self.space), {"noise": z})
        return self.likelihood.draw(self._decode(z, cond, mask), noise["noise"])

    def _posterior(self, batch: Batch) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.encoder(batch.x, batch.cond, batch.mask).chunk(2, -1)
        return mean, log_variance.clamp(-LARGEST_LOG_VARIANCE, LARGEST_LOG_VARIANCE)

    @torch.no_grad()
    def _encoded(self, batch: Batch, generator: torch.Generator | None) -> Tensor:
        return _drawn(*self._posterior(in_order(batch)), generator)

    def _latents(self, batch: Batch, generator: torch.Generator | None) -> Batch:
        z = (self._encoded(batch, generator) - self.mean) / self.std
        return Batch(z, flat_condition(batch.cond, self.space), batch.weight)

    def _decode(self, z: Tensor, cond: Tensor, mask: Tensor | None) -> Tensor:
        cond = with_numbers(cond, z)
        seed = self.seed(z).reshape(-1, *self.space.elements, SEED_CHANNELS[self.space.representation])
        if mask is not None:
            rank = (mask.long().cumsum(1) - 1).clamp(min=0)
            seed = seed.gather(1, rank[..., None].expand(-1, -1, seed.shape[-1]))
        x: Tensor = self.decoder(seed, None, cond, mask)
        return x


def kl_from_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Divergence of independent Gaussians (N, D) from the standard normal, by event: (N,)."""
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(-1)


def in_order(batch: Batch) -> Batch:
    """The same clouds with real points first and in the order of falling first feature; other events as they are."""
    if batch.mask is None:
        return batch
    key = batch.x[..., 0].masked_fill(~batch.mask, -torch.inf)
    index = key.argsort(dim=1, descending=True, stable=True)
    each = index[..., None].expand_as(batch.x)
    importance = None if batch.importance is None else batch.importance.expand_as(batch.x).gather(1, each)
    return Batch(batch.x.gather(1, each), batch.cond, batch.weight, batch.mask.gather(1, index), importance)


def _drawn(mean: Tensor, log_variance: Tensor, generator: torch.Generator | None) -> Tensor:
    noise = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
    return mean + (0.5 * log_variance).exp() * noise
