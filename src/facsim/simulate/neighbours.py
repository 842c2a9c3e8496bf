"""The training event nearest in condition, unchanged: the baseline of tables, images and clouds of any detector."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import EventSource, Labels, chunks
from facsim.core.rng import generator
from facsim.core.schema import Schema
from facsim.core.sources import batch_rows
from facsim.simulate.baseline import Baseline, Sampled, check_count

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

CATEGORIES = ("pdg", "particle", "charge", "species")
APART = 1e6
WIDE = 20.0
JITTER = 1e-3


@dataclass(kw_only=True)
class Nearest(Baseline):
    """Training events drawn from those nearest in condition, and not changed in any way.

    Conditions are compared in units of their spread, those that are positive and span more than a factor of `WIDE` by
    their logarithm; particle types and charges (`CATEGORIES`) never mix where the training events have the one asked
    for. It knows the distribution at every condition as well as the training events do, and depends on conditions as
    coarsely as they lie apart. Given points (`Schema.given`) are not compared. Of events with weights one is drawn in
    proportion to its weight among the nearest, and one with a negative weight never, which only approximates what
    signed weights mean.

    Args:
        nearest: how many neighbours an event is drawn from.
        events: at most so many training events are stored, chosen at random (0: all).
    """

    name: ClassVar[str] = "nearest"
    resamples_truth: ClassVar[bool] = True

    nearest: int = 10
    events: int = 0
    _schema: Schema = field(init=False, repr=False)
    _shape: tuple[int, ...] = field(init=False, repr=False)
    _stored: _Stored = field(init=False, repr=False)
    _ids: NDArray[np.int64] = field(init=False, repr=False)
    _weight: NDArray[np.float64] | None = field(init=False, repr=False)
    _scaling: _Scaling = field(init=False, repr=False)
    _tree: cKDTree = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_count(self.name, "nearest", self.nearest, 1)
        check_count(self.name, "events", self.events, 0)

    @classmethod
    def unfit(cls, schema: Schema, **options: Any) -> str | None:
        return (
            None
            if schema.scalar_conditions
            else f"baseline '{cls.name}' needs events with conditions, and these have none."
        )

    def _fit(self, train: EventSource, seed: int) -> None:
        from scipy.spatial import cKDTree  # noqa: PLC0415 - not needed to import facsim

        rng = generator(seed, "baseline", self.name)
        keep = np.ones(len(train), dtype=bool)
        if 0 < self.events < len(train):
            keep[:] = False
            keep[rng.choice(len(train), self.events, replace=False)] = True
        labels, self._stored, self._shape = _store(train, keep)
        self._schema, self._ids, self._weight = train.schema, labels.event_id, labels.weight
        cond = self._schema.scalars(np.asarray(labels.cond, dtype=np.float64))
        self._scaling = _Scaling.of(cond, [feature.name for feature in self._schema.scalar_conditions])
        point = self._scaling(cond)
        # events at equal conditions are drawn alike
        self._tree = cKDTree(point + JITTER * rng.uniform(-1, 1, point.shape))

    def sample(self, cond: NDArray[Any], rng: np.random.Generator) -> Sampled:
        cond = np.asarray(cond, dtype=np.float64)
        names = [feature.name for feature in self._schema.conditions]
        if cond.ndim != 2 or cond.shape[1] != len(names):
            raise FacsimError(f"expected conditions of shape (N, {len(names)}) with columns {names}, not {cond.shape}.")
        if not np.isfinite(cond).all():
            raise FacsimError(f"conditions must be finite, and some of {names} are not.")
        source = self._neighbour(cond, rng)
        x, mask = self._stored.take(source, self._shape)
        return Sampled(x, self._ids[source], mask)

    def _neighbour(self, cond: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
        """A stored event for each condition."""
        point = self._scaling(self._schema.scalars(cond))
        point += JITTER * rng.uniform(-1, 1, point.shape)
        nearest = min(self.nearest, len(self._ids))
        index = np.asarray(self._tree.query(point, k=nearest)[1], dtype=np.int64).reshape(len(cond), nearest)
        if self._weight is None:
            return index[np.arange(len(cond)), rng.integers(0, nearest, len(cond))]
        odds = np.maximum(self._weight[index], 0.0)
        odds[odds.sum(axis=1) == 0] = 1.0
        sums = np.cumsum(odds, axis=1)
        chosen = (sums <= rng.random(len(cond))[:, None] * sums[:, -1:]).sum(axis=1)
        return np.asarray(index[np.arange(len(cond)), np.minimum(chosen, nearest - 1)])

    @property
    def memory_bytes(self) -> int:
        return self._stored.nbytes + self._ids.nbytes + int(self._tree.data.nbytes)


@dataclass(frozen=True)
class _Scaling:
    """Conditions on comparable axes: logarithm where `wide` (K,), then over `spread` (K,)."""

    wide: NDArray[np.bool_]
    spread: NDArray[np.float64]

    @classmethod
    def of(cls, cond: NDArray[np.float64], names: list[str]) -> _Scaling:
        category = np.array([name in CATEGORIES for name in names])
        low, high = cond.min(axis=0), cond.max(axis=0)
        wide = (low > 0) & (high > WIDE * low) & ~category
        spread = cls(wide, np.ones(len(names)))(cond).std(axis=0)
        return cls(wide, np.where(category, 1.0 / APART, np.where(spread > 0, spread, 1.0)))

    def __call__(self, cond: NDArray[np.float64]) -> NDArray[np.float64]:
        point = cond.copy()
        point[:, self.wide] = np.log(np.maximum(cond[:, self.wide], np.finfo(np.float64).tiny))
        return point / self.spread


@dataclass(frozen=True)
class _Stored:
    """Events without their zeros: those of event i are at `start[i]` to `start[i + 1]`; `points` (N,) of clouds."""

    start: NDArray[np.int64]
    place: NDArray[np.uint32]
    value: NDArray[np.float32]
    points: NDArray[np.int64] | None

    @property
    def nbytes(self) -> int:
        return self.start.nbytes + self.place.nbytes + self.value.nbytes

    def take(
        self, index: NDArray[np.int64], shape: tuple[int, ...]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
        """The events `index` (N,), (N, *shape), and the mask of clouds."""
        counts = self.start[index + 1] - self.start[index]
        rows = np.repeat(np.arange(len(index)), counts)
        place = np.arange(len(rows)) + np.repeat(self.start[index] - np.cumsum(counts) + counts, counts)
        x = np.zeros((len(index), int(np.prod(shape))), dtype=np.float32)
        x[rows, self.place[place]] = self.value[place]
        mask = None if self.points is None else np.arange(shape[0]) < self.points[index, None]
        return x.reshape(len(index), *shape), mask


def _store(train: EventSource, keep: NDArray[np.bool_]) -> tuple[Labels, _Stored, tuple[int, ...]]:
    """Labels and values of the kept events, reading chunk by chunk, and the shape of one event."""
    parts: list[Labels] = []
    counts, places, values, points = [], [], [], []
    first, shape = 0, (0,)
    for read in chunks(train, batch_rows(train)):
        batch = read[keep[first : first + len(read)]]
        first += len(read)
        # a value's place does not depend on the number of points that a cloud is padded to
        shape = max(shape, batch.x.shape[1:])
        flat = batch.x.reshape(len(batch), -1)
        rows, place = np.nonzero(flat)
        counts.append(np.bincount(rows, minlength=len(batch)))
        places.append(place.astype(np.uint32))
        values.append(flat[rows, place].astype(np.float32))
        if batch.schema.representation == "cloud":
            full = np.full(len(batch), batch.x.shape[1])
            points.append(full if batch.mask is None else batch.mask.sum(axis=1))
        parts.append(Labels(batch.cond, batch.event_id, batch.group_id, batch.weight))
    start = np.concatenate([[0], np.cumsum(np.concatenate(counts))]).astype(np.int64)
    stored = _Stored(start, np.concatenate(places), np.concatenate(values), np.concatenate(points) if points else None)
    cond, event, group = (
        np.concatenate([getattr(part, n) for part in parts]) for n in ("cond", "event_id", "group_id")
    )
    weights = [part.weight for part in parts if part.weight is not None]
    weight = np.concatenate(weights).astype(np.float64) if weights else None
    return Labels(cond, event.astype(np.int64), group, weight), stored, shape
