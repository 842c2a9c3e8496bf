"""Does a generator copy its training events? The check of `memorisation` for a task's tables, images and clouds.

The unseen truth is sample A, so that generated events and sample B stand alike to both: an event is a copy when it is
much nearer to a training event than to one of A, by a standard that 1 % of B meets. Distances are of `x` alone, since a
copy may be handed out at other conditions:

- tables: Euclidean, each column in robust units limited to +-8;
- images: of the patterns of energy, blind to scale (`facsim.evaluate.nearest`);
- clouds: Euclidean of the `POINTS` points with the largest last feature (pT, energy), in that order, so that the order
  of points in a file hides nothing.

Values that occur exactly (atoms, ties, empty images) make events equal that are no copies. They are equal to training
and to unseen events alike, so their ratio of distances is one; what equals a training event by chance and none of A is
counted in truth as well: `memorisation/exact` is the share of events that equal a training event and none of A. The
positive control are training events themselves; where they are not caught, all values being discrete, the check reads
`underpowered`.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import Events, EventSource, chunks
from facsim.core.sources import SubsetSource, batch_rows
from facsim.evaluate.memorisation import Distances, limited, memory_scores, pick
from facsim.evaluate.nearest import NearestSearch
from facsim.metrics._samples import scale_robustly
from facsim.metrics.pairs import squared_distances
from facsim.metrics.score import Score

PROTOCOL = "facsim-events-memory-1"
POINTS = 30
AT_ONCE = 4000
SCALED_ON = 5000
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


class EventMemory:
    """Training events and unseen truth, ready to judge generated events.

    Args:
        train: what the generators were made from. unseen: truth sample A.
        null: truth sample B, what generated events are compared with.
        seed: of the subsets and of the bootstrap errors. most: events of a sample that are judged, at most.

    Raises:
        FacsimError: a sample without events.
    """

    def __init__(
        self, train: EventSource, unseen: EventSource, null: EventSource, *, seed: int, most: int = 1000
    ) -> None:
        for name, source in (("training", train), ("reference", unseen), ("null", null)):
            if not len(source):
                raise FacsimError(f"the memorisation check needs events; the {name} sample is empty.")
        self._train, self._unseen, self._null = train, unseen, null
        self._seed, self._most = seed, most

    def scores(self, generated: EventSource, noun: str = "events", resamples_truth: bool = False) -> list[Score]:
        """As of `memorisation.measure_memory`, and `memorisation/exact`; the first has the status."""
        return memory_scores(
            self._distances(generated),
            self._truth,
            self._seed,
            resamples_truth,
            noun=noun,
            protocol=PROTOCOL,
            control=self._control,
        )

    @cached_property
    def _truth(self) -> Distances:
        return self._distances(self._null)

    @cached_property
    def _control(self) -> Distances:
        """Training events handed out as they are."""
        part = self._part(self._train)
        unseen = self._nearest(part, self._unseen)
        exact = ~_found(keys_of(part), self._unseen)
        nothing = np.zeros_like(unseen)
        return Distances(nothing, unseen, nothing, exact)

    def _distances(self, source: EventSource) -> Distances:
        part = self._part(source)
        keys = keys_of(part)
        return Distances(
            self._nearest(part, self._train),
            self._nearest(part, self._unseen),
            self._nearest(part, part, np.arange(len(part))),
            _found(keys, self._train) & ~_found(keys, self._unseen),
        )

    def _part(self, source: EventSource) -> SubsetSource:
        geometry = source.schema.geometry
        most = self._most if geometry is None else limited(self._most, geometry.n_cells)
        return SubsetSource(source, pick(len(source), self._seed, most))

    def _nearest(self, part: SubsetSource, source: EventSource, own: IntArray | None = None) -> NDArray[np.float32]:
        """Distance of each event of `part` to the nearest of `source`, (n,); inf where there is none."""
        schema = part.schema
        if schema.representation == "grid" and schema.geometry is not None and len(schema.features) == 1:
            return NearestSearch(schema.geometry, [part]).search(source, own).distance
        query = self._space(part.read(0, len(part)))
        best, nearest = np.full(len(query), np.inf), np.full_like(query, np.inf)
        first = 0
        for batch in chunks(source, min(AT_ONCE, batch_rows(source))):
            others = self._space(batch)
            squares = np.array(squared_distances(query, others), dtype=np.float64)
            if own is not None:
                here = np.flatnonzero((own >= first) & (own < first + len(batch)))
                squares[here, own[here] - first] = np.inf
            place = squares.argmin(axis=1)
            value = squares[np.arange(len(query)), place]
            nearer = value < best
            best[nearer], nearest[nearer] = value[nearer], others[place[nearer]]
            first += len(batch)
        # the difference itself: exact for copies, as the expanded square is not
        return np.asarray(np.linalg.norm(query - nearest, axis=1), dtype=np.float32)

    @cached_property
    def _scale(self) -> FloatArray:
        """Columns that set the units, (n, D), from unseen truth."""
        events = SubsetSource(self._unseen, pick(len(self._unseen), self._seed, SCALED_ON))
        return columns_of(events.read(0, len(events)))

    def _space(self, events: Events) -> FloatArray:
        return np.asarray(scale_robustly(self._scale, columns_of(events))[1], dtype=np.float64)


def columns_of(events: Events) -> FloatArray:
    """Events as rows, whatever the order of their points, (N, D); of clouds the leading `POINTS` points."""
    x = np.nan_to_num(np.asarray(events.x, dtype=np.float64))
    if events.schema.representation != "cloud":
        return np.asarray(x.reshape(len(x), -1))
    ordered = _ordered(events, x)[:, :POINTS]
    missing = POINTS - ordered.shape[1]
    return np.pad(ordered, ((0, 0), (0, missing), (0, 0))).reshape(len(x), -1)


def keys_of(source: EventSource) -> IntArray:
    """A number for each event, equal for events whose values are all equal in single precision, (N,)."""
    found = [_keys(batch) for batch in chunks(source, batch_rows(source))]
    return np.concatenate(found) if found else np.zeros(0, dtype=np.int64)


def _keys(events: Events) -> IntArray:
    x = np.asarray(events.x, dtype=np.float32) + np.float32(0)  # -0 becomes 0
    if events.schema.representation != "cloud":
        return np.array([hash(row.tobytes()) for row in x.reshape(len(x), -1)], dtype=np.int64)
    mask = np.ones(x.shape[:2], dtype=bool) if events.mask is None else events.mask
    rows = zip(_ordered(events, x), mask.sum(axis=1), strict=True)
    return np.array([hash(points[:count].tobytes()) for points, count in rows], dtype=np.int64)


def _ordered(events: Events, x: NDArray[Any]) -> NDArray[Any]:
    """Real points first, by their last feature downwards; zeros in the padding."""
    mask = np.ones(x.shape[:2], dtype=bool) if events.mask is None else events.mask
    order = np.argsort(np.where(mask, -x[:, :, -1], np.inf), axis=1, kind="stable")
    found = np.take_along_axis(np.where(mask[:, :, None], x, 0), order[:, :, None], axis=1)
    return np.ascontiguousarray(found, dtype=x.dtype)


def _found(keys: IntArray, source: EventSource) -> BoolArray:
    """Which of the keys are those of an event of `source`, (n,)."""
    found = np.zeros(len(keys), dtype=bool)
    for batch in chunks(source, batch_rows(source)):
        found |= np.isin(keys, _keys(batch))
    return found
