"""A score without signal and without a choice of sign: background against background with something added."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from facsim.core.errors import FacsimError
from facsim.core.schema import Feature, Schema
from facsim.models.base import Batch, weighted_mean
from facsim.models.images import check_cells, image_of
from facsim.models.nets.image_autoencoder import ImageEncoder
from facsim.models.predictor import Predictor, PredictorOptions
from facsim.models.sprays import Range, Sprays
from facsim.physics.image_features import TRACKER, feature_names, image_features

LOGARITHMIC = ("sum", "hits", "largest", "ht", "met", "met_significance")
LEAST = 0.1
OF_CHANNEL = ("sum", "entropy")
TRACKER_SEES, CALORIMETER_SEES = 1.0, 0.5
REPEATED = 3
"""Sprays for each event of the closed-form fit."""


class ContrastOptions(PredictorOptions):
    """Options of `Contrast`.

    Args:
        network: what sees an event: its `features` (`physics.image_features`) or the `image`, by convolutions.
        features: which; by default sum and entropy of each channel, hits of the first (of calorimeters they are those
            of pile-up), and the missing transverse momentum.
        hidden: widths of the layers between features and score; none makes a linear discriminant, which begins as
            Fisher's with its covariance drawn by `shrinkage` towards a multiple of the unit matrix.
        widths, strides: of the convolutions.
        count: what the number of hits in the first channel adds to the score, both in units of background's spread. A
            discriminant looks for what marks sprays as sprays; that there are many hits is odd by itself.
        hits, width, energy: of the sprays that are added, see `models.sprays`.
        seen: probability that a hit of a spray is seen in each channel; by default 1 in `tracker` or an only channel,
            and 0.5 in calorimeters.
        smoothing: noise on the standardised features in training, their standard deviation: a score that leans on
            differences finer than that would not carry over to anything but sprays.
    """

    network: Literal["features", "image"] = "features"
    features: tuple[str, ...] = ()
    hidden: tuple[int, ...] = ()
    widths: tuple[int, ...] = (8, 16, 32)
    strides: tuple[int, ...] = (2, 2, 2)
    shrinkage: float = Field(0.05, ge=0, le=1)
    count: float = Field(1.0, ge=0)
    seen: tuple[Annotated[float, Field(ge=0, le=1)], ...] = ()
    hits: Range = (40.0, 200.0)
    width: Range = (0.5, 2.0)
    energy: Range = (0.5, 2.0)
    smoothing: float = Field(0.2, ge=0)

    @field_validator("hits", "width", "energy")
    @classmethod
    def _increasing(cls, value: Range) -> Range:
        if not 0 < value[0] <= value[1]:
            raise ValueError(f"a range from above 0 to no less, not {list(value)}")
        return value

    @model_validator(mode="after")
    def _one_stride_each(self) -> ContrastOptions:
        if len(self.widths) != len(self.strides):
            raise ValueError(f"as many widths as strides, not {list(self.widths)} and {list(self.strides)}")
        return self


class Contrast(Predictor):
    """Classifier of background against the same events with a spray of hits each, after CutPaste (arXiv 2104.04015).

    Nothing of a signal is seen. Unlike a density, it does not find events odd that have less of everything, nor is it
    blurred by features that tell nothing; unlike a count, it weighs what is there. It knows only what sprays teach:
    that an anomaly is something more, and background's own correlations.

    Output: `contrast`, the logarithm of the odds of a spray and that of the number of hits, each from background's mean
    in units of its spread.

    Args:
        schema: of images. options: see `ContrastOptions`.

    Raises:
        FacsimError: events that are no images, or a feature that is not there.
    """

    Options = ContrastOptions
    phases = ("contrast",)
    training_only = ("sprays.",)
    one_sided = True
    mean: Tensor
    scale: Tensor
    chosen: Tensor
    odds: Tensor
    hits: Tensor

    def __init__(self, schema: Schema, options: ContrastOptions) -> None:
        super().__init__(schema, options)
        geometry = image_of(schema, "contrast")
        self.geometry, self.channels = geometry, len(schema.features)
        seen = options.seen or tuple(_seen(channel.name, self.channels) for channel in schema.features)
        if len(seen) != self.channels:
            raise FacsimError(
                f"'model.seen' needs a probability for each of {self.channels} channels, not {list(seen)}."
            )
        self.sprays = Sprays(geometry, seen, options.hits, options.width, options.energy)
        self.outputs = (Feature("contrast"),)
        names = feature_names(schema)
        self.wanted = options.features or _default(schema, names)
        missing = sorted(set(self.wanted) - set(names))
        if missing:
            raise FacsimError(f"the images have no feature '{missing[0]}': expected some of {list(names)}.")
        self.register_buffer("chosen", torch.tensor([names.index(name) for name in self.wanted]))
        self.logarithmic = torch.tensor(
            [name.removeprefix(_channel(name, schema)) in LOGARITHMIC for name in self.wanted]
        )
        self.register_buffer("odds", torch.tensor([0.0, 1.0]))  # mean and spread
        self.register_buffer("hits", torch.tensor([0.0, 1.0]))
        self.register_buffer("mean", torch.zeros(len(self.wanted)))
        self.register_buffer("scale", torch.ones(len(self.wanted)))
        if options.network == "image":
            self.body: nn.Module = ImageEncoder(self.channels, geometry.image, options.widths, options.strides, 1)
        else:
            layers: list[nn.Module] = []
            for n, m in pairwise([len(self.wanted), *options.hidden]):
                layers += [nn.Linear(n, m), nn.SiLU()]
            self.body = nn.Sequential(*layers, nn.Linear((len(self.wanted), *options.hidden)[-1], 1))

    @torch.no_grad()
    def begin_phase(self, phase: str, batch: Batch, generator: torch.Generator) -> None:
        """Take the energies of sprays, and the scale of each feature, from background."""
        self.sprays.fit(batch.x)
        if self.options.network == "features":
            found = self._features(batch.x)
            mean, covariance = _moments(found, batch.weight)
            self.mean.copy_(mean)
            self.scale.copy_(covariance.diagonal().sqrt().clamp(min=1e-3))
            if not self.options.hidden:
                self._fit_linear((found - self.mean) / self.scale, batch, generator)

    def _fit_linear(self, plain: Tensor, batch: Batch, generator: torch.Generator) -> None:
        """Fisher's linear discriminant between standardised features (N, F) of events and of their sprays."""
        made = torch.cat([self._features(self.sprays(batch.x, generator)) for _ in range(REPEATED)])
        centre, covariance = _moments(plain, batch.weight)
        weight = None if batch.weight is None else batch.weight.repeat(REPEATED)
        moved, of_changed = _moments((made - self.mean) / self.scale, weight)
        share, covariance = self.options.shrinkage, 0.5 * (covariance + of_changed)
        unit = torch.eye(len(covariance), device=covariance.device)
        covariance = (1 - share) * covariance + share * covariance.diagonal().mean() * unit
        # of the pseudoinverse features that never vary take no part
        direction = torch.linalg.pinv(covariance, hermitian=True) @ (moved - centre)
        last = self.body[-1]  # type: ignore[index]
        last.weight.copy_(direction[None])
        last.bias.copy_(-0.5 * (direction @ (moved + centre))[None])

    def losses(self, batch: Batch, turn: str, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        # in one pass: batch norm of each class for itself would take away what tells them apart
        both = self._logit(torch.cat([batch.x, self.sprays(batch.x, generator)]), generator, noisy=True)
        plain, changed = both.chunk(2)
        error = 0.5 * (F.softplus(plain) + F.softplus(-changed))
        return {"contrast": weighted_mean(error, batch.weight)}

    @torch.no_grad()
    def end_phase(self, phase: str, batch: Batch, generator: torch.Generator) -> None:
        """Take mean and spread of the two parts of the score from background."""
        self.eval()
        for unit, values in ((self.odds, self._logit(batch.x)), (self.hits, self._count(batch.x))):
            mean, variance = _moments(values[:, None], batch.weight)
            unit.copy_(torch.stack([mean[0], variance[0, 0].sqrt().clamp(min=1e-6)]))

    def predict(self, x: Tensor, cond: Tensor, mask: Tensor | None = None) -> Tensor:
        score = (self._logit(x) - self.odds[0]) / self.odds[1]
        if self.options.count:
            score = score + self.options.count * (self._count(x) - self.hits[0]) / self.hits[1]
        return score[:, None]

    def latents(self, x: Tensor) -> Tensor | None:
        return (self._features(x) - self.mean) / self.scale if self.options.network == "features" else None

    def _logit(self, x: Tensor, generator: torch.Generator | None = None, noisy: bool = False) -> Tensor:
        check_cells(x, self.geometry.image, self.channels, "contrast")
        if self.options.network == "image":
            seen = x.clamp(min=0).log1p().reshape(-1, *self.geometry.image, self.channels).permute(0, 3, 1, 2)
        else:
            seen = (self._features(x) - self.mean) / self.scale
            if noisy and self.options.smoothing:
                noise = torch.randn(seen.shape, generator=generator, device=seen.device)
                seen = seen + self.options.smoothing * noise
        found: Tensor = self.body(seen)
        return found[:, 0]

    def _count(self, x: Tensor) -> Tensor:
        """Logarithm of the number of hits in the first channel, (N,)."""
        return ((x[..., 0] > 0).to(x).sum(1) + 1).log()

    def _features(self, x: Tensor) -> Tensor:
        found = image_features(x, self.geometry, self.schema.features)[:, self.chosen]
        positive = found.clamp(min=0)
        return torch.where(self.logarithmic.to(found.device), (positive + LEAST).log(), found)


def _moments(x: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
    """Mean (F,) and covariance (F, F) of features (N, F)."""
    mean = x.mean(0) if weight is None else weight @ x / weight.sum()
    return mean, torch.cov(x.T, aweights=weight).reshape(len(mean), -1)


def _default(schema: Schema, names: tuple[str, ...]) -> tuple[str, ...]:
    wanted = [f"{channel.name}_{name}" for channel in schema.features for name in OF_CHANNEL]
    wanted.append(f"{schema.features[0].name}_hits")
    return tuple(name for name in [*wanted, "met"] if name in names)


def _seen(channel: str, channels: int) -> float:
    return TRACKER_SEES if channel == TRACKER or channels == 1 else CALORIMETER_SEES


def _channel(name: str, schema: Schema) -> str:
    """The beginning of the feature's name that is its channel's."""
    found = [f"{channel.name}_" for channel in schema.features if name.startswith(f"{channel.name}_")]
    return max(found, key=len, default="")
