"""The configuration: typos are named with their path, later parts win, what is saved reads back."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from facsim.config import RECIPES, load_config, recipe, save_config
from facsim.core.errors import FacsimError
from facsim.pipeline.compare_plan import make_plan
from facsim.pipeline.contenders import LoadOptions
from facsim.run import Silent

MINIMAL = {"simulate": {"detector": "pbwo4", "energy": 10, "events": 100}}


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_valid_and_has_a_smoke_section(name: str) -> None:
    path = recipe(name)
    full, small = load_config(path), load_config(path, smoke=True)
    assert full.simulate is not None
    assert small.simulate is not None
    assert small.simulate.events < full.simulate.events


def test_recipes_of_one_name_can_be_compared() -> None:
    folder = recipe("calorimeter").parent
    plan = make_plan(
        {path.stem: path for path in sorted(folder.glob("calo-*.yaml"))} | {"again": recipe("calorimeter")},
        LoadOptions(),
        out=Path("out"),
        truth=None,
        reporter=Silent(),
    )
    assert plan.base.config.simulate == load_config(recipe("calorimeter")).simulate


def test_every_file_of_recipes_is_listed() -> None:
    files = {path.name for path in recipe("calorimeter").parent.glob("*.yaml")}
    assert files == {file for file, _ in RECIPES.values()}


def test_unknown_task_is_refused() -> None:
    with pytest.raises(FacsimError, match="unknown task 'tracker'"):
        recipe("tracker")


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("trian.lr=1", "unknown key 'trian' in the configuration: did you mean 'train'?"),
        ("train.btach_size=8", "unknown key 'train.btach_size' in the configuration: did you mean 'train.batch_size'?"),
        ("simulate.energi=3", "unknown key 'simulate.energi' in the configuration: did you mean 'simulate.energy'?"),
        ("prepare.zzz=1", "unknown key 'prepare.zzz' in the configuration."),
        ("model.stepps=3", "unknown key 'model.stepps' in the configuration: did you mean 'model.steps'?"),
        (
            "model.name=two-stge",
            "'two-stge' at 'model.name' in the configuration: did you mean 'two-stage'?",
        ),
        ("baselines=[gflahs]", "unknown name 'gflahs' at 'baselines.0' in the configuration: did you mean 'gflash'?"),
        ("simulate.detector=pbwo5", "unknown detector 'pbwo5': did you mean 'pbwo4'?"),
        ("train.lr=-1", "'train.lr' in the configuration: input should be greater than 0, not -1."),
        ("train.lr=fast", "'train.lr' in the configuration: input should be a valid number"),
        ("train=3", "'train' in the configuration: input should be a mapping of keys to values, not 3."),
        (
            "timing.batches=[1, 0]",
            "'timing.batches.1' in the configuration: input should be greater",
        ),
        ("model.steps=-1", "'model.steps' in the configuration: input should be greater than or equal to 0, not -1."),
        ("baselines=[gflash, gflash]", "each baseline may be named once"),
        ("data.files=[a.h5]", "give either 'simulate' (a truth simulation) or 'data' (your own files), and not both"),
        ("data.run=a", "give either 'simulate' (a truth simulation) or 'data' (your own files), and not both"),
        ("data={}", "give either 'files' (your own) or 'run' (a directory whose truth to use), and not both"),
        ("data={run: a, files: [b]}", "give either 'files' (your own) or 'run'"),
        ("data={run: a, mapping: m.yaml}", "'geometry' and 'conditions' describe 'files'; with 'run' leave them out"),
        ("simulate=null", "give either 'simulate' (a truth simulation) or 'data' (your own files), and not both"),
        ("train.lr", "--set expects key.path=value"),
        ("train..lr=1", "--set expects key.path=value"),
        ("train.lr=[1", "is not valid YAML"),
    ],
)
def test_each_mistake_gives_one_sentence_with_the_path(override: str, sentence: str) -> None:
    with pytest.raises(FacsimError) as caught:
        load_config(MINIMAL, [override])
    message = str(caught.value)
    assert sentence in message
    assert "\n" not in message


def test_options_of_a_baseline_are_checked() -> None:
    with pytest.raises(FacsimError, match=r"unknown key 'baselines\.0\.nearst' .* did you mean"):
        load_config({**MINIMAL, "baselines": [{"name": "library", "nearst": 3}]})


def test_later_parts_win(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    tree = {**MINIMAL, "seed": 1, "train": {"lr": 0.1}, "smoke": {"seed": 2, "train": {"lr": 0.2, "batch_size": 7}}}
    path.write_text(yaml.safe_dump(tree))
    plain, small = load_config(path), load_config(path, smoke=True)
    assert (plain.seed, plain.train.lr) == (1, 0.1)
    assert (small.seed, small.train.lr, small.train.batch_size) == (2, 0.2, 7)
    both = load_config(path, ["train.lr=0.3", "seed=3"], smoke=True)
    assert (both.seed, both.train.lr, both.train.batch_size) == (3, 0.3, 7)
    assert load_config(path, ["seed=3"], smoke=True, seed=4).seed == 4


def test_smoke_without_a_section_is_refused() -> None:
    with pytest.raises(FacsimError, match="no 'smoke' section"):
        load_config(MINIMAL, smoke=True)


def test_saved_configuration_reads_back_equal_and_complete(tmp_path: Path) -> None:
    config = load_config(MINIMAL, ["model.steps=2", "baselines=[gflash, {name: library, nearest: 5}]"])
    save_config(config, tmp_path / "config.yaml")
    assert load_config(tmp_path / "config.yaml") == config
    assert set(yaml.safe_load((tmp_path / "config.yaml").read_text())) == set(type(config).model_fields)


def test_files_lie_relative_to_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "run.yaml"
    path.parent.mkdir()
    (path.parent / "map.yaml").write_text("")
    path.write_text("data: {files: [a.h5, /b.h5], mapping: map.yaml, geometry: ds2-electrons}")
    data = load_config(path).data
    assert data is not None
    assert data.files == [str(path.parent / "a.h5"), "/b.h5"]
    assert data.mapping == str(path.parent / "map.yaml")
    assert data.geometry == "ds2-electrons"


def test_the_run_whose_truth_is_used_lies_relative_to_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("data: {run: ../first}\nmodel: null")
    config = load_config(tmp_path / "run.yaml")
    assert config.data is not None
    assert Path(config.data.run or "").resolve() == tmp_path.parent / "first"
    with pytest.raises(FacsimError, match="no surrogate: its configuration says 'model: null'"):
        _ = config.surrogate


def test_override_paths_start_at_the_working_directory(in_tmp: Path) -> None:
    config = load_config({"data": {"files": ["x.h5"]}}, ["data.files=[y.h5]"])
    assert config.data is not None
    assert config.data.files == [str(in_tmp / "y.h5")]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("train: {lr: 1", "is not valid YAML"),
        ("- 1\n- 2", "should hold keys and values, and holds a list"),
        ("", "should hold keys and values, and holds nothing"),
        ("seed: 1\nseed: 2", "the key 'seed' is given twice"),
        ("\x00", "is not valid YAML"),
    ],
)
def test_unreadable_yaml_is_told(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(FacsimError) as caught:
        load_config(path)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(FacsimError, match="cannot read the configuration"):
        load_config(tmp_path / "none.yaml")


def test_the_model_to_start_from_lies_relative_to_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    for start, found in (("first", str(tmp_path / "first")), ("par04", "par04")):
        (tmp_path / "c.yaml").write_text(f"data: {{files: [a.h5]}}\ntrain: {{start: {start}}}\n")
        assert load_config(tmp_path / "c.yaml").train.start == found


@pytest.mark.parametrize(
    "override", ["train.steps=abc", "model.pattern={name: gna}", "model.pattern={name: gan, loss: x}"]
)
def test_sentences_end_once_and_name_no_types(override: str) -> None:
    with pytest.raises(FacsimError) as caught:
        load_config(MINIMAL, [override])
    assert not [part for part in ("..", "?.", "dict[") if part in str(caught.value)]


def test_paths_are_the_same_from_wherever_they_are_given(in_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (in_tmp / "c.yaml").write_text("data: {run: truth}")
    (in_tmp / "below").mkdir()
    here = load_config("c.yaml")
    monkeypatch.chdir(in_tmp / "below")
    assert load_config("../c.yaml") == here
