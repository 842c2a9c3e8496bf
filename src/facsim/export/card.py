"""The card that travels with an exported model: what goes in, what comes out, where it may be used, how good it is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.models.base import EventModel
from facsim.models.checkpoint import count_parameters

FORMAT = "facsim-card-1"


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def make_card(
    model: EventModel,
    name: str,
    graph: Path,
    train_cond: NDArray[Any],
    scores: list[Mapping[str, Any]],
    provenance: Mapping[str, Any],
) -> dict[str, Any]:
    """Card of the graph `graph` exported from `model`, registered as `name`.

    Args:
        train_cond: conditions of the training events (N, K); their ranges are where the model may be used.
        scores: entries of the scorecard to carry along.
        provenance: versions, seed, origin of the training events.
    """
    schema = model.schema
    noise = [
        {"name": key, "shape": ["batch", *spec.shape[1:]], "distribution": spec.distribution, "dtype": "float32"}
        for key, spec in model.noise_spec(1).items()
    ]
    ranges = [
        {"name": c.name, "unit": c.unit, "min": float(np.min(column)), "max": float(np.max(column))}
        for c, column in zip(schema.conditions, np.asarray(train_cond).T, strict=True)
    ]
    return {
        "format": FORMAT,
        "model": name,
        "options": model.options.model_dump(),
        "graph": {"file": graph.name, "sha256": sha256(graph), "bytes": graph.stat().st_size},
        "inputs": {
            "condition": {"shape": ["batch", len(ranges)], "dtype": "float32", "columns": ranges},
            "noise": noise,
        },
        "output": {
            "name": "events",
            "shape": ["batch", *_event_shape(model)],
            "dtype": "float32",
            "unit": schema.features[0].unit,
            "order": "radius fastest, then azimuth, then layer",
        },
        "training_range": ranges,
        "parameters": count_parameters(model),
        "schema": schema.to_dict(),
        "scores": [dict(score) for score in scores],
        "provenance": dict(provenance),
    }


def _event_shape(model: EventModel) -> list[int]:
    geometry = model.schema.geometry
    return [geometry.n_cells, len(model.schema.features)] if geometry is not None else [len(model.schema.features)]
