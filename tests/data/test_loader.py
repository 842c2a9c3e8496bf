"""Training batches: every event in random order, resumable, shared by processes; held in memory or streamed."""

from __future__ import annotations

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.events import Events, make_events
from facsim.core.schema import Feature, Schema
from facsim.core.sources import MemorySource
from facsim.data.loader import ShuffledLoader

MEMORY = pytest.mark.parametrize("memory", [2e9, 1.0])


@pytest.fixture(scope="module")
def events() -> Events:
    """Clouds that say in their points which event they are."""
    schema = Schema("cloud", (Feature("e", "MeV"),), ())
    mask = np.arange(5) < 1 + np.arange(300)[:, None] % 5
    x = np.where(mask, np.arange(300.0)[:, None], 0.0)
    return make_events(schema, x[..., None], np.zeros((300, 0)), mask=mask)


@MEMORY
def test_it_is_reproducible_and_resumable(events: Events, memory: float) -> None:
    source = MemorySource(events)
    first, again = (ShuffledLoader(source, 10, 3, memory) for _ in range(2))
    assert first.in_memory == (memory > 1e6)
    drawn = [first.next().event_id for _ in range(300)]
    for ids in drawn[:49]:
        np.testing.assert_array_equal(again.next().event_id, ids)
    resumed = ShuffledLoader(source, 10, 3, memory)
    resumed.restore(again.state())
    np.testing.assert_array_equal(resumed.next().event_id, drawn[49])
    assert set(np.concatenate(drawn)) == set(range(300))


def test_an_epoch_in_memory_sees_every_event_once(events: Events) -> None:
    loader = ShuffledLoader(MemorySource(events), 10, 3)
    epochs = [np.concatenate([loader.next().event_id for _ in range(30)]) for _ in range(2)]
    assert all(sorted(epoch) == list(range(300)) for epoch in epochs)
    assert not np.array_equal(*epochs)


@MEMORY
@pytest.mark.parametrize("size", [1, 2, 3])
def test_processes_share_every_batch(events: Events, memory: float, size: int) -> None:
    source = MemorySource(events)
    whole = ShuffledLoader(source, 10, 3, memory)
    parts = [ShuffledLoader(source, 10, 3, memory, rank=rank, size=size) for rank in range(size)]
    for _ in range(40):
        batch, shares = whole.next().event_id, [part.next().event_id for part in parts]
        assert max(map(len, shares)) - min(map(len, shares)) <= 1
        assert sorted(np.concatenate(shares)) == sorted(batch)
    assert all(part.state() == whole.state() for part in parts)


@MEMORY
def test_masks_stay_with_their_events_and_batches_are_full(events: Events, memory: float) -> None:
    loader = ShuffledLoader(MemorySource(events), 8, 1, memory)
    for _ in range(60):
        batch = loader.next()
        assert len(batch) == 8
        assert batch.mask is not None
        np.testing.assert_array_equal(batch.x[..., 0], np.where(batch.mask, batch.event_id[:, None], 0))
        np.testing.assert_array_equal(batch.mask.sum(1), 1 + batch.event_id % 5)


@MEMORY
def test_head_spreads_over_the_sample(events: Events, memory: float) -> None:
    found = ShuffledLoader(MemorySource(events), 8, 1, memory).head(128).event_id
    assert len(found) == 128
    assert found[0] == 0
    assert found[-1] == 299


def test_small_samples_give_small_batches(events: Events) -> None:
    assert len(ShuffledLoader(MemorySource(events[:5]), 8, 1).next()) == 5


def test_no_events_and_too_many_processes_are_refused(events: Events) -> None:
    with pytest.raises(FacsimError, match="no training events"):
        ShuffledLoader(MemorySource(events[:0]), 4, 1)
    with pytest.raises(FacsimError, match="a batch of 2 events cannot be shared by 3 processes"):
        ShuffledLoader(MemorySource(events), 2, 1, rank=0, size=3)
