"""The memorisation check: rotation and scale, exactness of the bound, positive controls, broken inputs."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.core.events import EventSource, make_events
from facsim.core.geometry import CylinderGeometry, Layer, regular_cylinder
from facsim.core.schema import Schema, calorimeter_schema
from facsim.core.sources import MemorySource
from facsim.data.calogan import CALOGAN
from facsim.evaluate.memorisation import measure_memory, memorisation
from facsim.evaluate.nearest import NearestSearch, PatternMaker
from facsim.simulate.baselines import BASELINES
from facsim.simulate.library import rotate_cells, sector_steps

SMALL = regular_cylinder("small", "electron", 4, 6, 3, 5.0, 0.01)
RAGGED = CylinderGeometry("ragged", "photon", (Layer(0, (0, 1, 2), 1), Layer(1, (0, 1), 6), Layer(2, (0, 1, 2, 3), 4)))


def random_cells(n: int, geometry: CylinderGeometry, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    cells = rng.exponential(1.0, (n, geometry.n_cells)) * rng.gamma(0.7, 2.0, (n, 1))
    cells[rng.random(cells.shape) < 0.5] = 0
    return cells.astype(np.float32)


def source(cells: np.ndarray, geometry: CylinderGeometry = SMALL) -> MemorySource:
    energy = np.geomspace(1e3, 2e3, len(cells))[:, None]
    return MemorySource(make_events(calorimeter_schema(geometry), cells[:, :, None], energy))


def turn(cells: np.ndarray, step: int, geometry: CylinderGeometry) -> np.ndarray:
    place = np.arange(geometry.n_cells)
    turned = np.zeros_like(cells)
    turned[:, rotate_cells(place, np.full_like(place, step), geometry)] = cells
    return turned


def brute_force(a: np.ndarray, b: np.ndarray, geometry: CylinderGeometry) -> np.ndarray:
    """Distances (len(a), len(b)) straight from the definition."""
    p = np.sqrt(a / a.sum(axis=1, keepdims=True))
    turned = [turn(b, step, geometry) for step in range(sector_steps(geometry))]
    return 1 - np.max([p @ np.sqrt(t / t.sum(axis=1, keepdims=True)).T for t in turned], axis=0)


@pytest.mark.parametrize("geometry", [SMALL, RAGGED])
def test_distances_are_those_of_the_definition(geometry: CylinderGeometry) -> None:
    queries, others = random_cells(12, geometry, 1), random_cells(40, geometry, 2)
    found = NearestSearch(geometry, [source(queries, geometry)], candidates=40).search(source(others, geometry))
    expected = brute_force(queries, others, geometry)
    np.testing.assert_allclose(found.distance, expected.min(axis=1), atol=2e-6)
    np.testing.assert_array_equal(found.index, expected.argmin(axis=1))


@given(st.integers(0, 11), st.floats(1e-3, 1e3), st.sampled_from([SMALL, RAGGED]))
@settings(max_examples=20, deadline=None)
def test_rotated_and_rescaled_copies_are_found_with_one_candidate(
    step: int, scale: float, geometry: CylinderGeometry
) -> None:
    cells = random_cells(15, geometry, 3)
    copies = (scale * turn(cells, step, geometry)).astype(np.float32)
    found = NearestSearch(geometry, [source(copies, geometry)], candidates=1).search(source(cells, geometry))
    np.testing.assert_array_equal(found.index, np.arange(15))
    assert found.distance.max() < 1e-5


def test_rings_bound_the_distance_from_below() -> None:
    maker = PatternMaker(SMALL)
    a, b = random_cells(30, SMALL, 4), random_cells(30, SMALL, 5)
    bound = 1 - maker.rings(maker.amplitudes(a)) @ maker.rings(maker.amplitudes(b)).T
    assert np.all(bound <= brute_force(a, b, SMALL) + 1e-6)


def test_own_shower_is_passed_over_and_too_few_candidates_do_not_hurt() -> None:
    cells = random_cells(5, SMALL, 6)
    found = NearestSearch(SMALL, [source(cells)]).search(source(cells), np.arange(5))
    expected = brute_force(cells, cells, SMALL)
    np.fill_diagonal(expected, np.inf)
    np.testing.assert_array_equal(found.index, expected.argmin(axis=1))
    alone = NearestSearch(SMALL, [source(cells[:1])]).search(source(cells[:1]), np.arange(1))
    assert alone.index.tolist() == [-1]
    assert np.isinf(alone.distance[0])


TRAIN, NULL, FRESH = (random_cells(n, SMALL, seed) for n, seed in ((300, 10), (200, 11), (200, 12)))


def test_unseen_truth_passes() -> None:
    result = measure_memory(source(FRESH), source(TRAIN), source(NULL), seed=1)
    by_name = {score.name: score for score in result.scores}
    assert result.passed
    assert by_name["memorisation"].status == "ok"
    assert all(abs(score.z) < 4 for score in result.scores)
    assert by_name["duplicates"].value == 0
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False))["passed"] is True
    assert sum(result.to_dict()["generated"]) == 200


@pytest.mark.parametrize("name", ["library", "bootstrap"])
def test_resampled_truth_fails(name: str) -> None:
    """The positive controls."""
    train, null = source(TRAIN), source(NULL)
    cond = null.labels().cond
    showers = BASELINES[name].fit(train, seed=1).sample(cond, np.random.default_rng(1)).x
    generated = MemorySource(make_events(train.schema, showers, cond))
    first, copies, close, duplicates = memorisation(generated, train, null, seed=1, resamples_truth=True)
    assert first.status == "failed"
    assert first.value < 0.01
    assert copies.value > 0.9
    assert close.value > 0.9
    assert duplicates.value > 0.2
    assert "positive control" in first.note


def test_a_share_of_copies_is_enough_to_fail_though_the_median_does_not_move() -> None:
    mixed = FRESH.copy()
    mixed[:40] = 1.3 * turn(TRAIN[:40], 2, SMALL)
    first, copies, *_ = memorisation(source(mixed), source(TRAIN), source(NULL), seed=1)
    assert first.status == "failed"
    assert 0.8 < first.value < 1.1
    assert copies.value == pytest.approx(0.2, abs=0.03)


def test_smooth_showers_are_near_to_all_truth_but_are_no_copies() -> None:
    smooth = 0.7 * FRESH + 0.3 * FRESH.mean(axis=0)
    first, copies, close, _ = memorisation(source(smooth), source(TRAIN), source(NULL), seed=1)
    assert close.value > 0.5
    assert copies.z < 5
    assert first.status == "ok"


def test_few_showers_are_called_underpowered_and_empty_showers_are_no_copies() -> None:
    few = FRESH[:30].copy()
    few[:5] = 0
    few[5, 0], few[6, 1] = np.nan, -1
    result = measure_memory(source(few), source(TRAIN), source(NULL), seed=1)
    assert result.scores[0].status == "underpowered"
    assert np.all(result.generated.seen[:5] == 1)
    assert np.all(np.isfinite(result.generated.seen))


def test_max_events_limits_what_is_judged_reproducibly() -> None:
    runs = [measure_memory(source(FRESH), source(TRAIN), source(NULL), seed=7, max_events=50) for _ in range(2)]
    assert len(runs[0].generated.seen) == len(runs[0].truth.seen) == 50
    np.testing.assert_array_equal(runs[0].generated.seen, runs[1].generated.seen)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (source(random_cells(3, RAGGED, 1), RAGGED), "geometry 'ragged'"),
        (source(FRESH[:0]), "is empty"),
        (MemorySource(make_events(Schema("table", ()), np.zeros((2, 3)), np.zeros((2, 0)))), "on a cylinder"),
    ],
)
def test_broken_samples_are_refused(broken: EventSource, message: str) -> None:
    with pytest.raises(FacsimError, match=message):
        memorisation(source(FRESH), broken, source(NULL), seed=1)


def test_free_cells_are_compared_without_rotation() -> None:
    rng = np.random.default_rng(3)
    x = rng.exponential(5.0, (60, CALOGAN.n_cells, 1)) * (rng.random((60, CALOGAN.n_cells, 1)) < 0.2)
    events = make_events(calorimeter_schema(CALOGAN), x.astype(np.float32), np.full((60, 1), 1e4))
    search = NearestSearch(CALOGAN, [MemorySource(events[:20])])
    found = search.search(MemorySource(events))
    np.testing.assert_array_equal(found.index, np.arange(20))
    np.testing.assert_allclose(found.distance, 0, atol=1e-5)
    other = search.search(MemorySource(events[20:]))
    share = np.sqrt(events.cells / events.cells.sum(axis=1, keepdims=True, dtype=np.float64))
    exact = 1 - share[:20] @ share[20:].T
    np.testing.assert_allclose(other.distance, exact.min(axis=1), atol=1e-5)
