"""Sources made of others give exactly the events that were asked for, and read no more than they must."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.core.events import Events, chunks, make_events
from facsim.core.geometry import regular_cylinder
from facsim.core.schema import Feature, Schema, calorimeter_schema
from facsim.core.sources import ID_STRIDE, ConcatSource, MemorySource, SubsetSource, batch_rows, held
from facsim.core.store import StoreReader, write_store

SCHEMA = Schema("table", (Feature("a"), Feature("b")), (Feature("incident_energy", "MeV"),))


def table(n: int, first: int = 0) -> Events:
    rows = np.arange(first, first + n, dtype=np.float64)
    return make_events(
        SCHEMA, np.stack([rows, -rows], axis=1), rows[:, None] + 0.5, first_id=first, weight=rows.astype(np.float32)
    )


@dataclass
class Recorder:
    """A source that records what is read from it."""

    events: Events
    block_rows: int
    reads: list[tuple[int, int]] = field(default_factory=list)

    @property
    def schema(self) -> Schema:
        return self.events.schema

    def __len__(self) -> int:
        return len(self.events)

    def read(self, start: int, stop: int) -> Events:
        self.reads.append((start, stop))
        return self.events[start:stop]


@given(
    st.integers(1, 300).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1), min_size=1))),
    st.integers(1, 40),
    st.data(),
)
def test_subset_equals_fancy_indexing_and_reads_each_block_once(
    case: tuple[int, set[int]], block: int, data: st.DataObject
) -> None:
    n, chosen = case
    indices = np.array(sorted(chosen))
    start = data.draw(st.integers(0, len(indices)))
    stop = data.draw(st.integers(start, len(indices)))
    source = Recorder(table(n), block)
    got = SubsetSource(source, indices).read(start, stop)
    expected = table(n)[indices[start:stop]]
    for name in ("x", "cond", "event_id", "group_id", "weight"):
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name))
        assert getattr(got, name).dtype == getattr(expected, name).dtype
    touched = [b for low, high in source.reads for b in range(low // block, -(-high // block))]
    assert len(touched) == len(set(touched))
    wasted = sum(high - low for low, high in source.reads) - (stop - start)
    assert wasted <= len(set(touched)) * (block - 1)
    assert max((high - low for low, high in source.reads), default=0) <= max(block, stop - start)


def test_contiguous_subset_is_one_read() -> None:
    source = Recorder(table(1000), 64)
    SubsetSource(source, np.arange(100, 900)).read(10, 700)
    assert source.reads == [(110, 800)]


def test_subset_of_every_block_end_does_not_read_everything() -> None:
    """Pairs that straddle block ends must not be chained into one read of the whole file."""
    source = Recorder(table(10_000), 100)
    indices = np.sort(np.concatenate([np.arange(99, 10_000, 100), np.arange(100, 10_000, 100)]))
    SubsetSource(source, indices).read(0, len(indices))
    assert max(high - low for low, high in source.reads) <= 100


@pytest.mark.parametrize("indices", [[1, 1], [3, 2], [-1, 2], [0, 10]])
def test_subset_refuses_bad_indices(indices: list[int]) -> None:
    with pytest.raises(FacsimError, match=r"increase strictly|cannot read events"):
        SubsetSource(MemorySource(table(10)), np.array(indices))


def test_empty_subset() -> None:
    subset = SubsetSource(MemorySource(table(10)), np.array([], dtype=int))
    assert len(subset) == 0
    assert len(subset.read(0, 0)) == 0


@given(st.lists(st.integers(0, 20), min_size=1, max_size=5), st.integers(1, 30))
def test_concatenation_keeps_order_and_separates_ids(sizes: list[int], step: int) -> None:
    source = ConcatSource([MemorySource(table(n)) for n in sizes])
    assert len(source) == sum(sizes)
    parts = list(chunks(source, step))
    rows = np.concatenate([part.x[:, 0] for part in parts]) if parts else np.array([])
    np.testing.assert_array_equal(rows, np.concatenate([np.arange(n) for n in sizes]))
    if parts:
        ids = np.concatenate([part.event_id for part in parts])
        assert len(np.unique(ids)) == len(ids)
        np.testing.assert_array_equal(ids // ID_STRIDE, np.repeat(np.arange(len(sizes)), sizes))
        np.testing.assert_array_equal(ids, np.concatenate([part.group_id for part in parts]))


def test_concatenation_refuses_other_schema_and_nothing() -> None:
    other = replace(table(3), schema=replace(SCHEMA, features=(Feature("a"), Feature("c"))))
    with pytest.raises(FacsimError, match="file 2 of 2 has another geometry"):
        ConcatSource([MemorySource(table(3)), MemorySource(other)])
    with pytest.raises(FacsimError, match="no file"):
        ConcatSource([])


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (3, 2), (0, 11)])
def test_memory_source_refuses_ranges_outside(start: int, stop: int) -> None:
    with pytest.raises(FacsimError, match="there are 10"):
        MemorySource(table(10)).read(start, stop)


def test_batch_rows_follow_the_size_of_an_event() -> None:
    large = regular_cylinder("ds3", "electron", 45, 50, 18, 2.325, 0.015)
    grid = MemorySource(
        make_events(calorimeter_schema(large), np.zeros((1, large.n_cells, 1), np.float32), np.ones((1, 1)))
    )
    assert batch_rows(grid, megabytes=64) == int(64 * 2**20 / (4 * 40_501))
    assert batch_rows(MemorySource(table(1))) == 10_000


def test_files_with_and_without_weights_are_not_joined() -> None:
    parts = [replace(table(3), weight=weight) for weight in (np.ones(3), None)]
    source = ConcatSource([MemorySource(part) for part in parts])
    with pytest.raises(FacsimError, match="some of the files have event weights"):
        source.labels()
    with pytest.raises(FacsimError, match="cannot be joined"):
        source.read(0, 6)


def test_held_reads_once_what_is_small_and_leaves_the_rest_on_disk() -> None:
    class Counting(MemorySource):
        reads = 0

        def read(self, start: int, stop: int) -> Events:
            Counting.reads += 1
            return super().read(start, stop)

    source = SubsetSource(Counting(table(10)), np.arange(0, 10, 2))
    kept = held(source)
    before = Counting.reads
    np.testing.assert_array_equal(kept.read(1, 3).x, source.read(1, 3).x)
    assert held(kept) is kept
    assert held(source, 1e-6) is source
    kept.read(0, 5)
    assert Counting.reads == before + 1  # the one of `source` itself


def test_clouds_of_different_sizes_join(tmp_path: Path) -> None:
    def cloud(points: int) -> Events:
        x = np.ones((3, points, 2), dtype=np.float32)
        mask = np.ones((3, points), dtype=bool)
        schema = Schema("cloud", (Feature("x", "mm"), Feature("energy", "MeV")), (Feature("a"),), points=points)
        return make_events(schema, x, np.ones((3, 1)), mask=mask)

    source = ConcatSource([MemorySource(cloud(4)), MemorySource(cloud(6))])
    assert source.schema.points == 6
    events = source.read(1, 5)
    assert events.x.shape == (4, 6, 2)
    assert events.mask is not None
    assert events.mask.sum(axis=1).tolist() == [4, 4, 6, 6]
    assert np.array_equal(events.x[..., 0] == 1, events.mask)
    assert source.read(0, 0).x.shape == (0, 6, 2)
    write_store(tmp_path / "e.h5", [events])
    assert StoreReader(tmp_path / "e.h5").schema.points == 6
