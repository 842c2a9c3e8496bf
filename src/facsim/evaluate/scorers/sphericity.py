"""The transverse sphericity of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.events import Events, EventSource
from facsim.core.schema import Feature
from facsim.evaluate.scorers.base import Scorer
from facsim.physics.image_features import image_geometry, sphericity


@dataclass(kw_only=True)
class Sphericity(Scorer):
    """`physics.image_features.sphericity` of all cells and channels: 0 for a line, 1 for an even ring."""

    name = "sphericity"
    learns = "nothing"

    def _fit(self, background: EventSource, signal: EventSource | None, seed: int) -> tuple[Feature, ...]:
        image_geometry(background.schema)
        return (Feature("sphericity"),)

    def _predict(self, events: Events) -> NDArray[Any]:
        return np.asarray(sphericity(events.x, image_geometry(events.schema)))
