"""Reconstructed jets from generator-level ones: an autoencoder that reads the jet before the detector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator
from torch import Tensor, nn

from facsim.core.errors import FacsimError
from facsim.core.schema import Schema
from facsim.models.base import Batch, EventModel, NoiseSpec, pad_clouds, weighted_mean
from facsim.models.choices import Choice
from facsim.models.event_transforms import build_transform
from facsim.models.gan_losses import energy_score
from facsim.models.multiplicity import Multiplicity
from facsim.models.nets import build_network, check_network
from facsim.models.nets.conditioning import Conditioning
from facsim.models.nets.given import GivenPoints
from facsim.models.vae import kl_from_normal
from facsim.physics.jet_schema import PARTICLE_COLUMNS, is_jets
from facsim.physics.jets import jet_features

PT, ETA = "gen_pt", "gen_eta"
PHASE = "autoencoder"
SEED_CHANNELS = 8
LARGEST_LOG_VARIANCE = 8.0
FAR = 1e12
"""Square distance (GeV^2) of what is not there."""


class RecoVAEOptions(BaseModel):
    """Options of `RecoVAE`.

    Args:
        latent: latent numbers. width: of the encoder.
        network: of the decoder, a cloud network of `nets.NETWORKS`.
        transform: of the points' features to latents of order one.
        points: largest number of points of a jet, in place of what the file says.
        chamfer, mass, pt: factors of the Chamfer distance and of the losses of jet mass and pT.
        kl: factor of the Kullback-Leibler divergence; the other losses are multiplied by 1 - `kl`.
        jets: `squared-error` of mass and pT (GeV^2), or their `energy-score` (GeV) with two draws of a jet.
    """

    model_config = ConfigDict(extra="forbid")

    latent: int = Field(20, ge=1)
    width: int = Field(128, ge=1)
    network: Choice = Choice(name="epic")
    transform: Literal["quantile", "standard"] = "quantile"
    points: int | None = Field(None, ge=1)
    chamfer: float = Field(0.015, ge=0)
    mass: float = Field(1.0, ge=0)
    pt: float = Field(0.1, ge=0)
    kl: float = Field(0.3, ge=0, lt=1)
    jets: Literal["squared-error", "energy-score"] = "squared-error"

    @field_validator("network")
    @classmethod
    def _known(cls, network: Choice) -> Choice:
        try:
            check_network(network)
        except FacsimError as error:
            raise ValueError(str(error)) from None
        return network


class RecoVAE(EventModel):
    """Variational autoencoder from generator-level to reconstructed jets (Touranakou et al., arXiv 2203.00520).

    The encoder reads the given points, the generator-level jet, and the decoder gives the reconstructed one. The loss
    is (1 - b_KL) (b_p Chamfer + b_m MSE(mass) + b_pT MSE(pT)) + b_KL KL, Chamfer being the sum over the particles of
    both jets of the square distance (GeV^2) to the nearest one of the other in (px, py, pz); the defaults of the four
    factors, of the latent numbers and of the loss are the paper's. Otherwise it is of facsim's parts: a deep set reads
    the jet, a cloud network decodes, the momenta are about the axis of the jet's azimuth, and the number of particles
    is drawn from a distribution given the jet, where the paper pads with zeros.

    A squared error is least for the mean of all that may come of a jet, so that it narrows the response as far as the
    divergence lets it. With `jets: energy-score` mass and pT of two draws are scored instead, whose optimum is the
    distribution given the jet (`gan_losses.energy_score`).

    Raises:
        FacsimError: events that are no jets with given points and the conditions `gen_pt` and `gen_eta`.
    """

    phases = (PHASE,)
    Options: ClassVar[type[BaseModel]] = RecoVAEOptions
    options: RecoVAEOptions

    def __init__(self, schema: Schema, options: RecoVAEOptions) -> None:
        if options.points is not None:
            schema = replace(schema, points=options.points)
        super().__init__(schema, options)
        _check(schema)
        self.transform = build_transform(schema, options.transform)
        space, width = self.transform.space, options.width
        self.conditioning = Conditioning(len(schema.scalar_conditions))
        self.given = GivenPoints(schema.given, outputs=width, width=width)
        n = self.conditioning.n_features + self.given.n_features
        self.encoder = nn.Sequential(nn.Linear(n, width), nn.SiLU(), nn.Linear(width, 2 * options.latent))
        self.seed = nn.Linear(options.latent, space.shape[0] * SEED_CHANNELS)
        n_cond = self.conditioning.n_features + options.latent
        self.decoder = build_network(options.network, space, SEED_CHANNELS, space.channels, n_cond, zero=False)
        self.count = Multiplicity(n, space.shape[0])

    def noise_spec(self, n: int) -> dict[str, NoiseSpec]:
        return {"multiplicity": NoiseSpec((n, 1), "uniform"), "latent": NoiseSpec((n, self.options.latent))}

    @torch.no_grad()
    def begin_phase(self, phase: str, batch: Batch, generator: torch.Generator) -> None:
        """Fit transform and normalisations; let posterior means start at unit variance."""
        batch = pad_clouds(batch, self.transform.space.shape[0])
        assert batch.mask is not None
        scalars = len(self.schema.scalar_conditions)
        self.transform.fit(batch.x, batch.mask, batch.weight, generator)
        self.conditioning.fit(batch.cond[:, :scalars], batch.weight)
        self.given.fit(batch.cond[:, scalars:])
        self.count.fit(batch.mask.sum(1))
        mean, _ = self._posterior(self._read(batch.cond)[1])
        last: Any = self.encoder[-1]
        last.weight[: mean.shape[1]] /= mean.std(0, correction=0).clamp(min=1e-3)[:, None]

    def losses(self, batch: Batch, turn: str, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        batch = pad_clouds(batch, self.transform.space.shape[0])
        mask, options = batch.mask, self.options
        assert mask is not None
        scalars, features = self._read(batch.cond)
        mean, log_variance = self._posterior(features)
        draws = []
        for _ in range(2 if options.jets == "energy-score" else 1):
            noise = torch.randn(mean.shape, generator=generator, device=mean.device)
            draws.append(self._decode(mean + (0.5 * log_variance).exp() * noise, scalars, mask))
        pt, eta = (batch.cond[:, self.schema.condition_index(name), None] for name in (PT, ETA))
        true, made = (_momenta(x, pt, eta) for x in (batch.x, draws[0]))
        terms = {"chamfer": options.chamfer * chamfer(true, made, mask)}
        jets = [jet_features(x) for x in (batch.x * mask[..., None], *draws)]
        for name, factor in (("mass", options.mass), ("pt", options.pt)):
            values = [jet[name][:, None] * pt for jet in jets]
            squared = options.jets == "squared-error"
            terms[name] = factor * ((values[1] - values[0])[:, 0] ** 2 if squared else energy_score(*values))
        losses = {name: (1 - options.kl) * weighted_mean(term, batch.weight) for name, term in terms.items()}
        losses["kl"] = options.kl * weighted_mean(kl_from_normal(mean, log_variance), batch.weight)
        return losses | {"multiplicity": self.count.loss(features, mask.sum(1), batch.weight)}

    def sample(self, cond: Tensor, noise: Mapping[str, Tensor]) -> Tensor:
        scalars, features = self._read(cond)
        mean, log_variance = self._posterior(features)
        mask = torch.arange(self.transform.space.shape[0], device=cond.device) < self.count.draw(
            features, noise["multiplicity"]
        )
        x = self._decode(mean + (0.5 * log_variance).exp() * noise["latent"], scalars, mask)
        return torch.cat([x, mask.to(x)[..., None]], -1)

    def _read(self, cond: Tensor) -> tuple[Tensor, Tensor]:
        """Features of the scalar conditions, and these with what the given points tell."""
        n = len(self.schema.scalar_conditions)
        scalars = self.conditioning(cond[:, :n])
        return scalars, torch.cat([scalars, self.given(cond[:, n:])], -1)

    def _posterior(self, features: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.encoder(features).chunk(2, -1)
        return mean, log_variance.clamp(-LARGEST_LOG_VARIANCE, LARGEST_LOG_VARIANCE)

    def _decode(self, z: Tensor, scalars: Tensor, mask: Tensor) -> Tensor:
        seed = self.seed(z).reshape(-1, mask.shape[1], SEED_CHANNELS)
        x: Tensor = self.transform.decode(self.decoder(seed, None, torch.cat([scalars, z], -1), mask))
        return x * mask[..., None]


def chamfer(a: Tensor, b: Tensor, mask: Tensor) -> Tensor:
    """Sum over the points of both clouds (N, P, D) of the square distance to the nearest of the other: (N,)."""
    distance = ((a[:, :, None] - b[:, None]) ** 2).sum(-1)
    real = mask.to(distance)
    distance = distance.masked_fill(~(mask[:, :, None] & mask[:, None]), FAR)
    found: Tensor = (distance.amin(2) * real + distance.amin(1) * real).sum(1)
    return found


def _momenta(x: Tensor, pt: Tensor, eta: Tensor) -> Tensor:
    """px, py, pz (N, P, 3) in the unit of `pt` (N, 1), px along the jet's azimuth."""
    size = x[..., 2] * pt
    return torch.stack([size * x[..., 1].cos(), size * x[..., 1].sin(), size * (x[..., 0] + eta).sinh()], -1)


def _check(schema: Schema) -> None:
    names = [f.name for f in schema.scalar_conditions]
    columns = tuple(f.name for f in schema.features)
    if not is_jets(schema) or not schema.given or not {PT, ETA} <= set(names) or names[0] != PT:
        raise FacsimError(
            f"the model 'reco-vae' takes jets with the columns {PARTICLE_COLUMNS}, the conditions '{PT}', '{ETA}' and "
            f"the points of the generator-level jet, not columns {columns}, conditions {names} and {schema.given} "
            "given points."
        )
