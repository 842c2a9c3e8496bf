"""The demonstration as a user runs it: real Geant4, real surrogate, one sentence for every mistake."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import facsim
from facsim.cli import app
from facsim.core.errors import FacsimError, MissingExtraError
from facsim.core.schema import Feature
from facsim.models.shipped import load, shipped_folder
from facsim.pipeline import geant4_demo, geant4_model
from facsim.pipeline.geant4_demo import Beam
from facsim.pipeline.geant4_model import hook_model
from facsim.report.geant4_page import FILES
from facsim.simulate.detector_files import load_detector
from facsim.simulate.geant4 import geant4_available
from facsim.simulate.hook.records import make_records

real = [pytest.mark.geant4, pytest.mark.skipif(not geant4_available(), reason="no Geant4 wheel here")]


def call(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["geant4", "demo", *arguments])
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The command in miniature."""
    folder = tmp_path_factory.mktemp("demo") / "made"
    code, out, err = call("--smoke", "--events", "4", "--material", "0.1", "--out", str(folder), "--json")
    assert code == 0, err
    return dict(json.loads(out))


class TestReal:
    pytestmark = real

    def test_it_leaves_results_a_page_and_pictures(self, found: dict[str, Any]) -> None:
        folder = Path(found["folder"])
        saved = json.loads((folder / "results.json").read_text())
        assert saved == {key: value for key, value in found.items() if key != "folder"}
        names = {path.name for path in folder.iterdir()}
        assert {"index.html", "longitudinal.png", "lateral.png", "energy.png", "times.png", "events.png"} <= names
        assert [path.name for path in folder.parent.iterdir()] == ["made"]
        page = (folder / "index.html").read_text(encoding="utf-8")
        assert "http" not in page.replace("http://www.w3.org", "").replace("https://www.w3.org", "")
        assert page.count("<figure") == 9

    def test_the_fast_path_is_faster_and_has_the_response_of_the_full_one(self, found: dict[str, Any]) -> None:
        times = found["times"]
        assert found["events"] == {"full": 4, "fast": 16}
        assert times["ratio"] == pytest.approx(times["full_ms"] / times["fast_ms"])
        assert times["ratio"] > 5
        assert sum(times["fast_parts"].values()) == pytest.approx(times["fast_ms"])
        assert times["fast_parts"]["surrogate"] > 0
        assert times["fast_error"] is None
        assert [goal["verdict"] for goal in found["goals"]] == ["open"] * 3
        response = next(row for row in found["comparison"] if row["name"] == "response")
        assert response["full"] == pytest.approx(0.955, abs=0.06)
        assert response["ratio"] == pytest.approx(1.0, abs=0.06)
        depth = next(row for row in found["comparison"] if row["name"] == "depth")
        assert depth["ratio"] == pytest.approx(1.0, abs=0.25)

    def test_all_energy_of_the_beam_has_a_fate(self, found: dict[str, Any]) -> None:
        energy = {row["fate"]: row["MeV_per_event"] for row in found["particles"]}
        at_face = sum(value for fate, value in energy.items() if not fate.startswith("pair"))
        assert 0.98 * 50_000 < at_face < 50_000
        assert energy["pair"] + energy["pair_out"] == pytest.approx(energy["photons"], rel=1e-2, abs=1e-6)

    def test_a_folder_that_is_there_is_kept_unless_forced(self, found: dict[str, Any]) -> None:
        code, _, err = call("--smoke", "--out", found["folder"])
        assert code == 1
        assert "holds an earlier demonstration: choose another --out, or replace it by --force" in err

    def test_force_removes_nothing_that_it_did_not_write(self, found: dict[str, Any], tmp_path: Path) -> None:
        mine = tmp_path / "mine"
        shutil.copytree(found["folder"], mine)
        assert {path.name for path in mine.iterdir()} == {*FILES, "results.json"}
        small = ("--smoke", "--events", "2", "--out", str(mine), "--force")
        for other in ("notes.txt", "plots/a.txt"):
            (mine / other).parent.mkdir(exist_ok=True)
            (mine / other).write_text("mine")
            before = sorted(mine.rglob("*"))
            code, out, err = call(*small)
            assert (code, out) == (1, "")
            assert f"holds more than the earlier demonstration, ['{Path(other).parts[0]}']: move that away" in err
            assert sorted(mine.rglob("*")) == before
            (mine / other).unlink()
            if (mine / "plots").exists():
                (mine / "plots").rmdir()
        code, _, err = call(*small, "--seed", "2")
        assert code == 0, err
        assert json.loads((mine / "results.json").read_text())["settings"]["seed"] == 2
        assert [path.name for path in tmp_path.iterdir()] == ["mine"]

    def test_an_interruption_leaves_nothing_and_promises_nothing(self, tmp_path: Path) -> None:
        scratch, out = tmp_path / "scratch", tmp_path / "new"
        scratch.mkdir()
        command = [sys.executable, "-m", "facsim", "geant4", "demo", "--events", "2000", "--out", str(out)]
        environment = {**os.environ, "TMPDIR": str(scratch)}
        with subprocess.Popen(command, env=environment, stdout=PIPE, stderr=PIPE, text=True) as process:
            while not list(scratch.glob("facsim-geant4-*/*.npz")):
                assert process.poll() is None
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        assert process.returncode == 130
        last = "facsim: interrupted; nothing half-made is left, and the same command begins anew."
        assert err.splitlines()[-1] == last
        assert not list(scratch.glob("facsim-geant4-*"))
        assert not out.exists()

    def test_at_the_edge_without_material_photons_and_seeds(self, tmp_path: Path) -> None:
        options: dict[str, Any] = {"events": 2, "material": 0.0, "seed": 3}
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "edge").symlink_to("elsewhere")
        edge = facsim.geant4_demo(tmp_path / "edge", energy=50.0, **options)
        fates = {row["fate"]: row["per_event"] for row in edge["particles"]}
        assert fates["electrons"] == 1.0
        assert (tmp_path / "elsewhere" / "index.html").is_file()
        assert edge["folder"] == str(tmp_path / "edge")
        assert sum(fates.values()) == 1.0
        again = [facsim.geant4_demo(tmp_path / name, energy=4.0, particle="gamma", **options) for name in ("a", "b")]
        assert again[0]["comparison"] == again[1]["comparison"]
        fates = {row["fate"]: row["per_event"] for row in again[0]["particles"]}
        assert (fates["electrons"], fates["photons"]) == (0.0, 1.0)
        assert fates["pair"] + fates["pair_out"] == pytest.approx(2.0)

    def test_a_beam_that_the_surrogate_takes_nothing_of_is_refused_before_time_is_spent(self, tmp_path: Path) -> None:
        for beam in ({"energy": 0.5}, {"energy": 1e-9}, {"energy": 90.0, "material": 0.0}):
            with pytest.raises(
                FacsimError, match=r"reaches the calorimeter where 'par04' was trained, from 1 to 50 GeV"
            ):
                facsim.geant4_demo(tmp_path / "none", events=2, **beam)
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--model", "par05"], "'par05' is neither a model that ships with facsim, ['par04'], nor a run directory"),
        (["--material", "-0.1"], "the material in front must be between 0 and 2 radiation lengths, and -0.1 is not"),
        (["--energy", "0"], "the beam's energy must be a positive number of GeV, at most 100000, and 0 is none"),
        (["--energy", "nan"], "the beam's energy must be a positive number of GeV, at most 100000, and nan is none"),
        (["--energy", "1e6"], "the beam's energy must be a positive number of GeV, at most 100000, and 1e+06 is none"),
        (["--events", "1"], "the number of events must be between 2 and 100000, and 1 is not"),
        (["--particle", "pi-"], "a beam of 'pi-' would all go back to full simulation: expected one of ['e-',"),
        (["--detector", "pb-lar"], "the read-out of 'par04' is not that of the calorimeter 'pb-lar'"),
        (["--detector", "par05"], "unknown detector 'par05'"),
        (["--out", "file/new"], "file' is no folder to write to: choose another --out"),
        (["--out", "/"], "'/' is there already and no earlier demonstration: choose another --out"),
        (["--out", "file"], "file' is there already and no earlier demonstration: choose another --out"),
    ],
)
def test_mistakes_give_one_sentence(in_tmp: Path, arguments: list[str], sentence: str) -> None:
    Path("file").write_text("mine")
    code, out, err = call("--out", "new", *arguments)
    assert (code, out) == (1, "")
    assert err.startswith("facsim: ")
    assert sentence in err
    assert err.count("\n") == 1
    assert [path.name for path in in_tmp.iterdir()] == ["file"]


def test_without_geant4_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facsim.simulate.hook.calls.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="geant4"):
        facsim.geant4_demo(tmp_path / "none")
    assert not list(tmp_path.iterdir())


def test_a_calorimeter_with_the_same_cells_that_differs_is_refused() -> None:
    mine = load_detector("par04-w-si").model_dump(mode="json")
    assert hook_model("par04", load_detector(mine)).guard.photons
    group = mine["stack"][0]
    assert hook_model("par04", load_detector({**mine, "name": "mine", "description": ""})).guard.photons
    for key, change in {
        "stack": {"stack": [{**group, "layers": [{**group["layers"][0], "material": "G4_Pb"}, group["layers"][1]]}]},
        "cut": {"cut": 0.05},
        "threshold": {"threshold": 0.0},
        "size": {"size": 200.0},
        "physics": {"physics": {"em": "option2"}},
    }.items():
        told = f"trained on the calorimeter 'par04-w-si', whose {key} is not that of"
        with pytest.raises(FacsimError, match=told):
            hook_model("par04", load_detector({**mine, **change}))


def test_a_beam_of_photons_that_could_not_be_converted_is_refused(tmp_path: Path) -> None:
    model = hook_model("par04", load_detector("par04-w-si"))
    caught = make_records([0], [22], [10_000.0], [[0.0, 0.0, 0.0]], [[0.0, 0.0, 1.0]])
    np.savez(tmp_path / "front.npz", records=caught)
    beam = Beam(energy=10.0, particle="gamma")
    geant4_demo._check_any([tmp_path / "front.npz"], model, beam)
    other = replace(model, guard=replace(model.guard, photons=False))
    with pytest.raises(FacsimError, match="photons in 'par04-w-si' would all go back to full simulation, as they"):
        geant4_demo._check_any([tmp_path / "front.npz"], other, beam)


def test_models_of_other_conditions_or_particles_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    detector, sampler = load_detector("par04-w-si"), load("par04")
    sampler.card["provenance"]["truth"]["settings"]["particle"] = ["gamma"]
    monkeypatch.setattr(geant4_model, "load", lambda *args, **options: sampler)
    with pytest.raises(FacsimError, match=r"makes showers of electrons, and 'par04' was trained on \['gamma'\]"):
        hook_model("par04", detector)
    angle = Feature("theta", "rad")
    sampler.schema = replace(sampler.schema, conditions=(*sampler.schema.conditions, angle))
    with pytest.raises(FacsimError, match="has the one condition 'incident_energy', and 'par04' has"):
        hook_model("par04", detector)


def test_candidates_are_a_dial() -> None:
    detector = load_detector("par04-w-si")
    one = hook_model("par04", detector, candidates=1)
    assert (one.candidates, hook_model("par04", detector).candidates) == (1, 2)
    assert np.isclose(one.guard.high, 50_000.0, rtol=1e-3)


def test_the_directory_of_a_run_serves_as_well_once_it_has_a_card(tmp_path: Path) -> None:
    detector, run = load_detector("par04-w-si"), tmp_path / "mine"
    shutil.copytree(shipped_folder("par04"), run / "models" / "surrogate")
    with pytest.raises(FacsimError, match=r"has no card.json, which says where its surrogate may be used"):
        hook_model(str(run), detector)
    shutil.copy(shipped_folder("par04") / "card.json", run / "card.json")
    mine, own = hook_model(str(run), detector, candidates=1), hook_model("par04", detector)
    assert (mine.name, mine.candidates, mine.guard) == (str(run), 1, own.guard)
