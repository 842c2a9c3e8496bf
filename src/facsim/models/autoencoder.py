"""Autoencoders of images, which learn from background alone: what they reconstruct badly is unusual."""

from __future__ import annotations

import torch
from pydantic import Field, model_validator
from torch import Tensor

from facsim.core.schema import Feature, Schema
from facsim.models.base import Batch, weighted_mean
from facsim.models.image_predictor import ImageOptions, ImagePredictor
from facsim.models.nets.image_autoencoder import ImageDecoder, ImageEncoder
from facsim.models.reconstruction import ERRORS
from facsim.models.vae import LARGEST_LOG_VARIANCE, kl_from_normal


class AutoencoderOptions(ImageOptions):
    """Options of `Autoencoder`.

    Args:
        latent: numbers that an event becomes. widths, strides: of the convolutions.
        beta: factor of the Kullback-Leibler divergence of a variational autoencoder; 0 makes it a plain one.
    """

    latent: int = Field(64, ge=1)
    widths: tuple[int, ...] = (32, 64, 64)
    strides: tuple[int, ...] = (2, 2, 2)
    beta: float = Field(0.0, ge=0)

    @model_validator(mode="after")
    def _alike(self) -> AutoencoderOptions:
        if len(self.widths) != len(self.strides) or min((*self.widths, *self.strides), default=0) < 1:
            raise ValueError(f"as many widths as strides, all at least 1, not {self.widths} and {self.strides}")
        return self


class Autoencoder(ImagePredictor):
    """Convolutional autoencoder of images with any number of channels (arXiv 2306.13595), plain or variational.

    Outputs: `reconstruction`, the error of the event; of variational ones also `kl`, the divergence of what the encoder
    says from a standard normal distribution, in nats. More is more unusual, as far as a reconstruction can tell: events
    that are simpler than background come out as usual.

    Args:
        schema: of images. options: see `AutoencoderOptions`.

    Raises:
        FacsimError: events that are no images.
    """

    Options = AutoencoderOptions
    phases = ("autoencoder",)
    called = "autoencoder"

    def __init__(self, schema: Schema, options: AutoencoderOptions) -> None:
        super().__init__(schema, options)
        self.error, self.variational = ERRORS[options.error], options.beta > 0
        shape = (self.channels, self.image, options.widths, options.strides)
        self.encoder = ImageEncoder(*shape, options.latent * (2 if self.variational else 1))
        self.decoder = ImageDecoder(*shape, options.latent)
        names = ["reconstruction", *(["kl"] if self.variational else [])]
        self.outputs = tuple(Feature(name) for name in names)

    def losses(self, batch: Batch, turn: str, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        x = self.seen(batch.x)
        mean, log_variance = self._encoded(x)
        z = mean
        if self.variational:
            noise = torch.randn(mean.shape, generator=generator, device=mean.device)
            z = mean + (0.5 * log_variance).exp() * noise
        found = {"reconstruction": weighted_mean(self.error(x, self._decoded(z)), batch.weight)}
        if self.variational:
            found["kl"] = self.options.beta * weighted_mean(kl_from_normal(mean, log_variance), batch.weight)
        return found

    def predict(self, x: Tensor, cond: Tensor, mask: Tensor | None = None) -> Tensor:
        image = self.seen(x)
        mean, log_variance = self._encoded(image)
        found = [self.error(image, self._decoded(mean))]
        if self.variational:
            found.append(kl_from_normal(mean, log_variance))
        return torch.stack(found, 1)

    def reconstruct(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What the network sees of events (N, V, C), and what it makes of it: (N, C, rows, columns) both."""
        image = self.seen(x)
        return image, self._decoded(self._encoded(image)[0])

    def _encoded(self, image: Tensor) -> tuple[Tensor, Tensor]:
        found = self.encoder(image)
        if not self.variational:
            return found, torch.zeros_like(found)
        mean, log_variance = found.chunk(2, -1)
        return mean, log_variance.clamp(-LARGEST_LOG_VARIANCE, LARGEST_LOG_VARIANCE)

    def _decoded(self, z: Tensor) -> Tensor:
        return self.in_range(self.decoder(z))
