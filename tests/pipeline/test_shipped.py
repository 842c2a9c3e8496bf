"""Models that ship with facsim: sampled at once, in range, seeded, close to the shipped Geant4 showers."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from facsim.cli import app
from facsim.core.errors import FacsimError
from facsim.data import open_events
from facsim.models.sampling import TorchSampler
from facsim.models.shipped import load_shipped, shipped_card, shipped_folder, shipped_names
from facsim.pipeline.shipped import sample_shipped
from facsim.simulate.sample import sample_path


@pytest.mark.parametrize("name", shipped_names())
def test_card_belongs_to_the_weights(name: str) -> None:
    weights = (shipped_folder(name) / "weights.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() == shipped_card(name)["weights_sha256"]
    assert sum(path.stat().st_size for path in shipped_folder(name).iterdir()) < 8e6


def test_par04_resembles_geant4() -> None:
    truth = open_events(sample_path()).read(0, 400)
    showers = TorchSampler(load_shipped("par04")).sample(truth.cond, np.random.default_rng(1))[..., 0]
    cells, energy = truth.cells, truth.cond[:, 0]
    ratio, wanted = showers.sum(1) / energy, cells.sum(1) / energy
    error = np.hypot(ratio.std(), wanted.std()) / np.sqrt(400)
    assert abs(ratio.mean() - wanted.mean()) < 4 * error
    geometry = truth.schema.geometry
    assert geometry is not None
    layers, true_layers = geometry.layer_sum(showers), geometry.layer_sum(cells)
    spread = np.hypot(layers.std(0), true_layers.std(0)) / np.sqrt(400)
    assert (np.abs(layers.mean(0) - true_layers.mean(0)) < 5 * spread + 1e-3).all()
    hits, true_hits = (showers > 0).sum(1), (cells > 0).sum(1)
    assert abs(hits.mean() - true_hits.mean()) < 4 * np.hypot(hits.std(), true_hits.std()) / np.sqrt(400)


def test_same_seed_gives_the_same_file_and_a_picture(tmp_path: Path) -> None:
    for name in ("a", "b"):
        found = sample_shipped("par04", tmp_path / f"{name}.h5", events=6, energy="5:20", seed=3)
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000
        assert found["events"] == 6
    first, second = (open_events(tmp_path / f"{name}.h5").read(0, 6) for name in ("a", "b"))
    np.testing.assert_array_equal(first.x, second.x)
    assert ((first.cond >= 5e3) & (first.cond <= 2e4)).all()


def test_energies_outside_and_senseless_ones_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FacsimError, match=r"trained from 1 to 50 GeV, and 200 is outside"):
        sample_shipped("par04", tmp_path / "a.h5", events=2, energy="200")
    for energy in ("nan", "-1", "20:5", "1:2:3", "x"):
        with pytest.raises(FacsimError, match="an energy is a number of GeV"):
            sample_shipped("par04", tmp_path / "a.h5", events=2, energy=energy)
    assert not list(tmp_path.iterdir())
    assert sample_shipped("par04", tmp_path / "a.h5", events=2, energy="60", force=True)["events"] == 2


def test_unknown_models_are_named() -> None:
    with pytest.raises(FacsimError, match=r"no model 'par05' ships with facsim: expected one of \['par04'\]"):
        load_shipped("par05")


def test_command_line(tmp_path: Path) -> None:
    arguments = ["sample", "par04", "--events", "3", "--energy", "10", "--out", str(tmp_path / "x.h5")]
    told = CliRunner().invoke(app, [*arguments, "--json"])
    assert told.exit_code == 0
    assert json.loads(told.stdout)["energy_GeV"] == [10.0, 10.0]
    assert "3 showers of 'par04'" in CliRunner().invoke(app, arguments).stdout
    assert CliRunner().invoke(app, [*arguments, "--energy", "900"]).exit_code == 1
