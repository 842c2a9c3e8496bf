"""JetNet's files: written and read back, by range, recognised by their keys, and refused when broken."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.data import open_events
from facsim.data.jetnet import JetNetReader, is_jets, write_jetnet
from facsim.simulate.sample import sample_path


def cloud(n: int = 20, p: int = 30) -> np.ndarray:
    rng = generator(1, "cloud")
    particles = rng.normal(size=(n, p, 4)).astype(np.float32)
    particles[:, :, 3] = np.arange(p) < rng.integers(1, p + 1, (n, 1))
    return particles


def test_round_trip_by_range(tmp_path: Path) -> None:
    path, particles = tmp_path / "g.hdf5", cloud()
    jets = np.arange(80.0).reshape(20, 4)
    write_jetnet(path, particles, jets)
    source = open_events(path)
    assert isinstance(source, JetNetReader)
    assert is_jets(source.schema)
    assert len(source) == 20
    events = source.read(5, 12)
    present = particles[5:12, :, 3] == 1
    np.testing.assert_array_equal(events.mask, present)
    np.testing.assert_array_equal(events.x[present], particles[5:12, :, :3][present])
    assert np.all(events.x[~present] == 0)
    np.testing.assert_array_equal(events.condition("mass"), jets[5:12, 2])
    np.testing.assert_array_equal(events.event_id, np.arange(5, 12))


def test_jets_without_features_have_no_conditions(tmp_path: Path) -> None:
    write_jetnet(tmp_path / "g150.hdf5", cloud(3, 150))
    events = open_events(tmp_path / "g150.hdf5").read(0, 3)
    assert events.cond.shape == (3, 0)
    assert events.x.shape == (3, 150, 3)


def test_showers_are_not_jets() -> None:
    assert not is_jets(open_events(sample_path()).schema)


def test_broken_files_are_told(tmp_path: Path) -> None:
    path = tmp_path / "g.hdf5"
    with h5py.File(path, "w") as handle:
        handle["particle_features"] = np.zeros((5, 30, 3))
    with pytest.raises(FacsimError, match=r"shape \(5, 30, 3\), not \(jets, particles, 4\)"):
        open_events(path)
    write_jetnet(path, cloud(), np.zeros((20, 3)))
    with pytest.raises(FacsimError, match=r"'jet_features' has shape \(20, 3\), not \(20, 4\)"):
        open_events(path)
    particles = cloud()
    particles[3, 2, 3] = 0.5
    write_jetnet(path, particles)
    with pytest.raises(FacsimError, match="is a mask and holds 0 and 1 only"):
        open_events(path).read(0, 20)
    with h5py.File(path, "w") as handle:
        handle["jet_features"] = np.zeros((5, 4))
    with pytest.raises(FacsimError, match="no file of a layout that facsim knows"):
        open_events(path)
    with pytest.raises(FacsimError, match="lacks the data set 'particle_features'"):
        JetNetReader(path)
