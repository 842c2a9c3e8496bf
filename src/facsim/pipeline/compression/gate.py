"""Whether a compressed model is good enough: its scores beside those of the original, and beside values asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from facsim.core.errors import FacsimError

Json = dict[str, Any]
WATCHED = ("auc_high", "auc_cells", "fpd")
"""Scores that are compared with the original's, as far as they are there: few, since each may fail by chance."""
NO_SCORE = 1e9
"""Sigma of what is worse beyond any error, or cannot be scored."""
MISSING = dict.fromkeys(("value", "error", "null", "null_error"))


@dataclass(frozen=True)
class Limits:
    """What is allowed.

    Args:
        within: no watched score may be worse than the original's by more than so many sigma of both errors together;
            None for as bad as may be.
        at_least: values by score that must be reached, `name` or `name@region`.
    """

    within: float | None = 1.0
    at_least: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> Json:
        """JSON-ready mapping."""
        return {"within": self.within, "at_least": dict(self.at_least)}


def limits(within: float | None, at_least: Sequence[str]) -> Limits:
    """Limits from `"auc_high=0.6"` and the like.

    Raises:
        FacsimError: text of another form, or sigmas that are negative or no number.
    """
    if within is not None and not within >= 0:
        raise FacsimError(f"--within takes a number of sigma, at least 0 (inf for no limit), not {within:g}.")
    values = {}
    for text in at_least:
        name, _, value = text.partition("=")
        try:
            values[name.strip()] = float(value)
        except ValueError:
            values[name.strip()] = math.nan
        if not math.isfinite(values[name.strip()]):
            raise FacsimError(f"'--at-least {text}' should look like '--at-least auc_high=0.6'.")
    return Limits(None if within is None or math.isinf(within) else within, values)


def compared(scores: Sequence[Json], original: Sequence[Json], names: Sequence[str]) -> Json:
    """Scores `names` beside the original's: value, error, null and how many sigma of both errors they are worse.

    Raises:
        FacsimError: the original's is of a protocol by which nothing else was scored.
    """
    found = {}
    for name in names:
        known = find_score(original, name)
        if known is None:
            continue
        own = find_score(scores, name, known["protocol"])
        base = {"protocol": known["protocol"], "better": known["better"], "original": known["value"]}
        base |= {"original_error": known["error"]}
        if own is None:
            _check_protocol(scores, name, known["protocol"])
            found[name] = {**MISSING, **base, "sigma": NO_SCORE}
            continue
        row = {key: own[key] for key in MISSING}
        found[name] = {**row, **base, "sigma": _sigma(own, known)}
    return found


def _check_protocol(scores: Sequence[Json], name: str, protocol: str) -> None:
    """Refuse `scores` that have `name` by other protocols alone."""
    others = sorted({row["protocol"] for row in _rows(scores, name)})
    if others and protocol not in others:
        raise FacsimError(
            f"'{name}' of the original is scored by the protocol '{protocol}', of the compressed model by {others}: "
            "run facsim evaluate --force, then facsim compress again."
        )


def watched(original: Sequence[Json], wanted: Mapping[str, float]) -> list[str]:
    """Names of the scores that are looked at: `WATCHED` and those of which a value is asked for.

    Raises:
        FacsimError: a score that the scorecard has not.
    """
    names = [name for name in WATCHED if find_score(original, name) is not None]
    for name in wanted:
        if find_score(original, name) is None:
            known = sorted({row["name"] for row in original if row["value"] is not None})
            raise FacsimError(
                f"the scorecard has no score '{name}': expected one of {known}, with @ and a region for a part of it."
            )
    return list(dict.fromkeys([*names, *wanted]))


def find_score(scores: Sequence[Json], name: str, protocol: str | None = None) -> Json | None:
    """The score `name` or `name@region` that has a value: by `protocol`, if none is named by facsim's own first."""
    rows = [row for row in _rows(scores, name) if row["value"] is not None and protocol in (None, row["protocol"])]
    return min(rows, key=lambda row: row["protocol"] != "strict", default=None)


def _rows(scores: Sequence[Json], name: str) -> list[Json]:
    base, _, region = name.partition("@")
    return [row for row in scores if row["name"] == base and row["region"] == (region or "all")]


def failures(rows: Json, allowed: Limits) -> list[str]:
    """What of `rows`, as of `compared`, is not allowed, in words."""
    found = []
    for name, row in rows.items():
        if row["value"] is None:
            if name in allowed.at_least or allowed.within is not None:
                found.append(f"{name} has no value")
            continue
        told, sigma = f"{name} {_told(row['value'], row['error'])}", row["sigma"]
        if name in WATCHED and allowed.within is not None and sigma > allowed.within:
            of = _told(row["original"], row["original_error"])
            worse = f"{sigma:.1f} sigma worse" if sigma < NO_SCORE else "worse, both without errors,"
            found.append(f"{told} instead of {of}, {worse} where {allowed.within:g} are allowed")
        if name in allowed.at_least and _worse(row, row["value"], allowed.at_least[name]) > 0:
            found.append(f"{told} where {allowed.at_least[name]:g} was asked for")
    return found


def _worse(row: Json, value: float, than: float) -> float:
    """How much worse `value` is `than` another one."""
    if row["better"] == "higher":
        return than - value
    null = row["null"] if row["better"] == "null" and row["null"] is not None else None
    return value - than if null is None else abs(value - null) - abs(than - null)


def _sigma(own: Json, known: Json) -> float:
    worse, error = _worse(own, own["value"], known["value"]), math.hypot(own["error"] or 0, known["error"] or 0)
    if error > 0:
        return worse / error
    return 0.0 if worse <= 0 else NO_SCORE  # without errors any loss is one


def _told(value: float, error: float | None) -> str:
    return f"{value:.4g}" + (f" ± {error:.2g}" if error else "")
