"""Scorecards of several samples side by side, and which is best where the difference is more than chance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]

CLEAR = 2.0
"""Combined standard errors by which the best has to be ahead of the second best."""
KEPT = ("value", "error", "z", "status", "n_generated")


def compare_scores(cards: Mapping[str, Json], judged: Sequence[str]) -> list[Json]:
    """One row a score: every sample's value and error, truth against truth, and which of `judged` is best.

    Args:
        cards: scorecards (`scores/<name>.json`) by the name of their sample, all against the same truth.
        judged: the samples among which the best is sought; the others, such as baselines, stand beside.

    Returns:
        JSON-ready rows with `name`, `protocol`, `region`, `better`, `null`, `null_error`, `values` by sample, and
        `best`: the sample that is ahead of all others of `judged` by two combined standard errors, else None.
    """
    rows: dict[tuple[str, str, str], dict[str, Json]] = {}
    for sample, card in cards.items():
        for row in card.get("scores", []):
            rows.setdefault((row["name"], row["protocol"], row["region"]), {})[sample] = row
    return [_row(key, found, judged) for key, found in rows.items()]


def _row(key: tuple[str, str, str], found: Mapping[str, Json], judged: Sequence[str]) -> Json:
    first = next((row for row in found.values() if row.get("null") is not None), next(iter(found.values())))
    return {
        **dict(zip(("name", "protocol", "region"), key, strict=True)),
        **{name: first.get(name) for name in ("better", "null", "null_error")},
        "values": {sample: {name: row.get(name) for name in KEPT} for sample, row in found.items()},
        "best": best_of({sample: found[sample] for sample in judged if sample in found}),
    }


def best_of(rows: Mapping[str, Json]) -> str | None:
    """The sample whose score is clearly the best, None where that could be chance.

    The best has to be ahead of the second best by `CLEAR` combined standard errors, taken as independent: all samples
    are compared with the same truth, which makes the true error of a difference smaller, not larger. A score that
    failed or has no value loses; where a test is underpowered, or no error is known, nothing is best.

    Args:
        rows: rows of one score, by sample.
    """
    if any(row.get("status") == "underpowered" for row in rows.values()):
        return None
    usable = [(badness(row), float(row.get("error") or 0.0), name) for name, row in rows.items() if _counts(row)]
    if len(usable) < 2:
        return None
    (best, error, name), *others = sorted(usable)
    second, other_error, _ = others[0]
    spread = math.hypot(error, other_error)
    return name if spread > 0 and second - best >= CLEAR * spread else None


def _counts(row: Json) -> bool:
    return row.get("value") is not None and row.get("status", "ok") in ("ok", "capped")


def badness(row: Json) -> float:
    """A number that is lower where the score is better."""
    value = float(row["value"])
    if row.get("better") == "null":
        return abs(value - float(row["null"] or 0.0))
    return -value if row.get("better") == "higher" else value


def quickest(times: Mapping[str, Json]) -> str | None:
    """The sampler whose slow calls are faster than the fast calls of all others (68 % ranges), else None.

    Of a single call there is no range, and none is the fastest.

    Args:
        times: rows of a timing with `low` and `high`, by sampler.
    """
    if len(times) < 2 or any(row["low"] >= row["high"] for row in times.values()):
        return None
    name = min(times, key=lambda key: times[key]["ms_per_shower"])
    return name if all(times[name]["high"] < row["low"] for key, row in times.items() if key != name) else None
