"""CaloGAN files: written and read back, cells where CaloGAN has them, and refused when broken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.events import Events, make_events
from facsim.core.schema import calorimeter_schema
from facsim.core.sources import read_labels
from facsim.data import open_events
from facsim.data.calogan import CALOGAN, CaloGANReader, write_calogan
from facsim.data.checks import check_events
from facsim.data.geometry import write_geometry
from facsim.physics.calo import shower_observables
from facsim.physics.geometries import GEOMETRIES


def make(n: int = 7) -> Events:
    rng = np.random.default_rng(3)
    x = rng.exponential(10.0, (n, 504, 1)) * (rng.random((n, 504, 1)) < 0.3)
    return make_events(calorimeter_schema(CALOGAN), x.astype(np.float32), rng.uniform(1e3, 1e5, (n, 1)))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_calogan(tmp_path / "eplus.hdf5", make(), np.ones((7, 3)))
    return tmp_path / "eplus.hdf5"


def change(path: Path, name: str, data: np.ndarray | None) -> None:
    with h5py.File(path, "a") as handle:
        del handle[name]
        if data is not None:
            handle[name] = data


def test_round_trip_by_range(file: Path) -> None:
    source, events = open_events(file), make()
    assert isinstance(source, CaloGANReader)
    assert source.schema == events.schema
    read = source.read(1, 6)
    np.testing.assert_array_equal(read.x, events.x[1:6])
    np.testing.assert_allclose(read.cond, events.cond[1:6], rtol=1e-12)
    np.testing.assert_allclose(read_labels(source).cond, events.cond, rtol=1e-12)
    check_events(source, "file")


def test_units_and_places(file: Path) -> None:
    """One hit in each layer, found at the place and with the energy that CaloGAN's own numbering gives it."""
    images = [np.zeros((7, *shape), np.float32) for shape in ((3, 96), (12, 12), (12, 6))]
    images[0][0, 2, 0], images[1][0, 0, 11], images[2][0, 6, 3] = 4.0, 5.0, 6.0
    for k, image in enumerate(images):
        change(file, f"layer_{k}", image)
    change(file, "energy", np.full((7, 1), 0.05))
    events = open_events(file).read(0, 1)
    assert events.cond.tolist() == [[50.0]]
    found = shower_observables(events.cells, events.cond[:, 0], CALOGAN)
    assert found["e_layer"][0] == pytest.approx([4, 5, 6])
    assert found["e_ratio"][0] == pytest.approx(0.3)
    assert found["ec_x"][0] == pytest.approx([160, -220, 20])
    assert found["ec_y"][0] == pytest.approx([-237.5, 220, 40])


def test_read_out() -> None:
    assert CALOGAN.n_cells == 504
    assert [layer.n_cells for layer in CALOGAN.layers] == [288, 144, 72]
    for layer in CALOGAN.layers:
        assert (np.abs(layer.x).max() < 240, np.abs(layer.y).max() < 240) == (True, True)
        assert (layer.x.sum(), layer.y.sum()) == pytest.approx((0, 0), abs=1e-6)


def test_another_threshold(file: Path, tmp_path: Path) -> None:
    write_geometry(tmp_path / "calogan.json", replace(CALOGAN, threshold=0.1, name="cut"))
    source = open_events(file, geometry=tmp_path / "calogan.json")
    assert source.schema.geometry is not None
    assert source.schema.geometry.threshold == 0.1
    with pytest.raises(FacsimError, match="'ds1-photons' is not CaloGAN's read-out"):
        open_events(file, geometry="ds1-photons")


@pytest.mark.parametrize("name", ["energy", "layer_0", "layer_1", "layer_2"])
def test_missing_data_sets_are_named(file: Path, name: str) -> None:
    change(file, name, None)
    with pytest.raises(FacsimError, match=f"lacks the data set '{name}'"):
        open_events(file)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("layer_0", (7, 96, 3), r"'layer_0' .* shape \(7, 96, 3\): expected \(any, 3, 96\)"),
        ("layer_1", (6, 12, 12), r"expected \(7, 12, 12\)"),
        ("layer_2", (7, 72), r"expected \(7, 12, 6\)"),
        ("energy", (7, 2), r"expected \(7, 1\)"),
        ("layer_0", (0, 3, 96), "holds no showers"),
    ],
)
def test_wrong_shapes_are_told(file: Path, name: str, shape: tuple[int, ...], message: str) -> None:
    change(file, name, np.zeros(shape))
    with pytest.raises(FacsimError, match=message):
        open_events(file)


def test_numbers_that_are_none_and_truncation(file: Path) -> None:
    with h5py.File(file, "a") as handle:
        handle["layer_1"][2, 3, 4] = np.inf
    with pytest.raises(FacsimError, match="the first in event 2"):
        check_events(open_events(file), "file")
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(FacsimError, match="truncated"):
        open_events(file)


def test_only_its_own_read_out_is_written(tmp_path: Path) -> None:
    geometry = GEOMETRIES["ds1-photons"]
    events = make_events(calorimeter_schema(geometry), np.zeros((2, 368, 1), np.float32), np.ones((2, 1)))
    with pytest.raises(FacsimError, match="504 cells"):
        write_calogan(tmp_path / "a.h5", events)
