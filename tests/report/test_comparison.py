"""The page of several runs: read as one, best ones marked, valid and self-contained."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from facsim.evaluate.comparison import compare_scores
from facsim.report.comparison import write_comparison
from facsim.report.legends import legend_shape, text_width
from facsim.report.merged import merge_runs, short_names
from facsim.report.rundata import RunData, load_run
from facsim.report.style import DARK_TWIN, facsim_style, looks
from facsim.report.timings import find_timing, truth_ms

NAMES = ("flow", "gan", "vae")


@pytest.fixture(scope="module")
def runs(make_run: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three run directories on one truth: the second clearly better, the last slower and timed on a GPU too."""
    folder = tmp_path_factory.mktemp("compared")
    first = make_run(folder / "flow")
    for name in NAMES[1:]:
        shutil.copytree(first, folder / name)
    _change(
        folder / "gan/scores/surrogate.json", lambda row: row.update(value=0.55) if row["name"] == "auc_high" else 0
    )
    (folder / "gan/scores/timing.json").unlink()
    timing = json.loads((folder / "vae/scores/timing.json").read_text())
    timing["rows"] += [
        {**row, "device": "cuda", "ms_per_shower": 0.1} for row in timing["rows"] if row["engine"] == "torch"
    ]
    (folder / "vae/scores/timing.json").write_text(json.dumps(timing))
    return {name: folder / name for name in NAMES}


def _change(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    card = json.loads(path.read_text())
    for row in card["scores"]:
        change(row)
    path.write_text(json.dumps(card))


@pytest.fixture(scope="module")
def merged(runs: dict[str, Path]) -> RunData:
    return merge_runs(runs, runs["flow"])


def _content(merged: RunData, **changes: Any) -> dict[str, Any]:
    cards = {sample.name: sample.scorecard or {} for sample in merged.with_scores}
    facts = {"dir": "d", "config": {"model": {"steps": 1}}, "parameters": 1000, "weights_MB": 1.0, "training_s": 2.0}
    values = {name: {"ms_per_shower": 1.0 + k, "low": 0.9 + k, "high": 1.1 + k} for k, name in enumerate(NAMES)}
    return {
        "runs": {name: {**facts, "config": {"model": {"steps": k}}} for k, name in enumerate(NAMES)},
        "scores": compare_scores(cards, NAMES),
        "times": [{"device": "cpu", "batch": 100, "values": values, "best": "flow"}],
        "published": None,
        "failed": {},
        **changes,
    }


def test_runs_are_read_as_one(merged: RunData, runs: dict[str, Path]) -> None:
    assert [sample.name for sample in merged.surrogates] == list(NAMES)
    assert [sample.name for sample in merged.samples][3:] == ["gflash", "library", "bootstrap"]
    assert (merged.surrogates[1].score("auc_high") or {})["value"] == 0.55
    assert find_timing(merged, merged.surrogates[1], 100) is None
    one, three = (find_timing(merged, sample, 100) for sample in (merged.surrogates[0], merged.surrogates[2]))
    assert one is not None
    assert three is not None
    assert (one["name"], three["name"], three["ms_per_shower"]) == ("flow", "vae", one["ms_per_shower"])
    assert (find_timing(merged, merged.surrogates[2], 100, device="cuda") or {})["ms_per_shower"] == 0.1
    assert truth_ms(merged) == 73.21
    assert {row["name"] for row in merged.steps["rows"]} == set(NAMES)
    assert all(name.partition(", ")[0] in NAMES for name in merged.training)
    assert len(merged.training) == len(NAMES) * len(load_run(runs["flow"]).training)


def test_page_is_valid_marks_the_best_and_shows_all(
    merged: RunData, tmp_path: Path, checked: Callable[[str], Any]
) -> None:
    path = write_comparison(tmp_path / "report" / "index.html", merged, _content(merged))
    page = path.read_text(encoding="utf-8")
    seen = checked(page)
    assert {"costs", "scores", "observables", "showers", "runs", "provenance"} <= set(seen.ids)
    assert "published" not in seen.ids
    assert "gan is clearly the best: gan 0.5500" in page
    assert "★ 0.5500\u00a0±\u00a00.0087" in page
    assert "In batches of 100, flow is the fastest: flow 1.00\u202fms, then gan 2.00\u202fms." in page
    assert "GPU, batch 100" in page or "on a GPU" in page
    assert "model.steps" in page


def test_equal_runs_have_no_best_and_failed_ones_are_told(runs: dict[str, Path], tmp_path: Path) -> None:
    merged = merge_runs({"one": runs["flow"], "two": runs["flow"]}, runs["flow"])
    content = _content(merged, failed={"three": "its loss is not finite"})
    content["runs"] = {"one": content["runs"]["flow"], "two": content["runs"]["flow"]}
    content["scores"] = compare_scores({s.name: s.scorecard or {} for s in merged.with_scores}, ["one", "two"])
    page = write_comparison(tmp_path / "index.html", merged, content).read_text(encoding="utf-8")
    assert "no surrogate is clearly the best" in page
    assert "★ 0" not in page
    assert "The run three failed: its loss is not finite" in page
    assert "the same" in page


def test_a_run_on_anothers_truth_shows_its_baselines(runs: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(runs["flow"], tmp_path / "own")
    for path in (tmp_path / "own").glob("*/[glb]*.*"):
        path.unlink()
    (tmp_path / "own/scores/timing.json").unlink()
    tree = {"simulate": None, "data": {"run": str(runs["flow"])}}
    (tmp_path / "own/config.yaml").write_text(yaml.safe_dump(tree))
    run = load_run(tmp_path / "own")
    assert [sample.name for sample in run.samples] == ["surrogate", "gflash", "library", "bootstrap"]
    assert truth_ms(run) == 73.21
    assert {row["name"] for row in run.timing["rows"]} == {"gflash"}
    assert run.config["simulate"] == load_run(runs["flow"]).config["simulate"]
    (tmp_path / "own/config.yaml").write_text(yaml.safe_dump({"data": {"run": str(tmp_path / "gone")}}))
    lone = load_run(tmp_path / "own")
    assert [sample.name for sample in lone.samples] == ["surrogate"]
    assert any("is not there any more" in problem for problem in lone.problems)


@pytest.mark.parametrize("number", [2, 7, 12])
def test_many_surrogates_never_share_a_look(number: int) -> None:
    names = {f"s{k}": "surrogate" for k in range(number)} | {f"b{k}": "baseline" for k in range(4)}
    found = [(look.colour, str(look.dash)) for look in looks(names).values()]
    assert len(set(found)) == len(found)
    assert {colour for colour, _ in found} <= set(DARK_TWIN)


def test_names_are_shown_without_what_they_share() -> None:
    assert short_names(["calo-gan", "calo-vae"]) == {"calo-gan": "gan", "calo-vae": "vae"}
    assert short_names(["calo", "calo-vae"]) == {"calo": "calo", "calo-vae": "calo-vae"}
    assert short_names(["a-b-c", "a-b-d", "a-e"]) == {"a-b-c": "b-c", "a-b-d": "b-d", "a-e": "e"}
    assert short_names(["calo-gan"]) == {"calo-gan": "calo-gan"}


@given(st.lists(st.text("abcdefgh-", min_size=1, max_size=30), min_size=1, max_size=14), st.floats(1, 12))
def test_legends_hold_every_name_and_fit_unless_one_is_too_long(names: list[str], width: float) -> None:
    with facsim_style():
        columns, rows = legend_shape(names, width, 6)
    assert columns * rows >= len(names)
    assert columns <= 6
    if columns > 1:
        assert max(text_width(name, 8.0) for name in names) < 72 * width
