"""What predictors of images share: which channels they see, how the cells look to them, and how they are scaled."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from facsim.core.schema import Schema
from facsim.models.base import Batch
from facsim.models.images import check_cells, check_channels, image_of
from facsim.models.nets.image_hits import Hits, find_hits
from facsim.models.predictor import Predictor, PredictorOptions

SHARE = 0.99
"""Quantile of the cells that are hit, which counts as one."""
LEAST = 1e-12


class ImageOptions(PredictorOptions):
    """Options of predictors of images.

    Args:
        error: `inverse-dice` of energies, their `mse`, or `bce` of which cells are hit.
        cells: what is seen of a cell: its `energy`, log(1 + `energy`), whether there is a `hit`, or its `share` of the
            event's energy.
        channels: names of the features that are seen; left empty, all.
    """

    error: Literal["inverse-dice", "mse", "bce"] = "inverse-dice"
    cells: Literal["energy", "log", "hit", "share"] = "energy"
    channels: tuple[str, ...] = ()


class ImagePredictor(Predictor):
    """A predictor of images (N, V, C) that a network sees as (N, channels, rows, columns).

    Args:
        schema: of images. options: see `ImageOptions`.

    Raises:
        FacsimError: events that are no images, or without a channel that is to be seen.
    """

    called: ClassVar[str]
    """Name in `MODELS`."""
    unit: Tensor

    def __init__(self, schema: Schema, options: ImageOptions) -> None:
        super().__init__(schema, options)
        geometry = image_of(schema, self.called)
        names = [feature.name for feature in schema.features]
        check_channels(options.channels, names, self.called)
        self.image, self.all_channels = geometry.image, len(names)
        self.seen_channels = [names.index(name) for name in options.channels] or list(range(len(names)))
        self.channels = len(self.seen_channels)
        self.register_buffer("unit", torch.ones(self.channels))

    @torch.no_grad()
    def begin_phase(self, phase: str, batch: Batch, generator: torch.Generator) -> None:
        """Take the scale of each channel from the cells that are hit."""
        x = self._shared(self._chosen(batch.x))
        for channel, values in enumerate(x.unbind(-1)):
            hit = values[values > 0]
            if len(hit):
                self.unit[channel] = torch.quantile(hit[: 1 << 20], SHARE).clamp(min=LEAST)

    def seen(self, x: Tensor) -> Tensor:
        """What the network sees of events (N, V, C): (N, channels, rows, columns).

        Raises:
            FacsimError: events of another shape than the schema's.
        """
        x = self._shared(self._chosen(x)).reshape(-1, *self.image, self.channels).permute(0, 3, 1, 2)
        return self.scaled(x, self.unit[:, None, None])

    def seen_hits(self, x: Tensor) -> Hits:
        """The cells of `seen` that are hit, without the empty ones being looked at more than once.

        Raises:
            FacsimError: events of another shape than the schema's.
        """
        hits = find_hits(self._chosen(x), self.image[1])
        value = hits.value
        if self.options.cells == "share":
            value = value / hits.total(value).clamp(min=LEAST)[hits.event]
        return hits._replace(value=self.scaled(value, self.unit[hits.channel]))

    def scaled(self, x: Tensor, unit: Tensor) -> Tensor:
        """Values as they are seen of cells, whose `unit` (like `x`, or to be broadcast) is one; 0 stays 0."""
        if self.options.cells == "hit":
            return (x > 0).to(x)
        x = x / unit
        return x.clamp(min=0).log1p() if self.options.cells == "log" else x

    def in_range(self, image: Tensor) -> Tensor:
        """What a network makes, without a range, as probabilities of hits or as energies."""
        return image.sigmoid() if self.options.error == "bce" else F.softplus(image)

    def _shared(self, x: Tensor) -> Tensor:
        if self.options.cells != "share":
            return x
        return x / x.sum((1, 2), keepdim=True).clamp(min=LEAST)

    def _chosen(self, x: Tensor) -> Tensor:
        check_cells(x, self.image, self.all_channels, self.called)
        return x if self.channels == self.all_channels else x[..., self.seen_channels]
