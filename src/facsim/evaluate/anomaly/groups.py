"""Which events are background, and what kinds of signal are called."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.schema import Schema

BACKGROUND = "background"
FLAG = "is_"
OTHER = "signal"
MOST = 40
NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?")


def selected(schema: Schema, cond: NDArray[Any], values: Mapping[str, float]) -> NDArray[np.bool_]:
    """Events (N,) whose conditions (N, K) have all of `values`.

    Raises:
        FacsimError: there is no such condition.
    """
    found = np.ones(len(cond), dtype=bool)
    for name, value in values.items():
        # files hold single precision, so that 0.1 read back into double precision is not 0.1
        found &= cond[:, schema.condition_index(name)].astype(np.float32) == np.float32(value)
    return found


def group_names(
    schema: Schema, cond: NDArray[Any], background: Mapping[str, float], by: Sequence[str]
) -> NDArray[np.str_]:
    """What each event (N,) is: `background`, or a kind of signal, such as `suep 125 GeV`.

    Args:
        schema: of the events. cond: (N, K). background: see `selected`; empty, all are background.
        by: conditions; those called `is_...` name the events where they are 1, others stand with value and unit.

    Raises:
        FacsimError: a condition that the events have not, or more than 40 kinds.
    """
    names = np.full(len(cond), BACKGROUND, dtype=object)
    signal = ~selected(schema, cond, background)
    columns = [schema.condition_index(name) for name in by]
    values, place = np.unique(cond[signal][:, columns], axis=0, return_inverse=True)
    if len(values) > MOST:
        raise FacsimError(
            f"the conditions {list(by)} have {len(values)} different values together, and at most {MOST} kinds of "
            "signal are judged: name others in 'evaluate.anomaly.signals'."
        )
    features = [schema.conditions[column] for column in columns]
    words = []
    for row in values:
        parts = []
        for feature, value in zip(features, row, strict=True):
            if feature.name.startswith(FLAG):
                parts += [feature.name.removeprefix(FLAG)] if value else []
            else:
                parts.append(f"{value:g} {feature.unit}".strip())
        words.append(" ".join(parts) or OTHER)
    names[signal] = np.array(words, dtype=object)[place.reshape(-1)] if words else OTHER
    return names.astype(str)


def in_order(names: NDArray[np.str_]) -> list[str]:
    """The kinds of signal among `names`, sorted by their words and then by their numbers."""
    return sorted({str(name) for name in names} - {BACKGROUND}, key=_by_number)


def _by_number(name: str) -> tuple[str, list[float]]:
    words = name.split()
    numbers = [float(word) for word in words if NUMBER.fullmatch(word)]
    return " ".join(word for word in words if not NUMBER.fullmatch(word)), numbers
