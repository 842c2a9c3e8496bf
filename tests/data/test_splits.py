"""Splits: disjoint, seeded, of the sizes asked for, and never through a group."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.data.splits import FRACTIONS, from_ranges, make_splits, to_ranges

GROUPS = st.lists(st.integers(1, 6), min_size=30, max_size=120)


@given(st.integers(20, 2000), st.integers(0, 100))
def test_exact_sizes_without_groups(n: int, seed: int) -> None:
    splits = make_splits(None, n, FRACTIONS, seed)
    assert [len(splits[name]) for name in FRACTIONS] == [int(f * n + 1e-9) for f in FRACTIONS.values()]
    together = np.concatenate(list(splits.values()))
    assert len(np.unique(together)) == len(together)
    assert together.min() >= 0
    assert together.max() < n
    assert all(np.all(np.diff(indices) > 0) for indices in splits.values())


@given(GROUPS, st.integers(0, 20))
def test_no_group_is_torn_and_reference_equals_null(sizes: list[int], seed: int) -> None:
    group_id = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)) * 7 - 3, sizes))
    n = len(group_id)
    splits = make_splits(group_id, n, FRACTIONS, seed)
    groups = [set(group_id[indices].tolist()) for indices in splits.values()]
    assert sum(map(len, groups)) == len(set.union(*groups))
    assert len(splits["reference"]) == len(splits["null"])
    for name, fraction in FRACTIONS.items():
        assert abs(len(splits[name]) - fraction * n) <= 2 * max(sizes)


def test_the_seed_decides_and_nothing_else() -> None:
    a, b, c = (make_splits(None, 500, FRACTIONS, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a[name], b[name]) for name in FRACTIONS)
    assert not np.array_equal(a["train"], c["train"])
    own_groups = make_splits(np.arange(500), 500, FRACTIONS, 1)
    assert [len(indices) for indices in own_groups.values()] == [len(indices) for indices in a.values()]


def test_every_event_is_as_likely_as_any_other() -> None:
    """400 splits of 50 events, half for training: each event is drawn 200 +- 10 times."""
    counts = np.zeros(50)
    for seed in range(400):
        counts[make_splits(None, 50, {"train": 0.5}, seed)["train"]] += 1
    assert np.all(np.abs(counts - 200) < 4.5 * 10)
    assert counts.sum() == 400 * 25


def test_counts_and_fractions_mix() -> None:
    splits = make_splits(None, 1000, {"train": 700, "reference": 0.1, "null": 100}, 0)
    assert {name: len(indices) for name, indices in splits.items()} == {"train": 700, "reference": 100, "null": 100}


def test_reference_and_null_are_made_equal() -> None:
    splits = make_splits(None, 1000, {"reference": 0.3, "null": 0.2}, 0)
    assert len(splits["reference"]) == len(splits["null"]) == 200
    assert not set(splits["reference"]) & set(splits["null"])


@pytest.mark.parametrize(
    ("group_id", "n", "sizes", "sentence"),
    [
        (None, 100, {"train": 0.9, "null": 0.2}, "need 110 events, but there are 100"),
        (None, 100, {"train": 200}, "need 200 events, but there are 100"),
        (None, 3, FRACTIONS, "the split 'validation' would be empty: 3 events are too few"),
        (np.zeros(100), 100, FRACTIONS, "would be empty"),
        (np.zeros(99), 100, FRACTIONS, "99 group ids for 100 events"),
        (None, 100, {"train": 1.5}, "size of split 'train' must be a fraction up to 1.0 or a whole number, not 1.5"),
        (None, 100, {"train": 0}, "not 0"),
        (None, 100, {"train": -1}, "not -1"),
        (None, 100, {"train": float("nan")}, "not nan"),
        (None, 100, {"train": True}, "not True"),
    ],
)
def test_impossible_splits(group_id: np.ndarray | None, n: int, sizes: dict[str, float], sentence: str) -> None:
    with pytest.raises(FacsimError, match=sentence):
        make_splits(group_id, n, sizes, 0)


@given(st.sets(st.integers(0, 200)))
def test_ranges_round_trip_through_json(chosen: set[int]) -> None:
    indices = np.array(sorted(chosen), dtype=np.int64)
    ranges = to_ranges(indices)
    np.testing.assert_array_equal(from_ranges(json.loads(json.dumps(ranges))), indices)
    assert all(low < high for low, high in ranges)
    assert all(a[1] < b[0] for a, b in pairwise(ranges))
