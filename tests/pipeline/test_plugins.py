"""Models and baselines of one's own: from a plug-in file, a class given in Python, an installed package."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel
from torch import Tensor, nn

import facsim
from facsim.config import load_config
from facsim.core import plugins
from facsim.core.errors import FacsimError
from facsim.data import open_events
from facsim.models import MODELS, EventModel, find_model
from facsim.models.base import Batch, NoiseSpec
from facsim.pipeline.truth import read_data
from facsim.run import Run
from facsim.simulate.baselines import find_baseline
from facsim.simulate.sample import sample_path
from facsim.stamps import read_stamp

PLUGIN = '''
from typing import ClassVar

import numpy as np
import torch
from pydantic import BaseModel
from torch import nn

from facsim.models.base import EventModel, NoiseSpec
from facsim.simulate.baseline import Baseline, Sampled


class Options(BaseModel):
    width: int = 4


class MeanShower(EventModel):
    """Every shower the same: the fitted mean share of each cell times the energy."""

    Options = Options

    def __init__(self, schema, options):
        super().__init__(schema, options)
        self.share = nn.Parameter(torch.zeros(schema.geometry.n_cells))

    def losses(self, batch, phase, generator=None):
        return {"mse": ((batch.x[..., 0] / batch.cond - self.share) ** 2).mean()}

    def noise_spec(self, n):
        return {"unused": NoiseSpec((n, 1))}

    def sample(self, cond, noise):
        return (self.share.abs() * cond + 0 * noise["unused"])[..., None]


class Empty(Baseline):
    name: ClassVar[str] = "empty"
    resamples_truth: ClassVar[bool] = False
    memory_bytes = 0

    def _fit(self, train, seed):
        self.cells = train.schema.geometry.n_cells

    def sample(self, cond, rng):
        return Sampled(np.zeros((len(cond), self.cells, 1), np.float32))


MODELS = {"mean-shower": MeanShower}
BASELINES = {"empty": Empty}
'''


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test starts with no class from outside."""
    monkeypatch.setattr(plugins, "_from_files", {})
    monkeypatch.setattr(plugins, "_given", {})


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "mine.py").write_text(PLUGIN)
    return {
        "plugins": [str(tmp_path / "mine.py")],
        "data": {"files": [str(sample_path())]},
        "model": {"name": "mean-shower", "width": 8},
        "train": {"steps": 2, "batch_size": 16},
        "baselines": ["empty", "bootstrap"],
        "sample": {"steps": []},
        "timing": {"batches": [2], "threads": [1], "repeats": 1, "seconds": 0},
    }


def test_plugin_file_is_trained_sampled_and_timed(config: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / "run"
    for verb in (facsim.prepare, facsim.train, facsim.sample):
        verb(config, out=out)
    showers = open_events(out / "samples" / "empty.h5")
    n = read_data(Run(out, load_config(config)))["sizes"]["null"]
    assert len(showers) == n
    assert not showers.read(0, n).x.any()
    assert open_events(out / "samples" / "surrogate.h5").read(0, 1).x.shape == (1, 6480, 1)
    command = [sys.executable, "-m", "facsim", "sample", "--out", str(out)]
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "up to date" in again.stderr  # the saved configuration finds the plug-in in another process


def test_changed_plugin_file_trains_again(config: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / "run"
    facsim.prepare(config, out=out)
    facsim.train(config, out=out)
    before = read_stamp(out / "stamps" / "train.json")
    path = tmp_path / "mine.py"
    changed = PLUGIN.replace("width: int = 4", "width: int = 5")
    path.write_text(changed)  # in the same second and of the same size
    assert not facsim.train(config, out=out).stages[0].skipped
    assert facsim.train(config, out=out).stages[0].skipped
    assert read_stamp(out / "stamps" / "train.json") != before
    assert find_model("mean-shower").Options().width == 5


class Given(EventModel):
    """A class that only this process knows."""

    class Options(BaseModel):
        """None."""

    def __init__(self, schema: Any, options: Any) -> None:
        super().__init__(schema, options)
        self.layer = nn.Linear(1, 6480)

    def losses(self, batch: Batch, phase: str, generator: Any = None) -> dict[str, Tensor]:
        return {"mse": ((self.layer(batch.cond / 1e4) - batch.x[..., 0]) ** 2).mean()}

    def noise_spec(self, n: int) -> dict[str, NoiseSpec]:
        return {"noise": NoiseSpec((n, 1))}

    def sample(self, cond: Tensor, noise: Any) -> Tensor:
        return self.layer(cond / 1e4 + noise["noise"]).clamp(min=0)[..., None]


def test_class_given_in_python_does_all_stages(config: dict[str, Any], tmp_path: Path) -> None:
    config = {**config, "plugins": [], "model": "two-stage", "baselines": ["bootstrap"]}
    config["evaluate"] = {"energy_bins": 1}
    done = facsim.run(config, out=tmp_path / "run", model=Given)
    assert done.report is not None
    assert open_events(tmp_path / "run" / "samples" / "surrogate.h5").schema.provenance["generator"] == "surrogate"
    with pytest.raises(FacsimError, match="expected a class"):
        facsim.run(config, out=tmp_path / "run", model=3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot read the plug-in .*mine.py': No such file"),
        ("import nowhere", "mine.py' cannot be loaded: ModuleNotFoundError: No module named 'nowhere'"),
        ("x = 1", "mine.py' offers nothing: expected a dictionary MODELS or BASELINES"),
        ("MODELS = {'mean-shower': dict}", "the model 'mean-shower' must be a subclass of facsim.models.EventModel"),
        ("MODELS = {'other': dict}", "unknown name 'mean-shower' at 'model.name'"),
        ("MODELS = {3: dict}", "offers nothing"),
        ("MODELS = {'timing': dict}", r"uses the name 'timing': expected letters, .* and none of"),
        ("MODELS = {'../x': dict}", r"uses the name '\.\./x'"),
        ("raise ValueError('a\\nb')", r"cannot be loaded: ValueError: a b in line 1\.$"),
        ("\nraise SystemExit(3)", r"cannot be loaded: SystemExit: 3 in line 2\.$"),
        (PLUGIN.replace("    def noise_spec", "    def other"), r"'mean-shower' must define \['noise_spec'\]"),
        (PLUGIN.replace("    Options = Options\n", "    Options = dict\n"), "needs a class 'Options'"),
        (PLUGIN.replace("    resamples_truth: ClassVar[bool] = False\n", ""), r"must define \['resamples_truth'\]"),
    ],
)
def test_bad_plugin_is_told(config: dict[str, Any], tmp_path: Path, content: str | None, sentence: str) -> None:
    path = tmp_path / "mine.py"
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(FacsimError, match=sentence):
        load_config(config)


def test_installed_package_offers_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("theirs", "facsim.models.two_stage:TwoStageShower", "facsim.models")
    broken = EntryPoint("broken", "facsim.models.nowhere:Model", "facsim.models")

    class Entries(list[EntryPoint]):
        names = ("theirs", "broken")

    def entry_points(group: str, name: str | None = None) -> Entries:
        assert group in ("facsim.models", "facsim.baselines")
        return Entries(e for e in (entry, broken) if e.group == group and name in (None, e.name))

    monkeypatch.setattr(plugins, "entry_points", entry_points)
    assert find_model("theirs") is MODELS["two-stage"]
    assert "theirs" in plugins.names("models", MODELS)
    with pytest.raises(FacsimError, match=r"'broken' of the package .* cannot be loaded"):
        find_model("broken")
    with pytest.raises(FacsimError, match="unknown baseline 'farthest'"):
        find_baseline("farthest")


def test_names_are_sorted_and_complete() -> None:
    assert plugins.give("models", Given) == "Given"
    assert plugins.is_given("models", "Given")
    assert not plugins.is_given("models", "two-stage")
    assert plugins.names("models", MODELS) == sorted([*MODELS, "Given"])
    assert np.all([isinstance(find_model(name), type) for name in plugins.names("models", MODELS)])


def test_name_of_facsims_own_is_refused(config: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(PLUGIN + "MODELS['two-stage'] = MeanShower\n")
    with pytest.raises(FacsimError, match=r"'two-stage' is one of facsim's own models, but .*mine.py defines it too"):
        load_config({**config, "model": "two-stage"})
    (tmp_path / "other.py").write_text(PLUGIN)
    with pytest.raises(FacsimError, match=r"'mean-shower' is defined by two plug-ins"):
        load_config({**config, "plugins": [*config["plugins"], str(tmp_path / "other.py")]})


def test_what_a_model_does_not_have_is_told_before_anything_runs(config: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(FacsimError, match=r"unknown key 'model.widht' in .*: did you mean 'model.width'"):
        load_config(config, ["model.widht=9"])
    with pytest.raises(FacsimError, match=r"train.steps must name the phases \['flow'\] of the model"):
        load_config(config, ["train.steps={layer-flow: 3}"])
    with pytest.raises(FacsimError, match=r"no option 'steps', .* --set sample.steps=\[\]"):
        load_config(config, ["sample.steps=[1]"])
    own = load_config({**config, "baselines": [{"name": "library", "nearest": "abc"}]})
    with pytest.raises(FacsimError, match="needs nearest to be a whole number"):
        facsim.prepare(own, out=tmp_path / "run")


def test_plugins_of_another_configuration_are_not_known(config: dict[str, Any]) -> None:
    load_config(config)
    with pytest.raises(FacsimError, match="unknown name 'mean-shower'"):
        load_config({**config, "plugins": [], "baselines": []})


def test_edited_class_of_the_same_name_trains_again(config: dict[str, Any], tmp_path: Path) -> None:
    plain = {**config, "plugins": [], "model": {"name": "two-stage", "steps": 4}, "baselines": []}
    out, old = tmp_path / "run", Given
    facsim.prepare(plain, out=out)
    assert not facsim.train(plain, out=out, model=old).stages[0].skipped
    assert facsim.train(plain, out=out, model=old).stages[0].skipped
    edited = type("Given", (old,), {"phases": ("flow",)})  # without source: its code cannot be compared
    assert not facsim.train(plain, out=out, model=edited).stages[0].skipped


def test_dots_and_spaces_in_the_name_of_the_file(config: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "my plug.v2.py"
    path.write_text(PLUGIN)
    load_config({**config, "plugins": [str(path)]})
    assert "." not in find_baseline("empty").__module__
