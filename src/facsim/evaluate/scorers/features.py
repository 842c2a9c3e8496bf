"""Scorers on a few features of an event, standardised on background."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError, MissingExtraError
from facsim.core.events import Events, EventSource, chunks
from facsim.core.schema import Feature, Schema
from facsim.core.sources import batch_rows
from facsim.evaluate.scorers.base import FloatArray, Scorer
from facsim.physics.image_features import feature_names, image_features, image_geometry

LIMIT = 20.0
"""Standardised features do not go beyond: events farther out are as unusual."""


@dataclass(kw_only=True)
class FeatureScorer(Scorer):
    """A score on features of images (`physics.image_features`) or the columns of a table; labels are no features.

    Features go in at mean 0 and spread 1 of background. Sums are not turned into logarithms: these would bring what is
    unusually large nearer.

    Args:
        features: names of those that are used; empty takes all.
    """

    learns = "background"
    features: tuple[str, ...] = ()
    _mean: FloatArray = field(init=False, repr=False, compare=False)
    _spread: FloatArray = field(init=False, repr=False, compare=False)

    def _fit(self, background: EventSource, signal: EventSource | None, seed: int) -> tuple[Feature, ...]:
        known = event_feature_names(background.schema)
        unknown = sorted(set(self.features) - set(known))
        if unknown:
            raise FacsimError(f"the scorer '{self.name}' has no features {unknown}: expected some of {list(known)}.")
        values = np.concatenate(
            [self._features(events) for events in chunks(background, batch_rows(background))], dtype=np.float64
        )
        self._mean, spread = values.mean(axis=0), values.std(axis=0)
        self._spread = np.where(spread > 1e-9 * (1 + np.abs(self._mean)), spread, np.inf)
        self._learn(self._standardised(values), seed)
        return (Feature(self.name),)

    def _predict(self, events: Events) -> NDArray[Any]:
        return self._score(self._standardised(self._features(events)))

    def _features(self, events: Events) -> FloatArray:
        values, names = event_features(events), event_feature_names(events.schema)
        return values[:, [names.index(name) for name in self.features]] if self.features else values

    def _standardised(self, values: FloatArray) -> FloatArray:
        return np.asarray(np.clip((values - self._mean) / self._spread, -LIMIT, LIMIT))

    @abstractmethod
    def _learn(self, values: FloatArray, seed: int) -> None:
        """Learn from standardised features (N, F) of background."""

    @abstractmethod
    def _score(self, values: FloatArray) -> NDArray[Any]:
        """Scores (N,) of standardised features."""


def event_feature_names(schema: Schema) -> tuple[str, ...]:
    """Names of what `event_features` gives.

    Raises:
        FacsimError: events that are neither images nor a table.
    """
    if schema.representation == "table":
        return tuple(feature.name for feature in schema.features)
    return feature_names(schema)


def event_features(events: Events) -> FloatArray:
    """Features (N, F) of images or tables."""
    if events.schema.representation == "table":
        return np.array(events.x, dtype=np.float64)
    found = image_features(events.x, image_geometry(events.schema), events.schema.features)
    return np.asarray(found, dtype=np.float64)


def scikit_learn(module: str) -> ModuleType:
    """A module of scikit-learn.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return import_module(f"sklearn.{module}")
    except ImportError:
        raise MissingExtraError("anomaly", "scikit-learn") from None
