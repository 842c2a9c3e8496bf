"""LEMURS files: written and read back in facsim's order, in whatever order their axes are, and refused when broken."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.events import Events, make_events
from facsim.core.geometry import CylinderGeometry, Layer, regular_cylinder
from facsim.core.schema import calorimeter_schema
from facsim.core.sources import SubsetSource, read_labels
from facsim.data import open_events
from facsim.data.checks import check_events
from facsim.data.lemurs import CONDITIONS, PAR04_SIW, LEMURSReader, write_lemurs
from facsim.physics.geometries import GEOMETRIES

KEYS = ("showers", "incident_energy", "incident_theta", "incident_phi")


def make(n: int = 6, geometry: CylinderGeometry = PAR04_SIW) -> Events:
    rng = np.random.default_rng(2)
    x = rng.exponential(1.0, (n, geometry.n_cells, 1)) * (rng.random((n, geometry.n_cells, 1)) < 0.1)
    cond = np.stack([rng.uniform(1e3, 1e6, n), rng.uniform(0.87, 2.27, n), rng.uniform(-3.1, 3.1, n)], axis=1)
    return make_events(calorimeter_schema(geometry, CONDITIONS), x.astype(np.float32), cond)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_lemurs(tmp_path / "LEMURS.h5", make())
    return tmp_path / "LEMURS.h5"


def change(path: Path, name: str, data: np.ndarray | None) -> None:
    with h5py.File(path, "a") as handle:
        del handle[name]
        if data is not None:
            handle[name] = data


def test_round_trip_by_range(file: Path) -> None:
    source, events = open_events(file), make()
    assert isinstance(source, LEMURSReader)
    assert source.schema == events.schema
    assert source.schema.geometry == PAR04_SIW
    assert not source.schema.is_axial
    read = source.read(2, 5)
    np.testing.assert_array_equal(read.x, events.x[2:5])
    np.testing.assert_array_equal(read.cond, events.cond[2:5])
    np.testing.assert_array_equal(read.event_id, [2, 3, 4])
    np.testing.assert_array_equal(read_labels(source).cond, events.cond)
    some = SubsetSource(source, np.array([0, 4])).read(0, 2)
    np.testing.assert_array_equal(some.x, events.x[[0, 4]])
    assert source.read(3, 3).x.shape == (0, 6480, 1)


def test_the_file_numbers_its_cells_as_par04_does(file: Path) -> None:
    with h5py.File(file) as handle:
        showers = handle["showers"][:]
    assert showers.shape == (6, 9, 16, 45)
    number = np.arange(6480)
    layer, alpha, r = number // 144, number // 9 % 16, number % 9
    np.testing.assert_array_equal(showers[:, r, alpha, layer], make().cells)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 3, 2, 1), (0, 2, 1, 3), (0, 3, 1, 2)])
def test_the_axes_are_told_by_their_sizes(file: Path, order: tuple[int, ...]) -> None:
    with h5py.File(file) as handle:
        showers = handle["showers"][:]
    change(file, "showers", showers.transpose(order))
    np.testing.assert_array_equal(open_events(file).read(0, 6).x, make().x)


def test_other_names_and_columns(file: Path) -> None:
    with h5py.File(file, "a") as handle:
        handle["theta"], handle["phi"] = handle["incident_theta"][:][:, None], handle["incident_phi"][:]
        del handle["incident_theta"], handle["incident_phi"]
    np.testing.assert_array_equal(open_events(file).read(0, 6).cond, make().cond)


def test_a_read_out_of_another_detector(file: Path) -> None:
    wide = regular_cylinder("odd", "photon", 45, 16, 9, 9.0, 0.001)
    source = open_events(file, geometry=wide)
    assert source.schema.geometry == wide
    np.testing.assert_array_equal(source.read(0, 6).x, make().x)
    ragged = CylinderGeometry("ragged", "photon", (Layer(0, (0, 1), 1), Layer(1, (0, 1), 2)))
    with pytest.raises(FacsimError, match="on a cylinder of equal layers, and 'ragged' is none"):
        open_events(file, geometry=ragged)
    with pytest.raises(FacsimError, match=r"fits no orders of the 18 rings, 50 sectors and 45 layers"):
        open_events(file, geometry=GEOMETRIES["ds3-electrons"])


def test_axes_of_one_size_are_par04s(tmp_path: Path) -> None:
    square = regular_cylinder("square", "photon", 4, 4, 4, 1.0, 0.0)
    write_lemurs(tmp_path / "s.h5", make(3, square))
    np.testing.assert_array_equal(open_events(tmp_path / "s.h5", geometry=square).read(0, 3).x, make(3, square).x)


def test_sizes_that_fit_several_orders_are_refused(tmp_path: Path) -> None:
    double = regular_cylinder("double", "photon", 5, 4, 4, 1.0, 0.0)
    path = tmp_path / "d.h5"
    write_lemurs(path, make(3, double))
    change(path, "showers", np.zeros((3, 5, 4, 4), np.float32))
    with pytest.raises(FacsimError, match="fits 2 orders"):
        open_events(path, geometry=double)


@pytest.mark.parametrize("name", KEYS)
def test_missing_data_sets_are_named(file: Path, name: str) -> None:
    change(file, name, None)
    with pytest.raises(FacsimError, match=f"lacks the data set '{name}'"):
        open_events(file)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("showers", np.zeros((6, 9, 16, 44)), "fits no orders of the 9 rings, 16 sectors and 45 layers"),
        ("showers", np.zeros((6, 6480)), r"shape \(6, 6480\): expected \(any, any, any, any\)"),
        ("showers", np.zeros((0, 9, 16, 45)), "holds no showers"),
        ("showers", np.full((6, 9, 16, 45), b"a"), "not numbers"),
        ("incident_theta", np.zeros(5), r"'incident_theta' .* has shape \(5,\): expected \(6\)"),
        ("incident_phi", np.zeros((6, 2)), r"expected \(6, 1\)"),
        ("incident_energy", np.zeros((6, 1, 1)), r"expected \(6, 1\)"),
    ],
)
def test_wrong_shapes_are_told(file: Path, name: str, data: np.ndarray, message: str) -> None:
    change(file, name, data)
    with pytest.raises(FacsimError, match=message):
        open_events(file)


def test_degrees_and_numbers_that_are_none(file: Path) -> None:
    change(file, "incident_theta", np.full(6, 90.0))
    with pytest.raises(FacsimError, match="angles must be in rad"):
        open_events(file).read(0, 1)
    change(file, "incident_theta", np.full(6, np.nan))
    with pytest.raises(FacsimError, match="'theta' of event 0 is not a finite number"):
        check_events(open_events(file), "file")
    change(file, "incident_theta", np.ones(6))
    with h5py.File(file, "a") as handle:
        handle["showers"][3, 0, 0, 0] = np.nan
    with pytest.raises(FacsimError, match="NaN or infinite values in 1 of events 0 to 5, the first in event 3"):
        check_events(open_events(file), "file")


def test_a_truncated_file(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(FacsimError, match="truncated"):
        open_events(file)


def test_only_cylinders_are_written(tmp_path: Path) -> None:
    with pytest.raises(FacsimError, match="cylinder of equal layers"):
        write_lemurs(tmp_path / "a.h5", make(2, GEOMETRIES["ds1-photons"]))
    flat = calorimeter_schema(PAR04_SIW)
    with pytest.raises(FacsimError, match="no condition 'theta'"):
        write_lemurs(tmp_path / "a.h5", make_events(flat, make(2).x, make(2).cond[:, :1]))
