"""Splits of a sample into train, validation, reference and null, that never tear a group apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.events import Array
from facsim.core.geometry import IntArray
from facsim.core.rng import generator

FRACTIONS: Mapping[str, int | float] = {"train": 0.5, "validation": 0.1, "reference": 0.2, "null": 0.2}


def make_splits(
    group_id: Array | None,
    n: int,
    sizes: Mapping[str, int | float] = FRACTIONS,
    seed: int = 0,
    name: str | None = None,
) -> dict[str, IntArray]:
    """Draw disjoint splits at random, whole groups at a time.

    `reference` and `null` get the same number of events: of the larger one the surplus is left unused. With every
    event its own group the sizes are exact; with groups they are as near as whole groups allow.

    Args:
        group_id: the group of each event, (n,), as in `core.sources.read_labels(source).group_id`; None when
            every event is its own.
        n: the number of events.
        sizes: per split, a fraction of the events (a float up to 1) or a number of events (an int).
        seed: the run's seed.
        name: of the sample, for draws of its own.

    Returns:
        Increasing event positions for each split.

    Raises:
        FacsimError: the sizes exceed the sample, a split would be empty, or `group_id` has another length.
    """
    if group_id is not None and len(group_id) != n:
        raise FacsimError(f"there are {len(group_id)} group ids for {n} events.")
    edges = np.cumsum([0, *_counts(sizes, n)])
    rng = generator(seed, "splits", *(() if name is None else (name,)))
    if group_id is None:
        place = rng.permutation(n)
    else:
        _, group, counts = np.unique(group_id, return_inverse=True, return_counts=True)
        order = rng.permutation(len(counts))
        ends = np.cumsum(counts[order])
        middle = np.empty(len(counts), dtype=np.int64)
        middle[order] = ends - (counts[order] + 1) // 2
        place = middle[group]
    splits = {
        split: np.flatnonzero((place >= low) & (place < high)).astype(np.int64)
        for split, (low, high) in zip(sizes, pairwise(edges.tolist()), strict=True)
    }
    _same_size(splits, rng)
    for split, indices in splits.items():
        if not len(indices):
            raise FacsimError(
                f"the split '{split}' would be empty: {n} events are too few for the sizes {dict(sizes)}."
            )
    return splits


def split_files(
    files: Sequence[tuple[str, Array]], sizes: Callable[[int], Mapping[str, int | float]], seed: int = 0
) -> dict[str, IntArray]:
    """Splits of several files read as one, each drawn for its file alone: they do not depend on the other files.

    Args:
        files: name of each, and the group ids of its events, (n,), in the order in which they are read.
        sizes: of the splits of a file, given the number of its events.
        seed: the run's seed.

    Raises:
        FacsimError: as `make_splits`, for one of the files.
    """
    parts: list[dict[str, IntArray]] = []
    first = 0
    for name, group_id in files:
        found = make_splits(group_id, len(group_id), sizes(len(group_id)), seed, name)
        parts.append({split: first + indices for split, indices in found.items()})
        first += len(group_id)
    return {split: np.concatenate([part[split] for part in parts]) for split in parts[0]}


def _counts(sizes: Mapping[str, int | float], n: int) -> list[int]:
    counts = []
    for name, size in sizes.items():
        if isinstance(size, bool) or not np.isfinite(size) or size <= 0 or (isinstance(size, float) and size > 1):
            raise FacsimError(f"the size of split '{name}' must be a fraction up to 1.0 or a whole number, not {size}.")
        counts.append(int(size * n + 1e-9) if isinstance(size, float) else int(size))
    if sum(counts) > n:
        raise FacsimError(f"the splits {dict(sizes)} need {sum(counts)} events, but there are {n}.")
    return counts


def _same_size(splits: dict[str, IntArray], rng: np.random.Generator) -> None:
    pair = [name for name in ("reference", "null") if name in splits]
    if len(pair) == 2:
        size = min(len(splits[name]) for name in pair)
        for name in pair:
            if len(splits[name]) > size:
                splits[name] = np.sort(rng.choice(splits[name], size, replace=False))


def to_ranges(indices: Array) -> list[list[int]]:
    """Increasing indices as half-open ranges [first, last + 1], for JSON."""
    indices = np.asarray(indices, dtype=np.int64)
    if not len(indices):
        return []
    cuts = np.flatnonzero(np.diff(indices) != 1) + 1
    return [[int(run[0]), int(run[-1]) + 1] for run in np.split(indices, cuts)]


def from_ranges(ranges: Sequence[Sequence[int]]) -> IntArray:
    """Inverse of `to_ranges`."""
    return np.concatenate([np.empty(0, dtype=np.int64), *(np.arange(a, b, dtype=np.int64) for a, b in ranges)])
