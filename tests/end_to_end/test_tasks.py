"""Every task's recipe through the whole lifecycle in miniature."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import facsim
from facsim.config import recipe

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
