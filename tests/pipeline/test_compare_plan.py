"""What a comparison is made of, and what it refuses before anything is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from facsim.config import load_config
from facsim.core.errors import FacsimError
from facsim.pipeline import find_stages, run_stage, stages_of
from facsim.pipeline.compare_plan import Plan, make_plan
from facsim.pipeline.contenders import LoadOptions, difference
from facsim.pipeline.prepare import prepare
from facsim.pipeline.truth import open_splits, truth_files
from facsim.run import Run, Silent
from facsim.simulate.sample import sample_path

OWN: dict[str, Any] = {"data": {"files": [str(sample_path())]}, "prepare": {"test": 60}, "baselines": ["gflash"]}


def _plan(sources: Any, out: Path = Path("out"), *, truth: Any = None, **options: Any) -> Plan:
    return make_plan(sources, LoadOptions(**options), out=out, truth=truth, reporter=Silent())


def _refused(sources: Any, **options: Any) -> str:
    with pytest.raises(FacsimError) as caught:
        _plan(sources, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_runs_share_a_truth_without_a_model_and_have_no_baselines_of_their_own() -> None:
    plan = _plan({"a": OWN, "b": {**OWN, "baselines": ["library", "gflash"], "train": {"steps": 7}}})
    base = plan.base.config
    assert (plan.base.dir, plan.made, plan.trained) == (Path("out/truth"), True, ("a", "b"))
    assert (base.model, base.export, [b.name for b in base.baselines]) == (None, None, ["gflash", "library"])
    assert list(stages_of(base)) == ["prepare", "sample", "evaluate", "timing", "report"]
    for name, run in plan.runs.items():
        assert run.dir == Path("out") / name
        assert run.config.data is not None
        assert run.config.data.run == str(Path("out/truth").absolute())
        assert run.config.baselines == []
    assert plan.runs["b"].config.train.steps == 7


def test_options_apply_to_all() -> None:
    smoke = {"smoke": {"train": {"steps": 2}}}
    plan = _plan({"a": {**OWN, **smoke}, "b": {**OWN, **smoke}}, overrides=("prepare.test=55",), seed=9, smoke=True)
    assert {run.config.train.steps for run in plan.runs.values()} == {2}
    assert (plan.base.config.prepare.test, plan.base.config.seed) == (55, 9)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"seed": 2}, "in seed (2 against 1)"),
        ({"prepare": {"test": 61}}, "in prepare.test (61 against 60)"),
        ({"evaluate": {"energy_bins": 2}}, "in evaluate.energy_bins (2 against 4)"),
        ({"timing": {"batches": [3]}}, "in timing.batches ([3] against [1, 10, 100, 1000])"),
        ({"data": {"files": ["other.h5"]}}, "in data.files"),
        ({"data": None, "simulate": {"detector": "pbwo4", "energy": 1, "events": 300}}, "in simulate ("),
        ({"baselines": [{"name": "gflash", "nonsense": 1}]}, "unknown key 'baselines.0.nonsense'"),
    ],
)
def test_what_does_not_match_is_refused_with_the_first_difference(change: dict[str, Any], told: str) -> None:
    message = _refused({"a": OWN, "b": {**OWN, **change}})
    assert told in message
    assert "unknown key" in told or ("--set" in message and "--truth" in message)


def test_how_a_simulation_is_shared_out_may_differ() -> None:
    simulate = {"detector": "pbwo4", "energy": 1, "events": 300}
    common = {"baselines": []}
    plan = _plan({"a": {**common, "simulate": simulate}, "b": {**common, "simulate": {**simulate, "workers": 1}}})
    assert plan.base.config.simulate is not None
    assert all(run.config.simulate is None for run in plan.runs.values())


def test_truth_of_one_configuration_counts_for_all() -> None:
    simulate = {"detector": "pbwo4", "energy": 1, "events": 300}
    plan = _plan({"a": OWN, "b": {**OWN, "seed": 4}}, truth={"simulate": simulate, "baselines": ["bootstrap"]})
    assert plan.base.config.simulate is not None
    assert [b.name for b in plan.base.config.baselines] == ["bootstrap"]
    assert {run.config.seed for run in plan.runs.values()} == {1}


def test_baselines_of_one_name_must_be_alike() -> None:
    other = {**OWN, "baselines": [{"name": "library", "nearest": 3}]}
    assert "differ in the options of the baseline 'library'" in _refused(
        {"a": {**OWN, "baselines": ["library"]}, "b": other}
    )


def test_names_come_from_files_and_may_not_meet(in_tmp: Path) -> None:
    for name in ("x/a", "y/a", "x/gflash", "x/nothing"):
        (in_tmp / name).parent.mkdir(exist_ok=True)
        (in_tmp / f"{name}.yaml").write_text(yaml.safe_dump(OWN))
    assert list(_plan(["x/a.yaml", "y/a.yaml"]).runs) == ["x-a", "y-a"]
    assert "'gflash' is taken" in _refused(["x/a.yaml", "x/gflash.yaml"])
    assert "'x-a' is taken" in _refused(["x/a.yaml", "x/a.yaml"])
    assert "at least two runs" in _refused(["x/a.yaml"])
    (in_tmp / "x/nothing.yaml").write_text("model: null\n" + yaml.safe_dump(OWN))
    assert "no surrogate" in _refused(["x/a.yaml", "x/nothing.yaml"])
    (in_tmp / "x/nothing.yaml").write_text("model: {name: two-stage")
    assert "is not valid YAML" in _refused(["x/a.yaml", "x/nothing.yaml"])
    (in_tmp / "x/nothing.yaml").write_text("modle: {}")
    assert "unknown key 'modle'" in _refused(["x/a.yaml", "x/nothing.yaml"])
    assert "not a run directory yet" in _refused(["x/a.yaml", "y"])
    assert sorted(path.name for path in in_tmp.iterdir()) == ["x", "y"]


def test_directories_need_scores_and_take_no_options(in_tmp: Path) -> None:
    for name in ("a", "b"):
        Run(in_tmp / name, load_config(OWN)).save(["test"])
    assert "holds no scores of a surrogate" in _refused(["a", "b"])
    for name in ("a", "b"):
        (in_tmp / name / "scores").mkdir()
        (in_tmp / name / "scores/surrogate.json").write_text("{}")
    assert "all runs given are directories" in _refused(["a", "b"], seed=3)
    assert "is a run directory: choose another --out" in _refused(["a", "b"], out=in_tmp / "a")


def test_a_recipe_can_be_named(in_tmp: Path) -> None:
    plan = _plan({"a": "calorimeter", "b": "calorimeter"}, overrides=("simulate.events=300",))
    assert plan.base.config.simulate is not None
    assert plan.base.config.simulate.events == 300


def test_another_runs_truth_and_splits_are_used(tmp_path: Path) -> None:
    first = Run(tmp_path / "first", load_config({**OWN, "seed": 3}))
    second = Run(tmp_path / "second", load_config({"data": {"run": str(first.dir)}, "seed": 4, "model": None}))
    first.save(["test"])
    with pytest.raises(FacsimError, match="there 'prepare' has to run: it has not run yet"):
        prepare(second)
    run_stage(stages_of(first.config)["prepare"], first)
    run_stage(stages_of(second.config)["prepare"], second)
    found = [json.loads(run.data.read_text()) for run in (first, second)]
    assert found[0]["splits"] == found[1]["splits"]
    assert truth_files(second) == truth_files(first) == [sample_path()]
    assert {name: len(part) for name, part in open_splits(second).items()} == found[0]["sizes"]
    first.data.write_text(json.dumps({**found[0], "events": 1}))
    with pytest.raises(FacsimError, match=r"'prepare' has to run: 'data\.json' is missing or was changed"):
        prepare(second)


def test_truth_is_not_taken_at_second_hand(tmp_path: Path) -> None:
    for name, data in (("b", {"files": [str(sample_path())]}), ("c", {"run": str(tmp_path / "b")})):
        Run(tmp_path / name, load_config({"data": data})).save(["test"])
    third = Run(tmp_path / "d", load_config({"data": {"run": str(tmp_path / "c")}}))
    with pytest.raises(FacsimError, match=rf"no truth of its own: name '{tmp_path}/b' as 'data\.run'"):
        truth_files(third)


def test_a_run_without_a_model_has_nothing_to_train() -> None:
    with pytest.raises(FacsimError, match="nothing to train: its configuration says 'model: null'"):
        find_stages(load_config({**OWN, "model": None}), "train")


def test_the_first_difference_is_found() -> None:
    assert difference({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}) == ("a.c", 2, 3)
    assert difference({"a": 1}, {"b": 1}) == ("a", 1, None)
    assert difference({"a": [1]}, {"a": [1]}) is None
