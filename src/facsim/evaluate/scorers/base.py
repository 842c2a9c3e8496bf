"""The interface of baseline scores: options, a fit on background, numbers for each event."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import Events, EventSource
from facsim.core.schema import Feature, Schema

FloatArray = NDArray[np.float64]
Learns = Literal["nothing", "background", "labels"]


@dataclass(kw_only=True)
class Scorer(ABC):
    """A score of anomaly; subclasses are dataclasses whose fields are the options. More is more unusual.

    `learns` says what `fit` reads: `nothing` but the schema, the `background`'s events, or `labels`, background and
    signal. `outputs` are the columns of `predict`, known after the fit; the first is the one that counts, and its name
    tells what was taken.

    Example:
        >>> scorer = find_scorer("neighbours").made(k=10).fit(background, None, seed=1)
        >>> scores = scorer.predict(events)[:, 0]
    """

    name: ClassVar[str]
    learns: ClassVar[Learns]
    schema: Schema | None = field(default=None, init=False, repr=False, compare=False)
    outputs: tuple[Feature, ...] = field(default=(), init=False, repr=False, compare=False)

    @classmethod
    def made(cls, **options: Any) -> Self:
        """The scorer with these options, not fitted yet.

        Raises:
            FacsimError: an unknown option, or a value that cannot be.
        """
        known = sorted(f.name for f in fields(cls) if f.init)
        unknown = sorted(set(options) - set(known))
        if unknown:
            raise FacsimError(f"the scorer '{cls.name}' has no option {unknown}; it has {known}.")
        return cls(**options)

    def fit(self, background: EventSource, signal: EventSource | None, seed: int) -> Self:
        """A copy of this scorer made ready; what is learnt is read in chunks.

        Args:
            background: events of background. signal: events of all signals; read only by what learns labels.
            seed: of every random draw.

        Raises:
            FacsimError: events that the scorer does not take, no background, or no signal where labels are learnt.
        """
        if self.learns != "nothing" and len(background) == 0:
            raise FacsimError(f"the scorer '{self.name}' learns from background, and there is none.")
        if self.learns == "labels" and (signal is None or len(signal) == 0):
            raise FacsimError(f"the scorer '{self.name}' learns labels and needs events of signal: give some.")
        fitted = copy.copy(self)
        fitted.schema = background.schema
        fitted.outputs = fitted._fit(background, signal, seed)
        return fitted

    def predict(self, events: Events) -> FloatArray:
        """Outputs (N, D) of events.

        Raises:
            FacsimError: the scorer is not fitted, or the events are of another kind than those of the fit.
        """
        if self.schema is None:
            raise FacsimError(f"the scorer '{self.name}' is not fitted yet: call fit first.")
        if events.schema != self.schema:
            raise FacsimError(
                f"the scorer '{self.name}' was fitted on events with other cells, features or conditions than those "
                "to be scored."
            )
        return np.asarray(self._predict(events), dtype=np.float64).reshape(len(events), len(self.outputs))

    @abstractmethod
    def _fit(self, background: EventSource, signal: EventSource | None, seed: int) -> tuple[Feature, ...]:
        """Learn in place; return the outputs."""

    @abstractmethod
    def _predict(self, events: Events) -> NDArray[Any]:
        """Outputs (N, D), or (N,) where there is one."""


def has_condition(schema: Schema, name: str) -> bool:
    """Whether events have the condition `name`."""
    return any(feature.name == name for feature in schema.conditions)


def check_whole(scorer: str, option: str, value: object, least: int) -> None:
    """Refuse an option that is not a whole number of at least `least`.

    Raises:
        FacsimError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise FacsimError(f"the scorer '{scorer}' needs {option} to be a whole number >= {least}, not {value!r}.")


def check_positive(scorer: str, what: str, value: object) -> None:
    """Refuse an option, called `what`, that is not a number above 0.

    Raises:
        FacsimError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise FacsimError(f"the scorer '{scorer}' needs {what} above 0, not {value!r}.")
