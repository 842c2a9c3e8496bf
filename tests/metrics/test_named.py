"""The metrics by name: every one gives a score with a null, is reproducible and refuses what it must."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import facsim.metrics as m
from facsim.core.errors import FacsimError
from facsim.metrics.wasserstein import sliced_wasserstein, wasserstein_1d

BINS = np.linspace(-4, 4, 21)
FEATURES: dict[str, Callable[..., Any]] = {
    "fpd": m.fpd,
    "kpd": m.kpd,
    "energy": m.energy_distance,
    "sliced_w1": m.sliced_w1,
    "correlation": m.correlations,
    "auc": m.c2st,
}
VALUES: dict[str, Callable[..., Any]] = {
    "w1": m.w1,
    "separation": partial(m.separation, bins=BINS),
    "ks": m.ks,
    "chi2": partial(m.chi2, bins=BINS),
    "efficiency": partial(m.efficiency, cut=0.5),
}


def samples(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    mixed = rng.normal(size=shape)
    if len(shape) == 2:
        mixed[:, 1] = 0.8 * mixed[:, 0] + 0.6 * mixed[:, 1]
    return rng.normal(size=shape), 1.3 * mixed + 0.3, rng.normal(size=shape)


@pytest.mark.parametrize("name", sorted(FEATURES | VALUES))
def test_score_has_a_null_and_sees_a_difference(name: str) -> None:
    shape = (600, 3) if name in FEATURES else (600,)
    truth, other, null = samples(shape)
    function = (FEATURES | VALUES)[name]
    score = function(truth, other, null=null)
    assert score.name == name
    assert score.z > 2.5
    assert (score.n_reference, score.n_generated) == (600, 600)
    assert function(truth, other, null=null) == score
    assert np.isnan(function(truth, other).null)
    broken = other.copy()
    broken[3] = np.nan
    with pytest.raises(FacsimError, match="finite"):
        function(truth, broken)


def test_the_auc_of_values_has_a_null_at_one_half() -> None:
    truth, other, null = samples((2000,))
    score = m.roc_auc(truth, other, null=null)
    assert score.value > 0.5 + 4 * score.error
    assert abs(score.null - 0.5) < 3 * score.null_error
    assert score.better == "null"


def test_neighbour_scores_are_best_at_truths_own() -> None:
    truth, other, null = samples((400, 3))
    scores = m.prdc(truth, other, null=null)
    assert sorted(scores) == ["coverage", "density", "precision", "recall"]
    assert all(score.better == "null" for score in scores.values())
    assert scores["coverage"].z < -3


def test_protocols_and_weights_reach_the_functions() -> None:
    truth, other, _ = samples((600, 3))
    assert m.fpd(truth, other, protocol="jetnet-0.2.5", min_samples=300, max_samples=600, num_points=3).value > 0
    with pytest.raises(FacsimError, match="unknown protocol"):
        m.kpd(truth, other, protocol="jetnet-0.1")
    weights = np.random.default_rng(1).uniform(0, 2, 600)
    expected = wasserstein_1d(truth[:, 0], other[:, 0], None, weights)
    found = m.w1(truth[:, 0], other[:, 0], candidate_weights=weights)
    assert (found.value, found.error) == expected


def test_sliced_distance_of_a_shift_in_closed_form() -> None:
    """Moving all events by d moves each projection by d.u, whose mean size is |d| times a known constant."""
    x = np.random.default_rng(1).normal(size=(400, 3))
    value, _ = sliced_wasserstein(x, x + np.array([2.0, 0, 0]), directions=4000, scale=False)
    assert value == pytest.approx(2.0 * 0.5, rel=0.03)  # E|cos| = 1/2 in three dimensions
    alone, error = sliced_wasserstein(x[:, :1], 1.5 * x[:, :1] + 1, directions=3, scale=False)
    assert (alone, error) == pytest.approx(wasserstein_1d(x[:, 0], 1.5 * x[:, 0] + 1))


def test_sliced_error_covers() -> None:
    rng = np.random.default_rng(3)
    found = np.array(
        [sliced_wasserstein(rng.normal(size=(200, 2)), rng.normal(0.7, 1, (200, 2)), directions=30) for _ in range(60)]
    )
    assert 0.7 < found[:, 0].std() / found[:, 1].mean() < 1.4


def test_classifier_says_when_samples_share_events() -> None:
    truth, _, other = samples((400, 3))
    with pytest.raises(FacsimError, match="same events"):
        m.c2st(truth, truth)
    assert m.c2st(truth, np.concatenate([truth[:300], other[:100]])).status == "suspicious"
    assert m.c2st(truth, other).status == "ok"
