"""Tables of no task: each column is a quantity, conditions stay conditions, values that occur exactly are marked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import Events
from facsim.core.geometry import FloatArray
from facsim.evaluate.physics import TaskPhysics
from facsim.physics.quantity import Quantity

WIDE = 20.0
FREQUENT = 0.01
MOST_ATOMS = 20
SHIFT, MOVED = 0.1, 0.1


class TablePhysics(TaskPhysics):
    """Quantities of any table.

    Args:
        truth: events that say which columns there are, which of their values and ties occur exactly (in at least 1 %
            of the events), and which conditions span decades.

    Raises:
        FacsimError: no table, or one without columns.
    """

    distortion = f"columns + {SHIFT} sigma, {100 * MOVED:g} % of discrete values moved on"

    def __init__(self, truth: Events) -> None:
        schema = truth.schema
        self._names = [feature.name for feature in schema.features]
        self.quantities = tuple(Quantity(f.name, f.name, f.unit) for f in schema.features)  # type: ignore[misc]
        self.region = schema.conditions[0].name if schema.conditions else ""  # type: ignore[misc]
        self.check(truth)
        x, cond = (np.asarray(part, dtype=np.float64) for part in (truth.x, truth.cond))
        self._atoms = _atoms(x)
        columns = range(x.shape[1])
        self._ties = [(i, j) for i in columns for j in columns[i + 1 :] if _frequent(x[:, i] == x[:, j])][:MOST_ATOMS]
        low, high = cond.min(axis=0, initial=np.inf), cond.max(axis=0, initial=-np.inf)
        self._wide = (low > 0) & (high > WIDE * low)

    def observe(self, events: Events) -> FloatArray:
        return np.asarray(events.x, dtype=np.float64)

    def features(self, events: Events, values: FloatArray) -> FloatArray:
        """The columns, and marks of frequent values and ties: classifiers take the smooth dependence on the conditions
        out of each column, and an exact value with it."""
        atoms = [values[:, k] == value for k, value in self._atoms]
        return np.column_stack([values, *atoms, *(values[:, i] == values[:, j] for i, j in self._ties)])

    def conditions(self, cond: NDArray[Any]) -> FloatArray:
        found = np.array(cond, dtype=np.float64)
        found[:, self._wide] = np.log10(np.maximum(found[:, self._wide], np.finfo(np.float64).tiny))
        return found

    def distorted(self, events: Events) -> Events:
        """A tenth of the spread on each continuous column; of discrete ones every tenth event at the next value."""
        x = np.array(events.x, dtype=np.float64)
        for k, column in enumerate(x.T):
            levels = np.unique(column)
            if len(levels) > 0.5 * len(column):
                x[:, k] += SHIFT * column.std()
            elif len(levels) > 1:
                some = np.arange(len(column)) % round(1 / MOVED) == 0
                x[some, k] = levels[np.minimum(np.searchsorted(levels, column[some]) + 1, len(levels) - 1)]
        return replace(events, x=x)

    def check(self, events: Events) -> None:
        names = [feature.name for feature in events.schema.features]
        if events.schema.representation != "table" or not names or names != self._names:
            raise FacsimError(
                f"columns are compared of tables alone, and these events are a {events.schema.representation} of "
                f"{names}."
            )


def _frequent(hits: NDArray[np.bool_]) -> bool:
    return bool(FREQUENT <= hits.mean() < 1) if len(hits) else False


def _atoms(x: FloatArray) -> list[tuple[int, float]]:
    """Column and value of what occurs in at least 1 % of the events, the most frequent first."""
    found: list[tuple[int, int, float]] = []
    for k, column in enumerate(x.T):
        values, counts = np.unique(column, return_counts=True)
        often = (counts >= max(FREQUENT * len(column), 2)) & (counts < len(column))
        found += [(int(-count), k, float(value)) for value, count in zip(values[often], counts[often], strict=True)]
    return [(k, value) for _, k, value in sorted(found)[:MOST_ATOMS]]
