"""The ceiling: a classifier that is told what signal is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import Events, EventSource
from facsim.core.image import ImageGeometry
from facsim.core.rng import generator, integer_seed
from facsim.core.schema import Feature
from facsim.core.sources import SubsetSource
from facsim.evaluate.scorers.base import FloatArray, Scorer, check_positive, check_whole
from facsim.models.nets.classifiers import NETWORKS, Inputs
from facsim.models.nets.classifiers.base import ClassifierNetwork
from facsim.physics.image_features import image_geometry
from facsim.physics.image_regions import region_shares
from facsim.train.classifier import ClassifierSettings, Labelled, class_outputs, fit_classifier

LARGEST = 96
"""Rows or columns above which an image is summed into coarser ones."""
VALIDATION = 0.2
FEWEST = 5
"""Events of a class below which hardly any would be left to train on."""


@dataclass(kw_only=True)
class Supervised(Scorer):
    """Log-odds of signal of a convolutional classifier, trained on background against all signals at equal weight.

    Cells go in as log(1 + energy / median of hit cells); images of more than 96 rows or columns are summed first. A
    fifth of the events decides which epoch is kept. What is scored must not be among the events of the fit.

    Args:
        epochs: at most. channels: of the first convolution. lr: learning rate. events: of each class, at most.
    """

    name = "supervised"
    learns = "labels"
    epochs: int = 30
    channels: int = 16
    lr: float = 2e-3
    events: int = 20_000
    _unit: FloatArray = field(init=False, repr=False, compare=False)
    _shape: tuple[int, int] = field(init=False, repr=False, compare=False)
    _network: ClassifierNetwork = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_whole(self.name, "epochs", self.epochs, 1)
        check_whole(self.name, "channels", self.channels, 2)
        check_whole(self.name, "events", self.events, 10)
        check_positive(self.name, "a learning rate lr", self.lr)

    def _fit(self, background: EventSource, signal: EventSource | None, seed: int) -> tuple[Feature, ...]:
        geometry = image_geometry(background.schema)
        assert signal is not None
        if signal.schema != background.schema:
            raise FacsimError(f"the scorer '{self.name}' needs signal with the cells and columns of background.")
        rng = generator(seed, "supervised", "events")
        if min(len(background), len(signal)) < FEWEST:
            raise FacsimError(
                f"the scorer '{self.name}' needs {FEWEST} events of background and of signal, and there are "
                f"{len(background)} and {len(signal)}: give more, or leave it out of 'baselines'."
            )
        classes = [_some(source, self.events, rng) for source in (background, signal)]
        self._shape = (min(geometry.image[0], LARGEST), min(geometry.image[1], LARGEST))
        images = [_summed(x, geometry, self._shape) for x in classes]
        self._unit = np.array([_median_hit(channel) for channel in np.moveaxis(images[0], -1, 0)])
        order = [rng.permutation(len(x)) for x in images]
        held = [max(1, round(VALIDATION * len(x))) for x in images]
        validation = self._labelled([x[o[:n]] for x, o, n in zip(images, order, held, strict=True)])
        train = self._labelled([x[o[n:]] for x, o, n in zip(images, order, held, strict=True)])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(integer_seed(seed, "supervised", "weights"))
            shape = (*self._shape, images[0].shape[-1])
            self._network = NETWORKS["image"](Inputs(shape), 1, channels=self.channels)
        settings = ClassifierSettings(epochs=self.epochs, batch_size=128, lr=self.lr)
        fit_classifier(self._network, train, validation, settings, integer_seed(seed, "supervised", "order"))
        return (Feature("logit"),)

    def _predict(self, events: Events) -> NDArray[Any]:
        images = _summed(events.x, image_geometry(events.schema), self._shape)
        zeros = np.zeros(len(images), dtype=np.int64)
        return class_outputs(self._network, self._prepared(images, zeros, np.ones(len(images))))[:, 1]

    def _labelled(self, images: list[NDArray[np.float32]]) -> Labelled:
        sizes = [len(x) for x in images]
        weight = np.repeat([sum(sizes) / (2 * max(n, 1)) for n in sizes], sizes)
        return self._prepared(np.concatenate(images), np.repeat([0, 1], sizes), weight)

    def _prepared(self, images: NDArray[np.float32], label: NDArray[np.int64], weight: FloatArray) -> Labelled:
        x = np.log1p(np.maximum(images, 0) / self._unit).astype(np.float32)
        context = torch.zeros(len(x), 0)
        return Labelled(
            torch.from_numpy(x), context, None, torch.from_numpy(label), torch.from_numpy(weight.astype(np.float32))
        )


def _some(source: EventSource, most: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Cells (N, V, C) of at most so many events, chosen at random."""
    if len(source) > most:
        source = SubsetSource(source, np.sort(rng.choice(len(source), most, replace=False)))
    return np.asarray(source.read(0, len(source)).x, dtype=np.float32)


def _summed(x: NDArray[Any], geometry: ImageGeometry, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Images (N, *shape, C) of cells (N, V, C)."""
    image = np.asarray(x, dtype=np.float32).reshape(len(x), *geometry.image, x.shape[-1])
    if shape == geometry.image:
        return image
    turned = geometry.units[1] == "rad" != geometry.units[0]
    rows, columns = region_shares(geometry, (shape[1], shape[0]) if turned else shape)
    return np.asarray(np.einsum("nrkc,ri,kj->nijc", image, rows, columns, optimize=True), dtype=np.float32)


def _median_hit(values: NDArray[Any]) -> float:
    hit = values[values > 0]
    return float(np.median(hit)) if len(hit) else 1.0
