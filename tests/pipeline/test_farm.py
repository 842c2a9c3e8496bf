"""Farms: the same events for any number of workers, resumed, merged, refused; by the real command line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import facsim
from facsim.cli import app
from facsim.core.errors import FacsimError
from facsim.engines.shards import FOLDER, LOGS
from facsim.pipeline.farm import How
from facsim.report.histograms import read_uhi
from facsim.run import Advance, Silent

from .hdf5 import arrays_of

SMALL = {"events": 70, "shard": 30, "batch": 20, "energy": "2:20", "reporter": Silent()}
QUIET: dict[str, Any] = {"histograms": False, "reporter": Silent()}
PLAIN = {**SMALL, "histograms": False}


def _call(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["farm", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture(scope="module")
def showers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished farm of 70 showers."""
    out = tmp_path_factory.mktemp("farm") / "showers"
    found = facsim.farm_sample("par04", out=out, how=How(workers=1), **SMALL)
    assert (found.made, found.reused, found.shards) == (3, 0, 3)
    return out


def test_two_workers_give_the_samearrays_of(showers: Path, tmp_path: Path) -> None:
    facsim.farm_sample("par04", out=tmp_path / "b", how=How(workers=2), **SMALL)
    a, b = arrays_of(showers / "events.h5"), arrays_of(tmp_path / "b" / "events.h5")
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
    arrays = arrays_of(showers / "events.h5")
    ratio = arrays["showers"].sum(axis=1, dtype=np.float64) / arrays["incident_energies"][:, 0]
    histogram = read_uhi(items[0]["uhi"])
    assert histogram.total == items[0]["moments"]["n"] == 70
    assert items[0]["moments"]["wx"] / 70 == pytest.approx(ratio.mean(), rel=1e-4)
    assert np.abs(histogram.values - np.histogram(ratio, histogram.edges)[0]).sum() <= 2


def test_resumed_repaired_and_extended(showers: Path, tmp_path: Path) -> None:
    out = tmp_path / "c"
    shutil.copytree(showers, out)
    again = facsim.farm_sample("par04", out=out, how=How(workers=1), **SMALL)
    assert (again.made, again.reused) == (0, 3)
    victim = out / FOLDER / "shard-000001.h5"
    victim.write_bytes(victim.read_bytes()[:1000])
    repaired = facsim.farm_sample("par04", out=out, how=How(workers=1), **SMALL)
    assert (repaired.made, repaired.reused) == (1, 2)
    assert (out / "events.h5").read_bytes() == (showers / "events.h5").read_bytes()
    (out / FOLDER / ".shard-000001@elsewhere@1@x").mkdir()  # of a worker that was killed on another machine
    more = facsim.farm_sample("par04", out=out, how=How(workers=1, clean=True), **{**SMALL, "events": 95})
    assert (more.made, more.reused) == (2, 2)  # the third shard is full now
    assert np.array_equal(
        arrays_of(out / "events.h5")["showers"][:60], arrays_of(showers / "events.h5")["showers"][:60]
    )
    assert not (out / FOLDER).exists()
    (out / FOLDER).mkdir()  # as a job elsewhere or more events would have left it
    cleaned = facsim.farm_sample("par04", out=out, how=How(workers=1), **{**SMALL, "events": 95})
    assert (cleaned.made, cleaned.files["events"]) == (0, out / "events.h5")


def test_a_job_array_makes_the_same(showers: Path, tmp_path: Path) -> None:
    out = tmp_path / "array"
    words = [
        "sample",
        "par04",
        "--events",
        70,
        "--shard",
        30,
        "--batch",
        20,
        "--energy",
        "2:20",
        "--no-histograms",
        "--out",
        out,
    ]
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
    assert "the batch jobs said" not in told
    (out / LOGS / "1_0.log").write_text("slurmstepd: error: *** JOB 1 CANCELLED ***\n")
    assert f"what the batch jobs said is in '{out / LOGS}'" in _call(*words, "--merge")[2]
    assert "#SBATCH --array=0,2\n" in _call(*words, "--script", "slurm")[1]
    for index in (0, 2):
        assert _call(*words, "--only-shard", index)[0] == 0
    assert not (out / "events.h5").exists()
    assert _call(*words, "--merge")[0] == 0
    assert (out / "events.h5").read_bytes() == (showers / "events.h5").read_bytes()
    code, _, told = _call(*words, "--script", "slurm")
    assert code == 1
    assert "nothing to submit" in told


def test_a_folder_named_as_the_model_does_not_hide_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["sample", "par04", "--events", 9, "--no-histograms", "--out", "par04", "--script", "slurm"]
    _call(*words)
    assert "facsim farm sample par04 " in _call(*words)[1]


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
    words += ["--no-histograms", "--out", str(out), "--workers", "1"]
    env = os.environ | {"PYTHONPATH": "src"}
    done = subprocess.run([sys.executable, "-c", LIMITED, *words], capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 1
    last = " ".join(done.stderr.split())
    assert "2 of 3 shards failed; shard 0: cannot write" in last
    assert "shards/shard-000000.h5': File too large; the 1 that are made stay" in last
    assert "Traceback" not in done.stderr
    assert [path.name for path in sorted((out / FOLDER).iterdir())] == ["shard-000002.h5", "shard-000002.stamp.json"]
    found = facsim.farm_sample("par04", out=out, how=How(workers=1), **PLAIN)
    assert (found.made, found.reused) == (2, 1)
    assert (out / "events.h5").read_bytes() == (showers / "events.h5").read_bytes()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 2}, r"holds shards of other settings \(seed: 1 there, 2 here\)"),
        ({"batch": 10}, r"\(batch: 20 there, 10 here\)"),
        ({"energy": 5}, r"\(energy_MeV: "),
        (
            {"model": "none"},
            "'none' is neither a run with a trained surrogate nor a known model: there is no model 'none'",
        ),
        ({"events": 0}, "must be at least 1, not 0, 30 and 20"),
        ({"energy": 1e6}, "outside: choose energies within, or add --force"),
        ({"how": How(only_shard=3)}, "there are the shards 0 to 2, and no shard 3"),
    ],
)
def test_what_cannot_be_is_told(showers: Path, change: dict[str, Any], words: str) -> None:
    options = {"model": "par04", "out": showers, **SMALL, **change}
    with pytest.raises(FacsimError, match=words):
        facsim.farm_sample(options.pop("model"), **options)


def test_what_is_in_the_way_is_told(showers: Path, tmp_path: Path) -> None:
    out = tmp_path / "d"
    shutil.copytree(showers, out)
    (out / "logs").touch()
    (out / FOLDER / "shard-000001.h5").unlink()
    with pytest.raises(FacsimError, match=r"cannot write '.*/d/logs': File exists"):
        facsim.farm_sample("par04", out=out, how=How(script="slurm", command=["facsim"]), **SMALL)
    assert not (out / "job.slurm").exists()
    shutil.copy(showers / FOLDER / "shard-000001.h5", out / FOLDER)
    stamp = out / FOLDER / "shard-000002.stamp.json"
    content = stamp.read_bytes()

    class Meddling(Silent):
        def progress(self, label: str) -> AbstractContextManager[Advance]:
            if label == "merging":  # after the stamps were read
                stamp.unlink()
                stamp.mkdir()
            return super().progress(label)

    (out / "done.json").unlink()
    options = {**SMALL, "reporter": Meddling()}
    with pytest.raises(FacsimError, match=r"cannot write '.*/d/shards': Is a directory"):
        facsim.farm_sample("par04", out=out, how=How(workers=1, clean=True), **options)
    stamp.rmdir()
    stamp.write_bytes(content)
    assert (out / "events.h5").read_bytes() == (showers / "events.h5").read_bytes()


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
    options: dict[str, Any] = {"events": 7, "shard": 4, "batch": 4, "conditions": table, **QUIET}
    facsim.farm_sample("par04", out=out, how=How(workers=1), **options)
    found = arrays_of(out / "events.h5")["incident_energies"][:, 0]
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
