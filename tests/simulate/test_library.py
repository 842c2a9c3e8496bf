"""The frozen shower library: sparse storage, rotations, look-up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.core.events import Events, make_events
from facsim.core.geometry import CylinderGeometry, Layer, regular_cylinder
from facsim.core.schema import Feature, calorimeter_schema
from facsim.core.sources import MemorySource
from facsim.simulate.library import ShowerLibrary, rotate_cells, sector_steps

SMALL = regular_cylinder("small", "electron", 3, 4, 2, 5.0, 0.5)
RAGGED = CylinderGeometry("ragged", "photon", (Layer(0, (0, 1, 2), 1), Layer(1, (0, 1), 6), Layer(2, (0, 1, 2, 3), 4)))


def library_events(n: int = 40, seed: int = 1, energy: np.ndarray | None = None) -> Events:
    rng = np.random.default_rng(seed)
    x = rng.exponential(10.0, (n, SMALL.n_cells, 1)) * (rng.random((n, SMALL.n_cells, 1)) < 0.4)
    x[x < SMALL.threshold] = 0
    energy = np.geomspace(1e3, 1e5, n) if energy is None else energy
    return make_events(calorimeter_schema(SMALL), x.astype(np.float32), energy[:, None], first_id=500)


@given(st.integers(0, 40), st.integers(0, 40))
def test_rotations_permute_cells_within_rings_and_compose(a: int, b: int) -> None:
    for geometry in (SMALL, RAGGED):
        cells = np.arange(geometry.n_cells)
        step = np.full(geometry.n_cells, a)
        turned = rotate_cells(cells, step, geometry)
        assert np.array_equal(np.sort(turned), cells)
        assert np.array_equal(geometry.ring_index[turned], geometry.ring_index)
        assert np.array_equal(geometry.layer_index[turned], geometry.layer_index)
        twice = rotate_cells(turned, np.full(geometry.n_cells, b), geometry)
        assert np.array_equal(twice, rotate_cells(cells, step + b, geometry))
        assert np.array_equal(rotate_cells(cells, np.full_like(cells, sector_steps(geometry)), geometry), cells)


def test_rotation_turns_every_layer_by_the_same_angle() -> None:
    geometry = RAGGED
    assert sector_steps(geometry) == 2
    cells = np.flatnonzero(geometry.layer_index > 0)
    turned = rotate_cells(cells, np.ones_like(cells), geometry)
    angle = np.mod(geometry.alpha[turned] - geometry.alpha[cells], 2 * np.pi)
    np.testing.assert_allclose(angle, np.pi, atol=1e-12)


def test_nearest_event_itself_comes_back_scaled() -> None:
    events = library_events()
    library = ShowerLibrary.fit(MemorySource(events), seed=1, nearest=1)
    library_cond = events.cond * 1.01
    showers = library.sample(library_cond, np.random.default_rng(1))
    assert np.array_equal(showers.group_id, events.event_id)
    grid = (len(events), *SMALL.shape) if SMALL.shape else ()
    rings = showers.x.reshape(grid).sum(axis=2)
    expected = 1.01 * events.x.reshape(grid).sum(axis=2)
    np.testing.assert_allclose(rings, expected, rtol=1e-5)


def test_every_rotation_is_drawn() -> None:
    events = library_events(1)
    showers = ShowerLibrary.fit(MemorySource(events), seed=1).sample(np.full((200, 1), 1e3), np.random.default_rng(1))
    patterns = {row.tobytes() for row in showers.x[..., 0]}
    assert len(patterns) == 4


def test_scaling_down_drops_cells_below_threshold() -> None:
    events = library_events()
    library = ShowerLibrary.fit(MemorySource(events), seed=1, nearest=1)
    showers = library.sample(np.full((5, 1), 100.0), np.random.default_rng(1))
    assert np.all((showers.x == 0) | (showers.x >= 0.5))
    assert np.count_nonzero(showers.x[0]) < np.count_nonzero(events.x[0])


def test_events_of_one_energy_are_all_used() -> None:
    energy = np.repeat([1e3, 2e3, 4e3], 30)
    library = ShowerLibrary.fit(MemorySource(library_events(90, energy=energy)), seed=1, nearest=5)
    used = library.sample(np.full((2000, 1), 2e3), np.random.default_rng(1)).group_id
    assert used is not None
    counts = np.bincount(used - 500, minlength=90)
    assert np.all(counts[:30] == 0)
    assert np.all(counts[60:] == 0)
    assert np.all(counts[30:60] > 0)


@settings(max_examples=20)
@given(st.integers(1, 12), st.floats(1.1e3, 9e4))
def test_drawn_events_are_among_the_nearest(nearest: int, energy: float) -> None:
    events = library_events(60)
    library = ShowerLibrary.fit(MemorySource(events), seed=1, nearest=nearest)
    used = library.sample(np.full((50, 1), energy), np.random.default_rng(1)).group_id
    assert used is not None
    distance = np.abs(np.log(events.cond[:, 0] / energy))
    limit = np.sort(distance)[nearest - 1]
    assert np.all(distance[used - 500] <= limit + 0.01)


def test_particles_do_not_mix_and_angles_forbid_rotation() -> None:
    base = library_events(40)
    schema = calorimeter_schema(SMALL, (Feature("incident_energy", "MeV"), Feature("pdg"), Feature("theta", "rad")))
    pdg = np.where(np.arange(40) % 2, 11.0, 22.0)
    cond = np.column_stack([base.cond[:, 0], pdg, np.linspace(0, 1, 40)])
    library = ShowerLibrary.fit(MemorySource(make_events(schema, base.x, cond)), seed=1, nearest=3)
    showers = library.sample(np.tile([[5e3, 22.0, 0.5]], (100, 1)), np.random.default_rng(1))
    assert showers.group_id is not None
    assert np.all(pdg[showers.group_id] == 22.0)
    for shower, source in zip(showers.x, showers.group_id, strict=True):
        assert set(np.flatnonzero(shower)) <= set(np.flatnonzero(base.x[source]))


def test_a_smaller_library_holds_less() -> None:
    source = MemorySource(library_events(100))
    whole, part = (ShowerLibrary.fit(source, seed=1, events=n) for n in (0, 20))
    assert part.memory_bytes < 0.3 * whole.memory_bytes
    used = part.sample(np.geomspace(1e3, 1e5, 500)[:, None], np.random.default_rng(1)).group_id
    assert used is not None
    assert len(np.unique(used)) <= 20


def test_impossible_options() -> None:
    with pytest.raises(FacsimError, match=r"needs nearest to be a whole number >= 1, not 0"):
        ShowerLibrary(nearest=0)
    with pytest.raises(FacsimError, match=r"needs events to be a whole number >= 0, not 'all'"):
        ShowerLibrary.fit(MemorySource(library_events(3)), seed=1, events="all")
