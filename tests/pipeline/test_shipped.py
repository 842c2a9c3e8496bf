"""Models that ship with facsim: sampled at once, in range, seeded, close to the shipped Geant4 showers."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

import facsim
from facsim.cli import app
from facsim.core.errors import FacsimError
from facsim.data import open_events
from facsim.export.card import sha256
from facsim.models import shipped
from facsim.models.checkpoint import HALF_ABOVE, UPPER, load_model, read_weights, save_model, small_weights
from facsim.models.sampling import draw_noise
from facsim.pipeline.shipped import energy_range
from facsim.run import Silent
from facsim.simulate.sample import sample_path

NAMES = shipped.shipped_names()
ROOT = Path(__file__).parents[2]
SHIP = f"""
import sys
from pathlib import Path
sys.path[:0] = [{str(ROOT / "src")!r}, {str(ROOT / "benchmarks")!r}]
from ship_model import ship
ship(Path(sys.argv[1]), Path(sys.argv[2]), "in miniature")
"""


def sample(name: str, out: Path, **options: Any) -> Any:
    return facsim.sample(name, out=out, reporter=Silent(), **options)


def test_there_is_a_model() -> None:
    assert "par04" in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_card_belongs_to_the_weights(name: str) -> None:
    folder, card = shipped.shipped_folder(name), shipped.shipped_card(name)
    manifest = json.loads((folder / "manifest.json").read_text())
    for path in (folder / each for each in manifest["files"]):
        assert manifest["files"][path.name]["sha256"] == sha256(path)
    assert card["weights"]["sha256"] == sha256(folder / "weights.safetensors")
    assert sum(path.stat().st_size for path in folder.iterdir()) < 12e6
    assert card["weights"]["half_precision"]["fraction_of_hits_that_differ"] < 2e-3
    assert card["weights"]["half_precision"]["max_relative_difference_of_totals"] < 1e-3
    assert card["output"]["unit"] == "MeV"
    assert card["output"]["order"] == "radius fastest, then azimuth, then layer"
    assert card["provenance"]["truth"]["geant4"]
    assert all(part["events"] > 0 and part["seed"] >= 0 for part in card["provenance"]["truth"]["files"])
    assert card["schema"] == json.loads(json.dumps(shipped.load(name).schema.to_dict()))


def test_par04_resembles_geant4() -> None:
    truth = open_events(sample_path()).read(0, 400)
    made = facsim.load("par04").events(truth.cond, seed=1)
    assert made.schema.geometry is not None
    assert truth.schema.geometry is not None
    assert made.schema.geometry.same_cells(truth.schema.geometry)
    response, wanted = (e.cells.sum(1) / e.cond[:, 0] for e in (made, truth))
    assert agree(response, wanted) < 4.5
    layers, true_layers = (e.schema.geometry.layer_sum(e.cells) for e in (made, truth))
    assert agree(layers, true_layers).max() < 5.5
    assert agree((made.cells > 0).sum(1), (truth.cells > 0).sum(1)) < 4.5
    lit = made.cells[made.cells > 0]
    assert lit.min() >= made.schema.geometry.threshold * (1 - 1e-5)
    assert (made.cells.sum(1) < 3 * made.cond[:, 0]).all()


def agree(made: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Distance of the means over paired events in standard errors; layers that are nearly always empty count little."""
    difference = np.asarray(made, dtype=np.float64) - truth
    return np.abs(difference.mean(0)) / (difference.std(0) / np.sqrt(len(difference)) + 1e-3)


def test_layer_energies_are_those_of_the_first_stage() -> None:
    model = shipped.load_shipped("par04")
    cond = torch.tensor([[1e3], [1e4], [5e4]])
    noise = {k: torch.from_numpy(v) for k, v in draw_noise(model, 3, np.random.default_rng(2)).items()}
    with torch.inference_mode():
        showers = model.sample(cond, noise)[..., 0].numpy()
        again = {k: -v if k.startswith("pattern_") else v for k, v in noise.items()}
        other = model.sample(cond, again)[..., 0].numpy()
    assert model.schema.geometry is not None
    first, second = (model.schema.geometry.layer_sum(cells.astype(np.float64)) for cells in (showers, other))
    np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-2)
    assert not np.allclose(showers, other)


def test_same_seed_gives_the_same_file_and_a_picture(tmp_path: Path) -> None:
    for name in ("a", "b"):
        found = sample("par04", tmp_path / f"{name}.h5", events=6, energy="5:20", seed=3)
        assert found.picture.stat().st_size > 10_000
    third = sample("par04", tmp_path / "c.h5", events=6, energy=(5, 20), seed=4)
    first, second, other = (open_events(tmp_path / f"{name}.h5").read(0, 6) for name in "abc")
    np.testing.assert_array_equal(first.x, second.x)
    assert ((first.cond >= 5e3) & (first.cond <= 2e4)).all()
    assert not np.array_equal(first.x, other.x)
    assert third.to_dict()["events"] == 6
    with h5py.File(tmp_path / "a.h5") as handle:  # what the CaloChallenge's scripts read
        assert handle["incident_energies"].shape == (6, 1)
        assert handle["showers"].shape == (6, first.schema.geometry.n_cells)
    assert first.schema.provenance["generator"] == "par04"


def test_candidates_are_an_option(tmp_path: Path) -> None:
    for candidates in (1, 8):
        assert sample("par04", tmp_path / f"{candidates}.h5", events=2, candidates=candidates, energy=10, seed=1)
    first, second = (open_events(tmp_path / f"{candidates}.h5").read(0, 2) for candidates in (1, 8))
    assert not np.array_equal(first.x, second.x)
    assert first.cond[:, 0].tolist() == [1e4, 1e4]


@pytest.mark.parametrize("energy", ["nan", "-1", "20:5", "1:2:3", "x", "", (1.0, -1.0)])
def test_senseless_energies_are_refused(energy: str) -> None:
    with pytest.raises(FacsimError, match="an energy is a number of GeV"):
        energy_range(energy, {"min": 1e3, "max": 5e4}, "x")


def test_energies_outside_need_force(tmp_path: Path) -> None:
    most = shipped.shipped_card("par04")["training_range"][0]["max"] / 1e3
    with pytest.raises(FacsimError, match=r"'par04' was trained from .* GeV, and .* GeV is outside"):
        sample("par04", tmp_path / "a.h5", events=2, energy=2 * most)
    assert not list(tmp_path.iterdir())
    assert sample("par04", tmp_path / "a.h5", events=2, energy=2 * most, force=True)


def test_what_does_not_belong_together_is_told(tmp_path: Path) -> None:
    with pytest.raises(FacsimError, match=r"no model 'par05' in '.*': expected one of \['par04'\]; did you mean"):
        facsim.load("par05")
    with pytest.raises(FacsimError, match="'par05' is neither a configuration file nor a known model"):
        sample("par05", tmp_path / "a.h5")
    with pytest.raises(FacsimError, match=r"\['smoke'\] are for runs"):
        sample("par04", tmp_path / "a.h5", smoke=True)
    with pytest.raises(FacsimError, match=r"\['events'\] are for models that ship"):
        facsim.sample(None, out=tmp_path, events=3)
    with pytest.raises(FacsimError, match="at least 1"):
        sample("par04", tmp_path / "a.h5", events=0)
    for cond in ([[1e4, 2.0]], [np.nan], [-1.0]):
        with pytest.raises(FacsimError, match="conditions"):
            facsim.load("par04").events(cond)
    assert not list(tmp_path.iterdir())


def test_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["sample", "par04", "--events", "3", "--energy", "10"]
    told = CliRunner().invoke(app, [*arguments, "--json", "--out", "x.h5"])
    assert told.exit_code == 0
    assert json.loads(told.stdout)["energy_GeV"] == [10.0, 10.0]
    assert "3 showers of 'par04@1.0.0' at 10 GeV" in CliRunner().invoke(app, arguments).stdout
    assert {path.name for path in tmp_path.iterdir()} == {"x.h5", "x.png", "par04.h5", "par04.png"}
    refused = CliRunner().invoke(app, [*arguments, "--energy", "900"])
    assert refused.exit_code == 1
    assert "--force" in refused.stderr


def test_graph_agrees_with_the_model(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    found = facsim.export("par04", out=tmp_path / "model.onnx", reporter=Silent())
    card = json.loads(found.card.read_text())
    assert card["graph"]["sha256"] == sha256(found.graph)
    assert json.loads(found.check.read_text())["passed"] is True


def test_examples_of_the_page_run(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "shipped.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {"folder": tmp_path}
    for example in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(compile(example, "docs/shipped.md", "exec"), names)
    assert names["events"].cells.shape == (10, 6480)
    assert all(f"`{name}`" in page for name in NAMES)


def test_damaged_weights_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "par04" / "1.0.0"
    shutil.copytree(shipped.shipped_folder("par04"), folder)
    with (folder / "weights.safetensors").open("r+b") as handle:
        handle.seek(5_000_000)
        byte = handle.read(1)
        handle.seek(5_000_000)
        handle.write(bytes([byte[0] ^ 1]))
    with pytest.raises(FacsimError, match="is damaged or was changed"):
        facsim.load("par04", repository=tmp_path)


def test_small_weights_lack_only_what_training_reads(tmp_path: Path) -> None:
    model = shipped.load_shipped("par04")
    small = small_weights(model)
    names = {name.removesuffix(UPPER) for name in small}
    assert set(model.state_dict()) - names == {k for k in model.state_dict() if k.startswith("copula.")}
    assert len([name for name in small if name.endswith(UPPER)]) >= 4  # roots of the covariances of the pattern
    assert {t.dtype for t in small.values() if t.numel() > HALF_ABOVE} == {torch.float16}
    assert {t.dtype for t in model.state_dict().values() if t.is_floating_point()} == {torch.float32}
    description = json.loads((shipped.shipped_folder("par04") / "model.json").read_text())
    save_model(model, description["model"], tmp_path)
    whole = load_model(tmp_path).state_dict()
    save_file(small, tmp_path / "weights.safetensors")
    for name, tensor in read_weights(tmp_path).items():
        assert torch.equal(whole[name], tensor)


def test_script_ships_a_run(tmp_path: Path) -> None:
    """`benchmarks/ship_model.py` on a run directory in miniature, whose folder then loads."""
    config = {
        "data": {"files": [str(sample_path())]},
        "prepare": {"validation": 20, "test": 60},
        "train": {"steps": 2, "batch_size": 16, "fit_events": 64},
        "baselines": [],
    }
    out = tmp_path / "run"
    facsim.prepare(config, out=out, reporter=Silent())
    facsim.train(config, out=out, reporter=Silent())
    target = tmp_path / "tiny" / "1.0.0"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SHIP, out, target], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    card = json.loads((target / "card.json").read_text())
    assert card["note"] == "in miniature"
    assert card["provenance"]["events"]["train"] == 400 - 20 - 2 * 60
    assert card["scores"] == []
    assert facsim.load("tiny", repository=tmp_path).schema.geometry is not None
    assert str(tmp_path) not in (target / "card.json").read_text()


@pytest.mark.parametrize("out", ["a.png", "a.yaml", "a", ".", "folder.h5"])
def test_only_a_shower_file_is_written(tmp_path: Path, out: str) -> None:
    (tmp_path / "folder.h5").mkdir()
    with pytest.raises(FacsimError, match=r"a file whose name ends in \.h5 or \.hdf5, and '.*' is none"):
        sample("par04", tmp_path / out, events=2)
    with pytest.raises(FacsimError, match=r"a file whose name ends in \.onnx"):
        facsim.export("par04", out=tmp_path / out, reporter=Silent())
    assert [path.name for path in tmp_path.iterdir()] == ["folder.h5"]


@pytest.mark.parametrize("events", [10**12, 10**23, 2.5])
def test_senseless_numbers_of_showers_are_refused(tmp_path: Path, events: Any) -> None:
    with pytest.raises(FacsimError, match="the number of showers must be whole, at least 1 and at most 100000000"):
        sample("par04", tmp_path / "a.h5", events=events)


@pytest.mark.parametrize("energy", ["1e300", "1e-300", 1e30])
def test_energies_that_cannot_be_computed_with_are_refused_even_by_force(energy: Any) -> None:
    with pytest.raises(FacsimError, match="an energy is a number of GeV"):
        energy_range(energy, {"min": 1e3, "max": 5e4}, "x", force=True)
