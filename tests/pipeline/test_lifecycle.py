"""The table of stages, the preparation of truth, and what is refused before a long run begins."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec as real_find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import facsim
from facsim.config import RunConfig, load_config, recipe
from facsim.core.errors import FacsimError, MissingExtraError
from facsim.pipeline import STAGES, check_extras, check_plan, find_stages, preflight, stages_of
from facsim.pipeline.prepare import prepare
from facsim.pipeline.simulate import on_shipped_sample
from facsim.pipeline.truth import open_splits
from facsim.run import Run, Silent
from facsim.show import with_error
from facsim.simulate import geant4
from facsim.simulate.sample import sample_path


def _own(**changes: Any) -> RunConfig:
    return load_config({"data": {"files": [str(sample_path())]}, **changes})


def test_stages_need_only_earlier_ones() -> None:
    names = [stage.name for stage in STAGES]
    assert all(names.index(need) < names.index(stage.name) for stage in STAGES for need in stage.needs)


def test_own_data_needs_no_simulation_and_export_can_be_left_out() -> None:
    stages = stages_of(_own(export=None))
    assert list(stages) == ["prepare", "train", "sample", "evaluate", "timing", "report"]
    assert all(need in stages for stage in stages.values() for need in stage.needs)
    assert [stage.name for stage in find_stages(_own(), "export")] == ["export", "timing"]
    with pytest.raises(FacsimError, match="nothing to simulate: it is on your own data"):
        find_stages(_own(), "simulate")
    with pytest.raises(FacsimError, match="nothing to export: its configuration says 'export: null'"):
        find_stages(_own(export=None), "export")


def test_missing_packages_are_told_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_config(recipe("calorimeter"))
    monkeypatch.setattr(geant4, "geant4_available", lambda: False)
    with pytest.raises(MissingExtraError, match=r"calzone.*facsim\[geant4\]"):
        check_extras(config, simulates=True)
    monkeypatch.setattr(preflight, "find_spec", lambda name: None if name == "onnxscript" else real_find_spec(name))
    with pytest.raises(MissingExtraError, match=r"onnxscript.*facsim\[onnx\]"):
        check_extras(config, simulates=False)
    check_extras(_own(export=None), simulates=False)


def test_splits_are_disjoint_and_complete(tmp_path: Path) -> None:
    run = Run(tmp_path, _own(prepare={"validation": 0.1, "test": 75}))
    prepare(run)
    data = json.loads(run.data.read_text())
    assert data["sizes"] == {"train": 210, "validation": 40, "reference": 75, "null": 75}
    splits = open_splits(run)
    ids = np.concatenate([source.read(0, len(source)).event_id for source in splits.values()])
    assert sorted(ids) == list(range(400))


def test_demo_without_geant4_runs_on_the_shipped_showers(tmp_path: Path) -> None:
    for smoke in (False, True):
        run = Run(tmp_path, on_shipped_sample(load_config(recipe("calorimeter"), smoke=smoke)))
        prepare(run)
        assert json.loads(run.data.read_text())["events"] == 400


def test_too_few_events_for_the_splits_are_told(tmp_path: Path) -> None:
    with pytest.raises(FacsimError, match="400 events are too few for the splits"):
        prepare(Run(tmp_path, _own(prepare={"test": 190})))


def test_what_cannot_be_judged_is_told_before_geant4_runs() -> None:
    simulate: dict[str, Any] = {"detector": "pbwo4", "energy": 10, "events": 300}
    with pytest.raises(FacsimError, match=r"of 300 events 30 would go to each .* need at least 50"):
        check_plan(load_config({"simulate": simulate, "prepare": {"test": 0.1}}))
    with pytest.raises(FacsimError, match="300 events are too few for the splits"):
        check_plan(load_config({"simulate": simulate, "prepare": {"test": 150}}))
    pions = load_config({"simulate": {**simulate, "particle": "pi+"}, "baselines": ["gflash", "library", "bootstrap"]})
    with pytest.raises(FacsimError, match=r"not pion showers; to leave it out: --set baselines=\[library,bootstrap\]"):
        check_plan(pions)
    mixed = load_config({"simulate": {**simulate, "particle": ["e-", "gamma"]}, "baselines": ["gflash"]})
    with pytest.raises(FacsimError, match="not mixed showers"):
        check_plan(mixed)
    for detector in ("pbwo4", "pb-lar", "fe-scint"):
        check_plan(load_config({"simulate": {**simulate, "detector": detector}, "baselines": ["gflash", "library"]}))


def test_truth_that_grew_since_it_was_prepared_is_refused(tmp_path: Path) -> None:
    run = Run(tmp_path, _own())
    prepare(run)
    again = shutil.copy(sample_path(), tmp_path / "again.h5")
    twice = Run(tmp_path, _own(data={"files": [str(sample_path()), str(again)]}))
    with pytest.raises(FacsimError, match=r"800 events, but 400 when it was prepared.*facsim prepare"):
        open_splits(twice)


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.98891, 0.0103, "0.989(10)"),
        (-0.0002, 0.0074, "-0.0002(74)"),
        (339.4, 29.2, "339(29)"),
        (0.5, 0.0, "0.5"),
        (None, None, ""),
        (4.4e6, 3e6, "4.4e+06(3e+06)"),
        (1.0, 0.0999, "1.00(10)"),
    ],
)
def test_errors_count_in_the_last_digits(value: float | None, error: float | None, text: str) -> None:
    assert with_error(value, error) == text


@pytest.mark.parametrize("train", [{"start": "nothing"}, {"device": "tpu"}])
def test_training_that_cannot_begin_is_told_before_the_run(tmp_path: Path, train: dict[str, Any]) -> None:
    config = {"data": {"files": [str(sample_path())]}, "train": train}
    with pytest.raises(FacsimError, match=r"train\.(start|device)"):
        facsim.run(config, out=tmp_path / "run", reporter=Silent())
    assert not (tmp_path / "run" / "data.json").exists()


def test_files_of_others_are_not_removed(tmp_path: Path) -> None:
    mine = tmp_path / "work" / "samples" / "mine.h5"
    mine.parent.mkdir(parents=True)
    mine.write_text("months of work")
    with pytest.raises(FacsimError, match=r"is no run directory, and files in .*samples' would be removed"):
        facsim.prepare({"data": {"files": [str(sample_path())]}}, out=tmp_path / "work", reporter=Silent())
    assert mine.exists()
