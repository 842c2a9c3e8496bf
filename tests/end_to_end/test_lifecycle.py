"""The real command line on real Geant4 showers: everything once; then what resumes, is skipped, is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from facsim.cli import app
from facsim.simulate.geant4 import geant4_available
from facsim.simulate.sample import sample_path

LEFT = [
    "data.json", "models/surrogate/weights.safetensors", "models/surrogate/metrics.jsonl", "samples/surrogate.h5",
    "samples/gflash.h5", "samples/library.h5", "samples/bootstrap.h5", "scores/surrogate.json", "scores/gflash.json",
    "scores/timing.json", "scores/steps.json", "hists/surrogate.json", "model.onnx", "card.json", "check.json",
    "report/index.html", "config.yaml", "provenance.json",
]  # fmt: skip


@contextmanager
def _started(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A command in a process of its own, which does not outlive the block."""
    command = [sys.executable, "-m", "facsim", *map(str, arguments)]
    pipe, environment = subprocess.PIPE, {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100"}
    with subprocess.Popen(command, env=environment, text=True, stdout=pipe, stderr=pipe) as process:
        try:
            yield process
        finally:
            process.kill()


def _facsim(*arguments: str | Path, status: int = 0) -> tuple[str, str]:
    """Standard output and error of a command in a process of its own that has to end with `status`."""
    with _started(*arguments) as process:
        out, err = process.communicate()
    assert process.returncode == status, err
    assert "Traceback" not in err
    return out, err


def _here(*arguments: str | Path, status: int = 0) -> tuple[str, str]:
    """The same in this process, which saves starting one; warnings are errors."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == status, done.stderr
    return done.stdout, done.stderr


def _interrupt(process: subprocess.Popen[str], when: Callable[[], bool]) -> str:
    """Press Ctrl-C once `when` holds; standard error of the process."""
    deadline = time.monotonic() + 120
    while not when() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "facsim: interrupted; run the same command again to resume." in err
    return err


def _config(folder: Path, **changes: Any) -> Path:
    """A configuration on the showers that ship with facsim: no simulation, as small as it gets."""
    tree = {
        "data": {"files": [str(sample_path())]},
        "prepare": {"validation": 20, "test": 60},
        "model": {
            "layers": {
                "name": "flow-matching",
                "prior": "gaussian",
                "network": {"name": "residual-mlp", "width": 32, "depth": 1},
            },
            "pattern": {
                "name": "flow-matching",
                "prior": "gaussian",
                "network": {"name": "layer-transformer", "width": 16, "depth": 1},
            },
            "steps": 1,
        },
        "train": {"steps": 4, "batch_size": 32, "device": "cpu", "checkpoint_seconds": 0.05},
        **changes,
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


@pytest.mark.slow
def test_demo_does_every_stage_and_then_nothing_again(in_tmp: Path) -> None:
    run = in_tmp / "demo"
    out, _ = _facsim("demo", "--smoke", "--out", run, "--json")
    stages = json.loads(out)["stages"]
    assert [stage["stage"] for stage in stages][-1] == "report"
    assert not any(stage["skipped"] for stage in stages)
    assert not [name for name in LEFT if not (run / name).is_file()]
    assert (run / "truth.h5").is_file() == geant4_available()
    _check_samples(run)
    _check_scores(run)
    out, _ = _here("demo", "--smoke", "--out", run, "--json")
    assert all(stage["skipped"] for stage in json.loads(out)["stages"])
    _here("report", "--out", run, "--set", "report.title=Another title")
    assert "Another title" in (run / "report" / "index.html").read_text()


def _check_samples(run: Path) -> None:
    """Samples are files that the CaloChallenge's own scripts read, at the conditions of the null sample."""
    with h5py.File(run / "samples" / "surrogate.h5") as surrogate, h5py.File(run / "samples" / "library.h5") as library:
        n = len(surrogate["incident_energies"])
        assert surrogate["incident_energies"].shape == (n, 1)
        assert surrogate["showers"].shape == (n, 6480)
        assert np.array_equal(surrogate["incident_energies"], library["incident_energies"])
        assert np.all(surrogate["showers"][:] >= 0)
        assert np.all(np.isfinite(surrogate["showers"][:]))


def _check_scores(run: Path) -> None:
    card = json.loads((run / "scores" / "surrogate.json").read_text())
    rows = [row for row in card["scores"] if row["region"] == "all"]
    assert {"auc_high", "fpd", "kpd"} <= {row["name"] for row in rows}
    assert all(row["error"] is not None and row["seed"] is not None for row in rows if row["value"] is not None)


def test_verbs_one_by_one(in_tmp: Path) -> None:
    config = _config(in_tmp)
    _here("prepare", config, "--out", "r")
    told, _ = _here("train", "--out", "r", "--json")
    stage = json.loads(told)["stages"][0]
    assert (stage["stage"], stage["skipped"]) == ("train", False)
    told, err = _here("train", "--out", "r")
    assert "up to date" in told
    assert "up to date" in err
    _, err = _here("train", "--out", "r", "--set", "prepare.test=70", status=1)
    assert "'train' needs the result of 'prepare'" in err
    assert "its settings changed" in err
    _, err = _here("simulate", "--out", "r", status=1)
    assert "nothing to simulate: it is on your own data" in err


def test_interrupted_training_goes_on(in_tmp: Path) -> None:
    config, long = _config(in_tmp), ["--out", "r", "--set", "train.steps=100000"]
    _here("prepare", config, *long)
    state = in_tmp / "r" / "models" / "surrogate" / "state" / "training.pt"
    with _started("train", *long) as process:
        err = _interrupt(process, state.is_file)
    assert "going on" not in err
    left = state.stat().st_mtime_ns
    with _started("train", *long) as process:
        err = _interrupt(process, lambda: state.is_file() and state.stat().st_mtime_ns != left)
    assert "going on where the interrupted training stopped" in err
    _, err = _here("train", "--out", "r", "--set", "train.steps=2")
    assert "going on" not in err


@pytest.mark.geant4
def test_interrupted_simulation_goes_on(in_tmp: Path) -> None:
    (in_tmp / "g4.yaml").write_text("simulate: {detector: pbwo4, energy: 0.5, events: 320, workers: 1, chunk: 10}")
    parts, truth = in_tmp / "r" / "truth.h5.parts", in_tmp / "r" / "truth.h5"
    with _started("simulate", "g4.yaml", "--out", "r") as process:
        _interrupt(process, lambda: any(parts.glob("part-*.h5")))
    assert not truth.exists()
    _, err = _here("simulate", "--out", "r")
    assert "showers were there already" in err
    with h5py.File(truth) as handle:
        assert len(handle["showers"]) == 320


def test_second_command_in_one_directory_is_kept_out(in_tmp: Path) -> None:
    _here("prepare", _config(in_tmp, train={"steps": 100000, "device": "cpu"}), "--out", "r")
    metrics = in_tmp / "r" / "models" / "surrogate" / "metrics.jsonl"
    with _started("train", "--out", "r") as process:
        while not metrics.is_file() and process.poll() is None:
            time.sleep(0.02)
        _, err = _here("prepare", "--out", "r", status=1)
        assert "another facsim process is working in 'r'" in err
    _here("prepare", "--out", "r")


def test_broken_truth_is_told_and_leaves_nothing_behind(in_tmp: Path) -> None:
    (in_tmp / "broken.h5").write_bytes(sample_path().read_bytes()[:100_000])
    _, err = _here("prepare", _config(in_tmp, data={"files": ["broken.h5"]}), "--out", "r", status=1)
    assert "broken.h5" in err
    assert not (in_tmp / "r" / "data.json").exists()


def test_score_of_two_files_needs_no_configuration(in_tmp: Path) -> None:
    with h5py.File(sample_path()) as source:
        for name, part in (("truth", slice(0, 120)), ("other", slice(120, 180))):
            with h5py.File(f"{name}.h5", "w") as target:
                for key in ("incident_energies", "showers"):
                    target[key] = source[key][part]
    out, _ = _here("score", "truth.h5", "other.h5", "--out", "s", "--json")
    card = json.loads(out)
    assert card["n"] == {"reference": 60, "generated": 60, "null": 60}
    assert (in_tmp / "s" / "report" / "index.html").is_file()
    assert json.loads((in_tmp / "s" / "scores" / "other.json").read_text()) == card
