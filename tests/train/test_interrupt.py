"""Signals wait for the end of a step; a killed process resumes to the bit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest
import torch

from facsim.models.checkpoint import load_model
from facsim.train.interrupt import Interruption

SETTINGS = {
    "steps": {"start": 4, "rivals": 150},
    "accumulate": 2,
    "checkpoint_seconds": 1e-9,
    "early_stopping": {"every": 7, "patience": 1000},
}


def test_first_signal_waits_and_the_second_does_not() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Interruption() as interruption:
        assert not interruption.asked
        signal.raise_signal(signal.SIGTERM)
        assert interruption.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is before


def test_other_threads_take_no_signals() -> None:
    before, seen = signal.getsignal(signal.SIGTERM), []

    def work() -> None:
        with Interruption() as interruption:
            seen.append((signal.getsignal(signal.SIGTERM), interruption.asked))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(before, False)]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed_process_resumes_to_the_bit(
    rivals: ModuleType, rivals_file: Path, tmp_path: Path, number: signal.Signals
) -> None:
    command = [sys.executable, str(rivals_file), str(tmp_path / "parts"), json.dumps(SETTINGS)]
    source = Path(__file__).parents[2] / "src"
    environment = {**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True) as child:
        assert child.stdout is not None
        seen = [line for line, _ in zip(child.stdout, range(40), strict=False)]
        child.send_signal(number)
        _, error = child.communicate(timeout=60)
    assert seen[-1].strip() == "40", error
    assert child.returncode != 0
    assert not (tmp_path / "parts" / "weights.safetensors").exists()
    done: list[int] = []
    pairs = rivals.make_pairs(256)
    rivals.rivals_trainer(tmp_path / "parts", pairs, **SETTINGS).run(lambda told: done.append(told.done))
    assert 1 < done[0] < 154
    rivals.rivals_trainer(tmp_path / "whole", pairs, **SETTINGS).run()
    whole, parts = (load_model(tmp_path / name).state_dict() for name in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    logs = [(tmp_path / name / "metrics.jsonl").read_text().splitlines() for name in ("whole", "parts")]
    assert [json.loads(line).get("loss") for line in logs[0]] == [json.loads(line).get("loss") for line in logs[1]]
