"""Both log-posteriors against the exact one of Gaussians, and the files of the incremental one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import logsumexp

from facsim.core.errors import FacsimError
from facsim.evaluate.crossfit import Plan
from facsim.evaluate.labelled import Sample
from facsim.evaluate.log_posterior import LogPosterior, log_posterior
from facsim.evaluate.multiclass import multiclass_log_posterior
from facsim.evaluate.truth_ratio import TruthRatio, truth_ratio
from facsim.train.classifier import ClassifierSettings

PLAN = Plan(settings=ClassifierSettings(40, patience=5), device="cpu")
MEANS = {"near": 0.2, "far": 0.7, "other": -0.5}


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(1200, 2))


@pytest.fixture(scope="module")
def models() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    return {name: rng.normal([mean, 0.0], 1.0, (1200, 2)) for name, mean in MEANS.items()}


@pytest.fixture(scope="module")
def ratios(truth: np.ndarray, models: dict[str, np.ndarray]) -> list[TruthRatio]:
    return [truth_ratio(truth, sample, name, plan=PLAN, seed=3) for name, sample in models.items()]


@pytest.fixture(scope="module")
def challenge(truth: np.ndarray, models: dict[str, np.ndarray]) -> LogPosterior:
    return multiclass_log_posterior(truth, models, plan=PLAN, seed=3)


def exact(x: np.ndarray) -> np.ndarray:
    """log P(k|x) of the Gaussians, (N, K)."""
    log_p = np.stack([-0.5 * (x[:, 0] - mean) ** 2 for mean in MEANS.values()], axis=1)
    return log_p - logsumexp(log_p, axis=1, keepdims=True)


def test_the_incremental_scores_are_the_exact_ones(truth, ratios):
    found = log_posterior(ratios)
    assert found.names == tuple(MEANS)
    pulls = (found.value - exact(truth).mean(axis=0)) / found.error
    assert np.abs(pulls).max() < 3
    assert found.error.max() < 0.06
    assert found.value.argmax() == 0
    assert found.chance == pytest.approx(-np.log(3))


def test_the_challenges_scores_are_the_exact_ones(truth, models, challenge):
    found = challenge
    pulls = (found.value - exact(truth).mean(axis=0)) / found.error
    assert np.abs(pulls).max() < 3
    assert found.error.max() < 0.06
    own = np.array([exact(sample).mean(axis=0) for sample in models.values()])
    assert found.cross == pytest.approx(own, abs=0.12)
    assert found.runs.shape == (2, 3)


def test_both_variants_agree(challenge, ratios):
    one, other = challenge, log_posterior(ratios)
    assert np.all(np.abs(one.value - other.value) < 3 * np.hypot(one.error, other.error))


def test_a_new_model_needs_only_its_own_ratio(ratios):
    two, three = log_posterior(ratios[:2]), log_posterior(ratios)
    expected = logsumexp(np.stack([r.log_ratio for r in ratios]).astype(float), axis=0)
    of_first = ratios[0].log_ratio.astype(float) - expected
    assert three.value[0] == pytest.approx(of_first.mean())
    assert three.value[0] < two.value[0]


def test_ratios_are_normalised_and_know_their_divergence(ratios):
    for ratio, mean in zip(ratios, MEANS.values(), strict=True):
        assert ratio.normalisation == pytest.approx(1.0, abs=0.12)
        assert ratio.divergence == pytest.approx(mean**2 / 2, abs=0.05)


def test_models_that_nothing_tells_apart_score_chance(truth):
    rng = np.random.default_rng(5)
    same = {name: rng.normal(size=(300, 2)) for name in ("a", "b", "c", "d")}
    found = multiclass_log_posterior(truth[:300], same, plan=replace(PLAN, seeds=1))
    assert found.value == pytest.approx(np.full(4, found.chance), abs=0.05)


def test_scores_carry_the_protocol_and_chance(ratios):
    scores = log_posterior(ratios).scores()
    assert set(scores) == set(MEANS)
    assert scores["near"].better == "higher"
    assert scores["near"].protocol == "facsim-incremental-1"
    assert "chance -1.0986" in scores["near"].note


def test_a_saved_ratio_is_the_same(ratios, tmp_path: Path):
    path = tmp_path / "near.npz"
    ratios[0].save(path)
    again = TruthRatio.load(path)
    assert (again.name, again.truth, again.seed, again.n_model) == ("near", ratios[0].truth, 3, 1200)
    assert np.array_equal(log_posterior([again, *ratios[1:]]).value, log_posterior(ratios).value)


def test_weights_of_truth_count(truth, models):
    truth = truth[:250]
    weight = np.where(truth[:, 0] > 0, 3.0, 0.2)
    data = {"near": models["near"][:250], "other": models["other"][:250]}
    plain, tilted = (
        log_posterior([truth_ratio(sample, x, name, plan=replace(PLAN, seeds=1)) for name, x in data.items()])
        for sample in (truth, Sample(truth, weight=weight))
    )
    assert tilted.value[1] < plain.value[1]


def test_damaged_and_foreign_files_are_told(ratios, tmp_path: Path):
    path = tmp_path / "bad.npz"
    np.save(tmp_path / "array.npy", np.ones(3))
    for content in (b"", b"PK\x03\x04 no archive", b"text", (tmp_path / "array.npy").read_bytes()):
        path.write_bytes(content)
        with pytest.raises(FacsimError, match="holds no ratios"):
            TruthRatio.load(path)
    with pytest.raises(FacsimError, match="holds no ratios"):
        TruthRatio.load(tmp_path / "missing.npz")
    replace(ratios[0], protocol="old").save(path)
    with pytest.raises(FacsimError, match="protocol 'old'"):
        TruthRatio.load(path)


def test_sets_that_do_not_belong_together_are_refused(ratios, truth, models):
    with pytest.raises(FacsimError, match="at least two models"):
        log_posterior(ratios[:1])
    with pytest.raises(FacsimError, match="different names"):
        log_posterior([ratios[0], ratios[0]])
    with pytest.raises(FacsimError, match="different truth samples"):
        log_posterior([ratios[0], replace(ratios[1], truth="0")])
    with pytest.raises(FacsimError, match="at least two models"):
        multiclass_log_posterior(truth, {"near": models["near"]})
    with pytest.raises(FacsimError, match="one shape"):
        multiclass_log_posterior(truth, {"near": models["near"], "flat": models["far"][:, :1]})
