"""The whole command line on files like those of CaloChallenge data set 1: unequal layers, cells below threshold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from facsim.cli import app
from facsim.core.rng import generator
from facsim.physics.geometries import GEOMETRIES

MLP = {"name": "residual-mlp", "width": 16, "depth": 1}
TRANSFORMER = {"name": "layer-transformer", "width": 8, "heads": 2, "depth": 1}
MODELS: dict[str, dict[str, Any]] = {
    "two-stage": {
        "layers": {"name": "vae", "network": MLP},
        "pattern": {"name": "diffusion", "steps": 2, "network": TRANSFORMER},
    },
    "single-stage": {"method": {"name": "flow-matching", "steps": 2, "network": TRANSFORMER}},
}


def write_data_set_1(path: Path, n: int = 220) -> None:
    """Showers in the layout of data set 1: energies are powers of two, and cells are not cut at the threshold."""
    geometry, rng = GEOMETRIES["ds1-photons"], generator(1, "data-set-1")
    energy = 2.0 ** rng.integers(10, 14, (n, 1))
    share = np.array([0.01, 0.25, 0.7, 0.03, 0.01])[geometry.layer_index] * np.exp(-geometry.r / 40)
    cells = rng.gamma(0.3, 1.0, (n, geometry.n_cells)) * share
    cells *= 0.9 * energy / cells.sum(1, keepdims=True)
    with h5py.File(path, "w") as handle:
        handle["incident_energies"], handle["showers"] = energy, cells


@pytest.mark.slow
@pytest.mark.parametrize("model", sorted(MODELS))
def test_files_of_data_set_1_train_and_score(model: str, in_tmp: Path) -> None:
    write_data_set_1(in_tmp / "dataset_1_photons.h5")
    tree = {
        "data": {"files": ["dataset_1_photons.h5"], "geometry": "ds1-photons"},
        "prepare": {"validation": 20, "test": 60},
        "model": {"name": model, **MODELS[model]},
        "train": {"steps": 4, "batch_size": 32, "device": "cpu"},
        "baselines": ["bootstrap"],
        "timing": {"batches": [1], "threads": [1], "repeats": 1, "seconds": 0.01},
    }
    (in_tmp / "run.yaml").write_text(yaml.safe_dump(tree))
    done = CliRunner().invoke(app, ["run", "run.yaml", "--out", "out"])
    assert done.exit_code == 0, done.stderr
    card = json.loads((in_tmp / "out/scores/surrogate.json").read_text())
    assert {"auc_high", "fpd", "kpd"} <= {score["name"] for score in card["scores"]}
    assert json.loads((in_tmp / "out/check.json").read_text())["passed"]
    assert json.loads((in_tmp / "out/card.json").read_text())["output"]["shape"] == ["batch", 368, 1]
    with h5py.File(in_tmp / "out/samples/surrogate.h5") as handle:
        showers = handle["showers"][:]
    assert showers.shape == (60, 368)
    assert ((showers == 0) | (showers >= 1 - 1e-5)).all()
    assert 0.3 < showers.sum() / incident_energy(in_tmp / "out/samples/surrogate.h5") < 3


def incident_energy(path: Path) -> float:
    with h5py.File(path) as handle:
        return float(handle["incident_energies"][:].sum())
