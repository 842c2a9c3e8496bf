"""AUCs and classifier tests with weights of either sign: definitions, cancellations, and sWeights of a known signal."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from facsim.metrics.auc import stratified_auc, value_auc
from facsim.metrics.auc_bootstrap import WeightedAuc
from facsim.metrics.boosting import BoostSettings, cross_fitted_means
from facsim.metrics.classifier import classifier_test, uniform_ranks
from facsim.metrics.signed_weights import training_weights
from facsim.physics.splot import fit_mass, sweights

WINDOW = (0.0, 10.0)


def candidates(n: int, shift: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (n, 2), sWeights and truth: signal moved by `shift` in the first, background lies elsewhere."""
    signal = rng.uniform(size=n) < 0.6
    mass = np.where(signal, np.clip(rng.normal(5, 0.4, n), *WINDOW), rng.uniform(*WINDOW, n))
    x = np.where(signal[:, None], rng.normal([shift, 0], 1, (n, 2)), rng.normal([2, 1], 1, (n, 2)))
    fit = fit_mass(mass, WINDOW)
    return x, sweights(fit.densities(mass), fit.yields)[:, 0], signal


@given(
    st.lists(st.tuples(st.integers(0, 4), st.floats(-1, 2)), min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(0, 4), st.floats(-1, 2)), min_size=1, max_size=12),
)
def test_the_auc_is_its_definition(a: list[tuple[int, float]], b: list[tuple[int, float]]) -> None:
    (x, u), (y, v) = np.array(a).T, np.array(b).T
    u[0] += 1 + np.abs(u).sum()
    v[0] += 1 + np.abs(v).sum()
    won = (x[:, None] < y) + 0.5 * (x[:, None] == y)
    expected = np.sum(u[:, None] * v * won) / (u.sum() * v.sum())
    assert value_auc(x, y, u, v).value == pytest.approx(expected, abs=1e-9)
    label = np.repeat([0, 1], [len(x), len(y)])
    other = WeightedAuc(np.concatenate([x, y]), label, np.zeros(len(label)))
    assert other(np.concatenate([u, v])) == pytest.approx(expected, abs=1e-9)


def test_the_error_of_a_weighted_auc_is_the_scatter_of_repetitions() -> None:
    rng = np.random.default_rng(3)
    found = []
    for _ in range(150):
        a, u, _ = candidates(800, 0.0, rng)
        b, v, _ = candidates(800, 1.0, rng)
        found.append(value_auc(a[:, 0], b[:, 0], u, v))
    value, error = np.array(found).T
    assert value.mean() == pytest.approx(norm.cdf(1 / np.sqrt(2)), abs=4 * value.std() / np.sqrt(150))
    assert error.mean() == pytest.approx(value.std(ddof=1), rel=0.25)


def test_pairs_without_weight_have_no_auc() -> None:
    weights = np.array([1.0, -1.0])
    assert np.isnan(stratified_auc(np.zeros(2), np.ones(3), weights_a=weights)[0])


def test_regression_finds_the_mean_and_never_sees_its_fold() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(3000, 2))
    target = np.where(x[:, 0] > 0, 2.0, -1.0) + rng.normal(size=3000)
    fold = np.arange(3000) % 5
    settings = BoostSettings(rounds=60, rate=0.1)
    found = cross_fitted_means(uniform_ranks(x), target, fold, settings, np.random.default_rng(1))
    own = found[fold, np.arange(3000)]
    far = np.abs(x[:, 0]) > 0.3
    assert np.abs(own - np.where(x[:, 0] > 0, 2.0, -1.0))[far].mean() < 0.2
    moved = target + 100.0 * (fold == 2)
    again = cross_fitted_means(uniform_ranks(x), moved, fold, settings, np.random.default_rng(1))
    assert np.array_equal(again[2], found[2])
    assert not np.allclose(again[1], found[1])


def test_training_weights_are_the_share_of_the_signal() -> None:
    rng = np.random.default_rng(5)
    parts = [candidates(3000, 0.0, rng) for _ in range(2)]
    x, w = np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
    label, fold = np.repeat([0, 1], 3000), np.arange(6000) % 5
    found = training_weights(uniform_ranks(x), label, w, fold, rng)
    assert found.shape == (5, 6000)
    assert found.min() >= 0
    for one in (0, 1):
        assert found[2, (label == one) & (fold != 2)].sum() == pytest.approx(0.5 * 4800)
    densities = [np.exp(-0.5 * ((x - centre) ** 2).sum(axis=1)) for centre in ([0, 0], [2, 1])]
    ideal = 0.6 * densities[0] / (0.6 * densities[0] + 0.4 * densities[1])
    assert np.corrcoef(found[0], ideal)[0, 1] > 0.9


def test_a_classifier_tells_signals_apart_and_not_equal_ones() -> None:
    rng = np.random.default_rng(6)
    a, u, _ = candidates(1500, 0.0, rng)
    same, shifted = candidates(1500, 0.0, rng), candidates(1500, 1.0, rng)
    null = classifier_test(a, same[0], 1, weights_a=u, weights_b=same[1])
    assert abs(null.auc - 0.5) < 3 * null.error
    assert "conditional expectations" in null.architecture
    seen = classifier_test(a, shifted[0], 1, weights_a=u, weights_b=shifted[1])
    ideal = norm.cdf(1 / np.sqrt(2))
    assert ideal - 0.1 < seen.auc < ideal + 3 * seen.error
    assert seen.region(np.ones(1500, bool), np.ones(1500, bool)) == pytest.approx((seen.auc, seen.error))


def test_a_background_that_differs_is_not_seen_through_sweights() -> None:
    """Samples with other shares of background are of one signal; without weights they differ plainly."""
    rng = np.random.default_rng(7)
    a, u, _ = candidates(1500, 0.0, rng)
    _, _, signal = parts = candidates(3000, 0.0, rng)
    kept = signal | (rng.uniform(size=3000) < 0.2)
    pure = parts[0][kept][:1500]
    found = classifier_test(a, pure, 1, weights_a=u, weights_b=np.where(signal[kept][:1500], 1.0, 0.0))
    plain = classifier_test(a, pure, 1)
    assert abs(found.auc - 0.5) < 3.5 * found.error
    assert plain.auc > 0.5 + 4 * plain.error
