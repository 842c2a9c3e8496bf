"""Samples for classifier tests: events of one class with conditions, mask, weights and groups, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import Events
from facsim.core.geometry import Geometry

Array = NDArray[Any]
ENERGIES = ("MeV", "GeV", "keV", "TeV")


@dataclass(frozen=True)
class Sample:
    """Events of one class.

    Args:
        x: (N, D) a table; (N, V), (N, V, 1) or (N, L, A, R) a grid; (N, P, F) a cloud.
        cond: what is known before simulation, (N, K); energies as logarithms.
        mask: true where a point is real, (N, P).
        weight: (N,); negative ones only where a test says that it takes them.
        groups: events that depend on one another share a number, (N,).
        geometry: of a grid given as (N, V).
    """

    x: Array
    cond: Array | None = None
    mask: Array | None = None
    weight: Array | None = None
    groups: Array | None = None
    geometry: Geometry | None = None

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: Array) -> Sample:
        parts: dict[str, Any] = {name: value[index] for name, value in self.arrays().items()}
        return replace(self, **parts)

    def arrays(self) -> dict[str, Array]:
        """The arrays that are not None."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "geometry"}
        return {name: value for name, value in values.items() if value is not None}


def as_sample(data: Sample | Events | Array, conditions: int = 0) -> Sample:
    """`data` as a sample: of events conditions in energy units become logarithms, and given points are left out; of a
    plain table the first `conditions` columns are the conditions."""
    if isinstance(data, Sample):
        return data
    if isinstance(data, Events):
        units = [feature.unit for feature in data.schema.scalar_conditions]
        scalars = data.schema.scalars(data.cond)
        columns = [np.log10(c) if u in ENERGIES else c for c, u in zip(scalars.T, units, strict=True)]
        cond = np.column_stack(columns) if columns else None
        return Sample(data.x, cond, data.mask, data.weight, data.group_id, data.schema.geometry)
    x = np.asarray(data)
    if conditions == 0:
        return Sample(x)
    if x.ndim != 2 or not 0 < conditions < x.shape[1]:
        raise FacsimError(f"'conditions' needs a table (N, D) with more than {conditions} columns, not {x.shape}.")
    return Sample(x[:, conditions:], x[:, :conditions])


def join(samples: Sequence[Sample]) -> Sample:
    """The samples one after the other; what only some have is filled in. Groups stay apart between samples.

    Raises:
        FacsimError: shapes that do not fit, conditions or masks that only some have.
    """
    first = samples[0]
    shapes = [s.x.shape[1:] for s in samples]
    if len(set(shapes)) > 1:
        raise FacsimError(
            f"the samples of a classifier test need events of one shape, not {shapes[0]} and {shapes[-1]}."
        )
    for name in ("cond", "mask"):
        have = [getattr(s, name) is not None for s in samples]
        if any(have) and not all(have):
            raise FacsimError(f"only some of the samples have '{name}': give it for all or for none.")
    if len({s.cond.shape[1:] for s in samples if s.cond is not None}) > 1:
        raise FacsimError("the samples have different numbers of conditions.")
    joined = {name: np.concatenate([getattr(s, name) for s in samples]) for name in _common(first)}
    return Sample(**joined, geometry=first.geometry)


def _common(first: Sample) -> list[str]:
    return ["x", *(name for name in ("cond", "mask") if getattr(first, name) is not None)]


def checked(sample: Sample, name: str, fewest: int, *, signed: bool = False) -> Sample:
    """`sample` itself when a classifier can use it; `signed`: one that takes negative weights.

    Raises:
        FacsimError: too few events, values that are not finite, arrays of different lengths, bad weights.
    """
    if len(sample) < fewest:
        raise FacsimError(f"a classifier test needs at least {fewest} events a sample; the {name} has {len(sample)}.")
    for key, array in sample.arrays().items():
        if len(array) != len(sample):
            raise FacsimError(f"the {name} sample has {len(sample)} events but '{key}' of length {len(array)}.")
    real = sample.x if sample.mask is None else np.where(sample.mask[..., None], sample.x, 0)
    if not np.isfinite(real).all() or not (sample.cond is None or np.isfinite(sample.cond).all()):
        raise FacsimError(f"the {name} sample holds values that are not finite; remove events with NaN or infinity.")
    if sample.weight is not None:
        weight = np.asarray(sample.weight)
        fits = weight.shape == (len(sample),) and np.isfinite(weight).all() and weight.sum() > 0
        if not fits or (weight.min() < 0 and not signed):
            sign = "have a positive sum" if signed else "are not negative and do not sum to zero"
            raise FacsimError(
                f"this classifier needs finite weights that {sign}, one an event; the {name} sample's are not."
            )
    return sample


def class_weights(samples: Sequence[Sample]) -> NDArray[np.float64]:
    """Weights of the joined events: each class adds up to the same, the mean over all is 1."""
    total = sum(len(s) for s in samples)
    parts = []
    for sample in samples:
        own = np.ones(len(sample)) if sample.weight is None else np.asarray(sample.weight, dtype=np.float64)
        parts.append(own * (total / len(samples) / own.sum()))
    return np.concatenate(parts)
