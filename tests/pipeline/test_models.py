"""Model repositories by the true command line: a run is saved, shown, verified, sampled, served, tampered with."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner, Result

import facsim
from facsim.cli import app
from facsim.config import load_config
from facsim.core import plugins
from facsim.core.errors import FacsimError
from facsim.core.guard import sha256
from facsim.core.image import regular_image
from facsim.core.schema import Feature, Schema
from facsim.core.store import write_json
from facsim.export.card import make_card
from facsim.export.onnx import export_onnx, export_predictor
from facsim.models import EventModel, Predictor
from facsim.models.checkpoint import build_model, save_model
from facsim.pipeline.lifecycle import stages_of
from facsim.pipeline.stage import run_stage
from facsim.repository.publish import make_manifest, publish, write_manifest
from facsim.repository.summary import summarise
from facsim.run import Run, Silent, saved_config
from facsim.simulate.sample import sample_path

pytest.importorskip("onnxruntime")
CONFIG = {
    "data": {"files": [str(sample_path())]},
    "prepare": {"validation": 20, "test": 60},
    "model": {
        "name": "single-stage",
        "method": {"name": "gan", "network": {"name": "residual-mlp", "width": 8, "depth": 1}},
    },
    "train": {"steps": 2, "batch_size": 16, "fit_events": 64},
    "baselines": [],
    "evaluate": {"classifier_events": 50, "memorisation_events": 20, "energy_bins": 1},
    "export": {"triton": {"name": "calo", "max_batch_size": 16}},
}


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def told(*arguments: object) -> dict[str, Any]:
    done = call(*arguments, "--json")
    assert done.exit_code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run up to its export: times do not matter here."""
    out = tmp_path_factory.mktemp("runs") / "calo"
    for verb in (facsim.prepare, facsim.train, facsim.sample, facsim.evaluate):
        verb(CONFIG, out=out, reporter=Silent())
    made = Run(out, load_config(saved_config(out)))
    run_stage(stages_of(made.config)["export"], made)
    return out


@pytest.fixture(scope="module")
def saved(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("repositories") / "models"
    for version in ("1.0.0", "1.1.0-rc.1"):
        save(run, root, version)
    return root


def save(
    run: Path, root: str | Path, version: str, *, name: str = "calo", licence: str = "CC-BY-4.0"
) -> dict[str, Any]:
    options = ("--name", name, "--version", version, "--to", root, "--licence", licence)
    return told("models", "save", "--out", run, *options)


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    """A repository of one's own to tamper with."""
    shutil.copytree(saved, tmp_path / "models")
    return tmp_path / "models"


def folder(root: Path) -> Path:
    return root / "calo" / "1.0.0"


def test_saved_listed_shown_and_verified(run: Path, saved: Path, tmp_path: Path) -> None:
    files = {path.name for path in folder(saved).iterdir()}
    assert files == {
        "weights.safetensors", "model.json", "card.json", "scores.json", "check.json", "model.onnx", "card.png",
        "LICENCE", "manifest.json",
    }  # fmt: skip
    manifest = json.loads((folder(saved) / "manifest.json").read_text())
    assert {name: facts["sha256"] for name, facts in manifest["files"].items()} == {
        name: sha256(folder(saved) / name) for name in files - {"manifest.json"}
    }
    assert sha256(folder(saved) / "weights.safetensors") == sha256(run / "models/surrogate/weights.safetensors")
    assert manifest["provenance"]["truth"]["simulator"] == "geant4"
    listed = told("models", "list", "--repository", saved)["models"]
    assert [(row["name"], row["version"]) for row in listed] == [("calo", "1.0.0")]
    assert listed[0]["licence"] == "CC-BY-4.0"
    assert listed[0]["conditions"][0]["unit"] == "MeV"
    assert listed[0]["score"]["name"] == "auc_high"
    assert len(told("models", "list", "--repository", saved, "--all")["models"]) == 2
    assert "calo@1.0.0" in call("models", "list", "--repository", saved).stdout
    shown = call("models", "show", "calo", "--repository", saved, "--out", tmp_path / "calo.png")
    for words in ("auc_high", "truth itself", "incident_energy", "CC-BY-4.0", "facsim sample calo@1.0.0", "1.1.0-rc.1"):
        assert words in shown.stdout
    assert (tmp_path / "calo.png").read_bytes().startswith(b"\x89PNG")
    found = told("models", "verify", "calo", "--repository", saved)
    assert found["passed"]
    assert [row["check"] for row in found["checks"]] == ["files", "card", "weights", "description", "events", "graph"]
    assert all(row["ok"] for row in found["checks"])


def test_sampled_loaded_and_served_by_name(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = told("sample", "calo@1.0.0", "--repository", saved, "--events", 3, "--energy", 10)
    assert made["model"] == "calo@1.0.0"
    with h5py.File("calo.h5") as handle:
        assert handle["showers"].shape == (3, 6480)
    monkeypatch.setenv("FACSIM_MODELS", str(saved))
    sampler = facsim.load("calo")
    assert sampler.manifest.version == "1.0.0"
    events = sampler.events([10_000.0, 20_000.0], seed=2)
    np.testing.assert_array_equal(events.x, facsim.load("calo@1.0.0", repository=saved).events([1e4, 2e4], seed=2).x)
    with pytest.warns(UserWarning, match="outside of the training domain of the model 'calo@1.0.0'"):
        sampler.events([10.0])
    with pytest.raises(FacsimError, match="outside of the training domain"):
        sampler.events([10.0], outside="refuse")
    graph = facsim.export("calo@1.0.0", out=tmp_path / "calo.onnx", reporter=Silent())
    assert json.loads(graph.check.read_text())["passed"]
    monkeypatch.delenv("FACSIM_MODELS")
    exported = told("export", "calo", "--repository", saved, "--out", "again.onnx")
    assert exported["model"] == "calo@1.0.0"
    assert json.loads(Path("again.card.json").read_text())["graph"] == {
        **json.loads(graph.card.read_text())["graph"],
        "file": "again.onnx",
    }
    done = call("export", "--repository", saved)
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert f"which model of '{saved}' is meant? Name it" in done.stderr
    done = call("export", "calo", "--repository", saved, "--set", "seed=2")
    assert "['overrides (--set)'] are for runs" in done.stderr
    monkeypatch.setenv("FACSIM_MODELS", str(saved))
    served = told("models", "triton", "calo", "--out", "serving", "--batch", 8)
    assert served["files"] == ["serving/calo/config.pbtxt", "serving/calo/1/model.onnx"]
    assert "max_batch_size: 8" in Path(served["files"][0]).read_text()
    assert told("models", "triton", "par04", "--out", "serving")["model"] == "par04@1.0.0"  # which has no graph
    assert "[ 6480, 1 ]" in Path("serving/par04/config.pbtxt").read_text()


def test_the_run_serves_too(run: Path) -> None:
    assert "max_batch_size: 16" in (run / "triton/calo/config.pbtxt").read_text()
    assert (run / "triton/calo/1/model.onnx").read_bytes() == (run / "model.onnx").read_bytes()
    made = Run(run, load_config(saved_config(run)))
    stamp = json.loads(made.stamp("export").read_text())
    assert {"triton/calo/config.pbtxt", "triton/calo/1/model.onnx"} <= set(stamp["outputs"])


def test_other_places(run: Path, tmp_path: Path) -> None:
    for root in (f"file://{tmp_path}/models", "memory://facsim-test-models"):
        assert save(run, root, "1.0.0")["where"]
        assert told("models", "verify", "calo@1.0.0", "--repository", root)["passed"]
        again = ("models", "save", "--out", run, "--name", "calo", "--version", "1.0.0", "--to", root)
        done = call(*again, "--licence", "CC0-1.0")
        assert done.exit_code == 1
        assert "is never overwritten" in done.stderr
    assert Path(told("models", "fetch", "calo", "--repository", "memory://facsim-test-models")["folder"]).is_dir()


@pytest.mark.parametrize(
    "name", ["weights.safetensors", "model.json", "card.json", "model.onnx", "LICENCE", "card.png"]
)
def test_one_changed_byte_is_found(copy: Path, name: str) -> None:
    path = folder(copy) / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    done = call("models", "verify", "calo", "--repository", copy)
    assert done.exit_code == 1
    assert f"{name}' is damaged or was changed" in done.stdout
    assert "is not to be used" in done.stdout
    with pytest.raises(FacsimError, match="is damaged or was changed"):
        facsim.load("calo", repository=copy)


def test_a_version_that_was_replaced_is_found(saved: Path) -> None:
    import fsspec  # noqa: PLC0415

    root = "memory://facsim-test-replaced"
    store = fsspec.filesystem("memory")
    store.put(str(saved), "/facsim-test-replaced", recursive=True)
    assert facsim.verify_model("calo@1.0.0", root)["passed"]
    path = "/facsim-test-replaced/calo/1.0.0/manifest.json"
    store.pipe(path, store.cat(path).replace(b"CC-BY-4.0", b"CC0-1.0"))
    found = facsim.verify_model("calo@1.0.0", root)
    assert not found["passed"]
    assert "a version was replaced" in found["checks"][-1]["detail"]


def rewrite(root: Path, name: str, **changes: Any) -> None:
    """Change a JSON file and give the manifest the new checksum, as somebody would who means to."""
    path, listed = folder(root) / name, folder(root) / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    manifest = json.loads(listed.read_text())
    manifest["files"][name] = {"bytes": path.stat().st_size, "sha256": sha256(path)}
    listed.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("card.json", {"scores": []}, "disagree on 'summary'"),
        ("card.json", {"format": "facsim-card-2"}, "upgrade facsim"),
        ("card.json", {"output": 3}, "is no card of a model"),
        ("card.json", {"model": "two-stage"}, "disagree on 'model'"),
        ("card.json", {"options": {}}, "disagree on 'options'"),
        ("scores.json", {"scores": []}, "are not those of its 'scores.json'"),
        ("model.json", {"options": {"method": "gan"}}, "cannot be loaded"),
        ("model.json", {"options": {"method": "no-such"}}, "no-such"),
    ],
)
def test_files_that_do_not_belong_together(copy: Path, name: str, changes: dict[str, Any], words: str) -> None:
    rewrite(copy, name, **changes)
    done = call("models", "verify", "calo", "--repository", copy)
    assert done.exit_code == 1
    assert words in done.stdout


def test_a_file_that_nobody_lists_is_told(copy: Path) -> None:
    (folder(copy) / "model.onnx.data").write_bytes(b"x")
    found = facsim.verify_model("calo", copy)
    assert not found["passed"]
    assert "['model.onnx.data'], which its manifest.json does not name" in found["checks"][-1]["detail"]


def test_another_graph_is_told(copy: Path) -> None:
    onnx = pytest.importorskip("onnx")
    path = folder(copy) / "model.onnx"
    graph = onnx.load(str(path))
    largest = max(graph.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    values = np.array(onnx.numpy_helper.to_array(largest)) + 1
    largest.CopyFrom(onnx.numpy_helper.from_array(values, largest.name))
    onnx.save(graph, str(path))
    card = json.loads((folder(copy) / "card.json").read_text())
    manifest = json.loads((folder(copy) / "manifest.json").read_text())
    facts = {"bytes": path.stat().st_size, "sha256": sha256(path)}
    manifest["files"]["model.onnx"] = facts
    write_json(folder(copy) / "manifest.json", manifest)
    assert "belongs to another 'model.onnx'" in facsim.verify_model("calo", copy)["checks"][-1]["detail"]
    rewrite(copy, "card.json", graph={**card["graph"], **facts})
    found = facsim.verify_model("calo", copy)
    assert not found["passed"]
    assert "disagrees with the model" in found["checks"][-1]["detail"]


def test_what_cannot_be_saved_is_told(run: Path, tmp_path: Path) -> None:
    options = {"name": "calo", "version": "1.0.0", "to": tmp_path / "models", "licence": "CC0-1.0"}
    with pytest.raises(FacsimError, match="is not a run directory"):
        facsim.save_model(tmp_path / "none", **options)
    unfinished = tmp_path / "run"
    shutil.copytree(run, unfinished)
    (unfinished / "scores" / "surrogate.json").write_text("{}")
    with pytest.raises(FacsimError, match=r"for 'evaluate' in '.*' 'scores/surrogate.json' is missing or was changed"):
        facsim.save_model(unfinished, **options)
    for key, value in {"name": "a/b", "version": "1.0", "licence": "a\nb"}.items():
        with pytest.raises(FacsimError, match=r"is no name|is no version|SPDX"):
            facsim.save_model(run, **{**options, key: value})
    with pytest.raises(FacsimError, match="saved without a picture"):
        facsim.show_model("par04", out=tmp_path / "a.png")
    with pytest.raises(FacsimError, match=r"name ends in \.png"):
        facsim.show_model("par04", out=tmp_path / "a.svg")
    assert not (tmp_path / "models").exists()
    (tmp_path / "terms.txt").write_text("Do as you like.")
    facsim.save_model(run, **{**options, "licence": str(tmp_path / "terms.txt")})
    assert (folder(tmp_path / "models") / "LICENCE").read_text() == "Do as you like."


def put(root: Path, name: str, kind: str, model: EventModel | Predictor, scratch: Path, graph: bool = True) -> None:
    """Save a model that no run trained."""
    cond = np.random.default_rng(1).uniform(1, 2, (50, len(model.schema.conditions)))

    def fill(target: Path) -> None:
        save_model(model, kind, target)
        path = target / "model.onnx" if graph else None
        if path is not None:
            export_predictor(model, path, 20) if isinstance(model, Predictor) else export_onnx(model, path, 20)
        card = json.loads(json.dumps(make_card(model, kind, path, cond, [], {"seed": 1})))
        write_json(target / "card.json", card)
        facts: dict[str, Any] = {"licence": "CC0-1.0", "provenance": {"seed": 1}, "summary": summarise(card)}
        plugin = plugins.definition("models", kind)
        write_manifest(target, make_manifest(target, name, "1.0.0", model=kind, plugin=plugin, **facts))

    (scratch / "files").mkdir(parents=True)
    publish(root, name, "1.0.0", fill, scratch / "files")


def test_tables_clouds_and_predictors(tmp_path: Path) -> None:
    root = tmp_path / "models"
    table = Schema("table", (Feature("a"), Feature("b")), (Feature("p", "MeV"), Feature("eta")))
    cloud = Schema("cloud", tuple(map(Feature, "abc")), (Feature("pt", "GeV"),), points=6)
    epic = {"name": "flow-matching", "steps": 1, "network": {"name": "epic", "width": 8, "depth": 1}}
    for name, schema, method in (("rich", table, "flow-matching"), ("jets", cloud, epic)):
        model = build_model("single-stage", schema, {"method": method})
        assert isinstance(model, EventModel)
        put(root, name, "single-stage", model.eval(), tmp_path / name)
        assert facsim.verify_model(name, root)["passed"]
        events = facsim.load(name, repository=root).events(np.full((3, len(schema.conditions)), 1.5))
        assert len(events) == 3
        assert (events.mask is None) == (name == "rich")
    with pytest.raises(FacsimError, match=r"'rich' makes table events .* sample it in Python"):
        facsim.sample("rich", out=tmp_path / "a.h5", repository=root, reporter=Silent())
    image = regular_image("toy", (-3.0, 3.0, 12), (-2.5, 2.5, 10), units=("rad", ""))
    teacher = {"name": "autoencoder", "widths": [2], "strides": [3], "latent": 2}
    small = {"teacher": teacher, "network": {"name": "dense"}, "input": "regional", "regions": (2, 2)}
    student = build_model("student", Schema("grid", (Feature("e", "GeV"),), (), image), {**small, "outliers": "none"})
    assert isinstance(student, Predictor)
    put(root, "oddness", "student", student.eval(), tmp_path / "oddness")
    assert facsim.verify_model("oddness", root)["passed"]
    with pytest.raises(FacsimError, match="is a predictor, which makes no events"):
        facsim.load("oddness", repository=root)
    listed = {row["name"]: row["events"] for row in facsim.list_models(root)["models"]}
    assert listed == {
        "rich": "columns a, b",
        "jets": "up to 6 points: a, b, c",
        "oddness": "scores of grid events: score",
    }
    assert "oddness@1.0.0" in call("models", "list", "--repository", root).stdout
    assert "facsim models triton oddness@1.0.0" in call("models", "show", "oddness", "--repository", root).stdout


PLUGIN = '''
from pathlib import Path

import torch
from pydantic import BaseModel

from facsim.models.base import EventModel, NoiseSpec

Path(__file__).with_suffix(".ran").touch()


class Nothing(BaseModel):
    """No options."""


class Shift(EventModel):
    """Noise about a mean."""

    Options = Nothing

    def __init__(self, schema, options):
        super().__init__(schema, options)
        self.mean = torch.nn.Parameter(torch.ones(len(schema.features)))

    def losses(self, batch, phase, generator=None):
        return {"mse": ((batch.x - self.mean) ** 2).mean()}

    def noise_spec(self, n):
        return {"z": NoiseSpec((n, len(self.mean)))}

    def sample(self, cond, noise):
        return self.mean + noise["z"] + 0 * cond.sum(1, keepdim=True)


MODELS = {"shift": Shift}
'''


def test_a_plug_in_is_named_and_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "_from_files", {})
    path, root = tmp_path / "shift.py", tmp_path / "models"
    path.write_text(PLUGIN)
    facsim.load_plugin(path)
    model = build_model("shift", Schema("table", (Feature("a"),), (Feature("p", "MeV"),)), {})
    assert isinstance(model, EventModel)
    put(root, "shifted", "shift", model, tmp_path / "scratch")
    manifest = json.loads((root / "shifted/1.0.0/manifest.json").read_text())
    assert manifest["plugin"] == {"file": "shift.py", "sha256": sha256(path)}
    assert "shift.py" not in manifest["files"]
    monkeypatch.setattr(plugins, "_from_files", {})
    path.with_suffix(".ran").unlink()
    with pytest.raises(FacsimError, match=r"'shift' that the file 'shift.py' with the SHA-256 .*, which is not loaded"):
        facsim.load("shifted", repository=root)
    done = call("models", "verify", "shifted", "--repository", root)
    assert done.exit_code == 1
    assert "look through that code and load it yourself" in done.stdout
    assert not path.with_suffix(".ran").exists()
    assert call("models", "verify", "shifted", "--repository", root, "--plugin", path).exit_code == 0
    assert facsim.load("shifted", repository=root).events([1.5]).x.shape == (1, 1)
    monkeypatch.setattr(plugins, "_from_files", {})
    path.write_text(PLUGIN + "\n# another\n")
    facsim.load_plugin(path)
    with pytest.raises(FacsimError, match="and what is loaded has"):
        facsim.load("shifted", repository=root)


def test_examples_of_the_page_run() -> None:
    page = Path(__file__).parents[2] / "docs" / "model-repository.md"
    names: dict[str, Any] = {}
    for example in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(example, str(page), "exec"), names)
    assert names["events"].cells.shape == (5, 6480)


def test_every_verb_has_help_with_an_example() -> None:
    listed = call("models", "--help").stdout
    for verb in ("list", "show", "verify", "save", "fetch", "triton"):
        told_by = call("models", verb, "--help")
        assert told_by.exit_code == 0
        assert f"Example: facsim models {verb} " in " ".join(told_by.stdout.split())
        assert "--json" in told_by.stdout
        assert f"  {verb} " in listed
    assert "..." not in listed.partition("Commands:")[2]
