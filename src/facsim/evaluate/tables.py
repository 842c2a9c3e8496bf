"""Everything about a sample of a table against truth: each observable, all of them together, and single events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim import metrics
from facsim.core.arrays import to_numpy
from facsim.core.errors import FacsimError
from facsim.metrics._samples import check_features
from facsim.metrics.score import Score
from facsim.metrics.testing import ObservableTest, compare_observables
from facsim.metrics.validity import Validity, validity
from facsim.physics.observables import strict_bins

FloatArray = NDArray[np.float64]
Observables = Mapping[str, Callable[[FloatArray], FloatArray]]
"""Name to a function from events (N, D) to values (N,)."""

FEWEST_FOR_CLASSIFIER = 200


@dataclass(frozen=True)
class TableScores:
    """Scores of a sample; `tests` are the observables' own, corrected for their number."""

    scores: list[Score]
    tests: list[ObservableTest]
    validity: Validity

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "format": "facsim-table-scores-1",
            "scores": [score.to_dict() for score in self.scores],
            "tests": [vars(test) for test in self.tests],
            "validity": str(self.validity),
            "valid": self.validity.ok,
        }


def column_observables(names: list[str] | tuple[str, ...]) -> Observables:
    """The generic set of a table: each column by its name."""

    def column(k: int) -> Callable[[FloatArray], FloatArray]:
        return lambda x: x[:, k]

    return {name: column(k) for k, name in enumerate(names)}


def score_table(
    reference: Any,
    candidate: Any,
    *,
    null: Any | None = None,
    names: list[str] | tuple[str, ...] | None = None,
    observables: Observables | None = None,
    training: Any | None = None,
    seed: int = 0,
    conditions: int = 0,
    classifier_from: int = FEWEST_FOR_CLASSIFIER,
) -> TableScores:
    """Score a generated table.

    W1, separation power (30 bins of equal content of the reference) and Kolmogorov-Smirnov of each observable; FPD,
    KPD, energy distance, sliced W1, correlations, precision, recall, density, coverage and the classifier test of all
    of them together; validity of the events as they are.

    Args:
        reference: truth (N, D), candidate: to judge (M, D).
        null: a second truth sample, disjoint from the reference.
        names: of the columns, by default `x0`, `x1`, ...
        observables: further ones, a function each; they join the columns.
        training: the events that the generator was made from, for the search for copies.
        seed: of every random choice.
        conditions: so many of the first columns are conditions: they are no observables themselves, but enter what is
            said of all columns together, and the classifier knows that the others depend on them.
        classifier_from: events a sample from which there is a classifier test.

    Raises:
        FacsimError: shapes that do not fit, a reference or null that is not finite, names that do not fit.
    """
    x, y = (np.asarray(to_numpy(s), dtype=np.float64) for s in (reference, candidate))
    looked_at = validity(x, y, training, seed=seed)
    y = y[np.isfinite(y).all(axis=1)]
    named = [f"x{k}" for k in range(x.shape[1])] if names is None else list(names)
    if observables is not None and not isinstance(observables, Mapping):
        raise FacsimError("further observables are a dictionary of names to functions of the events.")
    clash = sorted(set(named) & set(observables or {}))
    if clash:
        raise FacsimError(f"observables {clash} are columns already; give them names of their own.")
    if len(named) != x.shape[1] or len(set(named) | set(observables or {})) != len(named) + len(observables or {}):
        raise FacsimError(f"a table of {x.shape[1]} columns needs as many different names, not {named}.")
    every = {**column_observables(named), **(observables or {})}
    z = None if null is None else check_features(x, to_numpy(null))[1]
    of_x, of_y = _features(every, x), _features(every, y)
    of_z = None if z is None else _features(every, z)
    own = slice(conditions, None)
    scores = [
        *_single(list(every)[own], of_x[:, own], of_y[:, own], None if of_z is None else of_z[:, own], seed),
        *_joint(of_x, of_y, of_z, seed, conditions, classifier_from),
    ]
    return TableScores(scores, compare_observables(of_x[:, own], of_y[:, own], list(every)[own]), looked_at)


def _features(observables: Observables, x: FloatArray) -> FloatArray:
    columns = []
    for name, function in observables.items():
        values = np.asarray(function(x), dtype=np.float64)
        if values.shape != (len(x),):
            raise FacsimError(f"observable '{name}' gave shape {values.shape} for {len(x)} events, not ({len(x)},).")
        if not np.isfinite(values).all():
            raise FacsimError(f"observable '{name}' gave values that are not finite for finite events; mend it.")
        columns.append(values)
    return np.column_stack(columns)


def _single(names: list[str], x: FloatArray, y: FloatArray, z: FloatArray | None, seed: int) -> list[Score]:
    found = []
    for k, name in enumerate(names):
        null = None if z is None else z[:, k]
        for score in (
            metrics.w1(x[:, k], y[:, k], null=null, normalise=bool(np.ptp(x[:, k]) > 0)),
            metrics.separation(x[:, k], y[:, k], strict_bins(x[:, k]), null=null, seed=seed),
            metrics.ks(x[:, k], y[:, k], null=null),
        ):
            found.append(_renamed(score, f"{score.name}/{name}"))
    return found


def _joint(
    x: FloatArray, y: FloatArray, z: FloatArray | None, seed: int, conditions: int, classifier_from: int
) -> list[Score]:
    functions: list[Callable[..., Score]] = [metrics.fpd, metrics.kpd, metrics.energy_distance, metrics.sliced_w1]
    if x.shape[1] > 1:
        functions.append(metrics.correlations)
    if min(len(x), len(y)) >= classifier_from:
        functions.append(partial(metrics.c2st, conditions=conditions))
    scores = [function(x, y, null=z, seed=seed) for function in functions]
    return [*scores, *metrics.prdc(x, y, null=z).values()]


def _renamed(score: Score, name: str) -> Score:
    return Score(**{**vars(score), "name": name})
