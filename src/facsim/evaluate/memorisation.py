"""Does a generator copy its training showers? Distances to the nearest one, against those of unseen truth.

Distances ignore rotation about the axis and energy scale (`facsim.evaluate.nearest`), so a frozen library that scales
and turns its showers is caught. Four numbers, each with truth's own answer as null:

- `memorisation`: the median distance of generated showers to the training sample, relative to that of unseen truth.
- `memorisation/close`: the fraction of generated showers nearer to a training shower than 99 % of truth is.
- `memorisation/copies`: the fraction whose distance to the training sample, divided by the distance to unseen truth,
  is below truth's 1 % quantile of that ratio. Showers that are merely too smooth are nearer to all truth alike and do
  not count: this one decides pass or fail.
- `duplicates`: the fraction of generated showers that have a copy among the generated ones.

The ratio of the two distances follows the data-copying test of Meehan, Chaudhuri and Dasgupta (arXiv 2004.05675) and
the nearest-neighbour distance ratio used for synthetic records. Other events than showers: `event_memory`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import EventSource
from facsim.core.geometry import Geometry
from facsim.core.rng import generator
from facsim.core.sources import SubsetSource
from facsim.evaluate.nearest import NearestSearch
from facsim.metrics.score import Score

PROTOCOL = "facsim-memory-1"
QUANTILE = 0.01
SIGMAS = 5.0
DUPLICATE = 1e-4
FEW_EVENTS = 100
RESAMPLES = 200
FLOOR = 1e-6
QUERY_BYTES = 2**28
FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Distances:
    """Distances of events to the nearest one of the training sample, of unseen truth, and of their own kind, (n,).

    `exact`: which equal a training event in every value and none of unseen truth, (n,), where that is asked."""

    seen: FloatArray
    unseen: FloatArray
    among: FloatArray
    exact: NDArray[np.bool_] | None = None

    @property
    def ratio(self) -> NDArray[Any]:
        """Distance to the training sample over that to unseen truth, (n,)."""
        return np.asarray((self.seen + FLOOR) / (np.where(np.isfinite(self.unseen), self.unseen, 1.0) + FLOOR))


@dataclass(frozen=True)
class Memorisation:
    """Scores, and the distances behind them: of the generated showers and of unseen truth."""

    scores: list[Score]
    generated: Distances
    truth: Distances

    @property
    def passed(self) -> bool:
        """Whether the generator is not caught copying."""
        return self.scores[0].status != "failed"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: scores and histograms of log10 distance to the nearest training shower."""
        low = np.log10(FLOOR)
        edges = np.linspace(low, 0.0, 61)
        pairs = {"generated": self.generated.seen, "truth": self.truth.seen}
        counts = {k: np.histogram(np.log10(np.maximum(d, FLOOR)), edges)[0].tolist() for k, d in pairs.items()}
        return {
            "format": "facsim-memorisation-1",
            "passed": self.passed,
            "log10_distance_edges": edges.tolist(),
            **counts,
            "scores": [score.to_dict() for score in self.scores],
        }


def memorisation(
    generated: EventSource,
    train: EventSource,
    null: EventSource,
    *,
    seed: int,
    resamples_truth: bool = False,
    max_events: int = 1000,
    truth: Distances | None = None,
) -> list[Score]:
    """The scores of `measure_memory`; the first, `memorisation`, has status `ok`, `failed` or `underpowered`."""
    return measure_memory(
        generated, train, null, seed=seed, resamples_truth=resamples_truth, max_events=max_events, truth=truth
    ).scores


def measure_memory(
    generated: EventSource,
    train: EventSource,
    null: EventSource,
    *,
    seed: int,
    resamples_truth: bool = False,
    max_events: int = 1000,
    truth: Distances | None = None,
) -> Memorisation:
    """Compare distances of generated showers to training showers with those of unseen truth.

    Args:
        generated: showers to judge, best at the conditions of `null`, since distances shrink with energy.
        train: all showers that the generator was made from.
        null: truth that the generator has not seen (sample B).
        seed: of the subsets and of the bootstrap errors.
        resamples_truth: whether the generator hands out truth showers: then failing is what the check must do.
        max_events: at most so many generated and null showers are judged, the same positions if there are as many.
        truth: `distances` of `null` itself with the same seed and limit, where they are known already.

    Raises:
        FacsimError: a sample is empty, not on a cylinder, or on another geometry.
    """
    _common_geometry({"generated": generated, "training": train, "null": null})
    mine = distances(generated, train, null, seed=seed, max_events=max_events)
    truth = truth or distances(null, train, null, seed=seed, max_events=max_events)
    return Memorisation(memory_scores(mine, truth, seed, resamples_truth), mine, truth)


def distances(
    showers: EventSource, train: EventSource, null: EventSource, *, seed: int, max_events: int = 1000
) -> Distances:
    """Distances of at most `max_events` of `showers`; those of `null` itself pass over the shower they start from."""
    geometry = _common_geometry({"training": train, "null": null})
    part = SubsetSource(showers, pick(len(showers), seed, limited(max_events, geometry.n_cells)))
    search = NearestSearch(geometry, [part])
    unseen = search.search(null, part.indices if showers is null else None)
    return Distances(search.search(train).distance, unseen.distance, search.search(part, np.arange(len(part))).distance)


def _common_geometry(sources: Mapping[str, EventSource]) -> Geometry:
    first: Geometry | None = None
    for name, source in sources.items():
        geometry = source.schema.geometry
        if geometry is None or source.schema.representation != "grid":
            raise FacsimError(f"the memorisation check needs showers on a cylinder; the {name} sample has none.")
        if len(source) == 0:
            raise FacsimError(f"the memorisation check needs showers; the {name} sample is empty.")
        first = first or geometry
        if not geometry.same_cells(first):
            raise FacsimError(
                f"the {name} sample has the geometry '{geometry.name}' ({geometry.n_cells} cells), "
                f"not that of the others, '{first.name}' ({first.n_cells} cells)."
            )
    assert first is not None
    return first


def limited(most: int, n_cells: int) -> int:
    """How many showers of `n_cells` cells are judged at once, `most` or as memory bounds it."""
    return max(1, min(most, QUERY_BYTES // (16 * n_cells)))


def pick(total: int, seed: int, limit: int) -> IntArray:
    """Increasing positions of at most `limit` events; equal totals give equal positions."""
    if total <= limit:
        return np.arange(total)
    return np.sort(generator(seed, "memorisation", "events").choice(total, limit, replace=False))


def memory_scores(
    mine: Distances,
    truth: Distances,
    seed: int,
    resamples_truth: bool,
    *,
    noun: str = "showers",
    protocol: str = PROTOCOL,
    control: Distances | None = None,
) -> list[Score]:
    """Scores of the distances of generated events beside those of truth; the first has the status.

    Args:
        mine: of generated events. truth: of truth that the generator has not seen.
        seed: of the bootstrap errors. resamples_truth: whether failing is what the check must do.
        noun: what events are called, in the plural. protocol: of the scores.
        control: of training events themselves; where these are not caught, the status is `underpowered`.
    """
    n, m = len(mine.seen), len(truth.seen)
    sizes: dict[str, Any] = {"n_reference": m, "n_generated": n, "seed": seed}
    evidence = _evidence(mine, truth, protocol, sizes)
    close = _tail("memorisation/close", protocol, mine.seen, truth.seen, sizes, mine.exact is not None)
    caught = max(score.z for score in evidence) > SIGMAS
    blind = control is not None and max(score.z for score in _evidence(control, truth, protocol, sizes)) <= SIGMAS
    status = "failed" if caught else "underpowered" if blind or min(n, m) < FEW_EVENTS else "ok"
    median, error, null_error = _median_ratio(mine.seen, truth.seen, generator(seed, "memorisation", "bootstrap"))
    note = _note(status, evidence, resamples_truth, noun, blind)
    again, again_null = (float(np.mean(part.among < DUPLICATE)) for part in (mine, truth))
    return [
        Score(
            "memorisation", protocol, median, error, 1.0, null_error, **sizes, status=status, better="null", note=note
        ),
        *evidence,
        close,
        Score("duplicates", protocol, again, _binomial(again, n), again_null, _binomial(again_null, m), **sizes),
    ]


def _evidence(mine: Distances, truth: Distances, protocol: str, sizes: dict[str, Any]) -> list[Score]:
    """What decides: the share of copies by the ratio of distances and, where it is asked, by equality."""
    tied = mine.exact is not None
    found = [_tail("memorisation/copies", protocol, mine.ratio, truth.ratio, sizes, tied)]
    if mine.exact is not None and truth.exact is not None:
        shares = [float(np.mean(exact)) for exact in (mine.exact, truth.exact)]
        errors = [_binomial(share, len(exact)) for share, exact in zip(shares, (mine.exact, truth.exact), strict=True)]
        found.append(Score("memorisation/exact", protocol, shares[0], errors[0], shares[1], errors[1], **sizes))
    return found


def _tail(
    name: str, protocol: str, mine: NDArray[Any], truth: NDArray[Any], sizes: dict[str, Any], tied: bool
) -> Score:
    """Fraction of `mine` below truth's 1 % quantile; the null's error is that of a quantile of `truth`. `tied`: values
    may be equal, and then less than 1 % of truth lies below its quantile."""
    limit = np.quantile(truth, QUANTILE)
    value, null = float(np.mean(mine < limit)), float(np.mean(truth < limit)) if tied else QUANTILE
    return Score(name, protocol, value, _binomial(value, len(mine)), null, _binomial(null, len(truth)), **sizes)


def _binomial(fraction: float, n: int) -> float:
    """Standard error of a fraction of `n`, not 0 at 0 or 1 (Agresti-Coull)."""
    shrunk = (fraction * n + 2) / (n + 4)
    return math.sqrt(shrunk * (1 - shrunk) / (n + 4))


def _median_ratio(mine: FloatArray, truth: FloatArray, rng: np.random.Generator) -> tuple[float, float, float]:
    """Median of `mine` over median of `truth`, and the bootstrap errors of either median in that unit; means where most
    of truth equals a training event."""
    middle = np.median if np.median(truth) > FLOOR else np.mean
    unit = max(float(middle(truth)), FLOOR)
    errors = []
    for sample in (mine, truth):
        drawn = rng.integers(0, len(sample), (RESAMPLES, len(sample)))
        errors.append(float(np.std(middle(sample[drawn], axis=1), ddof=1)) / unit)
    return float(middle(mine)) / unit, errors[0], errors[1]


def _note(status: str, evidence: list[Score], resamples_truth: bool, noun: str, blind: bool) -> str:
    copies, *exact = evidence
    share = f"{100 * copies.value:.3g} % of the {noun} are copies of training {noun} by truth's 1 % standard"
    for score in exact:
        share += f", {100 * score.value:.3g} % equal one exactly (truth: {100 * score.null:.3g} %)"
    if resamples_truth and status == "failed":
        return f"{share}; it reuses truth, so failing is right: a positive control."
    if blind and status != "failed":
        return f"{share}; training {noun} themselves would not be caught: most values are discrete."
    if resamples_truth:
        return f"{share}; it reuses truth and was not caught, so the check proves nothing here."
    return f"{share}; fewer than {FEW_EVENTS} {noun} on a side." if status == "underpowered" else f"{share}."
