"""Farms of other things than showers: surrogates of runs, and truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import facsim
from facsim.core.errors import FacsimError
from facsim.pipeline.farm import How
from facsim.report.histograms import read_uhi
from facsim.run import Silent

from .hdf5 import arrays_of


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of RICH tracks with a barely trained surrogate and weights."""
    out = tmp_path_factory.mktemp("run") / "rich"
    overrides = ["train.steps=2", "simulate.background=0.3", "simulate.chunk=1000", "train.batch_size=100"]
    options: dict[str, Any] = {"out": out, "overrides": overrides, "smoke": True, "reporter": Silent()}
    for stage in (facsim.simulate, facsim.prepare, facsim.train):
        stage("rich", **options)
    return out


def test_the_surrogate_of_a_run_at_the_conditions_of_its_truth(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "tracks"
    found = facsim.farm_sample(run, events=2500, shard=700, batch=300, out=out, how=How(workers=2), reporter=Silent())
    assert (found.made, found.noun) == (4, "events")
    arrays, truth = arrays_of(out / "events.h5"), arrays_of(run / "truth.h5")
    assert arrays["x"].shape == (2500, 5)
    data = json.loads((run / "data.json").read_text())["splits"]["null"]
    rows = np.concatenate([np.arange(*span) for span in data])
    assert len(rows) == 1000
    taken = rows[np.arange(2500) % 1000]
    np.testing.assert_allclose(arrays["cond"], truth["cond"][taken])
    np.testing.assert_allclose(arrays["weight"], truth["weight"][taken])
    assert not np.array_equal(arrays["x"][:1000], arrays["x"][1000:2000])
    items = json.loads((out / "hists.json").read_text())["items"]
    histogram = read_uhi(items[0]["uhi"])
    assert histogram.total == pytest.approx(items[0]["moments"]["w"])
    assert items[0]["moments"]["w"] == pytest.approx(arrays["weight"].sum())
    with pytest.raises(FacsimError, match="--energy is for models by name"):
        facsim.farm_sample(run, events=10, out=tmp_path / "x", energy=5)


@pytest.mark.parametrize(
    "settings",
    [
        ["simulate.events=2500", "simulate.chunk=1000"],
        pytest.param(["simulate.events=2500", "simulate.background=0.3", "simulate.chunk=1000"], id="background"),
    ],
)
def test_truth_is_that_of_simulate(tmp_path: Path, settings: list[str]) -> None:
    out, alone = tmp_path / "farm", tmp_path / "alone"
    found = facsim.farm_simulate("rich", out=out, overrides=settings, smoke=True, how=How(workers=2), reporter=Silent())
    assert (found.made, found.noun, found.events) == (3, "tracks", 2500)
    facsim.simulate("rich", out=alone, overrides=settings, smoke=True, reporter=Silent())
    a, b = arrays_of(out / "truth.h5"), arrays_of(alone / "truth.h5")
    assert set(a) == set(b)
    assert all(np.array_equal(a[name], b[name]) for name in a)
    told: list[str] = []

    class Told(Silent):
        def say(self, text: str, style: str = "") -> None:
            told.append(text)

    facsim.simulate("rich", out=out, overrides=settings, smoke=True, reporter=Told())
    assert any("2500 tracks were there already" in text for text in told)
    with pytest.raises(FacsimError, match=r"set simulate\.chunk"):
        facsim.farm_simulate("rich", out=out, overrides=settings, smoke=True, shard=10)


def test_a_run_is_not_overwritten_by_a_farm(run: Path) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    for how in (How(workers=1), How(only_shard=0), How(script="slurm")):
        with pytest.raises(FacsimError, match=r"rich' holds 'config\.yaml', which no farm made and this one could"):
            facsim.farm_simulate("rich", out=run, smoke=True, how=how, reporter=Silent())
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_changed_conditions_in_the_folder_are_written_anew(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "tracks"
    options: dict[str, Any] = {"shard": 60, "out": out, "how": How(workers=1), "reporter": Silent()}
    facsim.farm_sample(run, events=60, **options)
    path = out / "conditions.npy"
    good, table = path.read_bytes(), np.load(path)
    np.save(path, 1.1 * table)
    facsim.farm_sample(run, events=120, **options)
    assert path.read_bytes() == good
    np.testing.assert_allclose(arrays_of(out / "events.h5")["cond"], table[1:121, :-1], rtol=1e-6)


@pytest.mark.geant4
def test_geant4_showers_are_those_of_simulate(tmp_path: Path) -> None:
    settings = ["simulate.events=12", "simulate.energy=2", "simulate.detector=par04-w-si"]
    options: dict[str, Any] = {"overrides": settings, "reporter": Silent()}
    facsim.farm_simulate("calorimeter", out=tmp_path / "farm", shard=5, how=How(workers=2), **options)
    facsim.simulate("calorimeter", out=tmp_path / "alone", **options)
    a, b = (arrays_of(tmp_path / name / "truth.h5") for name in ("farm", "alone"))
    assert set(a) == set(b)
    assert all(np.array_equal(a[name], b[name]) for name in a if name != "facsim/cpu_ms")
