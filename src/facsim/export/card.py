"""The card that travels with an exported model: what goes in, what comes out, where it may be used, how good it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.geometry import CylinderGeometry
from facsim.core.guard import sha256
from facsim.core.schema import Schema
from facsim.metrics.domain import FEWEST, KEPT, ConditionDomain
from facsim.models.base import EventModel
from facsim.models.checkpoint import count_parameters
from facsim.models.predictor import Predictor

__all__ = [
    "FORMAT",
    "describe_model",
    "describe_predictor",
    "file_facts",
    "make_card",
    "sha256",
    "training_domain",
    "training_range",
]

FORMAT = "facsim-card-1"
KEPT_EACH = 300
"""Training conditions in a card for each column, at most."""


def make_card(
    model: EventModel | Predictor,
    name: str,
    graph: Path | None,
    train_cond: NDArray[Any],
    scores: Sequence[Mapping[str, Any]],
    provenance: Mapping[str, Any],
) -> dict[str, Any]:
    """Card of `model`, registered as `name`, and of the graph `graph` exported from it, if there is one.

    Args:
        train_cond: conditions of the training events (N, K); they say where the model may be used: ranges, and the
            domain that they fill (`metrics.domain`).
        scores: entries of the scorecard to carry along.
        provenance: versions, seed, origin of the training events.
    """
    ranges = training_range(model.schema, train_cond)
    return {
        **_described(model, name, ranges),
        "domain": training_domain(model.schema, train_cond),
        **({} if graph is None else {"graph": file_facts(graph)}),
        "scores": [dict(score) for score in scores],
        "provenance": dict(provenance),
    }


def training_range(schema: Schema, train_cond: NDArray[Any]) -> list[dict[str, Any]]:
    """Name, unit, least and greatest value of every condition of the training events (N, K)."""
    return [
        {"name": c.name, "unit": c.unit, "min": float(np.min(column)), "max": float(np.max(column))}
        for c, column in zip(schema.conditions, np.asarray(train_cond).T, strict=True)
    ]


def training_domain(schema: Schema, train_cond: NDArray[Any]) -> dict[str, Any] | None:
    """The domain of the conditions of the training events (N, K) that are no given points; None without any, or with
    too few events."""
    names = [feature.name for feature in schema.scalar_conditions]
    if not names or len(train_cond) < FEWEST:
        return None
    return ConditionDomain.fit(
        schema.scalars(train_cond), names, seed=0, kept=min(KEPT, KEPT_EACH * len(names))
    ).to_dict()


def file_facts(path: Path) -> dict[str, Any]:
    """Name, SHA-256 and size of a file that a card belongs to."""
    return {"file": path.name, "sha256": sha256(path), "bytes": path.stat().st_size}


def describe_model(model: EventModel, name: str, ranges: list[dict[str, Any]]) -> dict[str, Any]:
    """What every card says of a model registered as `name`: inputs, output, units, axis order, training range."""
    schema = model.schema
    noise = [
        {"name": key, "shape": ["batch", *spec.shape[1:]], "distribution": spec.distribution, "dtype": "float32"}
        for key, spec in model.noise_spec(1).items()
    ]
    return {
        "format": FORMAT,
        "model": name,
        "options": model.options.model_dump(),
        "inputs": {
            "condition": {
                "shape": ["batch", len(ranges)],
                "dtype": "float32",
                "columns": ranges,
                **({"given_points": schema.given} if schema.given else {}),
            },
            "noise": noise,
        },
        "output": {
            "name": "events",
            "shape": ["batch", *model.event_shape],
            "dtype": "float32",
            "unit": schema.features[0].unit,
            "columns": _columns(schema),
            "order": _order(schema),
        },
        "training_range": ranges,
        "parameters": count_parameters(model),
        "schema": schema.to_dict(),
    }


def _described(model: EventModel | Predictor, name: str, ranges: list[dict[str, Any]]) -> dict[str, Any]:
    if isinstance(model, Predictor):
        return describe_predictor(model, name, ranges)
    return describe_model(model, name, ranges)


def describe_predictor(model: Predictor, name: str, ranges: list[dict[str, Any]]) -> dict[str, Any]:
    """The same of a predictor: the events that go in, and the columns of what it says of them."""
    schema = model.schema
    features = len(schema.features)
    cells = [] if schema.representation == "table" else ["points"]
    shape = ["batch", *(cells if schema.geometry is None else [schema.geometry.n_cells]), features]
    columns = {"shape": ["batch", len(ranges)], "dtype": "float32", "columns": ranges}
    return {
        "format": FORMAT,
        "model": name,
        "options": model.options.model_dump(),
        "inputs": {
            "events": {"shape": shape, "dtype": "float32", "columns": _columns(schema), "order": _order(schema)},
            **({"condition": columns} if model.conditional else {}),
        },
        "output": {
            "name": "scores",
            "shape": ["batch", len(model.outputs)],
            "dtype": "float32",
            "columns": [{"name": feature.name, "unit": feature.unit} for feature in model.outputs],
        },
        "training_range": ranges,
        "parameters": count_parameters(model),
        "schema": schema.to_dict(),
    }


def _columns(schema: Schema) -> list[dict[str, str]]:
    """The last axis of the output."""
    columns = [{"name": feature.name, "unit": feature.unit} for feature in schema.features]
    return [*columns, {"name": "present", "unit": ""}] if schema.representation == "cloud" else columns


def _order(schema: Schema) -> str:
    """The axis before the columns."""
    if schema.representation == "table":
        return "none: one row an event"
    if schema.representation == "cloud":
        return "points that are there first; all columns of others are 0"
    round_cells = isinstance(schema.geometry, CylinderGeometry)
    return "radius fastest, then azimuth, then layer" if round_cells else "cells as in the schema's geometry"
