"""What lists show of a model, from its card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

HEADLINES = ("auc_high", "auc", "fpd", "w1m_etarel")
"""Scores by which a model is known, the first that its card has; else the first of all."""
SHOWN = ("name", "protocol", "value", "error", "null", "null_error", "region")


def summarise(card: Mapping[str, Any]) -> dict[str, Any]:
    """Representation, events, conditions with ranges, and the headline score (None where there is none) of a card."""
    schema, output = card["schema"], card["output"]
    geometry = schema.get("geometry") or {}
    if "inputs" in card and "events" in card["inputs"]:
        events = f"scores of {schema['representation']} events: {_names(output['columns'])}"
    elif schema["representation"] == "grid":
        events = " ".join(filter(None, [geometry.get("particle"), f"showers in {output['shape'][1]} cells"]))
    elif schema["representation"] == "cloud":
        events = f"up to {output['shape'][1]} points: {_names(output['columns'][:-1])}"
    else:
        events = f"columns {_names(output['columns'])}"
    given = 3 * int(schema.get("given", 0))
    ranges = card["training_range"][: len(card["training_range"]) - given]
    conditions = [{key: row[key] for key in ("name", "unit", "min", "max")} for row in ranges]
    return {
        "representation": str(schema["representation"]),
        "events": events,
        "conditions": conditions,
        "score": headline(card.get("scores", [])),
    }


def headline(scores: list[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The score over all events by which a model is known."""
    rows = [row for row in scores if row.get("region", "all") == "all" and row.get("value") is not None]
    order = {name: place for place, name in enumerate(HEADLINES)}
    best = min(rows, key=lambda row: order.get(row["name"], len(order)), default=None)
    return None if best is None else {key: best.get(key) for key in SHOWN}


def _names(columns: list[Mapping[str, Any]]) -> str:
    names = [str(column["name"]) for column in columns]
    return ", ".join(names if len(names) <= 6 else [*names[:5], f"... ({len(names)})"])
