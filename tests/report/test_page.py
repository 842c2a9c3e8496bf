"""The page: complete, partial and broken runs; valid, self-contained, and with the numbers of the files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facsim.core.errors import FacsimError
from facsim.report import card_figure, write_report
from facsim.report.sections_run import _flat
from facsim.report.sections_scores import _resampling_note
from facsim.report.text import duration, plus_minus

from .test_figures_weights import diagnosed

SECTIONS = ["showers", "observables", "profiles", "scores", "speed", "training", "provenance"]


def test_full_page_is_valid_self_contained_and_complete(full_page: str, checked: Callable[[str], Any]) -> None:
    checker = checked(full_page)
    assert [name for name in SECTIONS if name not in checker.ids] == []
    assert checker.figures >= 16
    style = full_page[full_page.index("<style>") : full_page.index("</style>")]
    assert "url(" not in style
    assert "prefers-color-scheme" in style
    assert len(full_page) < 6e6


def test_page_has_the_numbers_of_the_scorecards(full_page: str, full_run: Path) -> None:
    for name in ("surrogate", "gflash", "library", "bootstrap"):
        for row in json.loads((full_run / "scores" / f"{name}.json").read_text())["scores"]:
            assert plus_minus(row["value"], row["error"]) in full_page
    for row in json.loads((full_run / "scores" / "timing.json").read_text())["rows"]:
        assert duration(row["ms_per_shower"]) in full_page


def test_headline_says_what_the_numbers_say(full_page: str) -> None:
    top = full_page[full_page.index("<header") : full_page.index("</header>")]
    assert plus_minus(0.7132, 0.0087) in top
    assert plus_minus(0.5011, 0.0087) in top
    assert "8.1 times faster than Geant4" in top  # 73.21 ms / 9.0 ms at batch 1
    assert "57 times faster" in top  # 73.21 ms / (9 / 7) ms at batch 100
    assert "passes the memorisation check, which catches shower library and bootstrap" in top
    assert "600 Geant4 electrons, 1 to 50\u202fGeV, log-uniform, detector par04-w-si" in top.replace("\n", " ")


def test_resampling_baselines_are_explained(full_page: str) -> None:
    assert "They also show what a score cannot see" in full_page
    assert "? underpowered" in full_page


def test_controls_and_validity_are_reported(full_page: str) -> None:
    assert "0.5610\u00a0\u00b1\u00a00.0090 for cells x 1.02, which the test sees" in full_page
    assert "showers equal to an earlier one, cell by cell" in full_page
    assert "In its worst bin of incident energy it is" in full_page


def test_texts_of_the_files_are_escaped(full_page: str) -> None:
    assert "A processor &lt;with&gt; 2 cores" in full_page
    assert "<with>" not in full_page


def test_same_files_same_page(full_run: Path, tmp_path: Path) -> None:
    shutil.copytree(full_run / "models", tmp_path / "models")
    shutil.copy(full_run / "data.json", tmp_path)
    first = write_report(tmp_path).read_bytes()
    assert write_report(tmp_path).read_bytes() == first


@pytest.mark.parametrize(
    ("kept", "there", "gone"),
    [
        ([], ["showers", "observables", "scores", "speed"], ["profiles", "training", "provenance"]),
        (["models"], ["training"], ["profiles", "provenance"]),
        (["truth.h5"], ["showers"], ["profiles", "training"]),
        (["scores/gflash.json"], ["scores"], ["training"]),
        (["scores/timing.json", "samples/library.h5"], ["speed", "showers"], ["profiles"]),
        (["hists/surrogate.json"], ["observables", "profiles"], ["training"]),
        (["config.yaml", "data.json", "provenance.json", "card.json", "check.json"], ["provenance"], ["profiles"]),
    ],
)
def test_partial_runs(
    full_run: Path, tmp_path: Path, kept: list[str], there: list[str], gone: list[str], checked: Callable[[str], Any]
) -> None:
    for name in kept:
        source, target = full_run / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)
    path = write_report(tmp_path, title="Part of a run")
    page = path.read_text(encoding="utf-8")
    checker = checked(page)
    assert path == tmp_path / "report" / "index.html"
    assert [name for name in there if name not in checker.ids] == []
    assert [name for name in gone if name in checker.ids] == []
    assert "<h1>Part of a run</h1>" in page


def test_broken_files_are_told_and_the_rest_is_shown(
    full_run: Path, tmp_path: Path, checked: Callable[[str], Any]
) -> None:
    for folder in ("scores", "models"):
        shutil.copytree(full_run / folder, tmp_path / folder)
    (tmp_path / "scores" / "library.json").write_text('{"scores": [')
    (tmp_path / "scores" / "steps.json").write_text("[1, 2]")
    (tmp_path / "config.yaml").write_text("a: [unclosed")
    metrics = tmp_path / "models" / "surrogate" / "metrics.jsonl"
    metrics.write_text(metrics.read_text() + '{"step": 400, "lo')
    page = write_report(tmp_path).read_text(encoding="utf-8")
    checked(page)
    for told in ("library.json", "steps.json", "config.yaml", "metrics.jsonl"):
        assert told in page
    assert plus_minus(0.7132, 0.0087) in page


def test_several_scored_files_each_have_a_number_and_no_run_is_missed(
    full_run: Path, tmp_path: Path, checked: Callable[[str], Any]
) -> None:
    for kept, name, status in (("surrogate", "near", "ok"), ("gflash", "far", "underpowered")):
        card = json.loads((full_run / "scores" / f"{kept}.json").read_text())
        rows = [{**row, "status": status} if row["name"] == "auc_high" else row for row in card["scores"]]
        content = {"scores": {**card, "kind": "file", "name": name, "scores": rows, "weights": diagnosed(1.0, False)}}
        content["hists"] = json.loads((full_run / "hists" / f"{kept}.json").read_text())
        for folder, data in content.items():
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / f"{name}.json").write_text(json.dumps(data))
    page = write_report(tmp_path, title="2 samples").read_text(encoding="utf-8")
    ids = set(checked(page).ids)
    assert {"observables", "scores"} <= ids
    assert not {"showers", "speed"} & ids
    top = page[page.index("<header") : page.index("</header>")]
    assert top.index("AUC against truth, near") < top.index("AUC against truth, far")
    assert f"near {plus_minus(0.7132, 0.0087)} and far {plus_minus(0.9391, 0.0087)}" in top
    assert "the surrogate" not in top
    assert [mark for mark in ("good", "fair", "poor") if f'class="tile {mark}"' in top] == ["fair"]
    assert "Each file is compared with sample A" in page
    assert all(f"Classifier weights of {name}." in page for name in ("near", "far"))
    assert "from the files of a folder of scores" in page


def test_no_directory_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FacsimError, match="no run directory"):
        write_report(tmp_path / "absent")


def test_no_half_written_page_is_left(full_run: Path) -> None:
    write_report(full_run)
    assert {path.suffix for path in (full_run / "report").iterdir()} <= {".html", ".png"}


def test_card_is_a_picture(full_run: Path, tmp_path: Path) -> None:
    path = card_figure(full_run)
    assert path == full_run / "report" / "card.png"
    assert path.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(FacsimError, match=r"neither showers nor histograms"):
        card_figure(tmp_path)


def test_provenance_keeps_the_brackets_of_inner_mappings() -> None:
    assert _flat({"angle": {"theta": {"fixed": 0.0}, "phi": {"fixed": 0.0}}, "kind": "e-"}) == [
        ("Angle", "theta: {fixed: 0.0}, phi: {fixed: 0.0}"),
        ("Kind", "e-"),
    ]


@pytest.mark.parametrize(
    ("labels", "words"), [(["bootstrap"], "Bootstrap draws its"), (["a", "b"], "A and b draw their")]
)
def test_note_on_resampled_truth_counts_the_baselines(labels: list[str], words: str) -> None:
    assert _resampling_note(labels, "tracks").startswith(f"{words} tracks from the training sample.")
