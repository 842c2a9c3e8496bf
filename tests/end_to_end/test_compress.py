"""The command line of `facsim compress` on a run in miniature: results, refusals, resuming, mistakes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

import facsim
from facsim.cli import app
from facsim.config import load_config, recipe
from facsim.core.errors import FacsimError
from facsim.data import open_events
from facsim.pipeline.compression import prune, times
from facsim.pipeline.farm import How
from facsim.run import Run, Silent

pytest.importorskip("onnxruntime")
ALL = ("fp16", "bf16", "int8-dynamic", "int8-static", "sparse", "narrow", "distil", "few-steps", "distil-steps")


def call(*arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output, standard error."""
    done = CliRunner().invoke(app, ["compress", *arguments])
    return done.exit_code, done.stdout, done.stderr


METHOD = {"name": "flow-matching", "steps": 4, "network": {"name": "mlp", "widths": [64, 64]}}
TREE: dict[str, Any] = {
    "task": "rich",
    "simulate": {"species": ["k", "pi"], "kinematics": "calibration", "events": 1500},
    "prepare": {"validation": 100, "test": 300},
    "model": {"name": "single-stage", "method": METHOD},
    "train": {"steps": 60, "batch_size": 128, "device": "cpu"},
    "evaluate": {"energy_bins": 2, "classifier_events": 300},
    "timing": {"seconds": 0.1},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A judged run of flow matching on a few RICH tracks."""
    out = tmp_path_factory.mktemp("runs") / "rich"
    for verb in (facsim.simulate, facsim.prepare, facsim.train, facsim.sample, facsim.evaluate):
        verb(TREE, out=out)
    return out


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "rich"))


def asked(*methods: str) -> list[str]:
    return [part for method in methods for part in ("--method", method)]


def rows(*arguments: str) -> tuple[dict[str, Any], str]:
    """Rows of the table by name, but for the original's, and what was said."""
    code, out, err = call(*arguments, "--json")
    assert code == 0, err
    return {row["name"]: row for row in json.loads(out)["rows"][1:]}, err


@pytest.mark.slow
def test_every_method_leaves_a_judged_model_and_a_row(run: Path) -> None:
    facsim.report(out=run)  # which is made anew for the table
    code, out, err = call("--out", str(run), *asked(*ALL), "--smoke", "--within", "inf", "--json")
    assert code == 0, err
    found = json.loads(out)
    by_name = {row["name"]: row for row in found["rows"]}
    assert set(by_name) == {"original", *ALL}
    assert Path(found["picture"]).stat().st_size > 10_000
    kept = json.loads((run / "compressed" / "table.json").read_text())
    assert kept["rows"] == found["rows"]
    events = open_events(run / "samples" / "surrogate.h5")
    truth = events.read(0, len(events)).x
    for name in ALL:
        folder, row = run / "compressed" / name, by_name[name]
        assert row["kept"]
        card = json.loads((folder / "card.json").read_text())
        assert card["compression"]["method"] == name
        assert json.loads((folder / "scores" / "surrogate.json").read_text())["scores"] == card["scores"]
        made = open_events(folder / "samples" / "surrogate.h5")
        x = made.read(0, len(made)).x
        assert x.shape == truth.shape
        assert np.isfinite(x).all()
        assert not np.array_equal(x, truth)
        for time in row["times"].values():
            assert time["ratio_low"] <= time["ratio"] <= time["ratio_high"]
        if not name.startswith("int8"):  # loaded like any trained model
            events_of = facsim.load(folder).events([[20_000.0, 3.2, 150.0, 1.0, 0.0]], outside="ignore")
            assert np.isfinite(events_of.x).all()
    graphs = {name: (run / "compressed" / name / "model.onnx").is_file() for name in ALL}
    assert not graphs.pop("bf16")
    assert all(graphs.values())
    for name in ("fp16", "narrow", "distil"):
        assert by_name[name]["graph_MB"] < by_name["original"]["graph_MB"]
    assert 0.79 < by_name["sparse"]["facts"]["zeros"] / by_name["sparse"]["facts"]["weights"] < 0.81
    assert by_name["few-steps"]["facts"]["steps"] == {"method": [4, 2]}
    page = facsim.report(out=run).report
    assert page is not None
    assert "Quality against time of compressed models" in page.read_text(encoding="utf-8")


def test_compressed_models_are_farmed_as_far_as_they_have_weights(run: Path, tmp_path: Path) -> None:
    assert call("--out", str(run), *asked("narrow:tune=0", "int8-dynamic"), "--smoke", "--within", "inf")[0] == 0
    assert call("--out", str(run), *asked("sparse:share=0.97,tune=0"), "--smoke")[0] == 1
    options: dict[str, Any] = {"events": 50, "shard": 25, "how": How(workers=1), "reporter": Silent()}
    folder = run / "compressed" / "narrow-tune=0.0"
    facsim.farm_sample(folder, out=tmp_path / "narrow", **options)
    made, truth = open_events(tmp_path / "narrow" / "events.h5").read(0, 50), open_events(run / "samples/surrogate.h5")
    assert made.schema.provenance["generator"] == "narrow-tune=0.0"
    np.testing.assert_allclose(made.cond, truth.read(0, 50).cond, rtol=1e-6)  # those of truth sample B
    facsim.farm_sample(run, out=tmp_path / "original", **options)
    assert not np.array_equal(made.x, open_events(tmp_path / "original" / "events.h5").read(0, 50).x)
    for name, words in (
        ("int8-dynamic", "a graph alone"),
        ("sparse-tune=0.0-share=0.97", "no model, since it was worse"),
    ):
        with pytest.raises(FacsimError, match=f"{name}' holds {words}.* a farm samples models with weights"):
            facsim.farm_sample(run / "compressed" / name, out=tmp_path / "none", **options)
    alone = Path(shutil.copytree(folder, tmp_path / "alone"))
    with pytest.raises(FacsimError, match="give --conditions, a file that has them"):
        facsim.farm_sample(alone, out=tmp_path / "c", **options)
    facsim.farm_sample(alone, out=tmp_path / "c", conditions=run / "samples" / "surrogate.h5", **options)
    assert np.array_equal(open_events(tmp_path / "c" / "events.h5").read(0, 50).x, made.x)


def test_a_worse_model_is_refused_unless_forced(run: Path) -> None:
    ask = ["--out", str(run), *asked("sparse:share=0.97,tune=0", "fp16"), "--smoke"]
    code, out, err = call(*ask)
    folder = run / "compressed" / "sparse-tune=0.0-share=0.97"
    assert code == 1
    assert "sigma worse where 1 are allowed" in err
    assert "--force" in err.splitlines()[-1]
    assert "fp16 (" not in err.splitlines()[-1]
    assert "refused" in out
    assert (folder / "scores" / "surrogate.json").is_file()
    assert not (folder / "models").exists()
    assert not (folder / "model.onnx").exists()
    with pytest.raises(FacsimError):
        facsim.load(folder)
    code, out, err = call(*ask, "--force")
    assert code == 0
    assert "forced" in out
    assert "up to date" in err
    assert facsim.load(folder).events([[20_000.0, 3.2, 150.0, 1.0, 0.0]], outside="ignore").x.shape == (1, 5)
    code, _, err = call("--out", str(run), *asked("fp16"), "--at-least", "auc_high=0.1", "--smoke")
    assert code == 1
    assert "where 0.1 was asked for" in err


def test_one_compression_follows_another(run: Path) -> None:
    ask = ["--out", str(run), "--smoke", "--within", "inf"]
    code, _, err = call(*ask, *asked("narrow:share=0.75", "int8-dynamic:after=narrow-share=0.75", "fp16"), "--json")
    assert code == 0, err
    code, out, err = call(*ask, *asked("narrow:share=0.5,after=narrow-share=0.75"), "--json")
    assert code == 0, err
    found = {row["name"]: row for row in json.loads(out)["rows"]}
    narrow, twice = found["narrow-share=0.75"], found["narrow-after=narrow-share=0.75"]
    assert twice["numbers"] < narrow["numbers"] < found["original"]["numbers"]
    assert found["int8-dynamic-after=narrow-share=0.75"]["facts"]["products"] == 12
    shutil.rmtree(run / "compressed" / "narrow-share=0.75")
    found, err = rows(*ask, *asked("fp16"))
    assert list(found) == ["fp16"]
    assert "int8-dynamic-after=narrow-share=0.75, narrow-after=narrow-share=0.75 (it starts from a model that" in err
    code, _, err = call(*ask, *asked("fp16:after=sparse"))
    assert code == 1
    assert "cannot start from 'sparse' (not there, or without weights): expected" in err
    assert "one of ['fp16']" in err


@pytest.mark.slow
def test_it_goes_on_where_it_was_interrupted(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = ["--out", str(run), *asked("fp16", "sparse"), "--smoke", "--within", "inf"]
    monkeypatch.setattr(prune, "left_of", _interrupted)
    code, _, err = call(*ask)
    assert code == 130
    assert "run the same command again" in err
    before = _times(run / "compressed" / "fp16")
    assert not (run / "compressed" / "sparse" / "scores").exists()
    assert not (run / "compressed" / "table.json").exists()
    monkeypatch.undo()
    code, _, err = call(*ask)
    assert code == 0
    assert "fp16: up to date" in err
    assert _times(run / "compressed" / "fp16") == before
    code, _, err = call(*ask)
    assert "sparse: up to date" in err
    assert "timing" not in err
    monkeypatch.setattr(prune, "left_of", _interrupted)
    code, _, err = call(*ask, "--seed", "7")  # of another training
    assert code == 130
    assert "sparse: up to date" not in err
    earlier = json.loads((run / "compressed" / "sparse" / "compress.json").read_text())
    assert earlier["seed"] == 1
    assert facsim.load(run / "compressed" / "sparse").events([[20_000.0, 3.2, 150.0, 1.0, 0.0]]).x.shape == (1, 5)
    monkeypatch.undo()
    code, out, err = call(*ask, "--seed", "7", "--json")
    assert [row["seed"] for row in json.loads(out)["rows"][1:]] == [7, 7]
    assert not [path for path in (run / "compressed").iterdir() if path.name.startswith(".")]


def test_rows_stand_side_by_side_only_where_their_numbers_do(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = ["--out", str(run), "--smoke", "--within", "inf"]
    found, _ = rows(*ask, *asked("fp16", "few-steps"))
    assert [(row["seed"], row["smoke"]) for row in found.values()] == [(1, True)] * 2
    found, _ = rows("--out", str(run), "--smoke", "--within", "9", *asked("fp16"))
    assert {name: row["limits"]["within"] for name, row in found.items()} == {"fp16": 9, "few-steps": None}

    settings = {**TREE["evaluate"], "classifier_events": 250}
    facsim.evaluate({**TREE, "evaluate": settings}, out=run)
    assert not (run / "compressed" / "table.json").exists()  # of scores that are not there any more
    weights = run / "compressed" / "fp16" / "models" / "surrogate" / "weights.safetensors"
    before = weights.stat().st_mtime_ns
    found, err = rows(*ask, *asked("fp16"))
    assert list(found) == ["fp16"]
    assert "not in the table: few-steps (judged in another way)" in err
    assert weights.stat().st_mtime_ns == before  # judged again, not made again
    found, err = rows(*ask, *asked("few-steps"), "--seed", "7")
    assert {name: row["seed"] for name, row in found.items()} == {"few-steps": 7}
    assert "not in the table: fp16 (made with seed 1)" in err
    monkeypatch.setattr(times, "SECONDS", 0.3)
    found, err = rows("--out", str(run), "--within", "inf", *asked("few-steps"))
    assert {name: row["smoke"] for name, row in found.items()} == {"few-steps": False}
    assert "not in the table: fp16 (made with --smoke)" in err
    table = json.loads((run / "compressed" / "table.json").read_text())
    assert not table["smoke"]


@pytest.mark.slow
def test_after_another_training_nothing_of_the_former_one_is_taken(run: Path) -> None:
    ask = ["--out", str(run), "--smoke", "--within", "inf"]
    rows(*ask, *asked("fp16", "few-steps"))
    tree = {**TREE, "train": {**TREE["train"], "steps": 70}}
    facsim.train(tree, out=run)
    for verb, words in ((facsim.sample, "facsim sample"), (facsim.evaluate, "facsim evaluate")):
        code, _, err = call(*ask, *asked("fp16"))
        assert code == 1
        assert f"run {words}" in err
        verb(tree, out=run)
    code, _, err = call(*ask, *asked("bf16:after=fp16"))
    assert code == 1
    assert "cannot start from 'fp16' (made of other weights): expected" in err
    found, err = rows(*ask, *asked("few-steps"))
    assert list(found) == ["few-steps"]
    assert "not in the table: fp16 (made of other weights)" in err


def test_a_method_that_fails_does_not_keep_others_from_being_made(run: Path) -> None:
    code, out, err = call("--out", str(run), *asked("few-steps:layer_steps=2", "fp16"), "--smoke", "--json")
    assert code == 1
    assert "'few-steps-layer_steps=2' was not made: 'layer_steps' is of models of two stages" in err.splitlines()[-1]
    found = json.loads(out)
    assert [row["name"] for row in found["rows"]] == ["original", "fp16"]
    assert list(found["failed"]) == ["few-steps-layer_steps=2"]
    assert not (run / "compressed" / "few-steps-layer_steps=2").exists()


@pytest.mark.slow
def test_images_are_compressed_by_whatever_fits(tmp_path: Path) -> None:
    tree = yaml.safe_load(recipe("tpc").read_text(encoding="utf-8"))
    for verb in (facsim.simulate, facsim.prepare, facsim.train, facsim.sample, facsim.evaluate):
        verb({**tree, "baselines": []}, out=tmp_path / "tpc", smoke=True)
    ask = ["--out", str(tmp_path / "tpc"), "--smoke", "--within", "inf"]
    for name in ("few-steps", "distil-steps"):
        code, _, err = call(*ask, *asked(name))
        assert code == 1
        assert f"'{name}' does not fit this model" in err
        assert len(err.strip().splitlines()) == 1
    found, _ = rows(*ask, *asked(*ALL[:-2]))
    assert set(found) == set(ALL[:-2])
    assert all(row["scores"]["auc_high"]["value"] is not None for row in found.values())


def test_a_predictor_is_refused(tmp_path: Path) -> None:
    Run(tmp_path, load_config(recipe("codae"))).save([])
    code, _, err = call("--out", str(tmp_path), *asked("fp16"))
    assert code == 1
    assert "holds a predictor" in err
    assert "export.variants" in err


def _interrupted(model: Any) -> int:
    raise KeyboardInterrupt


def _times(folder: Path) -> dict[str, int]:
    files = ("models/surrogate/weights.safetensors", "model.onnx", "scores/surrogate.json", "samples/surrogate.h5")
    return {name: (folder / name).stat().st_mtime_ns for name in files}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--method", "prune"], "unknown method of compression 'prune': expected one of ['bf16', 'distil'"),
        (["--method", "narrow", "--set", "size=2"], "narrow: ['after', 'rate', 'share', 'tune']"),
        (["--method", "fp16", "--at-least", "auc=0.6"], "no score 'auc': expected one of"),
        ([], "say how to compress"),
    ],
)
def test_mistakes_are_told_in_a_sentence(arguments: list[str], words: str, trained: Path) -> None:
    code, _, err = call("--out", str(trained), *arguments)
    assert code == 1
    assert words in err
    assert len(err.strip().splitlines()) == 1
    assert not (trained / "compressed").exists()


def test_a_run_without_a_trained_or_judged_model_is_refused(run: Path, tmp_path: Path) -> None:
    assert "is not a run directory yet" in call("--out", str(tmp_path), *asked("fp16"))[2]
    assert "say with --out" in call(*asked("fp16"))[2]
    (run / "scores" / "surrogate.json").unlink()
    assert "facsim evaluate" in call("--out", str(run), *asked("fp16"))[2]
    shutil.rmtree(run / "models")
    assert "run facsim train" in call("--out", str(run), *asked("fp16"))[2]


def test_without_onnx_int8_says_what_is_missing(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facsim.pipeline.compression.find_spec", lambda name: None)
    code, _, err = call("--out", str(trained), *asked("int8-dynamic"))
    assert code == 1
    assert "pip install 'facsim[onnx]'" in err


def test_the_methods_are_listed() -> None:
    code, out, _ = call("--list")
    assert code == 0
    assert all(name in out for name in ALL)
    assert set(json.loads(call("--list", "--json")[1])["methods"]) == set(ALL)
