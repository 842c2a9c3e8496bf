"""The classifier two-sample test against closed forms: Gaussian shifts, nulls, groups, hidden ratios."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import norm

from facsim.core.errors import FacsimError
from facsim.metrics.auc import stratified_auc
from facsim.metrics.classifier import classifier_test, uniform_ranks, with_components, without_conditions


def gaussians(shift: float, n: int = 500, d: int = 8, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(n, d)), rng.normal(size=(n, d))
    b[:, 0] += shift
    return a, b


def test_auc_counts_pairs_and_ties():
    a, b = np.array([0.0, 1.0, 1.0]), np.array([1.0, 2.0])
    auc, _ = stratified_auc(a, b)
    assert auc == pytest.approx((1 + 0.5 + 0.5 + 3) / 6)


def test_auc_compares_only_within_a_stratum():
    a, b = np.array([0.0, 10.0]), np.array([1.0, 11.0])
    assert stratified_auc(a, b, np.array([0, 1]), np.array([0, 1]))[0] == 1.0
    assert stratified_auc(a, b)[0] == 0.75


def test_auc_without_pairs_is_not_a_number():
    assert np.isnan(stratified_auc(np.zeros(2), np.zeros(2), np.zeros(2), np.ones(2))[0])


def test_auc_error_is_the_spread_of_repetitions():
    rng = np.random.default_rng(2)
    found = [stratified_auc(rng.normal(size=200), rng.normal(0.5, 1, size=300)) for _ in range(400)]
    values, errors = np.array(found).T
    assert values.mean() == pytest.approx(norm.cdf(0.5 / np.sqrt(2)), abs=0.004)
    assert errors.mean() == pytest.approx(values.std(ddof=1), rel=0.12)


def test_repeated_events_do_not_shrink_the_error():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=200), rng.normal(size=200)
    alone = stratified_auc(a, b)
    four = stratified_auc(a, np.repeat(b, 4), groups_b=np.repeat(np.arange(200), 4))
    assert four == pytest.approx(alone, rel=1e-6)


def test_a_known_shift_reads_near_its_ideal_auc():
    result = classifier_test(*gaussians(1.5), seed=1)
    ideal = norm.cdf(1.5 / np.sqrt(2))
    assert ideal - 0.06 < result.auc < ideal + 3 * result.error
    assert result.accuracy == pytest.approx(norm.cdf(0.75), abs=0.06)


def test_truth_against_truth_is_one_half_within_errors():
    found = [classifier_test(*gaussians(0.0, n=200, seed=s), seed=s) for s in range(4)]
    pulls = [(r.auc - 0.5) / r.error for r in found]
    assert abs(np.mean(pulls)) < 4 / np.sqrt(4)
    assert max(np.abs(pulls)) < 4.5


def test_a_ratio_hidden_between_two_wide_features_is_seen():
    rng = np.random.default_rng(4)
    energy = rng.uniform(0, 1.7, (2, 400))
    total = energy + rng.normal(0, 0.02, (2, 400))
    total[1] += 0.02
    a, b = (np.column_stack([energy[k], total[k], rng.normal(size=(400, 30))]) for k in (0, 1))
    assert classifier_test(a, b, seed=1, conditions=1).auc > 0.68


def test_copies_of_one_event_stay_in_one_fold():
    rng = np.random.default_rng(5)
    a = rng.normal(size=(300, 6))
    originals = rng.normal(size=(30, 6))
    b, groups = np.repeat(originals, 10, axis=0), np.repeat(np.arange(30), 10)
    grouped = classifier_test(a, b, seed=1, groups_b=groups)
    for group in range(30):
        assert len(np.unique(grouped.folds_b[groups == group])) == 1
    leaking = classifier_test(a, b, seed=1)
    assert leaking.auc > grouped.auc + 0.1


def test_same_seed_same_scores_and_no_global_random_numbers():
    a, b = gaussians(0.5, n=60)
    state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    first, second, other = (classifier_test(a, b, seed=s) for s in (1, 1, 2))
    assert np.array_equal(first.scores_b, second.scores_b)
    assert not np.array_equal(first.scores_b, other.scores_b)
    assert np.array_equal(state, np.random.get_state()[1])  # noqa: NPY002
    assert torch.equal(torch_state, torch.get_rng_state())


def test_folds_hold_both_classes_alike():
    a, b = gaussians(0.0, n=103)
    result = classifier_test(a, b, seed=1)
    assert np.array_equal(np.bincount(result.folds_a), np.bincount(result.folds_b))
    assert np.ptp(np.bincount(result.folds_a)) <= 1


def test_region_of_everything_is_the_whole():
    result = classifier_test(*gaussians(1.0, n=80), seed=1)
    everything = np.ones(80, dtype=bool)
    assert result.region(everything, everything) == (result.auc, result.error)


def test_preparation_keeps_conditions_and_removes_their_trend():
    rng = np.random.default_rng(6)
    c = rng.uniform(-1, 1, 500)
    x = np.column_stack([c, 3 * c**3 - c + 1, np.ones(500)])
    flat = without_conditions(x, 1)
    assert np.array_equal(flat[:, 0], c)
    assert np.abs(flat[:, 1:]).max() < 1e-9


def test_components_of_constant_features_are_left_out():
    x = np.column_stack([np.ones(50), np.arange(50.0), np.arange(50.0) ** 2])
    assert with_components(x).shape == (50, 5)


def test_ranks_are_uniform_and_share_ties():
    assert np.allclose(uniform_ranks(np.array([[3.0], [1.0], [1.0], [2.0]])), [[0.875, 0.25, 0.25, 0.625]])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"b": np.zeros((30, 3))}, "shapes"),
        ({"a": np.zeros((5, 2))}, "at least 20 events"),
        ({"a": np.full((30, 2), np.nan)}, "finite"),
        ({"protocol": "other"}, "facsim-c2st-1"),
        ({"groups_a": np.zeros(30)}, "groups"),
        ({"groups_a": np.zeros(7)}, "groups"),
        ({"conditions": 2}, "conditions"),
    ],
)
def test_bad_input_is_named(change, words):
    options = {"a": np.zeros((30, 2)), "b": np.ones((30, 2)), "seed": 1} | change
    with pytest.raises(FacsimError, match=words):
        classifier_test(**options)


def test_weights_make_two_samples_one() -> None:
    """A candidate with too many events at large x, weighted back: nothing is left to see."""
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=(1500, 3)), rng.normal(0.0, 1.0, (1500, 3))
    b[:, 0] += 0.6
    weights = np.exp(-0.6 * b[:, 0] + 0.18)
    plain, weighted = classifier_test(a, b, 1), classifier_test(a, b, 1, weights_b=weights)
    assert plain.auc > 0.5 + 5 * plain.error
    assert weighted.auc == pytest.approx(0.5, abs=3 * weighted.error)
    even = classifier_test(a, b, 1, weights_a=np.full(1500, 2.0), weights_b=np.full(1500, 0.1))
    assert even.auc == pytest.approx(plain.auc, abs=1e-9)
    assert even.error == pytest.approx(plain.error, rel=0.3)
    with pytest.raises(FacsimError, match="positive sum"):
        classifier_test(a, b, 1, weights_b=-weights)
