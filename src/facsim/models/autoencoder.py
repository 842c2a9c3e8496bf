"""Autoencoders of images, which learn from background alone: what they reconstruct badly is unusual."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor

from facsim.core.schema import Feature, Schema
from facsim.models.base import Batch, weighted_mean
from facsim.models.image_predictor import ImageOptions, ImagePredictor
from facsim.models.nets.image_autoencoder import ImageDecoder, ImageEncoder
from facsim.models.reconstruction import ERRORS, OF_SUMS
from facsim.models.vae import LARGEST_LOG_VARIANCE, kl_from_normal

Stride = PositiveInt | tuple[PositiveInt, PositiveInt]
SMALL = ((32, 64, 64), (2, 2, 2))
LARGE = ((16, 48, 64, 32, 16), (3, 2, 2, 2, 3))
"""Widths and strides that are taken where none are given, of images of up to `FEW` cells and of larger ones."""
FEW = 20_000


class AutoencoderOptions(ImageOptions):
    """Options of `Autoencoder`.

    Args:
        latent: numbers that an event becomes.
        widths, strides: of the convolutions; a stride may be a pair, of rows and columns. Left out, `SMALL` or `LARGE`;
            empty, there are dense layers alone.
        dense: widths of layers between the convolutions and the latent numbers.
        pooling: `average` over cells in place of strides: convolutions see every cell.
        output: what makes an image: a nonlinear function of each of its `cells`, or a sum of `patterns`, none of which
            is negative.
        sparse: score from the cells that are hit alone, which is exact and takes less time where these are few. It
            needs `output: patterns` and an error of energies.
        beta: factor of the Kullback-Leibler divergence of a variational autoencoder; 0 makes it a plain one.
    """

    latent: int = Field(64, ge=1)
    widths: tuple[PositiveInt, ...] | None = None
    strides: tuple[Stride, ...] | None = None
    dense: tuple[PositiveInt, ...] = ()
    pooling: Literal["none", "average"] = "none"
    output: Literal["cells", "patterns"] = "cells"
    sparse: bool = False
    beta: float = Field(0.0, ge=0)

    @model_validator(mode="after")
    def _alike(self) -> AutoencoderOptions:
        given = [None if of is None else len(of) for of in (self.widths, self.strides)]
        if given[0] != given[1]:
            raise ValueError(f"as many widths as strides, or neither, not {self.widths} and {self.strides}")
        if self.output == "patterns" and (given[0] == 0 or self.pooling != "none" or self.error not in OF_SUMS):
            raise ValueError(f"output: patterns needs convolutions, pooling: none and an error of {list(OF_SUMS)}")
        if self.sparse and self.output != "patterns":
            raise ValueError("sparse: true needs output: patterns")
        return self


class Autoencoder(ImagePredictor):
    """Convolutional autoencoder of images with any number of channels (arXiv 2306.13595), plain or variational.

    Outputs: `reconstruction`, the error of the event; of variational ones also `kl`, the divergence of what the encoder
    says from a standard normal distribution, in nats. More is more unusual, as far as a reconstruction can tell: events
    that are simpler than background come out as usual.

    Args:
        schema: of images. options: see `AutoencoderOptions`.

    Raises:
        FacsimError: events that are no images, or without a channel that is to be seen.
    """

    Options = AutoencoderOptions
    phases = ("autoencoder",)
    called = "autoencoder"

    def __init__(self, schema: Schema, options: AutoencoderOptions) -> None:
        super().__init__(schema, options)
        self.error, self.variational = ERRORS[options.error], options.beta > 0
        widths: Sequence[int]
        strides: Sequence[int | tuple[int, int]]
        widths, strides = SMALL if math.prod(self.image) <= FEW else LARGE
        if options.widths is not None and options.strides is not None:
            widths, strides = options.widths, options.strides
        shape = (self.channels, self.image, widths, strides)
        pooling, self.patterns = options.pooling == "average", options.output == "patterns"
        self.encoder = ImageEncoder(
            *shape, options.latent * (2 if self.variational else 1), dense=options.dense, pooling=pooling
        )
        self.decoder = ImageDecoder(
            *shape, options.latent, dense=options.dense, pooling=pooling, patterns=self.patterns
        )
        names = ["reconstruction", *(["kl"] if self.variational else [])]
        self.outputs = tuple(Feature(name) for name in names)

    def losses(self, batch: Batch, turn: str, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        x = self.seen(batch.x)
        mean, log_variance = self._split(self.encoder(x))
        z = mean
        if self.variational:
            noise = torch.randn(mean.shape, generator=generator, device=mean.device)
            z = mean + (0.5 * log_variance).exp() * noise
        found = {"reconstruction": weighted_mean(self.error(x, self._decoded(z)), batch.weight)}
        if self.variational:
            found["kl"] = self.options.beta * weighted_mean(kl_from_normal(mean, log_variance), batch.weight)
        return found

    def predict(self, x: Tensor, cond: Tensor, mask: Tensor | None = None) -> Tensor:
        if self.options.sparse:
            hits = self.seen_hits(x)
            mean, log_variance = self._split(self.encoder.of_hits(hits))
            sums = (hits.total(hits.value.square()), *self.decoder.sums(mean, hits))
            found = [OF_SUMS[self.options.error](*sums, math.prod(self.image) * self.channels)]
        else:
            image = self.seen(x)
            mean, log_variance = self._split(self.encoder(image))
            found = [self.error(image, self._decoded(mean))]
        if self.variational:
            found.append(kl_from_normal(mean, log_variance))
        return torch.stack(found, 1)

    def latents(self, x: Tensor) -> Tensor:
        return self._split(self.encoder(self.seen(x)))[0]

    def reconstruct(self, x: Tensor) -> tuple[Tensor, Tensor]:
        image = self.seen(x)
        return image, self._decoded(self._split(self.encoder(image))[0])

    def _split(self, found: Tensor) -> tuple[Tensor, Tensor]:
        if not self.variational:
            return found, torch.zeros_like(found)
        mean, log_variance = found.chunk(2, -1)
        return mean, log_variance.clamp(-LARGEST_LOG_VARIANCE, LARGEST_LOG_VARIANCE)

    def _decoded(self, z: Tensor) -> Tensor:
        image: Tensor = self.decoder(z)
        return image if self.patterns else self.in_range(image)
