"""The real command line on real Geant4 showers: everything once; then what resumes, is skipped, is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml

from facsim.simulate.geant4 import geant4_available
from facsim.simulate.sample import sample_path

LEFT = [
    "data.json", "models/surrogate/weights.safetensors", "models/surrogate/metrics.jsonl", "samples/surrogate.h5",
    "samples/gflash.h5", "samples/library.h5", "samples/bootstrap.h5", "scores/surrogate.json", "scores/gflash.json",
    "scores/timing.json", "scores/steps.json", "hists/surrogate.json", "model.onnx", "card.json", "check.json",
    "report/index.html", "config.yaml", "provenance.json",
]  # fmt: skip


def _start(*arguments: str | Path, cwd: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100"}
    command = [sys.executable, "-m", "facsim", *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=cwd, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def _facsim(*arguments: str | Path, cwd: Path, status: int = 0) -> tuple[str, str]:
    """Standard output and standard error of a command that has to end with `status`."""
    process = _start(*arguments, cwd=cwd)
    out, err = process.communicate()
    assert process.returncode == status, err
    assert "Traceback" not in err
    return out, err


def _config(folder: Path, **changes: Any) -> Path:
    """A configuration on the showers that ship with facsim: no simulation, as small as it gets."""
    tree = {
        "data": {"files": [str(sample_path())]},
        "prepare": {"validation": 20, "test": 60},
        "model": {"width": 16, "depth": 1, "layer_width": 32, "layer_depth": 1, "steps": 1},
        "train": {"steps": 4, "batch_size": 32, "device": "cpu", "checkpoint_seconds": 0.05},
        **changes,
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


@pytest.mark.slow
def test_demo_does_every_stage_and_then_nothing_again(tmp_path: Path) -> None:
    run = tmp_path / "demo"
    out, err = _facsim("demo", "--smoke", "--out", run, "--json", cwd=tmp_path)
    result = json.loads(out)
    assert [stage["stage"] for stage in result["stages"]][-1] == "report"
    assert not any(stage["skipped"] for stage in result["stages"])
    assert not [name for name in LEFT if not (run / name).is_file()]
    assert (run / "truth.h5").is_file() == geant4_available()
    _check_samples(run)
    _check_scores(run)
    out, _ = _facsim("demo", "--smoke", "--out", run, cwd=tmp_path)
    assert "up to date" in out
    _facsim("report", "--out", run, "--set", "report.title=Another title", cwd=tmp_path)
    assert "Another title" in (run / "report" / "index.html").read_text()


def _check_samples(run: Path) -> None:
    """Samples are files that the CaloChallenge's own scripts read, at the conditions of the null sample."""
    with h5py.File(run / "samples" / "surrogate.h5") as surrogate, h5py.File(run / "samples" / "library.h5") as library:
        assert surrogate["incident_energies"].shape == (60, 1)
        assert surrogate["showers"].shape == (60, 6480)
        assert np.array_equal(surrogate["incident_energies"], library["incident_energies"])
        assert np.all(surrogate["showers"][:] >= 0)
        assert np.all(np.isfinite(surrogate["showers"][:]))


def _check_scores(run: Path) -> None:
    card = json.loads((run / "scores" / "surrogate.json").read_text())
    rows = {row["name"]: row for row in card["scores"] if row["region"] == "all"}
    assert {"auc_high", "fpd", "kpd"} <= set(rows)
    assert all(
        row["error"] is not None and row["seed"] is not None for row in rows.values() if row["value"] is not None
    )


def test_verbs_one_by_one(tmp_path: Path) -> None:
    config = _config(tmp_path)
    _facsim("prepare", config, "--out", "r", cwd=tmp_path)
    told, _ = _facsim("train", "--out", "r", "--json", cwd=tmp_path)
    assert json.loads(told)["stages"] == [{"stage": "train", "seconds": pytest.approx(0, abs=60), "skipped": False}]
    _, err = _facsim("train", "--out", "r", cwd=tmp_path)
    assert "up to date" in err
    _, err = _facsim("train", "--out", "r", "--set", "prepare.test=50", cwd=tmp_path, status=1)
    assert "'train' needs the result of 'prepare'" in err
    assert "its settings changed" in err


def test_interrupted_training_goes_on(tmp_path: Path) -> None:
    config = _config(tmp_path)
    long = ["--set", "train.steps=100000"]
    _facsim("prepare", config, "--out", "r", *long, cwd=tmp_path)
    process = _start("train", "--out", "r", *long, cwd=tmp_path)
    state = tmp_path / "r" / "models" / "surrogate" / "state" / "training.pt"
    deadline = time.monotonic() + 60
    while not state.is_file() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.rstrip().endswith("facsim: interrupted; run the same command again to resume.")
    assert "Traceback" not in err
    assert state.is_file()
    again = _start("train", "--out", "r", *long, cwd=tmp_path)
    seen = ""
    assert again.stderr is not None
    while "going on where the interrupted training stopped" not in seen and again.poll() is None:
        seen += again.stderr.readline()
    again.send_signal(signal.SIGINT)
    again.communicate(timeout=30)
    assert "going on where the interrupted training stopped" in seen
    _, err = _facsim("train", "--out", "r", "--set", "train.steps=2", cwd=tmp_path)
    assert "going on" not in err


@pytest.mark.geant4
def test_interrupted_simulation_goes_on(tmp_path: Path) -> None:
    (tmp_path / "g4.yaml").write_text("simulate: {detector: pbwo4, energy: 0.5, events: 400, workers: 1, chunk: 10}")
    process = _start("simulate", "g4.yaml", "--out", "r", cwd=tmp_path)
    parts = tmp_path / "r" / "truth.h5.parts"
    deadline = time.monotonic() + 60
    while not list(parts.glob("part-*.h5")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "interrupted; run the same command again to resume" in err
    assert not (tmp_path / "r" / "truth.h5").exists()
    _, err = _facsim("simulate", "--out", "r", cwd=tmp_path)
    assert "showers were there already" in err
    with h5py.File(tmp_path / "r" / "truth.h5") as handle:
        assert len(handle["showers"]) == 400


def test_second_command_in_one_directory_is_kept_out(tmp_path: Path) -> None:
    config = _config(tmp_path, train={"steps": 100000, "device": "cpu"})
    _facsim("prepare", config, "--out", "r", cwd=tmp_path)
    process = _start("train", "--out", "r", cwd=tmp_path)
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "r" / "models" / "surrogate" / "metrics.jsonl").is_file() and time.monotonic() < deadline:
            time.sleep(0.05)
        _, err = _facsim("prepare", "--out", "r", cwd=tmp_path, status=1)
        assert "another facsim process is working in 'r'" in err
    finally:
        process.kill()
        process.communicate()
    _facsim("prepare", "--out", "r", cwd=tmp_path)


def test_broken_truth_is_told_and_leaves_nothing_behind(tmp_path: Path) -> None:
    broken = tmp_path / "broken.h5"
    broken.write_bytes(sample_path().read_bytes()[:100_000])
    config = _config(tmp_path, data={"files": ["broken.h5"]})
    _, err = _facsim("prepare", config, "--out", "r", cwd=tmp_path, status=1)
    assert "broken.h5" in err
    assert not (tmp_path / "r" / "data.json").exists()
