"""Point-cloud showers: the package's own files, files of its layout, put into cells, and refused when broken."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.events import Events, make_events
from facsim.core.geometry import CylinderGeometry, Layer, regular_cylinder
from facsim.core.schema import Feature, Schema
from facsim.core.sources import SubsetSource, read_labels
from facsim.data import open_events
from facsim.data.checks import check_events
from facsim.data.cloud_cells import CloudsInCells, find_cells
from facsim.data.showerdata import CONDITIONS, POINTS, ShowerCloudReader, write_showerdata

KEYS = ("showers", "energies", "directions", "pdg", "shower_ids", "shape", "num_points")


def make(n: int = 8, points: int = 12, width: int = 4, seed: int = 5) -> Events:
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, points + 1, n)
    counts[0], counts[1] = points, 0
    mask = np.arange(points) < counts[:, None]
    x = np.concatenate(
        [
            rng.normal(0, 20, (n, points, 2)),
            rng.integers(0, 10, (n, points, 1)),
            rng.exponential(5, (n, points, 1)) + 0.1,
            rng.exponential(1, (n, points, 1)),
        ],
        axis=2,
    )[:, :, :width]
    cond = np.stack(
        [rng.uniform(1e4, 1e5, n), rng.uniform(0, 0.5, n), rng.uniform(-3, 3, n), rng.choice([11.0, 22.0], n)], axis=1
    )
    schema = Schema("cloud", POINTS[:width], CONDITIONS, points=points)
    return make_events(schema, np.where(mask[..., None], x, 0).astype(np.float32), cond, 0, mask=mask)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_showerdata(tmp_path / "clouds.h5", make())
    return tmp_path / "clouds.h5"


def change(path: Path, name: str, data: np.ndarray | None) -> None:
    with h5py.File(path, "a") as handle:
        del handle[name]
        if data is not None:
            handle[name] = data


def check_equal(read: Events, events: Events) -> None:
    assert read.mask is not None
    assert events.mask is not None
    np.testing.assert_array_equal(read.mask, events.mask)
    np.testing.assert_allclose(read.x, events.x, rtol=1e-6)
    np.testing.assert_allclose(read.cond, events.cond, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("width", [4, 5])
def test_round_trip_by_range(tmp_path: Path, width: int) -> None:
    events, path = make(width=width), tmp_path / "clouds.h5"
    write_showerdata(path, events)
    source = open_events(path)
    assert isinstance(source, ShowerCloudReader)
    assert source.schema == events.schema
    assert source.schema.points == 12
    check_equal(source.read(0, 8), events)
    check_equal(source.read(3, 6), events[3:6])
    check_equal(SubsetSource(source, np.array([1, 4, 7])).read(0, 3), events[np.array([1, 4, 7])])
    assert source.read(2, 2).x.shape == (0, 12, width)
    np.testing.assert_allclose(read_labels(source).cond, events.cond, rtol=1e-5, atol=1e-5)
    check_events(source, "clouds")


@pytest.mark.parametrize("width", [4, 5])
def test_the_package_and_facsim_read_one_anothers_files(tmp_path: Path, width: int) -> None:
    package = pytest.importorskip("showerdata")
    events, ours, theirs = make(width=width), tmp_path / "ours.h5", tmp_path / "theirs.h5"
    write_showerdata(ours, events)
    found = package.load(ours)
    np.testing.assert_allclose(found.points[:, :, 3] * 1e3, events.x[:, :, 3], rtol=1e-6)
    np.testing.assert_allclose(found.energies[:, 0] * 1e3, events.cond[:, 0], rtol=1e-6)
    np.testing.assert_allclose(np.arccos(found.directions[:, 2]), events.cond[:, 1], atol=1e-3)
    ids = np.array([4, 4, 5, 5, 6, 6, 7, 7])
    package.Showers(found.points, found.energies, found.pdg, found.directions, ids).save(theirs)
    read = open_events(theirs).read(0, 8)
    check_equal(read, events)
    np.testing.assert_array_equal(read.group_id, ids)
    np.testing.assert_array_equal(read.event_id, np.arange(8))
    batch = tmp_path / "batch.h5"
    package.create_empty_file(batch, found.points.shape)
    package.save_batch(found[0:5], batch, start=0)
    package.save_batch(found[5:8], batch, start=5)
    check_equal(open_events(batch).read(0, 8), events)


def test_files_of_different_sizes_join(tmp_path: Path) -> None:
    write_showerdata(tmp_path / "a.h5", make(4, 12))
    write_showerdata(tmp_path / "b.h5", make(4, 20))
    source = open_events([tmp_path / "a.h5", tmp_path / "b.h5"])
    assert source.schema.points == 20
    check_equal(source.read(4, 8), make(4, 20))


@pytest.mark.parametrize("name", KEYS)
def test_missing_data_sets_are_named(file: Path, name: str) -> None:
    change(file, name, None)
    with pytest.raises(FacsimError, match=f"lacks the data set '{name}'"):
        open_events(file)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("showers", np.zeros((8, 12, 4)), "lacks the data set 'showers' of variable-length numbers"),
        ("shape", np.array([7, 12, 4]), r"'shape' .* says \[7, 12, 4\]: expected \[8, 'points', '4 or 5'\]"),
        ("shape", np.array([8, 12, 3]), r"says \[8, 12, 3\]"),
        ("shape", np.array([8, 12]), r"'shape' .* shape \(2,\): expected \(3\)"),
        ("energies", np.zeros((7, 1)), r"'energies' .* expected \(8, 1\)"),
        ("directions", np.zeros((8, 2)), r"'directions' .* expected \(8, 3\)"),
        ("num_points", np.zeros(9), r"'num_points' .* expected \(8\)"),
    ],
)
def test_wrong_shapes_are_told(file: Path, name: str, data: np.ndarray, message: str) -> None:
    change(file, name, data)
    with pytest.raises(FacsimError, match=message):
        open_events(file)


def test_damaged_showers_are_told(file: Path) -> None:
    with h5py.File(file, "a") as handle:
        handle["num_points"][3] += 1
    with pytest.raises(FacsimError, match=r"shower 3 of .* is damaged"):
        open_events(file).read(2, 6)
    change(file, "shape", np.array([8, 11, 4]))
    with pytest.raises(FacsimError, match=r"shower 0 of .* should have 12 points of 4, at most 11"):
        open_events(file).read(0, 3)


def test_numbers_that_are_none(file: Path) -> None:
    change(file, "directions", np.zeros((8, 3)))
    with pytest.raises(FacsimError, match=r"shower 0 of .* has a direction of length 0"):
        open_events(file).read(0, 8)
    change(file, "directions", np.full((8, 3), np.nan))
    with pytest.raises(FacsimError, match="'theta' of event 0 is not a finite number"):
        check_events(open_events(file), "clouds")
    change(file, "directions", np.tile([0.0, 0.0, 1.0], (8, 1)))
    with h5py.File(file, "a") as handle:
        handle["showers"][2] = np.full_like(handle["showers"][2], np.nan)
    with pytest.raises(FacsimError, match="the first in event 2"):
        check_events(open_events(file), "clouds")


def test_negative_deposits_and_wrong_units_are_told(file: Path) -> None:
    with h5py.File(file, "a") as handle:
        shower = handle["showers"][3]
        shower[3] = -1.0
        handle["showers"][3] = shower
    with pytest.raises(FacsimError, match="negative deposits, the first in event 3"):
        check_events(open_events(file), "clouds")
    write_showerdata(file, make())
    change(file, "energies", np.full((8, 1), 1e5, np.float32))
    assert any("are its units right?" in text for text in check_events(open_events(file), "clouds").warnings)


def test_a_truncated_file(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(FacsimError, match="truncated"):
        open_events(file)


def test_other_clouds_are_not_written(tmp_path: Path) -> None:
    jets = Schema("cloud", (Feature("etarel"), Feature("phirel"), Feature("ptrel")), CONDITIONS)
    events = make_events(jets, np.zeros((2, 3, 3), np.float32), np.ones((2, 4)), mask=np.ones((2, 3), bool))
    with pytest.raises(FacsimError, match="x, y, z, energy"):
        write_showerdata(tmp_path / "a.h5", events)


def test_points_go_into_the_cells_that_hold_them() -> None:
    geometry = CylinderGeometry("g", "photon", (Layer(0, (0, 10, 30), 4), Layer(2, (5, 50), 1)))
    rng = np.random.default_rng(1)
    cell = rng.integers(0, geometry.n_cells, 50)
    ids = np.array([layer.id for layer in geometry.layers])[geometry.layer_index[cell]]
    found = find_cells(geometry.x[cell], geometry.y[cell], ids + rng.uniform(-0.4, 0.4, 50), geometry)
    np.testing.assert_array_equal(found, cell)
    outside = find_cells(np.array([31.0, 0.0, 3.0, 60.0]), np.zeros(4), np.array([0.0, 1.0, 2.0, 2.0]), geometry)
    assert outside.tolist() == [-1, -1, -1, -1]


def test_clouds_in_cells_keep_their_energy(file: Path) -> None:
    geometry = regular_cylinder("g", "photon", 10, 8, 5, 40.0, 0.0)
    source, events = open_events(file, geometry=geometry), make()
    assert isinstance(source, CloudsInCells)
    assert source.schema.geometry == geometry
    read = source.read(2, 7)
    np.testing.assert_allclose(read.cells.sum(axis=1), events.x[2:7, :, 3].sum(axis=1), rtol=1e-5)
    np.testing.assert_allclose(read.cond, events.cond[2:7], rtol=1e-5, atol=1e-5)
    for layer in range(10):
        expected = np.where(events.x[2:7, :, 2] == layer, events.x[2:7, :, 3], 0).sum(axis=1)
        np.testing.assert_allclose(geometry.layer_sum(read.cells)[:, layer], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(read_labels(source).cond, events.cond, rtol=1e-5, atol=1e-5)
    check_events(source, "clouds")
