"""p-values of background alone: exactly uniform, blind to sign and scale, and as a combination of dependent scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from facsim.core.errors import FacsimError
from facsim.metrics.auc import value_auc
from facsim.metrics.sign_free import HOW, Combination, shrunk_covariance, sign_free, tail_probability


@pytest.mark.parametrize("two_sided", [False, True])
def test_every_rank_of_a_new_event_has_the_same_chance(two_sided: bool) -> None:
    """Each of N + 1 places among N background events once: all multiples of 1 / (N + 1), exactly uniform."""
    background = np.arange(19.0)
    p = np.sort(tail_probability(np.arange(20) - 0.5, background, two_sided=two_sided))
    expected = np.repeat(np.arange(1, 11) / 10, 2) if two_sided else np.arange(1, 21) / 20
    assert p == pytest.approx(expected)


@given(st.lists(st.integers(-3, 3).map(float), min_size=2, max_size=25), st.booleans(), st.floats(0.01, 0.99))
def test_equal_scores_never_make_a_p_value_too_small(scores: list[float], two_sided: bool, level: float) -> None:
    """Exchangeable events, each held out in turn: no more than a share of `level` has p <= level."""
    x = np.array(scores)
    p = np.array([tail_probability(x[[k]], np.delete(x, k), two_sided=two_sided)[0] for k in range(len(x))])
    assert np.mean(p <= level) <= level + 1e-9


@given(st.integers(0, 1000), st.floats(0.1, 5))
def test_the_sign_and_the_scale_of_a_score_do_not_matter(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    background, x = rng.normal(size=50), rng.normal(0, 2, 20)
    found = sign_free(x, background)
    assert sign_free(-scale * x, -scale * background) == pytest.approx(found)
    assert np.all(found >= 0)
    assert sign_free(np.array([np.median(background)]), background)[0] < 0.05


@given(st.integers(0, 1000))
def test_the_ranking_lies_between_the_p_values_of_its_neighbours(seed: int) -> None:
    """Inside the background's range it is the p-value within one event, beyond it goes on rising."""
    rng = np.random.default_rng(seed)
    background = np.sort(rng.normal(size=40))
    inside = rng.uniform(background[0], background[-1], 30)
    p, found = tail_probability(inside, background, two_sided=True), 10 ** -sign_free(inside, background)
    assert np.all(np.abs(found - p) <= 2 / 41 + 1e-9)
    beyond = sign_free(background[-1] + np.array([0.0, 0.1, 1.0, 5.0]), background)
    assert beyond[0] == pytest.approx(np.log10(41 / 4))
    assert np.all(np.diff(beyond) > 0)


def test_beyond_the_background_the_tail_of_an_exponential_goes_on() -> None:
    background = np.random.default_rng(4).exponential(size=100_000)
    assert sign_free(np.array([20.0]), background)[0] == pytest.approx(20 / np.log(10) - np.log10(2), rel=0.25)


def test_signal_on_the_wrong_side_is_found() -> None:
    rng = np.random.default_rng(1)
    background, other, low = rng.normal(size=4000), rng.normal(size=1000), rng.normal(-3, 1, 1000)
    assert value_auc(other, low).value < 0.05
    assert value_auc(sign_free(other, background), sign_free(low, background)).value > 0.9


def test_weights_of_the_background() -> None:
    background, times = np.array([0.0, 1.0, 2.0, 5.0]), np.array([3.0, 2.0, 1.0, 1.0])
    weighted = tail_probability(np.array([1.5, 9.0]), background, times)
    assert weighted == pytest.approx([5 / 10, 3 / 10])
    equal = tail_probability(np.array([1.5]), background, np.full(4, 0.1))
    assert equal == pytest.approx(tail_probability(np.array([1.5]), background))


def correlated(rng: np.random.Generator, n: int) -> np.ndarray:
    """Three scores: two nearly alike, one with a long tail."""
    x = rng.normal(size=(n, 3))
    x[:, 1] = 0.95 * x[:, 0] + np.sqrt(1 - 0.95**2) * x[:, 1]
    x[:, 2] = np.exp(x[:, 2])
    return x


@pytest.mark.parametrize("how", HOW)
def test_combinations_are_uniform_on_background_whatever_the_dependence(how: str) -> None:
    p = []
    for k in range(40):
        rng = np.random.default_rng(k)
        p.append(Combination(correlated(rng, 400), how, seed=k).p_values(correlated(rng, 50)))
    ranks = np.concatenate(p) - np.random.default_rng(0).uniform(0, 1 / 201, 2000)
    assert kstest(ranks, "uniform").pvalue > 1e-3
    assert np.mean(np.concatenate(p) <= 0.05) == pytest.approx(0.05, abs=0.02)


def test_what_each_combination_sees() -> None:
    """Against the correlation: only the covariance knows; one odd score among many: the harmonic mean leads."""
    rng = np.random.default_rng(2)
    background = correlated(rng, 4000)
    against = correlated(rng, 500)
    against[:, :2] = np.array([1.0, -1.0]) + 0.1 * rng.normal(size=(500, 2))
    power = {how: np.mean(Combination(background, how).p_values(against) < 0.01) for how in HOW}
    assert power["mahalanobis"] > 0.95
    assert max(power["fisher"], power["harmonic"]) < 0.3
    many = rng.normal(size=(40_000, 20))
    one = rng.normal(size=(500, 20))
    one[:, 7] = -6.0
    power = {how: np.mean(Combination(many, how).p_values(one) < 0.01) for how in HOW}
    assert power["harmonic"] > 0.9 > power["fisher"]


def test_the_shrunk_covariance() -> None:
    rng = np.random.default_rng(3)
    truth = np.array([[2.0, 0.9], [0.9, 1.0]])
    many = rng.multivariate_normal([0, 0], truth, 50_000)
    assert shrunk_covariance(many) == pytest.approx(truth, abs=0.05)
    few = rng.normal(size=(10, 30))
    found = shrunk_covariance(few)
    assert np.linalg.eigvalsh(found).min() > 0.1
    assert np.trace(found) == pytest.approx(np.trace(np.cov(few.T, bias=True)))
    sampled = np.cov(few.T, bias=True)
    assert np.sum((found - np.eye(30)) ** 2) < 0.3 * np.sum((sampled - np.eye(30)) ** 2)


def test_broken_input() -> None:
    x = np.zeros((20, 2))
    with pytest.raises(FacsimError, match="one of"):
        Combination(x, "mean")
    with pytest.raises(FacsimError, match="8 background"):
        Combination(x[:5])
    with pytest.raises(FacsimError, match=r"\(events, 2\)"):
        Combination(np.random.default_rng(0).normal(size=(20, 2))).p_values(np.zeros((3, 5)))
    with pytest.raises(FacsimError, match="finite scores"):
        Combination(np.full((20, 2), np.nan))
