"""Two-sample tests with networks against closed forms: Gaussian shifts, nulls, groups, weights, networks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from facsim.core.errors import FacsimError
from facsim.core.events import make_events
from facsim.core.geometry import CylinderGeometry, Layer, regular_cylinder
from facsim.core.schema import calorimeter_schema
from facsim.evaluate.c2st import CONTROL, NetworkTest, compare, network_test
from facsim.evaluate.crossfit import Plan, _columns
from facsim.evaluate.labelled import Sample, as_sample
from facsim.evaluate.likelihood_ratio import weight_diagnostics
from facsim.evaluate.truth_ratio import truth_ratio
from facsim.train.classifier import ClassifierSettings

QUICK = Plan(seeds=1, settings=ClassifierSettings(30, patience=3), device="cpu")


def gaussians(shift: float, n: int = 500, d: int = 4, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(n, d)), rng.normal(size=(n, d))
    b[:, 0] += shift
    return a, b


def run(a: object, b: object, plan: Plan = QUICK, seed: int = 1) -> NetworkTest:
    return compare(as_sample(a), as_sample(b), plan, seed)


@pytest.mark.parametrize("shift", [0.4, 1.5])
def test_a_shift_reads_its_ideal_auc(shift):
    found = run(*gaussians(shift, n=600))
    ideal = norm.cdf(shift / np.sqrt(2))
    assert found.auc == pytest.approx(ideal, abs=2.5 * found.error)
    assert found.auc > ideal - 0.03
    assert found.accuracy == pytest.approx(norm.cdf(shift / 2), abs=0.04)


def test_truth_against_truth_is_one_half_within_errors():
    found = [run(*gaussians(0.0, n=150, seed=s), seed=s) for s in range(5)]
    pulls = [(r.auc - 0.5) / r.error for r in found]
    assert abs(np.mean(pulls)) < 1.5
    assert max(np.abs(pulls)) < 4


def test_log_ratios_are_the_exact_ones_within_their_noise():
    a, b = gaussians(1.0, n=1000, d=1)
    found = run(a, b)
    exact = np.concatenate([a, b])[:, 0] - 0.5
    assert np.average((found.log_ratio - exact) ** 2) ** 0.5 < 0.3
    assert np.polyfit(exact, found.log_ratio, 1)[0] == pytest.approx(1.0, abs=0.1)


def test_classes_of_other_sizes_read_the_same():
    a, b = gaussians(1.0, n=1200)
    found = run(a[:200], b)
    assert found.auc == pytest.approx(norm.cdf(1 / np.sqrt(2)), abs=3 * found.error)
    assert found.accuracy == pytest.approx(norm.cdf(0.5), abs=0.06)


def test_repeated_events_leak_without_groups_and_not_with_them():
    rng = np.random.default_rng(5)
    few = rng.normal(size=(40, 3))
    a, b = rng.normal(size=(400, 3)), np.repeat(few, 10, axis=0)
    groups = np.repeat(np.arange(40), 10)
    leaking, grouped = run(a, b), run(a, Sample(b, groups=groups))
    assert leaking.auc > 0.5 + 5 * leaking.error
    assert abs(grouped.auc - 0.5) < 3 * grouped.error
    assert grouped.error > 1.5 * leaking.error


def test_weights_can_make_two_samples_one():
    a, b = gaussians(0.7, n=800, d=1)
    ratio = np.exp(0.5 * 0.7**2 - 0.7 * b[:, 0])
    assert run(a, b).auc > 0.64
    weighted = run(a, Sample(b, weight=ratio))
    assert weighted.auc == pytest.approx(0.5, abs=2.5 * weighted.error)


def test_a_ratio_hidden_by_the_condition_is_seen():
    rng = np.random.default_rng(4)
    energy = rng.uniform(0, 1.7, (2, 600))
    response = rng.normal([[0.0], [0.006]], 0.004, (2, 600))
    a, b = (np.column_stack([e, e + r, rng.normal(size=600)]) for e, r in zip(energy, response, strict=True))
    found = network_test(a, b, conditions=1, plan=QUICK)
    assert found.test.auc == pytest.approx(norm.cdf(1.5 / np.sqrt(2)), abs=0.05)


def test_score_control_and_null():
    rng = np.random.default_rng(6)
    truth, other, far = rng.normal(10, 1, (400, 2)), rng.normal(10, 1, (400, 2)), rng.normal(13, 1, (400, 2))
    made = network_test(truth, far, null=other, plan=QUICK, seed=2)
    assert made.score.protocol == "facsim-c2st-net-1 custom"
    assert (made.score.null, made.score.value) == (made.null.auc, made.test.auc)
    assert made.score.status == "ok"  # the control is too small to be seen, but the difference is clear
    assert made.score.z > 3
    assert np.array_equal(made.test.label, np.repeat([0, 1], 400))


def test_a_control_that_is_not_seen_makes_the_score_underpowered():
    rng = np.random.default_rng(7)
    samples = rng.normal(size=(3, 200, 2))
    made = network_test(samples[0], samples[1], null=samples[2], plan=QUICK)
    assert made.score.status == "underpowered"
    assert "control" in made.score.note
    strong = network_test(
        samples[0], samples[1], null=samples[2], plan=QUICK, control=lambda s: replace(s, x=s.x + 1.0)
    )
    assert strong.score.status == "ok"


def test_the_default_control_scales_by_two_per_cent():
    made = network_test(np.eye(60) + 1, np.eye(60) + 1, null=np.full((60, 60), 2.0), plan=QUICK, control=None)
    assert made.control is None
    assert CONTROL == 0.02


def test_the_same_seed_gives_the_same_number_and_another_does_not():
    a, b = gaussians(0.5, n=100)
    assert run(a, b).auc == run(a, b).auc
    assert run(a, b, seed=2).auc != run(a, b).auc


def test_a_region_is_judged_by_the_same_scores():
    rng = np.random.default_rng(8)
    a, b = rng.normal(size=(2, 600, 2))
    b[:, 0] += np.where(b[:, 1] > 0, 1.5, 0.0)
    found = run(a, b)
    high = np.concatenate([a, b])[:, 1] > 0
    bad, good = found.region(high), found.region(~high)
    assert bad[0] == pytest.approx(norm.cdf(1.5 / np.sqrt(2)), abs=3 * bad[1])
    assert good[0] == pytest.approx(0.5, abs=3 * good[1])
    assert np.isnan(found.region(found.label == 0)).all()


def test_seeds_average_and_show_their_spread():
    found = run(*gaussians(0.5, n=150), replace(QUICK, seeds=3))
    assert len(found.seed_aucs) == 3
    assert found.seed_spread == pytest.approx(np.std(found.seed_aucs, ddof=1))
    assert np.isnan(run(*gaussians(0.5, n=100)).seed_spread)


def test_isotonic_calibration_gives_ratios_too():
    found = run(*gaussians(1.0, n=600), replace(QUICK, calibration="isotonic"))
    assert found.auc == pytest.approx(norm.cdf(1 / np.sqrt(2)), abs=3 * found.error)
    assert np.isfinite(found.log_ratio).all()


def test_constant_features_and_identical_samples_have_a_value():
    a, b = gaussians(1.0, n=200)
    padded = [np.column_stack([x, np.full(200, 3.0)]) for x in (a, b)]
    assert run(*padded).auc > 0.6
    same = run(a, a)
    assert same.auc == pytest.approx(0.5, abs=4 * same.error)
    flat = run(np.ones((60, 2)), np.ones((60, 2)))
    assert flat.auc == 0.5


SHAPE = regular_cylinder("toy", "electron", 6, 8, 3, 5.0, 0.0)


def showers(n: int, twisted: bool, seed: int) -> np.ndarray:
    """Cells (N, 144) MeV with a lobe that all layers share, or that each layer has elsewhere."""
    rng = np.random.default_rng(seed)
    angle = 2 * np.pi * rng.uniform(size=(n, 6 if twisted else 1, 1))
    lobe = 1 + 0.9 * np.cos(2 * np.pi * np.arange(8) / 8 - angle) + np.zeros((n, 6, 1))
    return (lobe[..., None] * rng.gamma(4, 0.25, size=(n, 6, 8, 3))).reshape(n, -1)


def test_the_network_for_grids_sees_how_layers_hang_together():
    energy = np.random.default_rng(0).uniform(1e3, 1e4, (200, 1))
    schema = calorimeter_schema(SHAPE)
    a, b = (make_events(schema, showers(200, twisted, twisted)[..., None], energy) for twisted in (False, True))
    found = run(a, b, replace(QUICK, network="grid", settings=ClassifierSettings(30, 64, patience=6)))
    assert found.auc > 0.85


def test_ragged_grids_have_a_network_too():
    layers = tuple(Layer(i, tuple(range(3 + i)), 2) for i in range(3))
    geometry = CylinderGeometry("ragged", "pion", layers)
    rng = np.random.default_rng(1)
    a, b = rng.gamma(1, 1, size=(2, 200, geometry.n_cells))
    b[:, -2:] *= 4
    found = run(Sample(a, geometry=geometry), Sample(b, geometry=geometry), replace(QUICK, network="grid"))
    assert found.auc > 0.7


def test_the_network_for_clouds_sees_correlated_points():
    rng = np.random.default_rng(2)

    def cloud(correlation: float) -> Sample:
        mask = np.arange(8) < rng.integers(1, 9, size=(300, 1))
        x = rng.normal(size=(300, 8, 2))
        x[..., 1] = correlation * x[..., 0] + np.sqrt(1 - correlation**2) * x[..., 1]
        return Sample(np.where(mask[..., None], x, np.nan), mask=mask)

    found = run(cloud(0.0), cloud(0.7), replace(QUICK, network="cloud"))
    assert found.auc > 0.75


def signal(shift: float, seed: int, n: int = 500) -> Sample:
    """Signal N(shift, 1) with weight 1, and background about 3 that cancels on average: half of it has weight -1."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2 * n, 3))
    x[:n, 0] += shift
    x[n:, 1] += 3.0
    return Sample(x, weight=np.r_[np.ones(n), np.tile([1.0, -1.0], n // 2)])


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_negative_weights_subtract_their_events(shift):
    a, b = signal(0.0, 1, 300), signal(shift, 2, 300)
    found = run(a, b, replace(QUICK, folds=3, settings=ClassifierSettings(15, patience=3)))
    assert found.signed
    ideal = norm.cdf(shift / np.sqrt(2))
    assert found.error < 0.1
    assert found.auc == pytest.approx(ideal, abs=2.5 * found.error)
    assert (found.auc > 0.5 + 3 * found.error) == (shift > 0)
    low = np.concatenate([a.x, b.x])[:, 2] < 0
    auc, error = found.region(low)
    assert auc == pytest.approx(ideal, abs=3 * error)
    with pytest.raises(FacsimError, match="without negative weights"):
        weight_diagnostics(found)


def test_signed_weights_are_told_in_the_note_and_others_refuse_them():
    made = network_test(signal(0.0, 3, 100), signal(1.0, 4, 100), plan=QUICK, seed=1)
    assert "conditional expectations of the signed weights" in made.score.note
    with pytest.raises(FacsimError, match="the reference sample's are not"):
        truth_ratio(signal(0.0, 3, 100), signal(1.0, 4, 100), "model", plan=QUICK)


def test_signed_weights_of_points():
    rng = np.random.default_rng(5)
    samples = []
    for shift in (0.0, 1.5):
        x = rng.gamma(2.0, 1.0, size=(200, 4, 2))
        x[:100, :, 0] += shift
        mask = rng.random((200, 4)) < 0.8
        samples.append(Sample(x, mask=mask, weight=np.r_[np.ones(100), np.tile([1.0, -1.0], 50)]))
    found = run(*samples, replace(QUICK, network="cloud", folds=2, settings=ClassifierSettings(10)))
    assert found.auc > 0.5 + 3 * found.error


def test_weights_of_many_cells_are_expected_of_their_sums():
    x = np.random.default_rng(6).gamma(2.0, 1.0, size=(60, 30, 5, 4))
    columns = _columns(Sample(x, cond=np.ones((60, 1))))
    assert columns.shape[1] < 300
    assert columns[:, 1] == pytest.approx(x.reshape(60, -1).sum(axis=1))
    assert columns[:, 2] == pytest.approx(x.reshape(60, -1)[:, :3].sum(axis=1))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"x": np.ones((60, 3))}, "events of one shape"),
        ({"x": np.full((60, 4), np.nan)}, "not finite"),
        ({"x": np.ones((20, 4))}, "at least 50 events"),
        ({"x": np.ones((60, 2, 2))}, "events of one shape"),
        ({"weight": np.zeros(60)}, "have a positive sum"),
        ({"weight": np.r_[-60.0, np.ones(59)]}, "have a positive sum"),
        ({"weight": np.ones(59)}, "'weight' of length 59"),
        ({"groups": np.zeros(60)}, "only 1 groups"),
        ({"cond": np.ones((60, 1))}, "only some of the samples have 'cond'"),
    ],
)
def test_broken_samples_are_told_in_a_sentence(change, sentence):
    good = Sample(np.random.default_rng(1).normal(size=(60, 4)))
    with pytest.raises(FacsimError, match=sentence):
        run(good, replace(good, **change))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"network": "tabel"}, r"unknown network 'tabel'.*'table'"),
        ({"calibration": "none"}, "unknown calibration"),
        ({"folds": 1}, "at least 2 folds"),
        ({"options": {"wide": 3}}, "cannot be built"),
        ({"device": "cuda:99"}, "not available"),
        ({"network": "grid"}, "'geometry' with V cells"),
        ({"network": "cloud"}, r"shape \(N, P, F\)"),
    ],
)
def test_broken_plans_are_told_in_a_sentence(change, sentence):
    with pytest.raises(FacsimError, match=sentence):
        run(*gaussians(0.0, n=60), replace(QUICK, **change))


def test_the_null_is_truth_of_its_own() -> None:
    x, y = (np.random.default_rng(k).normal(size=(200, 2)) for k in (1, 2))
    for null in (x, y):
        with pytest.raises(FacsimError, match="the null is the"):
            network_test(x, y, null=null)
