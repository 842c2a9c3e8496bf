"""The benchmark of quality against time in miniature, and its table and figure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import facsim

ROOT = Path(facsim.__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
SAMPLE = ROOT / "src" / "facsim" / "simulate" / "sample" / "par04-w-si-e-.h5"
pytestmark = pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="the benchmarks are not part of an installed facsim")


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    spec = spec_from_file_location("tradeoff_tables", BENCHMARKS / "tradeoff_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def row(label: str, kind: str, auc: float, *times: tuple[str, int, float]) -> dict[str, Any]:
    score = {"value": auc, "error": 0.01}
    found = [{"engine": engine, "batch": batch, "ms_per_shower": ms} for engine, batch, ms in times]
    return {"label": label, "kind": kind, "scores": {"auc": score, "worst": None, "cells": score}, "times": found}


def test_the_table_takes_the_quickest_engine_and_leaves_unknown_numbers_out(tables: ModuleType) -> None:
    rows = [
        row("truth", "truth", 0.5, ("numpy", 1, 2.0)),
        {**row("gan", "model", 0.9, ("torch", 1, 0.5), ("onnxruntime", 1, 0.1)), "parameters": 12_000, "MB": 0.05},
    ]
    lines = tables.table(rows, [1, 100]).splitlines()
    assert lines[2] == "| truth | 0.500 ± 0.010 |  | 0.500 ± 0.010 |  |  |  | 2000 |  | numpy |"
    assert lines[3] == "| gan | 0.900 ± 0.010 |  | 0.900 ± 0.010 |  | 12 k | 0.05 | 100 |  | onnxruntime |"


def test_the_figure_joins_the_steps_of_one_model(tables: ModuleType) -> None:
    rows = [row(f"fm, {n} steps", "model", 0.6, ("torch", 1, 0.1 * n), ("torch", 9, 0.1 * n)) for n in (1, 4)]
    figure = tables.picture([*rows, row("truth", "truth", 0.5, ("numpy", 1, 2.0))], [1, 9])
    left = figure.axes[0]
    assert [text.get_text() for text in left.texts] == ["1", "4", ""]
    assert left.lines[0].get_xdata().tolist() == pytest.approx([100, 400])
    assert left.get_xscale() == "log"


@pytest.mark.slow
def test_methods_baselines_and_sizes_are_measured_and_kept(tmp_path: Path) -> None:
    config = tmp_path / "small.yaml"
    truth = f"data: {{files: ['{SAMPLE}']}}\nprepare: {{validation: 20, test: 100}}\n"
    config.write_text(truth + "evaluate: {memorisation_events: 50}\n", encoding="utf-8")
    out = tmp_path / "out"
    command = [sys.executable, str(BENCHMARKS / "tradeoff.py"), str(config), "--out", str(out), "--steps", "4"]
    command += ["--rows", "vae", "--sizes", "50", "--batches", "1", "3", "--int8", "vae"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}

    def called() -> dict[str, Any]:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "| vae, int8 |" in done.stdout
        return dict(json.loads((out / "tradeoff.json").read_text(encoding="utf-8")))

    found = called()
    labels = [one["label"] for one in found["rows"]]
    assert labels == ["nearest", "vae", "vae, int8"]
    assert [one["training_events"] for one in found["sizes"]] == [50]
    for one in found["rows"]:
        assert {time["batch"] for time in one["times"]} == {1, 3}
        assert 0 <= one["scores"]["auc"]["value"] <= 1
    assert found["rows"][1]["training_steps"] == 4
    assert (out / "tradeoff.png").stat().st_size > 10_000
    assert called()["rows"] == found["rows"]  # nothing is measured twice
