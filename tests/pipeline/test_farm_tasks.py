"""Farms of other things than showers: surrogates of runs, truth, scores of many files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import facsim
from facsim.cli import app
from facsim.core.errors import FacsimError
from facsim.core.events import make_events
from facsim.core.schema import Feature, Schema
from facsim.core.store import write_store
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


def _table(path: Path, seed: int, n: int = 130, shift: float = 0.0, broken: bool = False) -> Path:
    rng = np.random.default_rng(seed)
    x = rng.normal((shift, 0.0), 1.0, (n, 2))
    x[5, 0] = np.nan if broken else x[5, 0]
    schema = Schema("table", (Feature("x"), Feature("y")), (Feature("c"),))
    write_store(path, [make_events(schema, x, rng.random((n, 1)))])
    return path


def test_scores_of_many_files_are_those_of_each(tmp_path: Path) -> None:
    truth = _table(tmp_path / "truth.h5", 1, 260)
    good, bad = _table(tmp_path / "good.h5", 2), _table(tmp_path / "bad.h5", 3, shift=2.0)
    out = tmp_path / "scores"
    words = ["farm", "score", *map(str, (truth, good, bad)), "--out", str(out), "--workers", "2"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0
    assert {"good", "bad"} <= {line.split()[0] for line in done.stdout.splitlines()}
    mine = {score["name"]: score for score in json.loads((out / "scores" / "bad.json").read_text())["scores"]}
    for score in facsim.score(truth, bad).to_dict()["scores"]:
        assert mine[score["name"]]["value"] == pytest.approx(score["value"], rel=1e-6, abs=1e-9, nan_ok=True)
    rows = {row["name"]: row for row in json.loads((out / "summary.json").read_text())}
    assert rows["bad"]["auc_high"]["value"] > 0.8 > rows["good"]["auc_high"]["value"]
    assert (out / "report" / "index.html").stat().st_size > 10_000
    files = [good, bad, _table(tmp_path / "broken.h5", 4, broken=True)]
    with pytest.raises(FacsimError, match=r"1 of 3 shards failed; shard 2: .*broken"):
        facsim.farm_score(truth, files, out=out, how=How(workers=1), reporter=Silent())
    assert len(json.loads((out / "summary.json").read_text())) == 2
    with pytest.raises(FacsimError, match="several generated files are called 'bad'"):
        facsim.farm_score(truth, [bad, out / "bad.h5"], out=out)


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


@pytest.mark.geant4
def test_geant4_showers_are_those_of_simulate(tmp_path: Path) -> None:
    settings = ["simulate.events=12", "simulate.energy=2", "simulate.detector=par04-w-si"]
    options: dict[str, Any] = {"overrides": settings, "reporter": Silent()}
    facsim.farm_simulate("calorimeter", out=tmp_path / "farm", shard=5, how=How(workers=2), **options)
    facsim.simulate("calorimeter", out=tmp_path / "alone", **options)
    a, b = (arrays_of(tmp_path / name / "truth.h5") for name in ("farm", "alone"))
    assert set(a) == set(b)
    assert all(np.array_equal(a[name], b[name]) for name in a if name != "facsim/cpu_ms")
