"""Shower files: what facsim writes is a CaloChallenge file, and comes back whole."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facsim.core.cell_geometry import CellGeometry, cell_layer
from facsim.core.errors import FacsimError
from facsim.core.events import Events, concatenate, make_events
from facsim.core.geometry import regular_cylinder
from facsim.core.schema import Feature, Schema, calorimeter_schema
from facsim.core.showerfile import (
    append_showers,
    extra_names,
    is_shower_file,
    open_showers,
    read_extra,
    read_labels,
    read_rows,
    read_schema,
    write_showers,
)
from facsim.core.store import StoreReader, open_hdf5, write_store
from facsim.data import open_events

GEOMETRY = regular_cylinder("small", "electron", 2, 3, 4, 1.0, 0.01)
ANGLED = (Feature("incident_energy", "MeV"), Feature("theta", "rad"))


def showers(n: int, first: int = 0, conditions: tuple[Feature, ...] = ANGLED[:1]) -> Events:
    rng = np.random.default_rng(first)
    x = rng.exponential(1.0, (n, GEOMETRY.n_cells, 1)).astype(np.float32)
    schema = calorimeter_schema(GEOMETRY, conditions, {"seed": 5})
    return make_events(schema, x, rng.uniform(1e3, 1e5, (n, len(conditions))), first_id=first)


@given(sizes=st.lists(st.integers(1, 300), min_size=1, max_size=4), several=st.booleans(), weighted=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)
def test_round_trip(tmp_path: Path, sizes: list[int], several: bool, weighted: bool) -> None:
    path = tmp_path / "showers.h5"
    batches = [showers(n, 1000 * i, ANGLED if several else ANGLED[:1]) for i, n in enumerate(sizes)]
    if weighted:
        batches = [replace(batch, weight=batch.cond[:, 0] / 7) for batch in batches]
    assert write_showers(path, batches) == sum(sizes)
    truth = concatenate(batches)
    with h5py.File(path) as handle:
        schema = read_schema(handle)
        assert schema == truth.schema
        assert schema.provenance == {"seed": 5}
        back = read_rows(handle, schema, 0, sum(sizes))
        labels = read_labels(handle, 1, sum(sizes))
        assert len(read_rows(handle, schema, sum(sizes), sum(sizes) + 5)) == 0
    for name in ("x", "cond", "event_id", "group_id", "weight"):
        np.testing.assert_array_equal(getattr(back, name), getattr(truth, name))
        if name != "x" and getattr(truth, name) is not None:
            np.testing.assert_array_equal(getattr(labels, name), getattr(truth, name)[1:])


def test_top_of_the_file_is_the_challenge_format(tmp_path: Path) -> None:
    path = tmp_path / "showers.h5"
    events = showers(70)
    write_showers(path, [events[:33], events[33:]])
    with h5py.File(path) as handle:
        assert set(handle) == {"incident_energies", "showers", "facsim"}
        assert is_shower_file(handle)
        assert handle["incident_energies"].shape == (70, 1)
        assert handle["showers"].shape == (70, GEOMETRY.n_cells)
        assert handle["showers"].compression == "gzip"
        np.testing.assert_array_equal(handle["showers"][:], events.cells)
        np.testing.assert_array_equal(handle["incident_energies"][:], events.cond)


def test_further_arrays_per_event(tmp_path: Path) -> None:
    path = tmp_path / "showers.h5"
    with open_showers(path, "w") as handle:
        append_showers(handle, showers(4), cpu_ms=np.arange(4.0))
    with open_showers(path, "a") as handle:
        append_showers(handle, showers(3, 4), cpu_ms=np.arange(4.0, 7.0))
    with h5py.File(path) as handle:
        assert extra_names(handle) == ["cpu_ms", "event_id", "group_id"]
        assert np.array_equal(read_extra(handle, "cpu_ms", 2, 6), [2.0, 3.0, 4.0, 5.0])
        assert read_extra(handle, "other", 0, 7) is None


def test_what_does_not_fit_is_refused_and_nothing_is_appended(tmp_path: Path) -> None:
    with open_showers(tmp_path / "showers.h5", "w") as handle:
        append_showers(handle, showers(4), cpu_ms=np.ones(4))
        with pytest.raises(FacsimError, match="another geometry or other conditions"):
            append_showers(handle, showers(4, conditions=ANGLED), cpu_ms=np.ones(4))
        with pytest.raises(FacsimError, match=r"keeps \['cpu_ms', 'event_id', 'group_id'\] per event, not"):
            append_showers(handle, showers(4))
        with pytest.raises(FacsimError, match="'cpu_ms' has 3 entries for 4 showers"):
            append_showers(handle, showers(4), cpu_ms=np.ones(3))
        assert len(handle["showers"]) == len(handle["incident_energies"]) == len(handle["facsim/cpu_ms"]) == 4


def test_showers_need_an_incident_energy(tmp_path: Path) -> None:
    schema = Schema("grid", (Feature("energy", "MeV"),), (), GEOMETRY)
    events = make_events(schema, np.zeros((1, GEOMETRY.n_cells, 1)), np.zeros((1, 0)))
    with pytest.raises(FacsimError, match="no condition 'incident_energy'"):
        write_showers(tmp_path / "showers.h5", [events])
    assert list(tmp_path.iterdir()) == []


def test_no_showers_leave_no_file(tmp_path: Path) -> None:
    with pytest.raises(FacsimError, match="no showers to write"):
        write_showers(tmp_path / "showers.h5", [])
    assert list(tmp_path.iterdir()) == []


def test_file_from_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "other.hdf5"
    events = showers(5)
    with h5py.File(path, "w") as handle:
        handle["showers"] = events.cells.astype(np.float64)
        handle["incident_energies"] = events.cond.astype(np.float32)
    with h5py.File(path) as handle:
        assert read_schema(handle) is None
        assert extra_names(handle) == []
        back = read_rows(handle, events.schema, 2, 5)
    assert back.event_id.tolist() == back.group_id.tolist() == [2, 3, 4]
    assert (back.x.dtype, back.cond.dtype) == (np.float32, np.float64)
    np.testing.assert_array_equal(back.x, events.x[2:])


def test_each_chunk_is_written_once_however_small_the_pieces(tmp_path: Path) -> None:
    """Chunks that are rewritten at every append would leave holes in the file and take their time each time."""
    events = showers(600)
    for name, step in (("whole.h5", 600), ("pieces.h5", 7)):
        write_showers(tmp_path / name, [events[i : i + step] for i in range(0, 600, step)])
    whole, pieces = ((tmp_path / name).stat().st_size for name in ("whole.h5", "pieces.h5"))
    assert pieces < 1.02 * whole


def test_a_large_geometry_is_kept_where_hdf5_has_room(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    layers = tuple(cell_layer(i, *rng.uniform(-50, 50, (2, 1500))) for i in range(3))
    schema = calorimeter_schema(CellGeometry("hex", "photon", layers, (0.0, 30.0, 80.0), 0.01))
    assert len(json.dumps(schema.to_dict())) > 2**16
    x = rng.random((4, 4500, 1)).astype(np.float32)
    events = make_events(schema, x, np.full((4, 1), 1e4))
    with open_showers(tmp_path / "s.h5", "w") as handle:
        append_showers(handle, events)
        append_showers(handle, events)
    with open_hdf5(tmp_path / "s.h5") as stored:
        assert read_schema(stored) == schema
        assert extra_names(stored) == ["event_id", "group_id"]
    with open_showers(tmp_path / "s.h5", "a") as handle:
        append_showers(handle, events)
    source = open_events(tmp_path / "s.h5")
    assert len(source) == 12
    assert source.schema == schema
    write_store(tmp_path / "e.h5", [events])
    assert StoreReader(tmp_path / "e.h5").schema == schema
