"""Calibration of classifier outputs, and the weighted AUC with its bootstrap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import norm

from facsim.metrics.auc import stratified_auc
from facsim.metrics.auc_bootstrap import WeightedAuc, bootstrap_error
from facsim.metrics.calibration import fit_isotonic, fit_temperature


def test_temperature_finds_the_slope_and_shift_that_spoiled_the_outputs():
    rng = np.random.default_rng(1)
    truth = rng.normal(0, 2, 20_000)
    label = (rng.uniform(size=len(truth)) < expit(truth)).astype(int)
    outputs = np.column_stack([np.zeros(len(truth)), 2.0 * truth + 1.0])
    found = fit_temperature(outputs, label, np.ones(len(truth)))
    assert found.slope == pytest.approx(0.5, rel=0.05)
    assert found.shift[1] == pytest.approx(-0.5, abs=0.05)
    log_p = found.log_probabilities(outputs)
    assert np.exp(log_p).sum(axis=1) == pytest.approx(1.0)
    assert log_p[:, 1] == pytest.approx(np.log(expit(truth)), abs=0.2)


def test_temperature_keeps_the_order_of_outputs_that_are_worse_than_chance():
    outputs = np.array([[0.0, 3.0], [0.0, 1.0], [0.0, -1.0], [0.0, -3.0]])
    found = fit_temperature(outputs, np.array([0, 0, 1, 1]), np.ones(4))
    assert np.all(np.diff(found.log_probabilities(outputs)[:, 1]) < 0)


def test_temperature_of_three_classes_is_calibrated_in_every_class():
    rng = np.random.default_rng(2)
    x, label = rng.normal(size=6000), rng.integers(3, size=6000)
    x += label - 1
    outputs = 3.0 * np.column_stack([-x, 0 * x, x])
    p = np.exp(fit_temperature(outputs, label, np.ones(6000)).log_probabilities(outputs))
    assert p.mean(axis=0) == pytest.approx(np.bincount(label) / 6000, abs=1e-3)


@given(st.lists(st.tuples(st.integers(-5, 5), st.booleans(), st.floats(0, 3)), min_size=2, max_size=40))
def test_isotonic_is_the_best_increasing_fit(rows):
    scores, label, weight = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    if weight.sum() < 1e-3:
        weight = weight + 1.0
    found = fit_isotonic(scores, label, weight).probability(scores)
    order = np.argsort(scores, kind="stable")
    assert np.all(np.diff(found[order]) >= -1e-12)
    loss = np.sum(weight * (found - label) ** 2)
    for edge in np.unique(scores):  # no increasing step does better
        step = scores >= edge
        low, high = (np.average(label[p], weights=weight[p] + 1e-12) if p.any() else 0.0 for p in (~step, step))
        if low <= high:
            assert loss <= np.sum(weight * (np.where(step, high, low) - label) ** 2) + 1e-6


def test_isotonic_agrees_with_pooling_by_hand():
    found = fit_isotonic(np.array([1.0, 2.0, 3.0, 4.0]), np.array([0, 1, 0, 1]))
    assert found.probability(np.array([0.0, 1.0, 2.0, 2.5, 3.0, 4.0, 9.0])) == pytest.approx(
        [0, 0, 0.5, 0.5, 0.5, 1, 1]
    )


def test_weighted_auc_is_the_plain_one_for_equal_weights_and_counts_repeats():
    rng = np.random.default_rng(3)
    scores, label = np.round(rng.normal(size=200), 1), rng.integers(2, size=200)
    fold, weight = rng.integers(3, size=200), rng.integers(1, 4, size=200)
    plain, _ = stratified_auc(scores[label == 0], scores[label == 1], fold[label == 0], fold[label == 1])
    assert WeightedAuc(scores, label, fold)(np.ones(200)) == pytest.approx(plain)
    many = [np.repeat(each, weight) for each in (scores, label, fold)]
    assert WeightedAuc(scores, label, fold)(weight) == pytest.approx(WeightedAuc(*many)(np.ones(weight.sum())))


def test_auc_without_both_classes_is_not_a_number():
    assert np.isnan(WeightedAuc(np.zeros(4), np.ones(4), np.zeros(4))(np.ones(4)))


def test_bootstrap_error_is_the_spread_of_repetitions_and_knows_groups():
    rng = np.random.default_rng(4)
    label, zero = np.repeat([0, 1], 300), np.zeros(600)
    values = [WeightedAuc(rng.normal(size=600) + 0.5 * label, label, zero)(np.ones(600)) for _ in range(300)]
    scores = norm.ppf((np.tile(np.arange(300), 2) + 0.5) / 300) + 0.5 * label
    alone = bootstrap_error(WeightedAuc(scores, label, zero), np.ones(600), np.arange(600), rng)
    assert alone == pytest.approx(np.std(values), rel=0.25)
    twice = WeightedAuc(np.tile(scores, 2), np.tile(label, 2), np.zeros(1200))
    assert bootstrap_error(twice, np.ones(1200), np.tile(np.arange(600), 2), rng) == pytest.approx(alone, rel=0.25)
