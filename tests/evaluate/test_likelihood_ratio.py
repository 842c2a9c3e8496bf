"""Diagnostics of classifier weights where the likelihood ratio is known in closed form."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from facsim.core.errors import FacsimError
from facsim.evaluate.c2st import NetworkTest
from facsim.evaluate.likelihood_ratio import weight_diagnostics
from facsim.evaluate.regions import ranked_regions
from facsim.metrics.auc_bootstrap import WeightedAuc

SHIFT = 0.8


def known(shift: float = SHIFT, n: int = 20_000, seed: int = 1) -> tuple[NetworkTest, np.ndarray]:
    """What a perfect network would say of N(0, 1) against N(shift, 1), and the values, (2 n,)."""
    rng = np.random.default_rng(seed)
    label = np.repeat([0, 1], n)
    x = rng.normal(size=2 * n) + shift * label
    log_ratio, fold = shift * x - shift**2 / 2, np.arange(2 * n) % 5
    auc = WeightedAuc(log_ratio, label, fold)(np.ones(2 * n))
    groups, one = np.arange(2 * n), np.ones(2 * n)
    return NetworkTest(auc, 0.002, 0.0, np.array([auc]), log_ratio, label, fold, groups, one, n, np.zeros((1, 5))), x


def columns(values: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    half = len(values) // 2
    noise = np.random.default_rng(9).normal(size=len(values))
    return {"x": values[:half], "noise": noise[:half]}, {"x": values[half:], "noise": noise[half:]}


def test_exact_ratios_pass_every_check():
    test, x = known()
    found = weight_diagnostics(test, *columns(x))
    for mean, error in (found.mean_weight, found.mean_inverse):
        assert mean == pytest.approx(1.0, abs=4 * error)
        assert error < 0.02
    assert found.auc_after == pytest.approx(0.5, abs=0.01)
    assert found.effective_size == pytest.approx(np.exp(-(SHIFT**2)), rel=0.05)
    assert found.reliability["p"] > 1e-3
    limit = np.log(5)  # log w of the candidate is N(-shift^2 / 2, shift^2)
    above = norm.sf((limit + SHIFT**2 / 2) / SHIFT)
    below = norm.cdf((-limit + SHIFT**2 / 2) / SHIFT)
    assert found.tails["candidate"] == pytest.approx([above, below], abs=0.005)
    assert found.tails["reference"] == pytest.approx([below, above], abs=0.005)
    of_x, of_noise = found.observables
    assert of_x["before"] == pytest.approx(SHIFT, abs=0.03)
    assert of_x["after"] < 0.05
    assert of_noise["before"] < 0.05


def test_ratios_that_are_too_steep_fail_the_calibration():
    test, _ = known()
    found = weight_diagnostics(replace(test, log_ratio=2 * test.log_ratio))
    assert found.reliability["p"] < 1e-6
    assert found.mean_weight[0] > 1 + 5 * found.mean_weight[1]


def test_regions_add_up_to_the_symmetrised_divergence():
    test, x = known()
    found = weight_diagnostics(test, *columns(x))
    for name in ("x", "noise"):
        gaps = [row["gap"] for row in found.regions if row["observable"] == name]
        assert sum(gaps) == pytest.approx(SHIFT**2, abs=0.03)
        assert sum(row["share_candidate"] for row in found.regions if row["observable"] == name) == pytest.approx(1)
    assert [row["z"] for row in found.regions] == sorted((row["z"] for row in found.regions), reverse=True)


def test_the_region_that_fails_comes_first():
    rng = np.random.default_rng(3)
    label = np.repeat([0, 1], 5000)
    place = rng.uniform(0, 8, 10_000)
    wrong = (label == 1) & (place > 6)
    x = rng.normal(size=10_000) + wrong
    log_ratio = np.where(place > 6, x - 0.5, 0.0) + rng.normal(0, 0.05, 10_000)
    rows = ranked_regions(log_ratio, label == 1, np.ones(10_000), np.arange(10_000), {"place": place}, 4, 1.5)
    first, *others = rows
    assert first["low"] == pytest.approx(6, abs=0.1)
    assert first["p"] < 1e-6
    assert first["log_weight_candidate"] == pytest.approx(-0.5, abs=0.1)
    assert max(row["z"] for row in others) < 4


def test_regions_of_equal_samples_have_small_significances():
    rng = np.random.default_rng(4)
    z = []
    for _ in range(40):
        score, label = rng.normal(size=400), np.repeat([0, 1], 200)
        groups = np.concatenate([np.arange(200), 200 + np.arange(200) // 2])
        values = {"a": rng.normal(size=400)}
        z += [row["z"] for row in ranked_regions(score, label == 1, np.ones(400), groups, values, 4, 1.0)]
    assert np.mean(z) == pytest.approx(0, abs=0.3)
    assert np.std(z) == pytest.approx(1, abs=0.15)


def test_groups_count_once():
    test, x = known(n=300)
    groups = np.arange(600) // 3
    alone, grouped = (weight_diagnostics(t, *columns(x)) for t in (test, replace(test, groups=groups)))
    assert alone.mean_weight[0] == grouped.mean_weight[0]
    tripled = replace(
        test, **{name: np.repeat(getattr(test, name), 3) for name in ("log_ratio", "label", "fold", "weight", "groups")}
    )
    assert weight_diagnostics(tripled).mean_weight == pytest.approx(alone.mean_weight)


def test_the_result_is_json_and_histograms_are_complete():
    test, x = known(n=500)
    data = weight_diagnostics(replace(test, log_ratio=8 * test.log_ratio), *columns(x)).to_dict()
    again = json.loads(json.dumps(data, allow_nan=False))
    for name in ("reference", "candidate"):
        assert sum(again["histogram"][name]) == pytest.approx(1)
        assert again["histogram"][name][0] + again["histogram"][name][-1] > 0.01
    assert len(again["histogram"]["reference"]) == len(again["histogram"]["edges"]) + 1


def test_discrete_and_constant_observables_have_regions():
    test, _ = known(n=200)
    flat, steps = np.ones(200), np.arange(200) % 2
    found = weight_diagnostics(test, {"flat": flat, "steps": steps}, {"flat": flat, "steps": steps})
    assert [r["share_reference"] for r in found.regions if r["observable"] == "flat"] == [pytest.approx(1)]
    assert [r["share_reference"] for r in found.regions if r["observable"] == "steps"] == [pytest.approx(0.5)] * 2


@pytest.mark.parametrize(
    ("reference", "candidate", "sentence"),
    [
        ({"a": np.ones(200)}, {"b": np.ones(200)}, "the same observables"),
        ({"a": np.ones(200)}, {"a": np.ones(199)}, "200 values of the reference and 200"),
        ({"a": np.ones(200)}, {"a": np.full(200, np.nan)}, "finite values"),
    ],
)
def test_broken_observables_are_told_in_a_sentence(reference, candidate, sentence):
    with pytest.raises(FacsimError, match=sentence):
        weight_diagnostics(known(n=200)[0], reference, candidate)


def test_samples_far_apart_stay_finite():
    test, x = known(n=300)
    data = weight_diagnostics(replace(test, log_ratio=1e4 * test.log_ratio), *columns(x)).to_dict()
    json.dumps(data, allow_nan=False)
