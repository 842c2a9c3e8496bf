"""Small showers and files that the data tests share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from facsim.core.events import Events, make_events
from facsim.core.geometry import CylinderGeometry
from facsim.core.schema import calorimeter_schema
from facsim.physics.geometries import GEOMETRIES


def make_showers(n: int, geometry: CylinderGeometry, seed: int = 0) -> Events:
    """Sparse showers whose cells add up to about 0.8 of incident energies between 1 and 100 GeV."""
    rng = np.random.default_rng(seed)
    energy = np.exp(rng.uniform(np.log(1e3), np.log(1e5), n))
    x = rng.exponential(1.0, (n, geometry.n_cells)) * (rng.random((n, geometry.n_cells)) < 0.3)
    x[:, 0] += 1e-3
    x *= (0.8 * energy / x.sum(axis=1))[:, None]
    return make_events(calorimeter_schema(geometry), x.astype(np.float32)[:, :, None], energy[:, None])


@pytest.fixture
def showers() -> Callable[..., Events]:
    return make_showers


@pytest.fixture
def photons() -> Events:
    return make_showers(40, GEOMETRIES["ds1-photons"])


@pytest.fixture
def challenge_file(tmp_path: Path, photons: Events) -> Path:
    """A file as the challenge published them: the two data sets and nothing else."""
    path = tmp_path / "dataset_1_photons_1.hdf5"
    with h5py.File(path, "w") as handle:
        handle.create_dataset("incident_energies", data=photons.cond, compression="gzip")
        handle.create_dataset("showers", data=photons.cells.astype(np.float64), compression="gzip")
    return path
