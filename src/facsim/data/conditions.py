"""Which of a file's columns are conditions, and the kind of the jets of several files as one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.events import Array, Events, EventSource, Labels
from facsim.core.schema import Feature, Schema
from facsim.core.sources import block_rows, read_labels
from facsim.data.jetnet import kind_of_file
from facsim.physics.jet_schema import KIND, is_jets

TYPE = "type"


class ConditionsSource:
    """`EventSource` over another whose conditions are the `names`, in that order; the other ones are dropped.

    Given points (`Schema.given`) are no conditions to choose from: they stay, as the last ones.

    Args:
        source: the events.
        names: conditions of the source, or keys of `constants`.
        constants: further conditions that have the same value for all events.

    Raises:
        FacsimError: a name that is neither, or one given twice.
    """

    def __init__(self, source: EventSource, names: Sequence[str], constants: Mapping[str, float] | None = None) -> None:
        self.source, self._constants = source, dict(constants or {})
        scalars = source.schema.scalar_conditions
        known = {feature.name: feature for feature in scalars}
        known |= {name: Feature(name) for name in self._constants}
        unknown = [name for name in names if name not in known]
        if unknown:
            raise FacsimError(f"the events have no condition '{unknown[0]}'; they have {list(known)}.")
        if len(set(names)) != len(names):
            raise FacsimError(f"each condition may be named once, not {list(names)}.")
        self._names = list(names)
        points = source.schema.conditions[len(scalars) :]
        self._schema = replace(source.schema, conditions=(*(known[name] for name in names), *points))

    @property
    def schema(self) -> Schema:
        return self._schema

    @property
    def block_rows(self) -> int:
        """Events that the source decompresses together."""
        return block_rows(self.source)

    def __len__(self) -> int:
        return len(self.source)

    def read(self, start: int, stop: int) -> Events:
        """Events `start` to `stop` (exclusive)."""
        events = self.source.read(start, stop)
        return replace(events, schema=self._schema, cond=self._chosen(events.cond))

    def labels(self) -> Labels:
        """Conditions, ids and weights of all events."""
        labels = read_labels(self.source)
        return replace(labels, cond=self._chosen(labels.cond))

    def _chosen(self, cond: Array) -> Array:
        scalars = self.source.schema.scalar_conditions
        index = {feature.name: i for i, feature in enumerate(scalars)}
        columns = [
            np.full(len(cond), self._constants[name]) if name in self._constants else cond[:, index[name]]
            for name in self._names
        ]
        return np.column_stack([np.zeros((len(cond), 0)), *columns, cond[:, len(scalars) :]])


def with_conditions(paths: Sequence[Path], sources: Sequence[EventSource], names: Sequence[str]) -> list[EventSource]:
    """Each file's events with the conditions `names`; `type` stands for the kind of jets, as one-hot columns `is_...`.

    The kind is a condition of the file, as `is_...`, or else said by the file's name; files of one kind get no columns.

    Raises:
        FacsimError: a condition that a file lacks, or a name that says no kind.
    """
    if TYPE not in names:
        return [ConditionsSource(source, names) for source in sources]
    own = [[f.name for f in source.schema.conditions if f.name.startswith(KIND)] for source in sources]
    for source, path in zip(sources, paths, strict=True):
        if not is_jets(source.schema):
            raise FacsimError(f"'{path}' holds no jets: only they have the condition '{TYPE}'.")
    place = list(names).index(TYPE)
    before, after = list(names[:place]), list(names[place + 1 :])
    if any(own):
        return [ConditionsSource(source, [*before, *kinds, *after]) for source, kinds in zip(sources, own, strict=True)]
    kinds = [kind_of_file(path, source.schema) for path, source in zip(paths, sources, strict=True)]
    found = sorted(set(kinds))
    columns = [KIND + kind for kind in found] if len(found) > 1 else []
    return [
        ConditionsSource(
            source, [*before, *columns, *after], {column: float(column == KIND + kind) for column in columns}
        )
        for source, kind in zip(sources, kinds, strict=True)
    ]
