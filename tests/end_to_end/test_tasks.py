"""Every task's recipe through the whole lifecycle in miniature."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest

import facsim
from facsim.config import load_config, recipe

pytest.importorskip("onnxruntime")


@pytest.mark.slow
@pytest.mark.parametrize("task", ["tpc", "rich", "ecal"])
def test_the_recipe_runs_through_every_stage(task: str, tmp_path: Path) -> None:
    result = facsim.run(recipe(task), out=tmp_path, smoke=True)
    assert {"simulate", "apply", "export", "report"} <= {done.stage for done in result.stages}
    card = json.loads((tmp_path / "scores" / "surrogate.json").read_text())
    rows = {(row["name"], row["region"]): row for row in card["scores"]}
    assert 0.4 <= rows["auc_high", "all"]["value"] <= 1
    assert rows["auc_high", "all"]["null"] == pytest.approx(0.5, abs=0.15)
    application = json.loads((tmp_path / "application.json").read_text())
    assert application["scores"]
    assert application["curves"]
    page = (tmp_path / "report" / "index.html").read_text()
    assert 'id="physics"' in page
    assert 'id="application"' in page
    again = facsim.run(out=tmp_path)
    assert all(done.skipped for done in again.stages)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["jets-g", "jets-t"])
def test_the_recipe_of_jets_runs_through_every_stage(name: str, tmp_path: Path) -> None:
    pytest.importorskip("pythia8mc")
    pytest.importorskip("fastjet")
    result = facsim.run(recipe(name), out=tmp_path, smoke=True)
    assert {"simulate", "export", "timing", "report"} <= {done.stage for done in result.stages}
    card = json.loads((tmp_path / "scores" / "surrogate.json").read_text())
    rows = {(row["name"], row["protocol"], row["region"]): row for row in card["scores"]}
    assert 0.5 < rows["auc_high", "facsim-c2st-1", "all"]["value"] <= 1  # a model of twenty steps
    for score, protocol in (("w1m", "jetnet-0.2.5"), ("fpd", "strict"), ("w1m/multiple", "jetnet-0.2.5")):
        assert math.isfinite(rows[score, protocol, "all"]["value"])
    nearest = json.loads((tmp_path / "scores" / "nearest.json").read_text())
    found = {(row["name"], row["protocol"]): row["value"] for row in nearest["scores"] if row["region"] == "all"}
    assert found["w1m/multiple", "jetnet-0.2.5"] < 3
    # mass and pT are right after few steps, the sums of a jet being drawn first; its inside is not
    assert found["ks/tau21", "strict"] < 0.2 < rows["ks/tau21", "strict", "all"]["value"]
    page = (tmp_path / "report" / "index.html").read_text()
    for words in ("Single jets", "Mean jet image", "iGAPT", "Beside published results"):
        assert words in page
    check = json.loads((tmp_path / "check.json").read_text())
    assert check["passed"]
    assert json.loads((tmp_path / "card.json").read_text())["output"]["columns"][-1]["name"] == "present"
    assert all(done.skipped for done in facsim.run(out=tmp_path).stages)


@pytest.fixture(scope="module")
def dark_showers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory with the truth that all recipes of anomaly scores have in common."""
    pytest.importorskip("pythia8mc")
    pytest.importorskip("fastjet")
    folder = tmp_path_factory.mktemp("dark-showers")
    facsim.simulate(recipe("anomaly"), out=folder, smoke=True)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", ["anomaly", "suep", "codae", "distil"])
def test_the_recipes_of_anomaly_scores_run_through_every_stage(name: str, dark_showers: Path, tmp_path: Path) -> None:
    shutil.copytree(dark_showers, tmp_path, dirs_exist_ok=True)
    result = facsim.run(recipe(name), out=tmp_path, smoke=True)
    stages = ["simulate", "prepare", "train", "sample", "evaluate", "export", "timing", "report"]
    assert [done.stage for done in result.stages] == stages
    assert [done.stage for done in result.stages if done.skipped] == ["simulate"]
    card = json.loads((tmp_path / "scores" / "surrogate.json").read_text())
    rows = {row["region"]: row for row in card["scores"] if row["name"] == "auc"}
    assert rows
    assert all(region.startswith(("suep ", "svj ")) and region.endswith(" GeV") for region in rows)
    assert all(0 <= row["value"] <= 1 for row in rows.values())
    if name in ("anomaly", "distil"):  # training has decided the sign
        assert card["chosen"] in ("contrast", "score")
    else:
        assert card["choice"][0]["name"] == card["chosen"]
    baselines = {baseline.name for baseline in load_config(recipe(name), smoke=True).baselines}
    assert "tracks" in baselines
    assert set(card["against"]) == baselines
    assert json.loads((tmp_path / "check.json").read_text())["passed"]
    page = (tmp_path / "report" / "index.html").read_text()
    for section in ("events", "roc", "numbers", "latency", "training"):
        assert f'id="{section}"' in page
    assert all(done.skipped for done in facsim.run(out=tmp_path).stages)
