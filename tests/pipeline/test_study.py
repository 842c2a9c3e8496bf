"""The study of metrics: known blindness and known sight, reproducible, through the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import facsim
from facsim.cli import app
from facsim.core.errors import FacsimError
from facsim.core.events import Events
from facsim.core.rng import generator
from facsim.core.schema import Feature, Schema
from facsim.core.sources import MemorySource
from facsim.data import open_events
from facsim.data.jetnet import write_jetnet
from facsim.evaluate.jet_toys import JET_DISTORTIONS
from facsim.evaluate.study import significance
from facsim.evaluate.study_sources import source_study
from facsim.evaluate.toys import COVARIANCE, DISTORTIONS, TOYS
from facsim.simulate.sample import sample_path


def test_mixtures_have_the_mean_and_covariance_of_the_truth() -> None:
    for name in ("mixture 0.6", "mixture 0.75"):
        x = TOYS[name](100_000, generator(1, name))
        np.testing.assert_allclose(x.mean(axis=0), 0, atol=0.02)
        np.testing.assert_allclose(np.cov(x.T), COVARIANCE, atol=0.03)


@pytest.mark.parametrize("name", sorted(DISTORTIONS))
def test_distortions_keep_what_they_should(name: str) -> None:
    source = open_events(sample_path())
    events = source.read(0, 120)
    changed = DISTORTIONS[name](events, generator(1, name))
    assert changed.x.shape == events.x.shape
    assert changed.x.dtype == events.x.dtype
    assert not np.array_equal(changed.x, events.x)
    assert np.all(changed.x >= 0)
    total = changed.x.sum() / events.x.sum()
    assert 0.9 < total < 1.1
    if name in ("layers uncorrelated", "20 % one ring outwards"):
        assert total == pytest.approx(1.0, rel=1e-6)


def test_one_layer_is_scaled_and_the_others_are_not() -> None:
    events = open_events(sample_path()).read(0, 50)
    geometry = events.schema.geometry
    assert geometry is not None
    before = geometry.layer_sum(events.cells).sum(axis=0)
    changed = DISTORTIONS["one layer x 1.2"](events, generator(1))
    ratio = geometry.layer_sum(changed.cells).sum(axis=0) / before
    largest = before.argmax()
    assert ratio[largest] == pytest.approx(1.2, rel=1e-5)
    np.testing.assert_allclose(np.delete(ratio, largest), 1, rtol=1e-6)


def test_energy_goes_one_ring_outwards_in_its_own_sector() -> None:
    events = open_events(sample_path()).read(0, 1)
    geometry = events.schema.geometry
    assert geometry is not None
    rings, first = geometry.layers[3].n_r, int(geometry.offsets[3])
    x = np.zeros_like(events.x)
    x[0, first + np.array([0, 1, rings - 1])] = 100.0  # rings of the first sector; the last but one is dark
    moved = DISTORTIONS["20 % one ring outwards"](replace(events, x=x), generator(1)).x[0, :, 0]
    np.testing.assert_allclose(moved[first + np.array([0, 1, rings - 1])], [80, 120, 100], rtol=1e-6)
    assert np.count_nonzero(moved) == 3
    assert rings > 3


def test_a_metric_that_does_not_vary_has_no_significance() -> None:
    assert significance(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 2.0])) == pytest.approx(1.0)
    assert significance(np.array([1.0, 1.0]), np.full(3, 0.1 + 0.2)) is None
    assert significance(np.array([0.0, 0.0]), np.zeros(3)) is None


def test_toy_shows_that_the_frechet_distance_is_blind_to_mixtures(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["study", "metrics", "--out", str(tmp_path), "--events", "600", "--repeats", "4", "--json"]
    )
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert json.loads((tmp_path / "study.json").read_text()) == found
    assert (tmp_path / "study.png").stat().st_size > 10_000
    sigma = {(row["metric"], row["alternative"]): row["significance"] for row in found["rows"]}
    assert all(sigma[metric, "mean shifted by 1"] > 5 for metric in ("w1", "fpd", "kpd", "energy", "c2st", "sliced_w1"))
    assert sigma["fpd", "mixture 0.75"] < 4
    assert sigma["kpd", "mixture 0.75"] > 4
    assert {row["published"] for row in found["rows"] if row["metric"] == "energy"} == {None}


@pytest.mark.slow
def test_showers_of_a_file(tmp_path: Path) -> None:
    found = facsim.study(sample_path(), out=tmp_path, repeats=3, events=50)
    sigma = {(row["metric"], row["alternative"]): row["significance"] for row in found["rows"]}
    assert found["events"] == 50
    assert found["alternatives"] == list(DISTORTIONS)
    assert all(np.isfinite(value) for value in sigma.values() if value is not None)
    assert {"w1_response", "w1_radius", "w1_peak_layer"} <= {metric for metric, _ in sigma}


def test_jets_of_a_jetnet_file(tmp_path: Path) -> None:
    path = tmp_path / "g.hdf5"
    write_jetnet(path, np.asarray(_jets(600), dtype=np.float32))
    arguments = ["study", "metrics", "--truth", str(path), "--repeats", "3", "--json", "--out"]
    results = [CliRunner().invoke(app, [*arguments, str(tmp_path / out)]) for out in ("a", "b")]
    assert results[0].exit_code == 0, results[0].stderr
    assert "study.png" in results[0].stderr
    found = json.loads(results[0].stdout)
    assert found == json.loads(results[1].stdout)
    assert (found["kind"], found["events"], found["alternatives"]) == ("jets", 200, list(JET_DISTORTIONS))
    rows = {(row["metric"], row["alternative"]): row for row in found["rows"]}
    assert rows["fpd", "mass shifted"]["published"] == 760
    assert rows["c2st", "all smeared"]["published_value"] == 0.84
    assert rows["c2st", "all smeared"]["value"] > 0.7
    assert rows["w1_mass", "mass shifted"]["significance"] > 3


def _jets(n: int) -> np.ndarray:
    """Jets of 10 particles around the axis, with masses that vary."""
    rng = generator(5, "jets")
    jets = np.zeros((n, 30, 4))
    jets[:, :10, :2] = rng.normal(0, 0.1, (n, 10, 2)) * rng.uniform(0.7, 1.3, (n, 1, 1))
    jets[:, :10, 2] = -np.sort(-rng.dirichlet(np.full(10, 0.7), n), axis=1)
    jets[:, :10, 3] = 1
    return jets


def test_jets_of_pythia(tmp_path: Path) -> None:
    pytest.importorskip("pythia8mc")
    pytest.importorskip("fastjet")
    arguments = ["study", "metrics", "--jets", "w", "--events", "50", "--repeats", "3", "--out", str(tmp_path)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    assert "Distorted w jets: 50 events, 3 repeats, seed 1" in result.stdout
    assert "FastJet" not in result.stdout
    assert len(open_events(tmp_path / "w.hdf5")) == 150


@pytest.mark.slow
def test_everything_in_one_command(tmp_path: Path) -> None:
    arguments = ["study", "metrics", "--all", "--events", "50", "--repeats", "3", "--out", str(tmp_path), "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    kinds = [found["kind"] for found in json.loads(result.stdout)["studies"]]
    assert kinds in (["toy", "jets", "showers"], ["toy", "showers"])
    assert ("jets" in kinds) != ("jets are left out" in result.stderr)
    assert all((tmp_path / kind / "study.png").is_file() for kind in kinds)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["models"], "no study of 'models': expected 'metrics'"),
        (["--jets", "muon"], "no jets 'muon': expected one of gluon"),
        (["--jets", "w", "--truth", "a.h5"], "jets to simulate or a file of truth, not both"),
        (["--all", "--jets", "w"], "leave out --truth, --jets and --geometry"),
        (["--truth", "absent.h5"], "'absent.h5' does not exist"),
    ],
)
def test_arguments_that_do_not_fit_are_told(arguments: list[str], told: str, in_tmp: Path) -> None:
    what = [] if arguments[0] == "models" else ["metrics"]
    result = CliRunner().invoke(app, ["study", *what, *arguments])
    assert result.exit_code == 1
    assert told in " ".join(result.stderr.split())
    assert not list(in_tmp.iterdir())


def test_too_little_to_study_is_told(tmp_path: Path) -> None:
    with pytest.raises(FacsimError, match="at least 3 repeats of 50 events, not 1 of 2000"):
        facsim.study(out=tmp_path, repeats=1)
    write_jetnet(tmp_path / "g.hdf5", np.asarray(_jets(149), dtype=np.float32))
    with pytest.raises(FacsimError, match="at least 150 of them, not 149"):
        facsim.study(tmp_path / "g.hdf5", out=tmp_path)
    table = Events(Schema("table", (Feature("a"),)), np.zeros((9, 1)), np.zeros((9, 0)), np.arange(9), np.arange(9))
    with pytest.raises(FacsimError, match="showers with a geometry or jets in JetNet's form, not a table of"):
        source_study(MemorySource(table), 100)
