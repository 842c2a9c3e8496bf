"""The baseline of nearest training events: tables, images and clouds, categories, weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.core.events import Events, make_events
from facsim.core.schema import Feature, Schema
from facsim.core.sources import MemorySource
from facsim.simulate.neighbours import Nearest

TABLE = Schema("table", (Feature("dll_k"), Feature("dll_p")), (Feature("p", "MeV"), Feature("eta"), Feature("charge")))


def tracks(n: int = 200, seed: int = 1, weight: np.ndarray | None = None) -> Events:
    rng = np.random.default_rng(seed)
    cond = np.column_stack([np.exp(rng.uniform(7, 12, n)), rng.uniform(2, 5, n), rng.choice([-1.0, 1.0], n)])
    x = rng.normal(size=(n, 2)) * (rng.random((n, 2)) < 0.8)
    return make_events(TABLE, x.astype(np.float32), cond, first_id=700, weight=weight)


def fitted(train: Events, **options: int) -> Nearest:
    return Nearest.fit(MemorySource(train), seed=1, **options)


def test_training_events_come_back_as_they_are() -> None:
    events = tracks()
    found = fitted(events, nearest=1).sample(events.cond, np.random.default_rng(1))
    assert np.array_equal(found.x, events.x)
    assert np.array_equal(found.group_id, events.event_id)
    assert found.mask is None


@settings(max_examples=20)
@given(st.integers(1, 10), st.floats(2e3, 1e5), st.floats(2.2, 4.8))
def test_what_is_drawn_is_among_the_nearest_and_of_the_same_charge(nearest: int, p: float, eta: float) -> None:
    events = tracks()
    cond = np.tile([[p, eta, -1.0]], (50, 1))
    used = fitted(events, nearest=nearest).sample(cond, np.random.default_rng(1)).group_id
    assert used is not None
    assert np.all(events.cond[used - 700, 2] == -1)
    same = events.cond[:, 2] == -1
    spread = np.log(events.cond[:, 0]).std(), events.cond[:, 1].std()
    distance = np.hypot(np.log(events.cond[:, 0] / p) / spread[0], (events.cond[:, 1] - eta) / spread[1])
    assert np.all(distance[used - 700] <= np.sort(distance[same])[nearest - 1] + 0.01)


def test_images_keep_their_cells_and_clouds_their_points() -> None:
    rng = np.random.default_rng(2)
    cond = rng.normal(size=(30, 2))
    names = (Feature("angle", "rad"), Feature("place", "mm"))
    image = rng.exponential(1.0, (30, 12, 1)).astype(np.float32) * (rng.random((30, 12, 1)) < 0.3)
    grid = make_events(Schema("grid", (Feature("charge"),), names), image, cond)
    assert np.array_equal(fitted(grid, nearest=1).sample(cond, np.random.default_rng(1)).x, image)
    mask = np.arange(5) < rng.integers(0, 6, (30, 1))
    points = rng.normal(size=(30, 5, 3)).astype(np.float32) * mask[..., None]
    cloud = make_events(Schema("cloud", tuple(map(Feature, "xyz")), names), points, cond, mask=mask)
    found = fitted(cloud, nearest=1).sample(cond, np.random.default_rng(1))
    assert np.array_equal(found.x, points)
    assert np.array_equal(found.mask, mask)


def test_events_of_equal_conditions_are_all_drawn() -> None:
    events = tracks(20)
    same = Events(TABLE, events.x, np.tile(events.cond[:1], (20, 1)), events.event_id, events.group_id)
    used = fitted(same, nearest=5).sample(np.tile(events.cond[:1], (3000, 1)), np.random.default_rng(1)).group_id
    assert used is not None
    assert np.all(np.bincount(used - 700, minlength=20) > 20)


def test_weights_are_chances_and_negative_ones_are_never_drawn() -> None:
    cond = np.zeros((3, 3))
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    events = make_events(TABLE, x, cond, weight=np.array([1.0, 3.0, -0.5]))
    used = fitted(events, nearest=3).sample(np.zeros((4000, 3)), np.random.default_rng(1)).group_id
    assert used is not None
    np.testing.assert_allclose(np.bincount(used, minlength=3) / 4000, [0.25, 0.75, 0], atol=0.03)


def test_fewer_stored_events_take_less_memory() -> None:
    events = tracks(2000)
    whole, part = (fitted(events, events=n) for n in (0, 100))
    assert part.memory_bytes < 0.3 * whole.memory_bytes
    used = part.sample(events.cond, np.random.default_rng(1)).group_id
    assert used is not None
    assert len(set(used.tolist())) <= 100


def test_what_cannot_be_is_told() -> None:
    bare = Schema("table", (Feature("a"),))
    assert "needs events with conditions" in (Nearest.unfit(bare) or "")
    assert Nearest.unfit(TABLE) is None
    baseline = fitted(tracks())
    with pytest.raises(FacsimError, match=r"shape \(N, 3\) with columns \['p', 'eta', 'charge'\], not \(2, 2\)"):
        baseline.sample(np.zeros((2, 2)), np.random.default_rng(1))
    with pytest.raises(FacsimError, match="must be finite"):
        baseline.sample(np.full((1, 3), np.nan), np.random.default_rng(1))
    with pytest.raises(FacsimError, match="needs nearest to be a whole number >= 1"):
        fitted(tracks(), nearest=0)
