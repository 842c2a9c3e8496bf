"""Two processes train as one does: same batches, averaged gradients, one model; interrupted, they go on to the bit."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from facsim.models.checkpoint import load_model
from facsim.train.processes import Processes, launched

ONE_NODE = ("--standalone", "--nproc-per-node", "2")
SETTINGS = {"steps": {"start": 10, "rivals": 60}, "batch_size": 64, "log_every": 1}


def start(
    rivals_file: Path, folder: Path, settings: dict[str, Any], nodes: tuple[str, ...] = ONE_NODE
) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "torch.distributed.run", *nodes]
    source = str(Path(__file__).parents[2] / "src")
    return subprocess.Popen(
        [*command, str(rivals_file), str(folder), json.dumps(settings), "unweighted"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": source, "OMP_NUM_THREADS": "1"},
        text=True,
    )


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_alone_there_is_nothing_to_share() -> None:
    assert launched() == (0, 1)
    group = Processes.join()
    assert group.first
    assert group.average([torch.ones(2)], [3.0]) == [3.0]
    assert group.tell("x") == "x"
    group.leave()


def two_nodes() -> tuple[str, ...]:
    """Arguments of each of two launchers with a process each, as on two machines that meet at the first one's port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        meeting = f"127.0.0.1:{free.getsockname()[1]}"
    nodes = ("--nnodes", "2", "--nproc-per-node", "1", "--local-addr", "127.0.0.1")
    return (*nodes, "--rdzv-id", "rivals", "--rdzv-backend", "c10d", "--rdzv-endpoint", meeting)


@pytest.mark.parametrize("nodes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_two_processes_learn_what_one_does(rivals: ModuleType, rivals_file: Path, tmp_path: Path, nodes: int) -> None:
    launchers = [ONE_NODE] if nodes == 1 else [two_nodes()] * 2
    told = ""
    with ExitStack() as stack:
        children = [stack.enter_context(start(rivals_file, tmp_path / "two", SETTINGS, each)) for each in launchers]
        for child in children:
            spoken, error = child.communicate(timeout=120)
            assert child.returncode == 0, error
            told += spoken
    assert [int(line) for line in told.split()] == list(range(1, 71))  # one of them speaks
    rivals.rivals_trainer(tmp_path / "one", rivals.make_pairs(256, weighted=False), **SETTINGS).run()
    one, two = (load_model(tmp_path / name).state_dict() for name in ("one", "two"))
    torch.testing.assert_close(two["mean"], one["mean"])  # no noise: the same to rounding
    losses = {}
    for name in ("one", "two"):
        found = rows(tmp_path / name)
        losses[name] = {part: [row["loss"] for row in found if row["part"] == part] for part in ("start", "critic")}
    np.testing.assert_allclose(losses["two"]["start"], losses["one"]["start"], rtol=1e-4)
    np.testing.assert_allclose(np.mean(losses["two"]["critic"]), np.mean(losses["one"]["critic"]), rtol=0.02)


@pytest.mark.slow
def test_interrupted_processes_resume_to_the_bit(rivals: ModuleType, rivals_file: Path, tmp_path: Path) -> None:
    settings = {**SETTINGS, "steps": {"start": 10, "rivals": 300}, "early_stopping": {"every": 20, "patience": 99}}
    with start(rivals_file, tmp_path / "parts", settings) as child:
        assert child.stdout is not None
        seen = [line for line, _ in zip(child.stdout, range(50), strict=False)]
        child.send_signal(signal.SIGTERM)
        _, error = child.communicate(timeout=120)
    assert seen[-1].strip() == "50", error
    assert (tmp_path / "parts" / "state" / "training.pt").is_file(), error
    for name in ("parts", "whole"):
        with start(rivals_file, tmp_path / name, settings) as child:
            told, error = child.communicate(timeout=120)
        assert child.returncode == 0, error
        assert (int(told.split()[0]) > 50) == (name == "parts")
    whole, parts = (load_model(tmp_path / name).state_dict() for name in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


@pytest.mark.slow
def test_an_error_ends_all(rivals_file: Path, tmp_path: Path) -> None:
    with start(rivals_file, tmp_path, {**SETTINGS, "lr": 1e30, "clip_norm": 1e30}) as child:
        _, error = child.communicate(timeout=120)
    assert child.returncode != 0
    assert "lower train.lr" in error
