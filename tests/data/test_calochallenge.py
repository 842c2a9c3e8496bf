"""CaloChallenge files: read what the challenge published, write what its scripts accept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.core.events import Events, chunks, concatenate
from facsim.core.showerfile import open_showers
from facsim.core.sources import MemorySource, SubsetSource, read_labels
from facsim.core.store import write_store
from facsim.data import open_events
from facsim.data.binning import write_binning
from facsim.data.calochallenge import CaloChallengeReader, append_showers, write_showers
from facsim.data.geometry import write_geometry
from facsim.physics.geometries import GEOMETRIES


def read_as_the_challenge_does(path: Path, n_features: int) -> tuple[np.ndarray, np.ndarray]:
    """Its scripts check the two shapes and then load both data sets whole; nothing else is looked at."""
    with h5py.File(path, "r") as given_file:
        num_events = given_file["incident_energies"].shape[0]
        assert given_file["showers"].shape[0] == num_events
        assert given_file["showers"].shape[1] == n_features
        return given_file["showers"][:], given_file["incident_energies"][:]


@pytest.mark.parametrize("name", GEOMETRIES)
def test_what_facsim_writes_the_challenge_reads(tmp_path: Path, showers: Callable[..., Events], name: str) -> None:
    events = showers(7, GEOMETRIES[name])
    path = tmp_path / "sampled.hdf5"
    assert write_showers(path, [events[:3], events[3:]]) == 7
    cells, energies = read_as_the_challenge_does(path, GEOMETRIES[name].n_cells)
    assert energies.shape == (7, 1)
    assert cells.dtype.kind == energies.dtype.kind == "f"
    np.testing.assert_array_equal(cells, events.cells)
    np.testing.assert_array_equal(energies, events.cond)
    ratio = cells.sum(axis=-1) / energies.squeeze()
    assert np.all((ratio > 0.5) & (ratio < 1.5))


@pytest.mark.parametrize("name", GEOMETRIES)
def test_published_files_are_known_by_their_cells(tmp_path: Path, showers: Callable[..., Events], name: str) -> None:
    events = showers(4, GEOMETRIES[name])
    path = tmp_path / "published.hdf5"
    with h5py.File(path, "w") as handle:
        handle["incident_energies"], handle["showers"] = events.cond, events.cells
    reader = CaloChallengeReader(path)
    assert reader.schema == events.schema
    assert reader.schema.geometry is GEOMETRIES[name]
    np.testing.assert_array_equal(reader.read(1, 3).x, events.x[1:3])


@given(step=st.integers(1, 50), bounds=st.tuples(st.integers(0, 40), st.integers(0, 40)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=20)
def test_reading_by_range(challenge_file: Path, photons: Events, step: int, bounds: tuple[int, int]) -> None:
    reader = CaloChallengeReader(challenge_file)
    low, high = sorted(bounds)
    np.testing.assert_array_equal(reader.read(low, high).cells, photons.cells[low:high])
    joined = concatenate(list(chunks(reader, step)))
    np.testing.assert_array_equal(joined.cells, photons.cells)
    np.testing.assert_array_equal(joined.cond, photons.cond)
    assert (joined.x.dtype, joined.cond.dtype) == (np.float32, np.float64)
    assert joined.event_id.tolist() == joined.group_id.tolist() == list(range(40))


def test_subset_of_a_file(tmp_path: Path, showers: Callable[..., Events]) -> None:
    events = showers(1000, GEOMETRIES["ds1-photons"])
    write_showers(tmp_path / "s.h5", [events])
    indices = np.sort(np.random.default_rng(1).choice(1000, 300, replace=False))
    subset = SubsetSource(open_events(tmp_path / "s.h5"), indices)
    np.testing.assert_array_equal(subset.read(50, 250).x, events.x[indices[50:250]])
    np.testing.assert_array_equal(read_labels(subset).cond, events.cond[indices])


def test_extra_arrays_are_kept(tmp_path: Path, photons: Events) -> None:
    with open_showers(tmp_path / "s.h5", "w") as handle:
        append_showers(handle, photons, cpu_ms=np.arange(40.0))
    reader = CaloChallengeReader(tmp_path / "s.h5")
    assert reader.extra_names == ["cpu_ms", "event_id", "group_id"]
    np.testing.assert_array_equal(reader.extra("cpu_ms"), np.arange(40.0))
    assert reader.extra("seed") is None


def test_flat_energies_are_read_too(challenge_file: Path, photons: Events) -> None:
    with h5py.File(challenge_file, "a") as handle:
        del handle["incident_energies"]
        handle["incident_energies"] = photons.cond[:, 0]
    np.testing.assert_array_equal(CaloChallengeReader(challenge_file).read(0, 40).cond, photons.cond)


def test_geometry_given_as_name_xml_or_json(tmp_path: Path, challenge_file: Path) -> None:
    photons = GEOMETRIES["ds1-photons"]
    write_binning(tmp_path / "b.xml", photons)
    write_geometry(tmp_path / "g.json", photons)
    for geometry in ("ds1-photons", tmp_path / "b.xml", tmp_path / "g.json", photons, photons.to_dict()):
        assert open_events(challenge_file, geometry=geometry).schema.geometry == photons


def rewrite(path: Path, name: str, data: object) -> None:
    with h5py.File(path, "a") as handle:
        del handle[name]
        if data is not None:
            handle[name] = data


def truncate(path: Path) -> None:
    with path.open("r+b") as handle:
        handle.truncate(path.stat().st_size - 100)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (truncate, "is not a readable HDF5 file"),
        (lambda path: path.write_bytes(b""), "is not a readable HDF5 file"),
        (Path.unlink, "does not exist"),
        (lambda p: rewrite(p, "showers", None), r"lacks the data set 'showers' .* has \['incident_energies'\]"),
        (lambda p: rewrite(p, "incident_energies", None), "lacks the data set 'incident_energies'"),
        (lambda p: rewrite(p, "showers", np.ones((40, 8, 46))), r"shape \(40, 8, 46\): expected \(events, cells\)"),
        (lambda p: rewrite(p, "incident_energies", np.ones((39, 1))), r"shape \(39, 1\): expected \(40, 1\)"),
        (lambda p: rewrite(p, "incident_energies", np.ones((40, 2))), r"shape \(40, 2\): expected \(40, 1\)"),
        (
            lambda p: rewrite(p, "showers", np.ones((40, 369))),
            r"no built-in geometry with 369 cells.*binning XML or JSON",
        ),
        (lambda p: rewrite(p, "showers", np.full((40, 368), b"x")), r"'showers' in '.*' holds \|S1, not numbers"),
    ],
)
def test_broken_files(challenge_file: Path, damage: Callable[[Path], object], sentence: str) -> None:
    damage(challenge_file)
    with pytest.raises(FacsimError, match=sentence) as caught:
        open_events(challenge_file)
    assert str(challenge_file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_showers(challenge_file: Path) -> None:
    rewrite(challenge_file, "showers", np.ones((0, 368)))
    rewrite(challenge_file, "incident_energies", np.ones((0, 1)))
    with pytest.raises(FacsimError, match="holds no showers"):
        open_events(challenge_file)


def test_wrong_geometry(challenge_file: Path) -> None:
    with pytest.raises(FacsimError, match="have 368 cells, but the geometry 'ds1-pions' has 533"):
        open_events(challenge_file, geometry="ds1-pions")


def test_damage_inside_is_told_when_read(tmp_path: Path, showers: Callable[..., Events]) -> None:
    path = tmp_path / "s.h5"
    write_showers(path, [showers(600, GEOMETRIES["ds1-photons"])])
    with h5py.File(path) as handle:
        chunk = handle["showers"].id.get_chunk_info(1)
    with path.open("r+b") as handle:
        handle.seek(chunk.byte_offset)
        handle.write(b"\xff" * chunk.size)
    reader = open_events(path)
    assert len(reader.read(0, 256)) == 256
    with pytest.raises(FacsimError, match="is damaged and cannot be read"):
        reader.read(200, 300)


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("event_id", np.arange(39), "'facsim/event_id' .* has 39 entries for 40 showers"),
        ("cond", np.ones((40, 3)), "holds 3 conditions per shower, but its schema names 1"),
    ],
)
def test_own_arrays_that_disagree(tmp_path: Path, photons: Events, name: str, data: np.ndarray, sentence: str) -> None:
    path = tmp_path / "s.h5"
    write_showers(path, [photons])
    with h5py.File(path, "a") as handle:
        group = handle["facsim"]
        if name in group:
            del group[name]
        group[name] = data
    with pytest.raises(FacsimError, match=sentence):
        open_events(path)


def test_ranges_outside_are_refused(challenge_file: Path) -> None:
    with pytest.raises(FacsimError, match="cannot read events 0 to 41: there are 40"):
        open_events(challenge_file).read(0, 41)


def test_open_events_tells_formats_apart(tmp_path: Path, photons: Events, challenge_file: Path) -> None:
    write_store(tmp_path / "native.h5", [photons])
    np.testing.assert_array_equal(open_events(tmp_path / "native.h5").read(0, 40).x, photons.x)
    np.testing.assert_array_equal(open_events(str(challenge_file)).read(0, 40).x, photons.x)
    with pytest.raises(FacsimError, match="says itself what its geometry is, and it is not 'ds1-pions'"):
        open_events(tmp_path / "native.h5", geometry="ds1-pions")
    with h5py.File(tmp_path / "other.h5", "w") as handle:
        handle["E"] = np.ones(3)
    with pytest.raises(FacsimError, match=r"no file of a layout .* it has \['E'\]: describe .* mapping"):
        open_events(tmp_path / "other.h5")
    with pytest.raises(FacsimError, match="does not exist or is not a file"):
        open_events(tmp_path / "file.root")


def test_several_files_are_one_source(tmp_path: Path, photons: Events, challenge_file: Path) -> None:
    write_showers(tmp_path / "second.h5", [photons[:5]])
    source = open_events([challenge_file, tmp_path / "second.h5"])
    assert len(source) == 45
    events = source.read(38, 43)
    np.testing.assert_array_equal(events.x, np.concatenate([photons.x[38:], photons.x[:3]]))
    labels = read_labels(source)
    assert len(np.unique(labels.event_id)) == 45
    np.testing.assert_array_equal(labels.event_id[38:43], events.event_id)


def test_labels_equal_those_of_the_events(tmp_path: Path, photons: Events) -> None:
    write_showers(tmp_path / "s.h5", [photons])
    for source in (open_events(tmp_path / "s.h5"), MemorySource(photons)):
        labels = read_labels(source)
        np.testing.assert_array_equal(labels.cond, photons.cond)
        np.testing.assert_array_equal(labels.group_id, photons.group_id)
        assert labels.weight is None
        assert len(labels) == 40
