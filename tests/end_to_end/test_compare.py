"""A real comparison of two small surrogates on the showers that ship with facsim."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

import facsim
from facsim.cli import app
from facsim.core.errors import FacsimError
from facsim.run import Silent
from facsim.simulate.sample import sample_path

pytestmark = pytest.mark.slow

SMALL = {
    "data": {"files": [str(sample_path())]},
    "prepare": {"validation": 20, "test": 60},
    "model": {
        "layers": {"name": "flow-matching", "network": {"name": "residual-mlp", "width": 16, "depth": 1}},
        "pattern": {"name": "flow-matching", "network": {"name": "layer-transformer", "width": 16, "depth": 1}},
    },
    "train": {"steps": 4, "batch_size": 32, "device": "cpu", "checkpoint_seconds": 0.05},
    "baselines": ["gflash", "library"],
    "evaluate": {"energy_bins": 1, "memorisation_events": 40},
    "timing": {"batches": [1, 100], "threads": [1], "repeats": 1, "seconds": 0.0},
    "report": {"layers": 1},
    "export": None,
}


def _write(path: Path, **changes: Any) -> Path:
    path.write_text(yaml.safe_dump({**SMALL, **changes}))
    return path


def _model(steps: int) -> dict[str, Any]:
    return {**SMALL["model"], "steps": steps}


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The directory of a finished comparison, and what the command said."""
    folder = tmp_path_factory.mktemp("compare")
    one = _write(folder / "one.yaml", model=_model(1))
    two = _write(folder / "two.yaml", model=_model(2), baselines=["gflash", "bootstrap"])
    found = facsim.compare([one, two], out=folder / "out", reporter=Silent())
    return folder, found


def _stages(found: dict[str, Any]) -> dict[str, list[str]]:
    """Stages that were done, by run."""
    return {
        name: done
        for name, stages in found["stages"].items()
        if (done := [stage["stage"] for stage in stages if not stage["skipped"]])
    }


def test_truth_and_baselines_are_done_once_and_shared(compared: tuple[Path, dict[str, Any]]) -> None:
    folder, found = compared
    out = folder / "out"
    assert _stages(found) == {
        "truth": ["prepare", "sample", "evaluate", "timing"],
        "one": ["prepare", "train", "sample", "evaluate", "timing", "report"],
        "two": ["prepare", "train", "sample", "evaluate", "timing", "report"],
        "comparison": ["compare"],
    }
    judged = {path.relative_to(out).as_posix() for path in out.glob("*/samples/*.h5")}
    baselines = {f"truth/samples/{name}.h5" for name in ("gflash", "library", "bootstrap")}
    assert judged == {"one/samples/surrogate.h5", "two/samples/surrogate.h5"} | baselines
    splits = [json.loads((out / name / "data.json").read_text())["splits"] for name in ("truth", "one", "two")]
    assert splits[0] == splits[1] == splits[2]
    rows = [json.loads((out / name / "scores/surrogate.json").read_text())["scores"] for name in ("one", "two")]
    assert [row["null"] for row in rows[0]] == [row["null"] for row in rows[1]]


def test_numbers_are_those_of_the_runs(compared: tuple[Path, dict[str, Any]]) -> None:
    folder, found = compared
    written = json.loads((folder / "out" / "comparison.json").read_text())
    assert written["scores"] == found["scores"]
    row = next(row for row in found["scores"] if row["name"] == "fpd" and row["protocol"] == "strict")
    assert set(row["values"]) == {"one", "two", "gflash", "library", "bootstrap"}
    for name in ("one", "two"):
        card = json.loads((folder / "out" / name / "scores/surrogate.json").read_text())
        own = next(each for each in card["scores"] if each["name"] == "fpd" and each["protocol"] == "strict")
        assert row["values"][name]["value"] == own["value"]
        assert found["runs"][name]["config"]["model"]["steps"] == {"one": 1, "two": 2}[name]
    assert found["runs"]["one"]["parameters"] == found["runs"]["two"]["parameters"] > 1000
    assert {(row["device"], row["batch"]) for row in found["times"]} >= {("cpu", 1), ("cpu", 100)}
    assert set(found["times"][0]["values"]) == {"one", "two", "gflash", "library", "bootstrap"}
    assert found["published"]["board"] == "ds2"
    assert set(found["published"]["placed"]) == {"one", "two"}


def test_pages_are_there_and_each_run_shows_the_baselines(compared: tuple[Path, dict[str, Any]]) -> None:
    folder, found = compared
    page = Path(found["report"]).read_text()
    assert "2 surrogates for Geant4 showers, compared" in page
    assert all(f'id="{name}"' in page for name in ("costs", "scores", "published", "observables", "showers", "runs"))
    assert "model.steps" in page
    own = (folder / "out" / "one" / "report" / "index.html").read_text()
    assert all(name in own for name in ("GFlash", "shower library", "bootstrap"))


def test_again_does_nothing_and_a_moved_one_little(compared: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = compared
    runs = [folder / "one.yaml", folder / "two.yaml"]
    assert _stages(facsim.compare(runs, out=folder / "out", reporter=Silent())) == {}
    shutil.copytree(folder / "out", folder / "moved")
    done = _stages(facsim.compare(runs, out=folder / "moved", reporter=Silent()))
    assert done == {"one": ["prepare"], "two": ["prepare"], "comparison": ["compare"]}  # the truth lies elsewhere now


def test_directories_are_read_not_changed(compared: tuple[Path, dict[str, Any]], in_tmp: Path) -> None:
    folder, found = compared
    runs = [str(folder / "out" / name) for name in ("two", "one")]
    before = {path: path.stat().st_mtime_ns for path in (folder / "out").rglob("*")}
    done = CliRunner().invoke(app, ["compare", *runs, "--out", "c", "--json"])
    assert done.exit_code == 0, done.stderr
    again = json.loads(done.stdout)
    assert again["stages"].keys() == {"comparison"}
    assert list(again["runs"]) == ["two", "one"]
    assert sorted(map(str, again["baselines"])) == ["bootstrap", "gflash", "library"]
    key = ("name", "protocol", "region")
    values = [{tuple(r[k] for k in key): r["values"]["one"]["value"] for r in f["scores"]} for f in (found, again)]
    assert values[0] == values[1]
    assert {path: path.stat().st_mtime_ns for path in (folder / "out").rglob("*")} == before


def test_terminal_table_fits_eighty_columns(
    compared: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from facsim.show import show_comparison  # noqa: PLC0415

    monkeypatch.setenv("COLUMNS", "80")
    show_comparison({**compared[1], "report": "r"})
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines if line.strip()][2:7] == ["one", "two", "gflash", "library", "bootstrap"]
    assert "…" not in "".join(lines)


def test_a_new_configuration_trains_on_the_truth_of_a_directory(compared: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = compared
    new = _write(folder / "new.yaml", train={**SMALL["train"], "steps": 2})
    with pytest.raises(FacsimError, match=r"'.*new\.yaml' differs from '.*one' in prepare\.test \(55 against 60\)"):
        facsim.compare([folder / "out/one", new], out=folder / "mixed", overrides=["prepare.test=55"])
    assert not (folder / "mixed").exists()
    found = facsim.compare([folder / "out/one", new], out=folder / "mixed", reporter=Silent())
    assert set(_stages(found)) == {"new", "comparison"}
    assert sorted(found["baselines"]) == ["bootstrap", "gflash", "library"]
    assert yaml.safe_load((folder / "mixed/new/config.yaml").read_text())["data"]["run"] == str(folder / "out/truth")


def test_directories_that_do_not_match_are_refused(compared: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder, _ = compared
    for name, change in (("seed", "seed"), ("evaluate", "evaluate.energy_bins"), ("splits", "the splits")):
        other = tmp_path / name
        shutil.copytree(folder / "out" / "two", other)
        config, data = (other / part for part in ("config.yaml", "data.json"))
        tree, held = yaml.safe_load(config.read_text()), json.loads(data.read_text())
        tree["seed"] += name == "seed"
        tree["evaluate"]["energy_bins"] += name == "evaluate"
        held["splits"]["null"] = held["splits"]["reference"] if name == "splits" else held["splits"]["null"]
        config.write_text(yaml.safe_dump(tree))
        data.write_text(json.dumps(held))
        with pytest.raises(FacsimError, match=rf"differs from '.*one' in {change}.*: they cannot be compared\.$"):
            facsim.compare([folder / "out/one", other], out=tmp_path / "out", reporter=Silent())
    shutil.copy(sample_path(), tmp_path / "truth.h5")
    with (tmp_path / "truth.h5").open("ab") as handle:
        handle.write(b"\0")
    facsim.prepare(_write(tmp_path / "t.yaml", data={"files": ["truth.h5"]}), out=tmp_path / "t", reporter=Silent())
    shutil.copytree(folder / "out/one/scores", tmp_path / "t/scores")
    with pytest.raises(FacsimError, match="in the truth"):
        facsim.compare([folder / "out/one", tmp_path / "t"], out=tmp_path / "out", reporter=Silent())


def test_interrupted_comparison_goes_on(compared: tuple[Path, dict[str, Any]], in_tmp: Path) -> None:
    shutil.copytree(compared[0] / "out", "c")
    one, long = str(compared[0] / "one.yaml"), _write(in_tmp / "b.yaml", train={**SMALL["train"], "steps": 100_000})
    command = [sys.executable, "-m", "facsim", "compare", one, str(long), "--out", "c"]
    state = in_tmp / "c/b/models/surrogate/state/training.pt"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "90"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            deadline = time.monotonic() + 300
            while not state.is_file() and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130, err
    assert "run the same command again to resume" in err
    _write(long, train={**SMALL["train"], "steps": 3})
    done = _stages(facsim.compare([one, long], out="c", reporter=Silent()))
    assert done == {"b": ["train", "sample", "evaluate", "timing", "report"], "comparison": ["compare"]}


def test_one_run_that_fails_does_not_stop_the_others(compared: tuple[Path, dict[str, Any]], in_tmp: Path) -> None:
    shutil.copytree(compared[0] / "out", "c")
    bad = _write(in_tmp / "bad.yaml", train={**SMALL["train"], "lr": 1e30, "steps": 60})
    runs = [bad, compared[0] / "one.yaml"]
    told = r"1 of 2 runs failed: 'bad': .*; the page c/report/index\.html shows the others"
    with pytest.raises(FacsimError, match=told):
        facsim.compare(runs, out="c", reporter=Silent())
    assert "The run bad failed" in (in_tmp / "c/report/index.html").read_text()
    assert list(json.loads((in_tmp / "c/comparison.json").read_text())["runs"]) == ["one"]
