"""The study of metrics: known blindness and known sight, reproducible, through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import facsim
from facsim.cli import app
from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.data import open_events
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
    if name == "layers uncorrelated":
        assert total == pytest.approx(1.0, rel=1e-6)


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


def test_showers_of_a_file(tmp_path: Path) -> None:
    found = facsim.study(sample_path(), out=tmp_path, repeats=3)
    sigma = {(row["metric"], row["alternative"]): row["significance"] for row in found["rows"]}
    assert found["events"] == 200
    assert found["alternatives"] == list(DISTORTIONS)
    assert all(np.isfinite(value) for value in sigma.values() if value is not None)


def test_bad_arguments_are_told(tmp_path: Path) -> None:
    with pytest.raises(FacsimError, match="at least 3 repeats of 50 events, not 1 of 2000"):
        facsim.study(out=tmp_path, repeats=1)
    result = CliRunner().invoke(app, ["study", "models"])
    assert result.exit_code == 1
    assert "no study of 'models': expected 'metrics'" in result.stderr
