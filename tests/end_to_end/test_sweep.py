"""A real sweep of two trials on the showers that ship with facsim, by command and in Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

import facsim
from facsim.cli import app
from facsim.config import load_config
from facsim.core.errors import FacsimError
from facsim.run import Silent
from facsim.simulate.sample import sample_path

pytestmark = pytest.mark.slow

SMALL: dict[str, Any] = {
    "data": {"files": [str(sample_path())]},
    "prepare": {"validation": 60, "test": 60},
    "model": {
        "layers": {"name": "flow-matching", "network": {"name": "residual-mlp", "width": 16, "depth": 1}},
        "pattern": {"name": "flow-matching", "network": {"name": "layer-transformer", "width": 16, "depth": 1}},
    },
    "train": {"steps": 4, "batch_size": 32, "device": "cpu", "early_stopping": {"every": 2}},
    "baselines": ["library"],
    "evaluate": {"energy_bins": 1, "memorisation_events": 40},
    "sweep": {
        "parameters": {
            "train.lr": {"log_uniform": [1e-4, 1e-2]},
            "model.pattern.network.width": {"choice": [8, 16]},
        },
        "trials": 2,
        "objective": "early_stopping",
    },
}


def test_trials_are_run_directories_on_one_truth(in_tmp: Path) -> None:
    pytest.importorskip("optuna")
    Path("small.yaml").write_text(yaml.safe_dump(SMALL))
    result = CliRunner().invoke(app, ["sweep", "small.yaml", "--out", "out", "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(Path("out/sweep.json").read_text())
    assert json.loads(result.stdout[result.stdout.index("{") :]) == found
    for trial in found["trials"]:
        assert trial["value"] > 0
        saved = load_config(Path(trial["run"]) / "config.yaml")
        assert saved.data is not None
        assert saved.data.run == str(Path("out/truth").absolute())
        assert saved.train.lr == trial["parameters"]["train.lr"]
        assert saved.model is not None
        assert saved.model.options["pattern"]["network"]["width"] == trial["parameters"]["model.pattern.network.width"]
        assert (Path(trial["run"]) / "models" / "surrogate" / "weights.safetensors").is_file()
    assert found["best"] == min(found["trials"], key=lambda trial: trial["value"])["number"]
    best = load_config("out/best.yaml")
    assert best.train.lr == found["trials"][found["best"]]["parameters"]["train.lr"]
    assert best.data is not None
    assert best.data.files == [str(sample_path())]
    assert best.seed == 2
    assert Path("out/sweep.png").read_bytes().startswith(b"\x89PNG")

    before = Path("out/trial-000/models/surrogate/weights.safetensors").stat().st_mtime_ns
    more = facsim.sweep("small.yaml", out="out", trials=3, reporter=Silent())
    assert [trial["number"] for trial in more["trials"]] == [0, 1, 2]
    assert more["trials"][:2] == found["trials"]
    assert Path("out/trial-000/models/surrogate/weights.safetensors").stat().st_mtime_ns == before
    with pytest.raises(FacsimError, match="holds a sweep of other parameters or settings"):
        facsim.sweep("small.yaml", out="out", overrides=["train.steps=5"], reporter=Silent())


def test_scores_of_the_scorecard_decide(in_tmp: Path) -> None:
    pytest.importorskip("optuna")
    sweep = {**SMALL["sweep"], "objective": "separation/e_ratio", "trials": 1}
    found = facsim.sweep({**SMALL, "sweep": sweep}, out="out", reporter=Silent())
    scores = json.loads(Path("out/trial-000/scores/surrogate.json").read_text())["scores"]
    row = next(row for row in scores if row["name"] == "separation/e_ratio" and row["region"] == "all")
    told = found["trials"][0]
    assert (told["value"], told["error"], told["null"]) == (row["value"], row["error"], row["null"])
    with pytest.raises(FacsimError, match=r"objective 'separation/e_rato' has no value in region 'all'"):
        facsim.sweep({**SMALL, "sweep": {**sweep, "objective": "separation/e_rato"}}, out="b", reporter=Silent())


def test_trials_that_fail_are_told_and_the_others_count(in_tmp: Path) -> None:
    pytest.importorskip("optuna")
    parameters = {"train.lr": {"choice": [1e30]}, "train.clip_norm": {"choice": [1e30]}}
    sweep = {**SMALL["sweep"], "parameters": parameters, "trials": 1}
    with pytest.raises(FacsimError, match=r"none of the 1 trials in 'out' worked; the first: .*lower train.lr"):
        facsim.sweep({**SMALL, "sweep": sweep}, out="out", reporter=Silent())


def test_wrong_keys_are_told_before_anything_is_done(in_tmp: Path) -> None:
    parameters = {"model.pattern.network.widht": {"choice": [8]}}
    with pytest.raises(FacsimError, match="widht"):
        facsim.sweep({**SMALL, "sweep": {"parameters": parameters}}, out="out", reporter=Silent())
    with pytest.raises(FacsimError, match=r"'train\.early_stopping' is not given"):
        facsim.sweep({**SMALL, "train": {"steps": 2}}, out="out", reporter=Silent())
    assert not Path("out").exists()
