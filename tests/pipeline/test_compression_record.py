"""Folders of compressed models: refused ones, new ones beside earlier ones, and exchanges that were interrupted."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from facsim.config import run_config
from facsim.core.store import write_json
from facsim.pipeline.compression.record import Record, records, tidy
from facsim.run import SURROGATE, Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path, run_config({"task": "rich", "data": {"files": ["x"]}}))


def begun(run: Run, identity: str, label: str = "narrow-share=0.75") -> Record:
    return Record(run, label).begin(identity, {"label": label})


def made(record: Record, text: str) -> Record:
    """With a model, as a method leaves it."""
    for path in (record.place.model() / "weights.safetensors", record.place.model() / "model.json", record.place.onnx):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    record.note("made", facts={"of": text})
    return record


def judged(record: Record, judge: str = "j") -> Record:
    write_json(record.place.scores(SURROGATE), {"scores": []})
    write_json(record.place.hists(SURROGATE), {})
    record.place.card.write_text("{}", encoding="utf-8")
    record.note("judged", judge=judge)
    return record


def content(run: Run) -> dict[str, str]:
    """All files below `compressed`, with what is in them."""
    root = run.dir / "compressed"
    return {str(p.relative_to(root)): p.read_text(encoding="utf-8") for p in root.rglob("*") if p.is_file()}


def test_a_refused_model_is_found_nowhere_and_comes_back(run: Run) -> None:
    record = begun(run, "a")
    assert not record.made()
    judged(made(record, "x")).finish()
    weights = record.place.model()
    record.keep(False)
    again = Record(run, "narrow-share=0.75")
    assert again.made()
    assert again.judged("j")
    assert not again.judged("k")
    assert not weights.exists()
    assert not again.place.onnx.exists()
    assert not again.place.card.exists()
    assert again.place.scores(SURROGATE).is_file()
    assert again.graph is not None
    again.keep(True)
    assert (weights / "model.json").is_file()
    assert not again.refused.exists()
    again.place.onnx.write_text("y", encoding="utf-8")
    assert not again.made()  # it was changed


def test_an_earlier_one_stays_until_the_new_one_is_done(run: Run) -> None:
    judged(made(begun(run, "a"), "old")).finish()
    before = content(run)
    new = begun(run, "b")
    assert {name: text for name, text in content(run).items() if ".new" not in name} == before
    assert not new.made()
    judged(made(new, "new"))
    assert [one.content["identity"] for one in records(run)] == ["a"]
    new.finish()
    found = Record(run, new.label)
    assert found.content["identity"] == "b"
    assert found.made()
    assert found.judged("j")
    assert found.place.onnx.read_text(encoding="utf-8") == "new"
    assert content(run).keys() == before.keys()
    assert not [path for path in (run.dir / "compressed").iterdir() if path.name.startswith(".")]
    new.finish()  # it lies there already
    assert Record(run, new.label).made()


def test_an_interrupted_one_goes_on_without_what_a_killed_write_left(run: Run) -> None:
    new = made(begun(run, "b"), "new")
    (new.place.model() / ".weights.safetensors.123.tmp").write_text("half", encoding="utf-8")
    new.keep(False)
    again = begun(run, "b")
    assert again.made()
    assert again.kept
    assert not list(again.place.dir.rglob(".*"))
    other = begun(run, "c")  # another one begins anew
    assert not other.made()
    assert not other.place.model().exists()


@pytest.mark.parametrize("kept", [True, False])
def test_where_only_the_judging_is_another_the_model_is_taken_over(run: Run, kept: bool) -> None:
    old = judged(made(begun(run, "a"), "old"))
    old.keep(kept)
    old.finish()
    new = begun(run, "a")
    assert new.made()
    assert new.kept
    assert new.content["facts"] == {"of": "old"}
    assert not new.judged("j")
    assert not new.place.scores(SURROGATE).exists()
    assert Record(run, old.label).judged("j")
    assert Record(run, old.label).kept == kept


@pytest.mark.parametrize("arrived", [True, False])
def test_an_interrupted_exchange_is_put_right(run: Run, arrived: bool) -> None:
    label = judged(made(begun(run, "a"), "old")).label
    Record(run, label, new=True).finish()
    judged(made(begun(run, "b"), "new"))
    root = run.dir / "compressed"
    (root / ".old").mkdir()
    shutil.move(root / label, root / ".old" / label)
    if arrived:
        shutil.move(root / ".new" / label, root / label)
    tidy(run)
    assert Record(run, label).content["identity"] == ("b" if arrived else "a")
    assert Record(run, label).judged("j")
    assert not (root / ".old").exists()
    assert (root / ".new").exists() != arrived
