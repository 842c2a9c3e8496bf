"""The number of tracks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.events import Events, EventSource
from facsim.core.schema import Feature
from facsim.evaluate.scorers.base import Scorer, has_condition
from facsim.physics.image_features import TRACKER, image_geometry

CONDITION = "n_tracks"


@dataclass(kw_only=True)
class Tracks(Scorer):
    """The condition `n_tracks`; of images without it, `<channel>_hits`: hit cells of `tracker`, or of the first channel
    where there is none."""

    name = "tracks"
    learns = "nothing"

    def _fit(self, background: EventSource, signal: EventSource | None, seed: int) -> tuple[Feature, ...]:
        schema = background.schema
        if has_condition(schema, CONDITION):
            return (Feature(CONDITION),)
        image_geometry(schema)
        names = [feature.name for feature in schema.features]
        return (Feature(f"{TRACKER if TRACKER in names else names[0]}_hits"),)

    def _predict(self, events: Events) -> NDArray[Any]:
        if has_condition(events.schema, CONDITION):
            return events.condition(CONDITION)
        names, threshold = [feature.name for feature in events.schema.features], image_geometry(events.schema).threshold
        cells = events.x[:, :, names.index(TRACKER) if TRACKER in names else 0]
        return np.asarray(((cells > 0) & (cells >= threshold)).sum(axis=1))
