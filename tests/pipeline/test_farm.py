"""Farms: the same events for any number of workers, resumed, merged, refused; by the real command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

import facsim
from facsim.cli import app
from facsim.core.errors import FacsimError
from facsim.core.events import make_events
from facsim.core.schema import Feature, Schema
from facsim.core.store import write_store
from facsim.engines.shards import FOLDER
from facsim.pipeline.farm import How
from facsim.report.histograms import read_uhi
from facsim.run import Silent

SMALL = {"events": 70, "shard": 30, "batch": 20, "energy": "2:20", "reporter": Silent()}


def _call(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["farm", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def _arrays(path: Path) -> dict[str, Any]:
    with h5py.File(path) as handle:
        found: dict[str, Any] = {}
        handle.visititems(lambda name, item: found.update({name: item[:]}) if hasattr(item, "shape") else None)
    return found


@pytest.fixture(scope="module")
def showers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished farm of 70 showers."""
    out = tmp_path_factory.mktemp("farm") / "showers"
    found = facsim.farm_sample("par04", out=out, how=How(workers=1), **SMALL)
    assert (found.made, found.reused, found.shards) == (3, 0, 3)
    return out


def test_two_workers_give_the_same_arrays(showers: Path, tmp_path: Path) -> None:
    facsim.farm_sample("par04", out=tmp_path / "b", how=How(workers=2), **SMALL)
    a, b = _arrays(showers / "events.h5"), _arrays(tmp_path / "b" / "events.h5")
    assert set(a) == set(b)
    assert all(np.array_equal(a[name], b[name]) for name in a)
    assert a["showers"].shape == (70, 6480)
    assert a["facsim/event_id"].tolist() == list(range(70))
    assert 2e3 <= a["incident_energies"].min() <= a["incident_energies"].max() <= 2e4
    assert len(np.unique(a["incident_energies"])) == 70
    assert (showers / "hists.json").read_bytes() == (tmp_path / "b" / "hists.json").read_bytes()
    assert (showers / "farm.png").stat().st_size > 10_000


def test_histograms_are_those_of_the_merged_file(showers: Path) -> None:
    items = json.loads((showers / "hists.json").read_text())["items"]
    assert [item["name"] for item in items] == ["e_ratio", "hits", "depth", "depth_width"]
    arrays = _arrays(showers / "events.h5")
    ratio = arrays["showers"].sum(axis=1, dtype=np.float64) / arrays["incident_energies"][:, 0]
    histogram = read_uhi(items[0]["uhi"])
    assert histogram.total == items[0]["moments"]["n"] == 70
    assert items[0]["moments"]["wx"] / 70 == pytest.approx(ratio.mean(), rel=1e-4)
    assert np.abs(histogram.values - np.histogram(ratio, histogram.edges)[0]).sum() <= 2


def test_resumed_repaired_and_extended(showers: Path, tmp_path: Path) -> None:
    out = tmp_path / "c"
    facsim.farm_sample("par04", out=out, how=How(workers=2), **SMALL)
    again = facsim.farm_sample("par04", out=out, how=How(workers=2), **SMALL)
    assert (again.made, again.reused) == (0, 3)
    victim = out / FOLDER / "shard-000001.h5"
    victim.write_bytes(victim.read_bytes()[:1000])
    repaired = facsim.farm_sample("par04", out=out, how=How(workers=2), **SMALL)
    assert (repaired.made, repaired.reused) == (1, 2)
    assert (out / "events.h5").read_bytes() == (showers / "events.h5").read_bytes()
    more = facsim.farm_sample("par04", out=out, how=How(workers=2, clean=True), **{**SMALL, "events": 95})
    assert (more.made, more.reused) == (2, 2)  # the third shard is full now
    assert np.array_equal(_arrays(out / "events.h5")["showers"][:60], _arrays(showers / "events.h5")["showers"][:60])
    assert not (out / FOLDER).exists()
    cleaned = facsim.farm_sample("par04", out=out, how=How(workers=2), **{**SMALL, "events": 95})
    assert (cleaned.made, cleaned.files["events"]) == (0, out / "events.h5")


def test_a_job_array_makes_the_same(showers: Path, tmp_path: Path) -> None:
    out = tmp_path / "array"
    words = ["sample", "par04", "--events", 70, "--shard", 30, "--batch", 20, "--energy", "2:20", "--out", out]
    code, text, _ = _call(*words, "--script", "slurm")
    assert code == 0
    assert "#SBATCH --array=0-2\n" in text
    command = text.splitlines()[-1].removeprefix("exec ").replace('"$SLURM_ARRAY_TASK_ID"', "1")
    subprocess.run(command, shell=True, check=True, capture_output=True, env=os.environ | {"PYTHONPATH": "src"})
    assert [path.name for path in sorted((out / FOLDER).iterdir())] == ["shard-000001.h5", "shard-000001.stamp.json"]
    code, _, told = _call(*words, "--merge")
    assert code == 1
    assert "2 of 3 shards" in told
    assert "are missing (0, 2)" in told
    assert "#SBATCH --array=0,2\n" in _call(*words, "--script", "slurm")[1]
    for index in (0, 2):
        assert _call(*words, "--only-shard", index)[0] == 0
    assert not (out / "events.h5").exists()
    assert _call(*words, "--merge")[0] == 0
    assert (out / "events.h5").read_bytes() == (showers / "events.h5").read_bytes()
    code, _, told = _call(*words, "--script", "slurm")
    assert code == 1
    assert "nothing to submit" in told


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    words = ["sample", "par04", "--events", 12_001, "--out", tmp_path / "dry", "--workers", 3, "--dry-run"]
    code, text, _ = _call(*words)
    assert code == 0
    assert "3 shards of up to 5000 showers" in text.replace("\n", " ")
    assert "3 of them to make, by 3 processes of this machine" in text.replace("\n", " ")
    assert not (tmp_path / "dry").exists()
    code, text, _ = _call(*words, "--json")
    assert json.loads(text)["shards"] == 3


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
from facsim.cli import main
sys.argv[0] = "facsim"
main()
"""


def test_a_full_disk_hits_only_the_shards_that_do_not_fit(showers: Path, tmp_path: Path) -> None:
    out = tmp_path / "full"
    words = ["farm", "sample", "par04", "--events", "70", "--shard", "30", "--batch", "20", "--energy", "2:20"]
    words += ["--out", str(out), "--workers", "2"]
    env = os.environ | {"PYTHONPATH": "src"}
    done = subprocess.run([sys.executable, "-c", LIMITED, *words], capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 1
    last = " ".join(done.stderr.split())
    assert "2 of 3 shards failed; shard 0: cannot write" in last
    assert "shards/shard-000000.h5': File too large; the 1 that are made stay" in last
    assert "Traceback" not in done.stderr
    assert [path.name for path in sorted((out / FOLDER).iterdir())] == ["shard-000002.h5", "shard-000002.stamp.json"]
    found = facsim.farm_sample("par04", out=out, how=How(workers=2), **SMALL)
    assert (found.made, found.reused) == (2, 1)
    assert (out / "events.h5").read_bytes() == (showers / "events.h5").read_bytes()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 2}, r"holds shards of other settings \(seed: 1 there, 2 here\)"),
        ({"batch": 10}, r"\(batch: 20 there, 10 here\)"),
        ({"energy": 5}, r"\(energy_MeV: "),
        ({"model": "none"}, "'none' is neither a run directory with a trained surrogate nor a model that ships"),
        ({"events": 0}, "must be at least 1, not 0, 30 and 20"),
        ({"energy": 1e6}, "outside: choose energies within, or add --force"),
        ({"how": How(only_shard=3)}, "there are the shards 0 to 2, and no shard 3"),
    ],
)
def test_what_cannot_be_is_told(showers: Path, change: dict[str, Any], words: str) -> None:
    options = {"model": "par04", "out": showers, **SMALL, **change}
    with pytest.raises(FacsimError, match=words):
        facsim.farm_sample(options.pop("model"), **options)


def test_ways_that_exclude_one_another() -> None:
    with pytest.raises(FacsimError, match="exclude one another"):
        How(merge=True, dry_run=True)
    with pytest.raises(FacsimError, match="'local' or 'dask', not 'ray'"):
        How(engine="ray")
    with pytest.raises(FacsimError, match="needs --engine dask"):
        How(engine="local", cluster="slurm")


@pytest.mark.parametrize("verb", ["sample", "simulate", "score"])
def test_every_verb_has_help_with_an_example(verb: str) -> None:
    code, out, _ = _call(verb, "--help")
    assert code == 0
    assert f"Example: facsim farm {verb}" in out
    assert "--json" in out


def test_conditions_of_a_table(tmp_path: Path) -> None:
    table, out = tmp_path / "energies.csv", tmp_path / "out"
    table.write_text("incident_energy\n5000\n10000\n15000\n")
    options: dict[str, Any] = {"events": 7, "shard": 4, "batch": 4, "reporter": Silent(), "conditions": table}
    facsim.farm_sample("par04", out=out, how=How(workers=1), **options)
    found = _arrays(out / "events.h5")["incident_energies"][:, 0]
    assert found.tolist() == [5e3, 1e4, 1.5e4, 5e3, 1e4, 1.5e4, 5e3]
    for content, words in (
        ("energy\n5\n", r"has no column 'incident_energy'"),
        ("incident_energy\n5000\n-1\n", "an energy is a number of GeV"),
        ("incident_energy\n5000\n9e9\n", "outside: choose energies within"),
        ("incident_energy\n5000\nnan\n", "finite"),
    ):
        table.write_text(content)
        with pytest.raises(FacsimError, match=words):
            facsim.farm_sample("par04", out=out, **options)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of RICH tracks with a barely trained surrogate and weights."""
    out = tmp_path_factory.mktemp("run") / "rich"
    overrides = ["train.steps=2", "simulate.background=0.3", "simulate.chunk=1000", "train.batch_size=100"]
    options: dict[str, Any] = {"out": out, "overrides": overrides, "smoke": True, "reporter": Silent()}
    for stage in (facsim.simulate, facsim.prepare, facsim.train):
        stage("rich", **options)
    return out


def test_the_surrogate_of_a_run_at_the_conditions_of_its_truth(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "tracks"
    found = facsim.farm_sample(run, events=2500, shard=700, batch=300, out=out, how=How(workers=2), reporter=Silent())
    assert (found.made, found.noun) == (4, "events")
    arrays, truth = _arrays(out / "events.h5"), _arrays(run / "truth.h5")
    assert arrays["x"].shape == (2500, 5)
    data = json.loads((run / "data.json").read_text())["splits"]["null"]
    rows = np.concatenate([np.arange(*span) for span in data])
    assert len(rows) == 1000
    taken = rows[np.arange(2500) % 1000]
    np.testing.assert_allclose(arrays["cond"], truth["cond"][taken])
    np.testing.assert_allclose(arrays["weight"], truth["weight"][taken])
    assert not np.array_equal(arrays["x"][:1000], arrays["x"][1000:2000])
    items = json.loads((out / "hists.json").read_text())["items"]
    histogram = read_uhi(items[0]["uhi"])
    assert histogram.total == pytest.approx(items[0]["moments"]["w"])
    assert items[0]["moments"]["w"] == pytest.approx(arrays["weight"].sum())
    with pytest.raises(FacsimError, match="--energy is for shipped models"):
        facsim.farm_sample(run, events=10, out=tmp_path / "x", energy=5)


def _table(path: Path, seed: int, n: int = 130, shift: float = 0.0, broken: bool = False) -> Path:
    rng = np.random.default_rng(seed)
    x = rng.normal((shift, 0.0), 1.0, (n, 2))
    x[5, 0] = np.nan if broken else x[5, 0]
    schema = Schema("table", (Feature("x"), Feature("y")), (Feature("c"),))
    write_store(path, [make_events(schema, x, rng.random((n, 1)))])
    return path


def test_scores_of_many_files_are_those_of_each(tmp_path: Path) -> None:
    truth = _table(tmp_path / "truth.h5", 1, 260)
    good, bad = _table(tmp_path / "good.h5", 2), _table(tmp_path / "bad.h5", 3, shift=2.0)
    out = tmp_path / "scores"
    code, text, _ = _call("score", truth, good, bad, "--out", out, "--workers", 2)
    assert code == 0
    assert {"good", "bad"} <= {line.split()[0] for line in text.splitlines()}
    mine = {score["name"]: score for score in json.loads((out / "scores" / "bad.json").read_text())["scores"]}
    for score in facsim.score(truth, bad).to_dict()["scores"]:
        assert mine[score["name"]]["value"] == pytest.approx(score["value"], rel=1e-6, abs=1e-9, nan_ok=True)
    rows = {row["name"]: row for row in json.loads((out / "summary.json").read_text())}
    assert rows["bad"]["auc_high"]["value"] > 0.8 > rows["good"]["auc_high"]["value"]
    assert (out / "report" / "index.html").stat().st_size > 10_000
    files = [good, bad, _table(tmp_path / "broken.h5", 4, broken=True)]
    with pytest.raises(FacsimError, match=r"1 of 3 shards failed; shard 2: .*broken"):
        facsim.farm_score(truth, files, out=out, how=How(workers=1), reporter=Silent())
    assert len(json.loads((out / "summary.json").read_text())) == 2
    with pytest.raises(FacsimError, match="several generated files are called 'bad'"):
        facsim.farm_score(truth, [bad, out / "bad.h5"], out=out)


@pytest.mark.parametrize(
    "settings",
    [
        ["simulate.events=2500", "simulate.chunk=1000"],
        pytest.param(["simulate.events=2500", "simulate.background=0.3", "simulate.chunk=1000"], id="background"),
    ],
)
def test_truth_is_that_of_simulate(tmp_path: Path, settings: list[str]) -> None:
    out, alone = tmp_path / "farm", tmp_path / "alone"
    found = facsim.farm_simulate("rich", out=out, overrides=settings, smoke=True, how=How(workers=2), reporter=Silent())
    assert (found.made, found.noun, found.events) == (3, "tracks", 2500)
    facsim.simulate("rich", out=alone, overrides=settings, smoke=True, reporter=Silent())
    a, b = _arrays(out / "truth.h5"), _arrays(alone / "truth.h5")
    assert set(a) == set(b)
    assert all(np.array_equal(a[name], b[name]) for name in a)
    told: list[str] = []

    class Told(Silent):
        def say(self, text: str, style: str = "") -> None:
            told.append(text)

    facsim.simulate("rich", out=out, overrides=settings, smoke=True, reporter=Told())
    assert any("2500 tracks were there already" in text for text in told)
    with pytest.raises(FacsimError, match=r"set simulate\.chunk"):
        facsim.farm_simulate("rich", out=out, overrides=settings, smoke=True, shard=10)


@pytest.mark.geant4
def test_geant4_showers_are_those_of_simulate(tmp_path: Path) -> None:
    settings = ["simulate.events=12", "simulate.energy=2", "simulate.detector=par04-w-si"]
    options: dict[str, Any] = {"overrides": settings, "reporter": Silent()}
    facsim.farm_simulate("calorimeter", out=tmp_path / "farm", shard=5, how=How(workers=2), **options)
    facsim.simulate("calorimeter", out=tmp_path / "alone", **options)
    a, b = (_arrays(tmp_path / name / "truth.h5") for name in ("farm", "alone"))
    assert set(a) == set(b)
    assert all(np.array_equal(a[name], b[name]) for name in a if name != "facsim/cpu_ms")
