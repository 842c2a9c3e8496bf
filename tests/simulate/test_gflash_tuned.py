"""The fitted parametrisation: it finds known showers again, and is nearer to Geant4 than the paper's numbers."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.events import Events, make_events
from facsim.core.schema import calorimeter_schema
from facsim.core.showerfile import read_rows, read_schema
from facsim.core.sources import MemorySource
from facsim.core.store import open_hdf5
from facsim.physics import gflash as gp
from facsim.physics.geometries import GEOMETRIES
from facsim.simulate.gflash import GFlash
from facsim.simulate.gflash_media import readout
from facsim.simulate.gflash_radial import FREE, fit_radial, radial_of
from facsim.simulate.gflash_tuned import TunedGFlash
from facsim.simulate.sample import sample_path

DS2 = GEOMETRIES["ds2-electrons"]


def test_radial_fit_finds_known_constants() -> None:
    out = readout(calorimeter_schema(DS2))
    energy = np.array([2e3, 8e3, 3e4])
    tau = np.linspace(0.05, 3.0, 45)[None]
    values = np.concatenate(astuple(gp.GRINDHAMMER_PETERS))[list(FREE)]
    wider = values.copy()
    wider[[2, 3]] *= 1.3
    truth = radial_of(wider, FREE)
    layers = np.exp(-((tau - 1.0) ** 2))
    parameters = [gp.radial_parameters(energy[b : b + 1], tau, out.medium, truth) for b in range(3)]
    rings = np.concatenate([layers[..., None] * gp.ring_fractions(out.edges, *p) for p in parameters])
    found = fit_radial(rings, lambda b: (energy[b : b + 1], layers, tau), out, gp.GRINDHAMMER_PETERS)
    for b in range(3):
        again = gp.ring_fractions(out.edges, *gp.radial_parameters(energy[b : b + 1], tau, out.medium, found))
        start = gp.ring_fractions(out.edges, *gp.radial_parameters(energy[b : b + 1], tau, out.medium))
        wanted = rings[b] / layers[0][:, None]
        weight = layers[0][:, None]
        assert np.sum(weight * np.abs(again[0] - wanted)) < 0.1 * np.sum(weight * np.abs(start[0] - wanted))


@pytest.fixture(scope="module")
def geant4() -> Events:
    with open_hdf5(sample_path()) as handle:
        schema = read_schema(handle)
        assert schema is not None
        return read_rows(handle, schema, 0, 400)


def _distance(truth: Events, cells: np.ndarray) -> dict[str, float]:
    """Differences of mean profiles and of the number of cells with energy, relative to truth."""
    grids = [part.reshape(len(part), 45, 16, 9) for part in (truth.cells, cells)]
    depth, radius = ([grid.sum(axis=axis).mean(axis=0) for grid in grids] for axis in ((2, 3), (1, 2)))
    hits = [(grid > 0).sum(axis=(2, 3)).mean(axis=0) for grid in grids]
    return {name: float(np.abs(b - a).sum() / a.sum()) for name, (a, b) in (("z", depth), ("r", radius), ("n", hits))}


def test_it_is_nearer_to_geant4_than_the_paper(geant4: Events) -> None:
    train = MemorySource(geant4)
    rng = np.random.default_rng(1)
    energy = np.repeat(geant4.cond, 2, axis=0)
    distance = {
        baseline.name: _distance(geant4, baseline.fit(train, seed=1).sample(energy, rng).x[..., 0])
        for baseline in (GFlash, TunedGFlash)
    }
    assert distance["gflash-tuned"]["z"] < 0.05
    assert distance["gflash-tuned"]["r"] < 0.03
    assert distance["gflash-tuned"]["n"] < 0.05
    for key, value in distance["gflash"].items():
        assert distance["gflash-tuned"][key] < 0.6 * value


def test_energies_outside_the_training_range_stay_sane(geant4: Events) -> None:
    near = geant4[np.abs(np.log(geant4.cond[:, 0] / 8e3)) < 0.5]
    tuned = TunedGFlash.fit(MemorySource(near), seed=1)
    for energy in (300.0, 1e6):
        x = tuned.sample(np.full((40, 1), energy), np.random.default_rng(1)).x
        assert x.sum(axis=(1, 2)).mean() / energy == pytest.approx(0.95, abs=0.15)


def test_one_energy_only(geant4: Events) -> None:
    scaled = (geant4.x * (1e4 / geant4.cond[:, 0])[:, None, None])[:60]
    events = make_events(geant4.schema, scaled, np.full((60, 1), 1e4))
    x = TunedGFlash.fit(MemorySource(events), seed=1).sample(np.full((60, 1), 1e4), np.random.default_rng(1)).x
    assert x.sum() == pytest.approx(events.x.sum(), rel=0.06)


def test_too_few_showers(geant4: Events) -> None:
    with pytest.raises(FacsimError, match="at least 30 training showers with energy, not 12"):
        TunedGFlash.fit(MemorySource(geant4[:12]), seed=1)
