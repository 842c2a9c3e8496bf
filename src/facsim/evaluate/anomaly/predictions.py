"""Predictions on disk: a table of outputs, the events' conditions, and which sample each event is of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import EventSource
from facsim.core.schema import Feature, Schema
from facsim.physics.pseudo_signals import PSEUDO_SIGNALS

FloatArray = NDArray[np.float64]
PART = "part"
VALIDATION, REFERENCE, NULL = "validation", "reference", "null"
PARTS = (VALIDATION, REFERENCE, NULL, *PSEUDO_SIGNALS)
"""What the number in the column `part` stands for: three splits of truth, and kinds of changed background."""


def prediction_schema(truth: Schema, outputs: Sequence[Feature], provenance: dict[str, Any]) -> Schema:
    """Of a table of `outputs` for events of the schema `truth`, whose conditions (given points apart) it keeps."""
    conditions = (*truth.scalar_conditions, Feature(PART))
    return Schema("table", tuple(outputs), conditions, None, {**provenance, "parts": list(PARTS)})


@dataclass(frozen=True)
class Predictions:
    """What one predictor said of all events.

    Attributes:
        schema: of the table. outputs: (N, D). cond: conditions without `part`, (N, K).
        part: place in `PARTS`, (N,). event_id: (N,). weight: (N,), ones where events have none.
    """

    schema: Schema
    outputs: FloatArray
    cond: FloatArray
    part: NDArray[np.int64]
    event_id: NDArray[np.int64]
    weight: FloatArray

    @property
    def names(self) -> list[str]:
        """Of the outputs."""
        return [feature.name for feature in self.schema.features]

    @property
    def one_sided(self) -> bool:
        """Whether more of an output is known to be more unusual."""
        return bool(self.schema.provenance.get("one_sided", False))

    def of(self, *parts: str) -> NDArray[np.bool_]:
        """Events (N,) of the samples `parts`."""
        return np.isin(self.part, [PARTS.index(part) for part in parts])


def read_predictions(source: EventSource) -> Predictions:
    """The table in `source`.

    Raises:
        FacsimError: it holds no predictions, or some that are not finite.
    """
    names = [feature.name for feature in source.schema.conditions]
    if source.schema.representation != "table" or not names or names[-1] != PART:
        raise FacsimError("the file holds no predictions: let facsim sample write them.")
    events = source.read(0, len(source))
    outputs = np.asarray(events.x, dtype=np.float64)
    if not np.isfinite(outputs).all():
        row, column = np.argwhere(~np.isfinite(outputs))[0]
        raise FacsimError(
            f"the output '{source.schema.features[column].name}' of event {events.event_id[row]} is not finite: the "
            "training has failed, or the event is broken."
        )
    weight = np.ones(len(events)) if events.weight is None else np.asarray(events.weight, dtype=np.float64)
    cond = np.asarray(events.cond, dtype=np.float64)
    return Predictions(source.schema, outputs, cond[:, :-1], cond[:, -1].astype(int), events.event_id, weight)
