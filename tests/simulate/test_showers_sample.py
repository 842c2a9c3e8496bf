"""The sample that ships: real, small, in the challenge's layout, and honest about itself."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facsim.core.errors import MissingExtraError
from facsim.core.showerfile import read_rows, read_schema
from facsim.core.store import open_hdf5
from facsim.physics.geometries import GEOMETRIES
from facsim.simulate import geant4, showers
from facsim.simulate.sample import sample_path


def test_the_sample_is_small_and_physical() -> None:
    assert sample_path().stat().st_size < 3e6
    with open_hdf5(sample_path()) as handle:
        schema = read_schema(handle)
        assert schema is not None
        events = read_rows(handle, schema, 0, 10**6)
        assert handle["showers"].compression == "gzip"
    assert len(events) >= 300
    assert schema.geometry is not None
    assert schema.geometry.layers == GEOMETRIES["ds2-electrons"].layers
    energy = events.condition("incident_energy")
    assert energy.min() >= 1000
    assert energy.max() <= 50000
    response = events.cells.sum(1) / energy
    assert abs(response.mean() - 0.95) < 0.03
    # stochastic resolution falls like one over the root of the energy
    low, high = energy < 4000, energy > 15000
    assert response[high].std() < 0.65 * response[low].std()
    maximum = schema.geometry.layer_sum(events.cells)
    depth = (maximum * np.arange(45)).sum(1) / maximum.sum(1)
    assert np.polyfit(np.log(energy), depth, 1)[0] > 0.5  # showers of more energy go deeper


def test_the_sample_says_how_it_was_made_and_rounded() -> None:
    with open_hdf5(sample_path()) as handle:
        schema = read_schema(handle)
        assert schema is not None
        cells = handle["showers"][:8]
    told = schema.provenance
    assert told["simulator"] == "geant4"
    assert told["data"]["kind"] == "miniature"
    assert "13 bits" in told["rounding"]
    assert np.all(cells.view(np.uint32) & 0x3FF == 0)


def test_without_the_wheel_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        return None if name == "calzone" else find_spec(name)

    monkeypatch.setattr(geant4, "find_spec", absent)
    monkeypatch.setattr(showers, "find_spec", absent)
    assert not geant4.geant4_available()
    settings = showers.ShowerSimulation.parse({"detector": "pbwo4", "energy": 1, "events": 1})
    with pytest.raises(MissingExtraError, match=r"calzone.*facsim\[geant4\]"):
        showers.simulate_showers(settings, tmp_path / "out.h5", 1)
    assert list(tmp_path.iterdir()) == []
