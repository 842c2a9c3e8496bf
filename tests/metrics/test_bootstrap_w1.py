"""W1 over bootstrap samples of events: jetnet's numbers, scipy on the same draws, errors that cover, broken input."""

from __future__ import annotations

import json
from pathlib import Path
from runpy import run_path
from typing import Any

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from facsim.core.errors import FacsimError
from facsim.metrics.bootstrap_w1 import bootstrap_w1, grouped_w1
from facsim.physics.jets import W1EFP_COLUMNS, efps, jet_features

GOLDEN_FOLDER = Path(__file__).parent.parent / "golden"
GOLDEN = json.loads((GOLDEN_FOLDER / "jetnet_0_2_5.json").read_text(encoding="utf-8"))
SAMPLES = run_path(str(GOLDEN_FOLDER / "make_jetnet.py"))
X, Y = SAMPLES["jet_samples"]()


def check(samples: tuple[Any, ...], case: dict[str, Any]) -> None:
    options = {key: given for key, given in case.items() if key != "value"}
    values = bootstrap_w1(*samples, **options)
    mean, spread = (np.atleast_1d(part) for part in case["value"])
    np.testing.assert_allclose(values.mean(axis=0), mean, rtol=1e-9)
    np.testing.assert_allclose(values.std(axis=0), spread, rtol=1e-9)


def test_samples_are_those_of_the_golden_values() -> None:
    sums = [float(array.sum()) for array in (*SAMPLES["toy_features"](), X, Y)]
    np.testing.assert_allclose(sums, GOLDEN["checksums"], rtol=1e-10)


@pytest.mark.parametrize("case", GOLDEN["jets"]["w1m"])
def test_masses_give_jetnets_w1m(case: dict[str, Any]) -> None:
    check(tuple(jet_features(jets)["mass"][:, None] for jets in (X, Y)), case)


@pytest.mark.parametrize("case", GOLDEN["jets"]["w1efp"])
def test_polynomials_give_jetnets_w1efp(case: dict[str, Any]) -> None:
    check(tuple(efps(jets)[:, W1EFP_COLUMNS] for jets in (X, Y)), case)


@pytest.mark.parametrize("case", GOLDEN["jets"]["w1p"])
def test_particles_give_jetnets_w1p(case: dict[str, Any]) -> None:
    real = [jets.any(axis=2) for jets in (X, Y)]
    check((X[real[0]], Y[real[1]], real[0].sum(1), real[1].sum(1)), case)


def test_golden_features_of_jets_agree() -> None:
    found = jet_features(X[:60])
    for name, values in GOLDEN["jet_features"].items():
        np.testing.assert_allclose(found[name], values, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(efps(X[:60]), GOLDEN["efps"], rtol=1e-12)


def test_events_without_values_count_in_the_draws() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(6, 1)), rng.normal(size=(5, 1))
    counts_x, counts_y = np.array([0, 3, 1, 0, 2, 0]), np.array([2, 0, 3])
    first, second = np.repeat(np.arange(6), counts_x), np.repeat(np.arange(3), counts_y)
    want = []
    rng = np.random.default_rng(9)
    for _ in range(3):
        i, j = rng.choice(6, size=8), rng.choice(3, size=8)
        drawn_x = np.concatenate([x[first == k, 0] for k in i])
        drawn_y = np.concatenate([y[second == k, 0] for k in j])
        want.append(wasserstein_distance(drawn_x, drawn_y))
    got = bootstrap_w1(x, y, counts_x, counts_y, num_eval_samples=8, num_batches=3, seed=9)
    np.testing.assert_allclose(got[:, 0], want, rtol=1e-12)


def test_grouped_value_is_the_plain_distance() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(300, 2)), rng.normal(0.5, 1.0, (200, 2))
    value, draws = grouped_w1(x, y)
    want = [wasserstein_distance(x[:, k], y[:, k]) for k in range(2)]
    np.testing.assert_allclose(value, want, rtol=1e-12)
    assert draws.shape == (20, 2)


def test_grouped_error_covers_values_that_come_together() -> None:
    """Ten equal values an event: the error is that of the events, three times what independent values would give."""
    rng = np.random.default_rng(3)
    counts = np.full(100, 10)
    values, errors, naive = [], [], []
    for seed in range(30):
        x, y = (np.repeat(rng.normal(shift, 1.0, (100, 1)), 10, axis=0) for shift in (0.0, 1.0))
        value, draws = grouped_w1(x, y, counts, counts, seed=seed)
        values.append(value[0])
        errors.append(draws.std(ddof=1))
        naive.append(grouped_w1(x, y, seed=seed)[1].std(ddof=1))
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.35)
    assert np.mean(naive) < 0.5 * np.mean(errors)


def test_same_seed_same_values() -> None:
    x, y = np.random.default_rng(4).normal(size=(2, 50, 1))
    options = {"num_eval_samples": 30, "num_batches": 2}
    np.testing.assert_array_equal(bootstrap_w1(x, y, seed=1, **options), bootstrap_w1(x, y, seed=1, **options))
    assert np.all(bootstrap_w1(x, y, seed=1, **options) != bootstrap_w1(x, y, seed=2, **options))


def test_broken_input_is_refused() -> None:
    x = np.ones((4, 2))
    with pytest.raises(FacsimError, match=r"shapes \(N, D\)"):
        bootstrap_w1(x, x[:, :1])
    with pytest.raises(FacsimError, match="sum to the 4 values"):
        bootstrap_w1(x, x, np.array([1, 1, 1]))
    with pytest.raises(FacsimError, match="whole numbers"):
        grouped_w1(x, x, None, np.array([2.0, 2.0]))
    with pytest.raises(FacsimError, match="at least one batch"):
        bootstrap_w1(x, x, num_batches=0)
    with pytest.raises(FacsimError, match="without any value"):
        bootstrap_w1(x, x, np.array([4, *[0] * 50]), num_eval_samples=1, num_batches=3)
