"""The CMS HGCal challenge: its geometry as JSON and never as a pickle, its files read back, and refused when broken."""

from __future__ import annotations

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from facsim.core.cell_geometry import CellGeometry
from facsim.core.errors import FacsimError
from facsim.core.events import Events, make_events
from facsim.core.schema import calorimeter_schema
from facsim.core.sources import read_labels
from facsim.data import open_events
from facsim.data.checks import check_events
from facsim.data.geometry import load_geometry
from facsim.data.hgcal import CONDITIONS, HGCalReader, convert_geometry, hgcal_geometry, write_hgcal

COUNTS = np.array([7, 19, 13])
SLOTS = 25


def hexagons(n: int) -> np.ndarray:
    """The `n` places of a hexagonal grid, 1.2 cm apart, nearest to the origin, (n, 2) in cm."""
    i, j = np.mgrid[-4:5, -4:5].reshape(2, -1)
    places = np.stack([1.2 * (i + 0.5 * j), 1.2 * np.sqrt(0.75) * j], axis=1)
    return places[np.argsort(np.hypot(*places.T), kind="stable")[:n]]


def arrays() -> dict[str, np.ndarray]:
    xmap, ymap = (np.zeros((len(COUNTS), SLOTS), np.float32) for _ in range(2))
    for layer, n in enumerate(COUNTS):
        xmap[layer, :n], ymap[layer, :n] = hexagons(n).T
    return {"xmap": xmap, "ymap": ymap, "ncells": COUNTS.astype(float)}


def make(n: int = 5) -> Events:
    geometry = hgcal_geometry(**arrays(), name="test", particle="photon")
    rng = np.random.default_rng(4)
    x = rng.exponential(1.0, (n, 39, 1)) * (rng.random((n, 39, 1)) < 0.4)
    cond = np.stack([rng.uniform(5e3, 5e5, n), np.full(n, 2.0), np.full(n, 1.57)], axis=1)
    return make_events(calorimeter_schema(geometry, CONDITIONS), x.astype(np.float32), cond)


@pytest.fixture
def geometry(tmp_path: Path) -> Path:
    np.savez(tmp_path / "test.npz", **arrays(), ring_map=np.zeros((3, SLOTS)))
    convert_geometry(tmp_path / "test.npz", tmp_path / "test.json", particle="photon")
    return tmp_path / "test.json"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_hgcal(tmp_path / "HGCal_showers0.h5", make())
    return tmp_path / "HGCal_showers0.h5"


def change(path: Path, name: str, data: np.ndarray | None) -> None:
    with h5py.File(path, "a") as handle:
        del handle[name]
        if data is not None:
            handle[name] = data


def test_the_geometry_has_the_cells_of_the_arrays(geometry: Path) -> None:
    found = load_geometry(geometry)
    assert isinstance(found, CellGeometry)
    assert found == hgcal_geometry(**arrays(), name="test", particle="photon")
    assert [layer.n_cells for layer in found.layers] == COUNTS.tolist()
    assert [layer.id for layer in found.layers] == [1, 2, 3]
    np.testing.assert_allclose(np.stack([found.x, found.y], axis=1)[7:26], 10 * hexagons(19), atol=1e-3)
    assert found.threshold == 0.01
    for layer, ring in ((0, 1), (1, 2)):  # 1 + 6 and 1 + 6 + 12 cells: whole rings of the challenge
        rings = found.ring_index[found.layer_index == layer]
        assert np.bincount(rings).tolist() == [1, 6, 12][: ring + 1]


def test_round_trip_by_range(file: Path, geometry: Path) -> None:
    source, events = open_events(file, geometry=geometry), make()
    assert isinstance(source, HGCalReader)
    assert source.schema == events.schema
    read = source.read(1, 4)
    np.testing.assert_allclose(read.x, events.x[1:4], rtol=1e-6)
    np.testing.assert_allclose(read.cond, events.cond[1:4], rtol=1e-6)
    np.testing.assert_allclose(read_labels(source).cond, events.cond, rtol=1e-6)
    check_events(source, "file")


def test_files_have_more_slots_than_cells(file: Path, geometry: Path) -> None:
    with h5py.File(file) as handle:
        padded = np.pad(handle["showers"][:], ((0, 0), (0, 0), (0, 11)))
    assert padded.shape == (5, 3, 30)
    change(file, "showers", padded)
    np.testing.assert_allclose(open_events(file, geometry=geometry).read(0, 5).x, make().x, rtol=1e-6)
    padded[2, 0, 7] = 1e-3
    change(file, "showers", padded)
    with pytest.raises(FacsimError, match=r"event 2 of .* has energy in slots that are no cells"):
        open_events(file, geometry=geometry).read(0, 5)


def test_pickles_are_refused_unread(tmp_path: Path, file: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",))

    for name in ("geom.pkl", "geom.bin", "geom.json"):
        (tmp_path / name).write_bytes(pickle.dumps(Trap()))
        with pytest.raises(FacsimError, match="is a pickle, which facsim never opens"):
            open_events(file, geometry=tmp_path / name)
    np.savez(tmp_path / "trap.npz", xmap=np.array([Trap()], dtype=object), ymap=0, ncells=0)
    with pytest.raises(FacsimError, match=r"no readable .npz of the plain arrays"):
        convert_geometry(tmp_path / "trap.npz", tmp_path / "g.json")
    with pytest.raises(FacsimError, match=r"no readable .npz of the plain arrays"):
        convert_geometry(tmp_path / "geom.pkl", tmp_path / "g.json")
    assert not (tmp_path / "ran").exists()


def test_arrays_that_make_no_geometry(tmp_path: Path) -> None:
    with pytest.raises(FacsimError, match=r"'xmap' and 'ymap' of shape \(layers, slots\)"):
        hgcal_geometry(**{**arrays(), "ymap": np.zeros((3, 24))})
    with pytest.raises(FacsimError, match="1 to the number of slots"):
        hgcal_geometry(**{**arrays(), "ncells": np.array([7, 26, 13])})
    np.savez(tmp_path / "a.npz", xmap=np.zeros((3, 25)))
    with pytest.raises(FacsimError, match="lacks the array 'ymap"):
        convert_geometry(tmp_path / "a.npz", tmp_path / "g.json")
    with pytest.raises(FacsimError, match="no readable"):
        convert_geometry(tmp_path / "none.npz", tmp_path / "g.json")


def test_the_geometry_must_be_given(file: Path) -> None:
    with pytest.raises(FacsimError, match="does not say where its cells lie: give the geometry as JSON"):
        open_events(file)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("showers", None, "lacks the data set 'showers'"),
        ("showers", np.zeros((5, 2, 19)), r"has 2 layers of at most 19 cells; .* 3 layers of at most 19"),
        ("showers", np.zeros((5, 19, 3)), "has 19 layers of at most 3 cells"),
        ("showers", np.zeros((5, 3, 18)), "has 3 layers of at most 18 cells"),
        ("showers", np.zeros((5, 57)), r"shape \(5, 57\): expected \(any, any, any\)"),
        ("showers", np.zeros((0, 3, 19)), "holds no showers"),
        ("gen_info", np.zeros((4, 3)), r"'gen_info' .* shape \(4, 3\): expected \(5, any\)"),
        ("gen_info", np.zeros((5, 1)), "has 1 columns: expected energy, eta, phi"),
    ],
)
def test_broken_files_are_told(file: Path, geometry: Path, name: str, data: np.ndarray | None, message: str) -> None:
    change(file, name, data)
    with pytest.raises(FacsimError, match=message):
        open_events(file, geometry=geometry)


def test_numbers_that_are_none_and_truncation(file: Path, geometry: Path) -> None:
    with h5py.File(file, "a") as handle:
        handle["showers"][4, 1, 2] = np.nan
    with pytest.raises(FacsimError, match="the first in event 4"):
        check_events(open_events(file, geometry=geometry), "file")
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(FacsimError, match="truncated"):
        open_events(file, geometry=geometry)
