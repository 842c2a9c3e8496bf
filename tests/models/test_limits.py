"""Descriptions of trained models that nobody should have written."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import facsim
from facsim.core.errors import FacsimError
from facsim.core.geometry import regular_cylinder
from facsim.core.schema import Feature, Schema, calorimeter_schema
from facsim.models.checkpoint import build_model, load_model, load_predictor, load_trained, save_model
from facsim.models.limits import BuildLimit
from facsim.models.shipped import shipped_folder

SCHEMA = Schema("table", (Feature("a"), Feature("b")), (Feature("p", "MeV"),))
GAN = {"name": "gan", "network": {"name": "residual-mlp", "width": 8, "depth": 1}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model = build_model("single-stage", SCHEMA, {"method": GAN})
    save_model(model, "single-stage", tmp_path / "model")
    return tmp_path / "model"


def changed(folder: Path, *keys: Any, value: Any) -> None:
    """Put `value` at the place `keys` of the description."""
    description = json.loads((folder / "model.json").read_text())
    part = description
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    (folder / "model.json").write_text(json.dumps(description))


@pytest.mark.parametrize(("key", "value"), [("width", 10**5), ("width", 10**9), ("depth", 10**8)])
def test_a_model_far_larger_than_its_weights_is_not_built(folder: Path, key: str, value: int) -> None:
    assert load_model(folder)
    changed(folder, "options", "method", "network", key, value=value)
    with pytest.raises(FacsimError, match=r"far larger than its weights|model.options"):
        load_model(folder)


def test_views_do_not_hide_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FacsimError, match="far larger"), BuildLimit("x", 10):
        torch.zeros(1).expand(1 << 40).clone()
    with pytest.raises(FacsimError, match="far larger"), BuildLimit("x", 10):
        torch.zeros(1000).repeat(1 << 30)
    with pytest.raises(FacsimError, match="far larger"), BuildLimit("x", 10):
        torch.eye(1 << 20)
    with BuildLimit("x", 10):
        assert len(torch.arange(100_000)) == 100_000
    with BuildLimit("x", 10):  # what is only given another shape, as masks of patches of images are
        assert torch.zeros(128, 128).view(8, 16, 8, 16).reshape(128, 128).shape == (128, 128)
    monkeypatch.setattr("facsim.models.limits.MOST_ARRAYS", 10)
    with pytest.raises(FacsimError, match="far larger"), BuildLimit("x", 10):
        torch.nn.Sequential(*(torch.nn.Linear(1, 1) for _ in range(10)))


@pytest.mark.parametrize(
    ("keys", "value", "words"),
    [
        (["schema", "points"], 10**9, "1000000000 points"),
        (["schema", "points"], "x", "none"),
        (["schema", "features"], 3, "none"),
        (["schema", "features"], [["a", "b", "c", "d"]], "none"),
        (["schema", "geometry"], {"name": "x"}, "."),
        (["schema", "representation"], [], "."),
        (["schema"], [], "does not describe a model"),
        (["options"], None, "does not describe a model"),
        (["model"], {"x": 1}, "does not describe a model"),
        (["model"], "os.system", "unknown model 'os.system'"),
    ],
)
def test_schemas_that_are_none(folder: Path, keys: list[str], value: Any, words: str) -> None:
    changed(folder, *keys, value=value)
    with pytest.raises(FacsimError, match=words):
        load_trained(folder)


def test_a_geometry_of_absurd_size_is_not_made(tmp_path: Path) -> None:
    target = tmp_path / "big"
    target.mkdir()
    for path in shipped_folder("par04").iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    description = json.loads((target / "model.json").read_text())
    key = next(key for key in description["schema"]["geometry"]["layers"][0] if "alpha" in key)
    changed(target, "schema", "geometry", "layers", 0, key, value=10**12)
    with pytest.raises(FacsimError, match="cells, which is more than facsim takes"):
        load_model(target)


def test_no_other_folder_is_opened(tmp_path: Path) -> None:
    """A student's teacher can be given by its folder for training, and never in what was trained."""
    from facsim.core.image import regular_image  # noqa: PLC0415

    image = regular_image("toy", (-3.0, 3.0, 12), (-2.5, 2.5, 10), units=("rad", ""))
    schema = Schema("grid", (Feature("e", "GeV"),), (), image)
    options = {"teacher": {"name": "autoencoder", "widths": [2], "strides": [3], "latent": 2}, "outliers": "none"}
    model = build_model(
        "student", schema, {**options, "network": {"name": "dense"}, "input": "regional", "regions": (2, 2)}
    )
    save_model(model, "student", tmp_path / "student")
    assert load_predictor(tmp_path / "student")
    changed(tmp_path / "student", "options", "teacher", value={"name": "trained", "folder": "/etc"})
    with pytest.raises(FacsimError, match="made from the folder '/etc', which facsim does not write and does not open"):
        load_predictor(tmp_path / "student")


def test_weights_that_lie_are_refused_before_they_are_read(folder: Path) -> None:
    weights = folder / "weights.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-4])
    with pytest.raises(FacsimError, match="is no sound safetensors file"):
        load_model(folder)
    weights.write_bytes(b"\x80\x04cos\nsystem\n(S'true'\ntR.")  # a pickle
    with pytest.raises(FacsimError, match="is no sound safetensors file"):
        load_model(folder)
    save_file({"other": torch.zeros(3)}, weights)
    with pytest.raises(FacsimError, match="cannot be loaded"):
        load_model(folder)


def test_candidates_of_a_model_that_was_trained_without_are_told(tmp_path: Path) -> None:
    schema = calorimeter_schema(regular_cylinder("toy", "electron", 3, 4, 2, 1.0, 0.1))
    save_model(build_model("two-stage", schema, {}), "two-stage", tmp_path / "model")
    assert load_trained(tmp_path / "model").options.candidates is None
    with pytest.raises(FacsimError, match="was trained without what candidates = 4 needs: leave that out"):
        load_trained(tmp_path / "model", candidates=4)


def test_a_card_of_a_newer_facsim_is_told(tmp_path: Path) -> None:
    run = tmp_path / "run"
    save_model(build_model("single-stage", SCHEMA, {"method": GAN}), "single-stage", run / "models" / "surrogate")
    (run / "card.json").write_text('{"format": "facsim-card-2"}')
    with pytest.raises(FacsimError, match="upgrade facsim"):
        facsim.load(run)
    (run / "card.json").write_text('{"format": "facsim-card-1", "domain": {"format": "facsim-domain-1"}}')
    with pytest.raises(FacsimError, match="the training domain in the card of the run 'run' is none"):
        facsim.load(run)


def test_loading_a_model_does_not_import_the_compiler(folder: Path) -> None:
    load = "from facsim.models.checkpoint import load_model; load_model(Path(sys.argv[1]))"
    code = f"import sys; from pathlib import Path; {load}; print('torch._dynamo' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
