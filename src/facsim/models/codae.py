"""Conditional dual autoencoders of images: a map of the event and a few numbers of it score together."""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from facsim.core.errors import FacsimError
from facsim.core.schema import Feature, Schema
from facsim.models.base import Batch, weighted_mean
from facsim.models.image_predictor import ImageOptions, ImagePredictor
from facsim.models.nets.dual_autoencoder import ConditionedDecoder, MapEncoder, NumbersEncoder, map_sizes
from facsim.models.nets.latent_maps import CategoricalMap, DirichletMap, PlainMap
from facsim.models.reconstruction import ERRORS

AT_ONCE = 64
"""Events that are encoded together in calibrations."""
SPREAD = 1e-6
"""Part of the mean variance that is added to each, for numbers that are functions of one another."""


class CoDAEOptions(ImageOptions):
    """Options of `CoDAE`.

    Args:
        latent: the map is `deterministic`, of relaxed one-hot codes (`categorical`), or of shares (`dirichlet`).
        codes: numbers of the map at each place, among which a code is one.
        numbers: of the second encoder, which condition the decoder.
        prior: of categorical maps: `uniform`, or a learnt `mixture` of `components`.
        concentration: of the Dirichlet prior: 1 is flat, less is sparse.
        widths: of the stages, each of which halves rows and columns. groups: of the convolutions.
        reconstruction, beta: factors of the error of reconstruction and of the divergence from the prior in the loss.
    """

    error: Literal["inverse-dice", "mse", "bce"] = "bce"
    cells: Literal["energy", "log", "hit", "share"] = "hit"
    channels: tuple[str, ...] = ("tracker",)
    latent: Literal["deterministic", "categorical", "dirichlet"] = "deterministic"
    codes: int = Field(64, ge=2)
    numbers: int = Field(2, ge=1, le=16)
    prior: Literal["uniform", "mixture"] = "uniform"
    components: int = Field(8, ge=2)
    concentration: float = Field(1.0, gt=0)
    widths: tuple[int, ...] = Field((16, 32, 64, 128), min_length=1)
    groups: int = Field(4, ge=1)
    reconstruction: float = Field(1.0, gt=0)
    beta: float = Field(1.0, ge=0)

    @model_validator(mode="after")
    def _meant(self) -> CoDAEOptions:
        if min(self.widths) < 1:
            raise ValueError(f"widths of at least 1, not {self.widths}")
        if self.prior == "mixture" and self.latent != "categorical":
            raise ValueError(f"a mixture is a prior of latent: categorical, not of {self.latent}")
        return self


class CoDAE(ImagePredictor):
    """Conditional dual autoencoder (arXiv 2306.12955): one encoder makes a map of the image, another a few numbers.

    The numbers condition the decoder at every resolution, so that they come to hold what all of the image has in common
    (how busy it is) and the map what is where. Both may tell the unusual from the usual better than the reconstruction.

    Outputs: `reconstruction`, the error of the event; of maps with a prior `kl`, the divergence from it in nats;
    `distance`, squared, of the numbers from those of background in units of their covariance, over how many they are;
    `latent_<k>`, the numbers, of which more need not be more unusual.

    Args:
        schema: of images of any size. options: see `CoDAEOptions`.

    Raises:
        FacsimError: events that are no images, without a channel of `channels`, or too small for the stages.
    """

    Options = CoDAEOptions
    phases = ("autoencoder",)
    called = "codae"
    centre: Tensor
    whiten: Tensor

    def __init__(self, schema: Schema, options: CoDAEOptions) -> None:
        super().__init__(schema, options)
        stages = len(options.widths)
        rows, columns = map_sizes(self.image, stages)[-1]
        if rows * columns < 2:
            raise FacsimError(
                f"the {stages} stages of 'codae' leave one place of {self.image[0]} x {self.image[1]} cells: give "
                "fewer widths."
            )
        self.error = ERRORS[options.error]
        self.map_encoder = MapEncoder(self.channels, options.widths, options.codes, options.groups)
        self.numbers_encoder = NumbersEncoder(self.channels, self.image, options.widths, options.numbers)
        self.latent = _latent(options, rows * columns)
        self.decoder = ConditionedDecoder(
            self.channels, self.image, options.widths, options.codes, options.numbers, options.groups
        )
        self.register_buffer("centre", torch.zeros(options.numbers))
        self.register_buffer("whiten", torch.eye(options.numbers))
        names = ["reconstruction", *(["kl"] if self.latent.has_kl else []), "distance"]
        self.outputs = tuple(Feature(name) for name in [*names, *(f"latent_{k}" for k in range(options.numbers))])

    @torch.no_grad()
    def begin_phase(self, phase: str, batch: Batch, generator: torch.Generator) -> None:
        """Take the scale of each channel from the cells that are hit, and start from the mean image's brightness."""
        super().begin_phase(phase, batch, generator)
        sums = torch.stack([self.seen(x).sum((0, 2, 3)) for x in torch.split(batch.x, AT_ONCE)])
        p = (sums.sum(0) / (len(batch) * math.prod(self.image))).clamp(1e-4, 1 - 1e-4)
        start = p.logit() if self.options.error == "bce" else p.expm1().log()
        assert self.decoder.out.bias is not None
        self.decoder.out.bias.copy_(start)

    @torch.no_grad()
    def end_phase(self, phase: str, batch: Batch, generator: torch.Generator) -> None:
        """Learn where the numbers of background lie."""
        numbers = torch.cat([self.numbers_encoder(self.seen(x)) for x in torch.split(batch.x, AT_ONCE)]).double()
        away = numbers - numbers.mean(0)
        covariance = away.T @ away / len(away)
        ridge = SPREAD * covariance.diagonal().mean().clamp(min=1e-12)
        root = torch.linalg.cholesky(covariance + ridge * torch.eye(len(covariance)).to(covariance))
        self.centre.copy_(numbers.mean(0))
        self.whiten.copy_(torch.linalg.inv(root).T)

    def losses(self, batch: Batch, turn: str, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        x = self.seen(batch.x)
        h, numbers = self.map_encoder(x), self.numbers_encoder(x)
        made = self.in_range(self.decoder(self.latent.draw(h, generator), numbers))
        found = {"reconstruction": self.options.reconstruction * weighted_mean(self.error(x, made), batch.weight)}
        if self.latent.has_kl:
            found["kl"] = self.options.beta * weighted_mean(self.latent.kl(h), batch.weight)
        return found

    def predict(self, x: Tensor, cond: Tensor, mask: Tensor | None = None) -> Tensor:
        image = self.seen(x)
        h, numbers = self.map_encoder(image), self.numbers_encoder(image)
        made = self.in_range(self.decoder(self.latent.mean(h), numbers))
        found = [self.error(image, made), *([self.latent.kl(h)] if self.latent.has_kl else [])]
        distance = ((numbers - self.centre) @ self.whiten).square().mean(1)
        return torch.cat([torch.stack([*found, distance], 1), numbers], 1)

    def reconstruct(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What the network sees of events (N, V, C), and what it makes of it: (N, channels, rows, columns) both."""
        image = self.seen(x)
        z = self.latent.mean(self.map_encoder(image))
        return image, self.in_range(self.decoder(z, self.numbers_encoder(image)))


def _latent(options: CoDAEOptions, places: int) -> PlainMap:
    if options.latent == "categorical":
        return CategoricalMap(options.codes, places, options.components if options.prior == "mixture" else 0)
    return DirichletMap(options.concentration) if options.latent == "dirichlet" else PlainMap()
