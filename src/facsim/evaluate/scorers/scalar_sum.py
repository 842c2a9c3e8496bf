"""The scalar sum of transverse energy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.events import Events, EventSource
from facsim.core.schema import Feature
from facsim.evaluate.scorers.base import Scorer, has_condition
from facsim.physics.image_features import image_geometry

CONDITION = "ht"


@dataclass(kw_only=True)
class ScalarSum(Scorer):
    """The condition `ht`; of images without it, `sum` over all cells and channels."""

    name = "scalar-sum"
    learns = "nothing"

    def _fit(self, background: EventSource, signal: EventSource | None, seed: int) -> tuple[Feature, ...]:
        schema = background.schema
        if has_condition(schema, CONDITION):
            return (schema.conditions[schema.condition_index(CONDITION)],)
        image_geometry(schema)
        return (Feature("sum", schema.features[0].unit),)

    def _predict(self, events: Events) -> NDArray[Any]:
        if has_condition(events.schema, CONDITION):
            return events.condition(CONDITION)
        return np.asarray(events.x.sum(axis=(1, 2), dtype=np.float64))
