"""The table of compressed models in picture, page and terminal: what holds for all rows, and scores without a value."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from matplotlib.image import imread

from facsim.core.store import write_json
from facsim.report.blocks import Table
from facsim.report.compression import compression_figure, compression_picture, fate, sigmas
from facsim.report.rundata import RunData
from facsim.report.sections_compression import compression_section
from facsim.report.text import DASH
from facsim.show.compression import show_compression

LIMITS = {"within": 1.0, "at_least": {}}
TIME = {"engine": "torch", "ms": 0.2, "low": 0.1, "high": 0.3, "ratio": 1.5, "ratio_low": 1.2, "ratio_high": 1.8}


def score(value: float | None, sigma: float = 0.0) -> dict[str, Any]:
    error = None if value is None else 0.01
    return {"value": value, "error": error, "null": 0.5, "null_error": 0.01, "sigma": sigma}


def row(name: str, method: str | None, value: float | None, **more: Any) -> dict[str, Any]:
    scores = {"auc_high": score(value, 1e9 if value is None else 0.3)}
    base = {"name": name, "method": method, "kept": True, "worse": [], "graph_MB": 0.5, "weights_MB": 0.4}
    times = {"1": TIME, "100": TIME}
    own = {} if method is None else {"seed": 1, "smoke": False, "limits": LIMITS}
    return {**base, **own, "scores": scores, "times": times, **more}


def table(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    whole = {"seed": 1, "smoke": False, "watched": ["auc_high"], "limits": LIMITS, "hardware": {"cpu": "one"}}
    return {**whole, "picture": "p.png", "rows": [row("original", None, 0.6), *rows], **more}


def section(found: dict[str, Any], folder: Path) -> tuple[str, list[list[tuple[str, str]]], list[str]]:
    """Lead, cells and problems of the page's section."""
    write_json(folder / "compressed" / "table.json", found)
    run = RunData(folder)
    made = compression_section(run)
    if made is None:
        return "", [], run.problems
    cells = next(block for block in made.blocks if isinstance(block, Table)).parts[0][1]
    return made.lead, [[(cell.text, cell.small) for cell in line] for line in cells], run.problems


@pytest.mark.parametrize("value", [None, math.nan])
def test_a_score_without_a_value_is_left_out_of_the_picture(value: float | None, tmp_path: Path) -> None:
    found = table(row("fp16", "fp16", value), row("narrow", "narrow", 0.63))
    _, labels = compression_figure(found).axes[0].get_legend_handles_labels()
    assert labels == ["original", "narrow"]
    compression_picture(found, tmp_path / "table.png")
    assert imread(tmp_path / "table.png").min() < 0.5
    compression_picture(table(watched=[]), tmp_path / "none.png")  # no score at all
    assert (tmp_path / "none.png").stat().st_size > 1000


def test_a_score_without_a_value_is_a_dash_on_the_page_and_nothing_at_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = table(row("fp16", "fp16", None, kept=False, worse=["auc_high has no value"]))
    _, cells, problems = section(found, tmp_path)
    assert problems == []
    assert cells[1][:2] == [("fp16", "refused"), (DASH, "")]
    show_compression(found)
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("fp16"))
    assert line.split()[1] == "+inf"


def test_all_show_what_was_done_in_miniature(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = "in miniature: times are too short"
    for smoke in (True, False):
        found = table(row("narrow", "narrow", 0.63, smoke=smoke), smoke=smoke)
        lead, _, _ = section(found, tmp_path)
        show_compression(found)
        texts = [text.get_text() for text in compression_figure(found).texts]
        shown = (lead, capsys.readouterr().out, " ".join(texts))
        assert [told in text for text in shown] == [smoke] * 3


def test_the_terminal_tells_another_seed(capsys: pytest.CaptureFixture[str]) -> None:
    for seed in (1, 7):
        show_compression(table(row("narrow", "narrow", 0.63, seed=seed)))
        assert ("compressed with seed 7" in capsys.readouterr().out) == (seed == 7)


def test_a_row_that_was_judged_by_other_limits_says_which(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wide = {"within": None, "at_least": {}}
    narrow = {"within": 0.5, "at_least": {"fpd": 0.2}}
    assert fate(row("a", "fp16", 0.6), LIMITS) == ""
    assert fate(row("a", "fp16", 0.6, worse=["x"]), LIMITS) == "forced"
    assert fate(row("a", "fp16", 0.6, limits=wide), LIMITS) == "kept where any loss was allowed"
    refused = row("a", "fp16", 0.7, limits=narrow, kept=False)
    assert fate(refused, LIMITS) == "refused where 0.5 sigma, fpd 0.2 was allowed"
    assert fate(row("original", None, 0.6), LIMITS) == ""
    found = table(refused)
    assert section(found, tmp_path)[1][1][0] == ("a", "refused where 0.5 sigma, fpd 0.2 was allowed")
    show_compression(found)
    assert "refused" in capsys.readouterr().out


def test_sigma_of_what_nothing_measures_is_infinite() -> None:
    assert [sigmas(value) for value in (0.26, -1.0, 1e9)] == ["+0.3", "-1.0", "+inf"]
