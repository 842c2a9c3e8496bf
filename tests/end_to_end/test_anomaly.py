"""Scores of anomaly by the true command line, on small images of one's own: all stages, what changes what, refusals."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from facsim.cli import app
from facsim.config import load_config
from facsim.core.events import make_events
from facsim.core.image import regular_image
from facsim.core.schema import Feature, Schema
from facsim.core.sources import read_labels
from facsim.core.store import write_store
from facsim.data import open_events
from facsim.evaluate.anomaly.predictions import NULL, PARTS, REFERENCE, VALIDATION, read_predictions
from facsim.physics.pseudo_signals import PSEUDO_SIGNALS
from facsim.pipeline.prediction.training import learnt_from
from facsim.pipeline.truth import open_splits
from facsim.run import Run

pytest.importorskip("onnxruntime")

ROWS, COLUMNS = 11, 14
SCHEMA = Schema(
    "grid",
    (Feature("tracker", "GeV"), Feature("ecal", "GeV")),
    (Feature("is_qcd"), Feature("mass", "GeV"), Feature("pile_up")),
    regular_image("toy", (-np.pi, np.pi, ROWS), (-2.5, 2.5, COLUMNS), units=("rad", "")),
)
SECTIONS = ("events", "roc", "numbers", "choice", "checks", "latents", "latency", "training", "provenance")
LEFT = [
    "data.json", "models/surrogate/weights.safetensors", "samples/surrogate.h5", "samples/tracks.h5",
    "scores/surrogate.json", "scores/tracks.json", "scores/timing.json", "hists/surrogate.json", "hists/tracks.json",
    "model.onnx", "card.json", "check.json", "report/index.html", "config.yaml", "provenance.json",
]  # fmt: skip


def write_images(path: Path, background: int = 300, signal: int = 150, masses: Sequence[float] = (125, 400)) -> Path:
    """Images of hits at random places, more of them where the mass is larger, in random order."""
    rng = np.random.default_rng(1)
    mass = rng.permutation(np.repeat([0.0, *masses], [background, *[signal] * len(masses)]))
    n, cells = len(mass), ROWS * COLUMNS
    pile_up = rng.poisson(20, n)
    hits = 10 + 0.2 * pile_up + 0.03 * mass
    there = rng.random((n, cells, 2)) < (hits / cells)[:, None, None]
    x = (rng.exponential(1.0, (n, cells, 2)) * there).astype(np.float32)
    cond = np.column_stack([mass == 0, mass, pile_up]).astype(np.float32)
    write_store(path, [make_events(SCHEMA, x, cond, 0)])
    return path


def configured(folder: Path, **changes: Any) -> Path:
    """A configuration on such images; `None` takes a section away."""
    if not (folder / "images.h5").exists():
        write_images(folder / "images.h5")
    tree = {
        "task": "dark-showers",
        "data": {"files": ["images.h5"]},
        "prepare": {"validation": 100, "test": 150, "background": {"is_qcd": 1}},
        "model": {"name": "contrast", "hits": [3.0, 12.0]},
        "train": {"steps": 10, "batch_size": 32, "device": "cpu"},
        "baselines": ["tracks"],
        "evaluate": {"anomaly": {"signals": ["mass"], "targets": [0.1, 0.01], "against": ["pile_up"]}},
        "timing": {"seconds": 0.01},
        **changes,
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


def facsim(*arguments: str | Path, status: int = 0) -> tuple[str, str]:
    """Standard output and error of a command; warnings are errors."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == status, done.stderr
    return done.stdout, done.stderr


def skipped(told: str) -> dict[str, bool]:
    return {stage["stage"]: stage["skipped"] for stage in json.loads(told)["stages"]}


def read(run: Path, name: str) -> Any:
    return json.loads((run / name).read_text())


def words_of(run: Path) -> str:
    """What a reader of the page sees."""
    page = (run / "report" / "index.html").read_text()
    return re.sub(r"<[^>]*>", " ", re.sub(r"(?s)<(script|style|svg)\b.*?</\1>", " ", page))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; tests only read it."""
    folder = tmp_path_factory.mktemp("anomaly")
    told, _ = facsim("run", configured(folder), "--out", folder / "run", "--json")
    assert not any(skipped(told).values())
    return folder / "run"


@pytest.fixture
def run(done: Path, tmp_path: Path) -> Path:
    """A copy of it to change."""
    shutil.copytree(done, tmp_path / "run")
    return tmp_path / "run"


def test_every_stage_leaves_its_files_and_is_not_done_again(run: Path) -> None:
    assert not [name for name in LEFT if not (run / name).is_file()]
    told, _ = facsim("run", "--out", run, "--json")
    assert list(skipped(told)) == ["prepare", "train", "sample", "evaluate", "export", "timing", "report"]
    assert all(skipped(told).values())


def test_lost_pieces_are_made_again_and_what_follows_them(run: Path) -> None:
    (run / "report" / "index.html").unlink()
    assert [name for name, was in skipped(facsim("run", "--out", run, "--json")[0]).items() if not was] == ["report"]
    before = (run / "samples" / "surrogate.h5").read_bytes()
    (run / "samples" / "surrogate.h5").unlink()
    again = skipped(facsim("run", "--out", run, "--json")[0])
    assert (again["train"], again["sample"]) == (True, False)
    assert len((run / "samples" / "surrogate.h5").read_bytes()) == len(before)
    changed = skipped(facsim("run", "--out", run, "--set", "evaluate.anomaly.targets=[0.2]", "--json")[0])
    assert (changed["sample"], changed["evaluate"], changed["report"]) == (True, False, False)
    assert {row["name"] for row in read(run, "scores/surrogate.json")["scores"]} == {
        "auc", "efficiency/0.2", "significance_improvement",
    }  # fmt: skip


def test_predictions_are_of_all_parts_at_the_events_conditions(done: Path) -> None:
    table = read_predictions(open_events(done / "samples" / "surrogate.h5"))
    truth = open_events(done.parent / "images.h5")
    labels = read_labels(truth)
    assert [int(table.of(part).sum()) for part in (VALIDATION, REFERENCE, NULL)] == [100, 150, 150]
    split = table.of(VALIDATION, REFERENCE, NULL)
    assert np.array_equal(table.cond[split], labels.cond[table.event_id[split]])
    assert len(set(table.event_id[split])) == 400
    background = int((labels.cond[table.event_id[table.of(VALIDATION)], 0] == 1).sum())
    for kind in PSEUDO_SIGNALS:
        assert int(table.of(kind).sum()) == background
        assert (table.cond[table.of(kind), 0] == 1).all()
    baseline = read_predictions(open_events(done / "samples" / "tracks.h5"))
    assert not baseline.of(*PARTS[3:]).any()
    x = truth.read(0, len(truth)).x
    assert np.array_equal(baseline.outputs[:, 0], (x[baseline.event_id, :, 0] > 0).sum(1))


def test_scorecards_say_what_the_samples_hold(done: Path) -> None:
    card, other = read(done, "scores/surrogate.json"), read(done, "scores/tracks.json")
    areas = {row["region"]: row for row in card["scores"] if row["name"] == "auc"}
    assert list(areas) == ["125 GeV", "400 GeV"]
    assert 0.5 < areas["125 GeV"]["value"] < areas["400 GeV"]["value"]
    assert areas["400 GeV"]["value"] > 0.8
    for row in (areas["125 GeV"], areas["400 GeV"]):
        assert row["null"] == pytest.approx(0.5, abs=4 * row["null_error"])
    theirs = {row["region"]: row for row in other["scores"] if row["name"] == "auc"}
    value, error = card["against"]["tracks"]["125 GeV"]
    assert value == pytest.approx(areas["125 GeV"]["value"] - theirs["125 GeV"]["value"], abs=1e-6)
    assert other["against"]["surrogate"]["125 GeV"] == pytest.approx([-value, error])
    assert card["checks"]["stability"].keys() == {"pile_up"}
    assert (card["task"], card["kind"], other["kind"]) == ("dark-showers", "surrogate", "baseline")
    assert (done / "scores" / "surrogate.json").stat().st_size < 200_000


def test_the_page_holds_every_section_and_no_nan(done: Path) -> None:
    page, words = (done / "report" / "index.html").read_text(), words_of(done)
    assert [name for name in SECTIONS if f'id="{name}"' not in page] == []
    assert not re.search(r"\b(nan|None|inf|NaN)\b", words)
    for text in ("125 GeV", "400 GeV", "tracks", "Better than tracks", "chosen without signal", "pile-up"):
        assert text in words
    assert not re.search(r">\s*nan\s*<", page)


def test_the_graph_scores_as_the_samples_say(done: Path) -> None:
    from facsim.export.check import open_session  # noqa: PLC0415

    table = read_predictions(open_events(done / "samples" / "surrogate.h5"))
    rows = np.flatnonzero(table.of(REFERENCE, NULL))[:60]
    truth = open_events(done.parent / "images.h5")
    x = truth.read(0, len(truth)).x[table.event_id[rows]].astype(np.float32)
    session = open_session(done / "model.onnx")
    (scores,) = session.run(["scores"], {session.get_inputs()[0].name: x})
    assert scores == pytest.approx(table.outputs[rows], rel=1e-4, abs=1e-4)
    assert scores.std() > 0.1
    check, card = read(done, "check.json"), read(done, "card.json")
    assert check["passed"]
    assert {row["name"] for row in card["scores"]} >= {"auc", "efficiency/0.1"}
    assert set(read(done, "scores/timing.json")["latency"]) == {"torch", "onnxruntime"}


def test_export_alone_makes_the_graph_again(run: Path) -> None:
    (run / "model.onnx").unlink()
    told = skipped(facsim("export", "--out", run, "--json")[0])
    assert not told["export"]
    assert (run / "model.onnx").is_file()


def test_contamination_changes_what_is_learnt_and_nothing_else(run: Path, tmp_path: Path) -> None:
    config = run / "config.yaml"

    def learnt(*changes: str) -> dict[str, np.ndarray]:
        made = Run(run, load_config(config, [f"prepare.{change}" for change in changes]))
        splits = open_splits(made)
        parts = {name: learnt_from(made, splits[name], name) for name in ("train", "validation")}
        return {name: read_labels(part).cond for name, part in parts.items()}

    pure = learnt()
    assert all((cond[:, 0] == 1).all() for cond in pure.values())
    dirty = learnt("contamination=0.2")
    share = np.mean(dirty["train"][:, 0] == 0)
    assert share == pytest.approx(0.2, abs=1 / len(dirty["train"]))
    assert (dirty["train"][:, 0] == 1).sum() == len(pure["train"])
    assert np.array_equal(dirty["validation"], pure["validation"])
    of_one = learnt("contamination=0.2", "contaminant={mass: 400}")["train"]
    assert set(of_one[of_one[:, 0] == 0, 1]) == {400.0}
    before, truth = (run / "models/surrogate/weights.safetensors").read_bytes(), read(run, "data.json")
    told = skipped(facsim("run", "--out", run, "--set", "prepare.contamination=0.2", "--json")[0])
    assert not told["train"]
    assert not told["evaluate"]
    assert (run / "models/surrogate/weights.safetensors").read_bytes() != before
    after = read(run, "data.json")
    assert (after["splits"], after["sizes"]) == (truth["splits"], truth["sizes"])
    again = skipped(facsim("run", "--out", run, "--set", "prepare.background={mass: 0}", "--json")[0])
    assert not any(again[name] for name in ("train", "sample", "evaluate"))


def test_without_a_model_baselines_are_judged_alone(in_tmp: Path) -> None:
    config = configured(
        in_tmp, model=None, baselines=["tracks", {"name": "isolation-forest", "trees": 10}, "supervised"]
    )
    told, _ = facsim("run", config, "--out", "r", "--json")
    assert list(skipped(told)) == ["prepare", "sample", "evaluate", "timing", "report"]
    assert sorted(path.stem for path in Path("r/samples").glob("*.h5")) == ["isolation-forest", "supervised", "tracks"]
    card = read(Path("r"), "scores/tracks.json")
    assert set(card["against"]) == {"isolation-forest", "supervised"}
    page = Path("r/report/index.html").read_text()
    assert [name for name in ("roc", "numbers", "checks", "provenance") if f'id="{name}"' not in page] == []
    assert not re.search(r"\b(nan|None)\b", words_of(Path("r")))
    _, err = facsim("train", "--out", "r", status=1)
    assert "nothing to train" in err
    assert all(skipped(facsim("run", "--out", "r", "--json")[0]).values())


def test_where_all_events_are_background_there_is_still_a_page(in_tmp: Path) -> None:
    prepare = {"validation": 100, "test": 150}
    anomaly = {"cross_section": 1e6, "rates": [1e5, 10.0], "spectators": ["mass"]}
    config = configured(in_tmp, prepare=prepare, evaluate={"anomaly": anomaly})
    facsim("run", config, "--out", "r")
    card = read(Path("r"), "scores/surrogate.json")
    assert (card["scores"], card["events"]["background"], card["oracle"]) == ([], 300, None)
    assert [rate["status"] for rate in card["rates"]] == ["measured", "limit"]
    page, words = Path("r/report/index.html").read_text(), words_of(Path("r"))
    assert 'id="checks"' in page
    assert "Thresholds for a trigger" in words
    assert not re.search(r"\b(nan|None)\b", words)


def test_another_score_on_the_truth_of_this_run(done: Path, in_tmp: Path) -> None:
    config = configured(
        in_tmp, data={"run": str(done)}, baselines=["sphericity"], model={"name": "contrast", "seen": [1, 1]}
    )
    facsim("run", config, "--out", "r")
    ours, theirs = (read(run, "data.json")["sizes"] for run in (Path("r"), done))
    assert ours == theirs
    tables = [read_predictions(open_events(run / "samples" / "surrogate.h5")) for run in (Path("r"), done)]
    assert np.array_equal(tables[0].event_id, tables[1].event_id)
    assert "tracks" in words_of(Path("r"))


CONDITIONAL = """
import torch
from facsim.core.schema import Feature
from facsim.models import Predictor
from torch import nn


class PileUpRatio(Predictor):
    conditional = True
    phases = ("fit",)

    def __init__(self, schema, options):
        super().__init__(schema, options)
        self.outputs = (Feature("ratio"), Feature("sum", "GeV"))
        self.scale = nn.Linear(1, 1)

    def losses(self, batch, turn, generator=None):
        return {"fit": (self.scale(batch.x.sum((1, 2))[:, None]) - 1).square().mean()}

    def predict(self, x, cond, mask=None):
        total = x.sum((1, 2))[:, None]
        return torch.cat([total / (1 + cond[:, 2:]), total], 1)


MODELS = {"pile-up-ratio": PileUpRatio}
"""


def test_a_predictor_of_a_plug_in_that_reads_conditions(in_tmp: Path) -> None:
    Path("mine.py").write_text(CONDITIONAL)
    config = configured(in_tmp, plugins=["mine.py"], model="pile-up-ratio", train={"steps": 2, "device": "cpu"})
    facsim("run", config, "--out", "r")
    table = read_predictions(open_events(Path("r/samples/surrogate.h5")))
    x = open_events(Path("images.h5")).read(0, 600).x.sum((1, 2))[table.event_id]
    rows = table.of(VALIDATION, REFERENCE, NULL)
    assert table.outputs[rows, 0] == pytest.approx((x / (1 + table.cond[:, 2]))[rows], rel=1e-5)
    card = read(Path("r"), "scores/surrogate.json")
    assert len(card["choice"]) == 5
    assert set(read(Path("r"), "scores/timing.json")["latency"]) == {"torch", "onnxruntime"}
    assert all(skipped(facsim("run", "--out", "r", "--json")[0]).values())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prepare": {"test": 150, "background": {"is_top": 1}}}, r"told by the condition 'is_top'.*'is_qcd', 'mass'"),
        ({"prepare": {"test": 150, "background": {"is_qcd": 2}}}, r"0 of \d+ events of the split 'train' are backgr"),
        (
            {
                "prepare": {"test": 150, "background": {"is_qcd": 1}, "contamination": 0.1},
                "model": {"name": "student", "outliers": "signal", "network": {"name": "dense"}},
                "train": {"steps": {"teacher": 2, "student": 2}},
            },
            r"reads labels .* and 'prepare.contamination' is signal without one",
        ),
        (
            {"prepare": {"test": 150, "background": {"is_qcd": 1}, "contamination": 0.9}},
            r"a contamination of 0.9 needs \d+ signal events .* and there are \d+",
        ),
        ({"prepare": {"test": 150, "contamination": 0.1}}, r"'contamination' needs 'background'"),
        (
            {"prepare": {"test": 150, "background": {"is_qcd": 1}, "contamination": 0.1, "contaminant": {"color": 1}}},
            r"'prepare.contaminant' names the condition 'color'.*they have \['is_qcd'",
        ),
        ({"evaluate": {"anomaly": {"signals": ["flavour"]}}}, r"'evaluate.anomaly.signals' .* 'flavour'.*'pile_up'"),
        ({"prepare": {"validation": 100, "test": 150}, "baselines": ["supervised"]}, r"'supervised'.*signal"),
        (
            {"prepare": {"validation": 12, "test": 150, "background": {"is_qcd": 1}}, "model": None},
            r"at least 20 background events of validation .* larger 'prepare.validation'",
        ),
    ],
)
def test_what_cannot_be_learnt_or_judged_is_told(in_tmp: Path, changes: dict[str, Any], message: str) -> None:
    _, err = facsim("run", configured(in_tmp, **changes), "--out", "r", status=1)
    assert re.search(message, " ".join(err.split())), err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"baselines": ["library"]}, r"'library' at 'baselines.0' in .* makes events, .* a predictor: .*'tracks'"),
        ({"baselines": ["track"]}, r"unknown name 'track' at 'baselines.0'.*did you mean 'tracks'"),
        ({"baselines": [{"name": "isolation-forest", "tree": 3}]}, r"unknown key 'baselines.0.tree'.*trees"),
        (
            {"model": "single-stage", "baselines": ["tracks"]},
            r"'tracks' at 'baselines.0' .* is a score of anomaly, .*'library'",
        ),
        ({"model": None, "baselines": ["tracks", "library"]}, r"'library' at 'baselines.1'"),
        ({"model": {"name": "contrast", "hit": [1, 2]}}, r"unknown key 'model.hit'.*hits"),
        ({"train": {"steps": 5, "early_stopping": {"score": "w1"}}}, r"early_stopping.*'contrast' makes none"),
        ({"evaluate": {"anomaly": {"targets": []}}}, r"evaluate.anomaly.targets"),
        ({"evaluate": {"anomaly": {"targets": [1.5]}}}, r"evaluate.anomaly.targets"),
    ],
)
def test_wrong_names_are_refused_before_anything_runs(in_tmp: Path, changes: dict[str, Any], message: str) -> None:
    _, err = facsim("run", configured(in_tmp, **changes), "--out", "r", status=1)
    assert re.search(message, " ".join(err.split())), err
    assert not Path("r/data.json").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"evaluate": {"anomaly": {"signals": ["flavour"]}}},
            r"'evaluate.anomaly.signals' names .*'flavour'.*'is_qcd'",
        ),
        (
            {"prepare": {"test": 150, "background": {"is_qcd": 1}, "contaminant": {"color": 1}}},
            r"'prepare.contaminant' names the condition 'color'",
        ),
        ({"baselines": ["teacher"]}, r"'teacher' is that of the run's own student.*leave it out"),
    ],
)
def test_what_would_fail_after_the_training_is_refused_before(
    in_tmp: Path, changes: dict[str, Any], message: str
) -> None:
    _, err = facsim("run", configured(in_tmp, **changes), "--out", "r", status=1)
    assert re.search(message, " ".join(err.split())), err
    assert not Path("r/models").exists()


def test_variants_of_an_earlier_configuration_do_not_stay(run: Path) -> None:
    facsim("export", "--out", run, "--set", "export.variants=[pruned]")
    assert (run / "model.pruned.onnx").is_file()
    facsim("export", "--out", run, "--set", "export.variants=[]")
    assert not (run / "model.pruned.onnx").exists()
    facsim("run", "--out", run, "--set", "export.variants=[pruned]")
    assert "Variants of the graph" in words_of(run)
    facsim("run", "--out", run, "--set", "export.variants=[pruned]", "--set", "model=null")
    assert "Variants of the graph" not in words_of(run)
