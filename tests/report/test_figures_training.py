"""The score of a model while it trained, on the page and as a figure."""

from __future__ import annotations

import json
from pathlib import Path

from facsim.report.figures_training import score_figure
from facsim.report.rundata import load_run
from facsim.report.sections_run import training_section

ROWS = [
    {"step": step, "time_s": step / 10, "part": "pattern-flow", "score": "separation", "value": value}
    for step, value in ((50, 0.04), (100, None), (150, 0.01), (200, 0.02))
]
LOSS = {"step": 50, "time_s": 5.0, "part": "pattern-flow", "loss": 1.0, "validation_loss": None, "lr": 0.1}


def test_the_best_score_is_marked() -> None:
    figure = score_figure([row for row in ROWS if row["value"] is not None], "pattern-flow")
    curve, mark = figure.axes[0].lines
    assert list(curve.get_ydata()) == [0.04, 0.01, 0.02]
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (15.0, 0.01)
    assert figure.axes[0].get_ylabel() == "separation, validation"


def test_the_page_says_which_step_was_kept(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "surrogate"
    folder.mkdir(parents=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [LOSS, *ROWS]))
    section = training_section(load_run(tmp_path))
    assert section is not None
    loss, score = section.blocks[0].pictures
    assert "last loss 1" in loss.caption
    assert "Kept: those of step 150." in score.caption
