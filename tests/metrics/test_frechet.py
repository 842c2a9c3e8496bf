"""FPD: closed forms, the values of jetnet 0.2.5, the strict protocol without floor, singular covariances."""

from __future__ import annotations

import json
import time
from pathlib import Path
from runpy import run_path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.metrics.frechet import _distance_of_few, _drawn_moments, fpd, frechet_distance
from facsim.physics.jets import efps

GOLDEN_FOLDER = Path(__file__).parent.parent / "golden"
GOLDEN = json.loads((GOLDEN_FOLDER / "jetnet_0_2_5.json").read_text(encoding="utf-8"))
SAMPLES = run_path(str(GOLDEN_FOLDER / "make_jetnet.py"))


def golden_samples() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(20_000, 6)), 1.05 * rng.normal(size=(20_000, 6))


def moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return x.mean(axis=0), np.cov(x, rowvar=False)


def test_diagonal_gaussians_in_closed_form() -> None:
    a, b = np.array([1.0, 4.0, 9.0]), np.array([4.0, 4.0, 0.0])
    value = frechet_distance(np.zeros(3), np.diag(a), np.array([1.0, 2.0, 0.0]), np.diag(b))
    assert value == pytest.approx(5.0 + ((np.sqrt(a) - np.sqrt(b)) ** 2).sum())


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), dimension=st.integers(1, 8), rows=st.integers(2, 12))
def test_symmetric_and_blind_to_rotation_even_when_singular(seed: int, dimension: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(rows, dimension)), rng.normal(1.0, 2.0, (rows + 1, dimension))
    one, two = [(m, np.atleast_2d(c)) for m, c in (moments(x), moments(y))]
    value = frechet_distance(*one, *two)
    assert value >= -1e-6
    assert frechet_distance(*two, *one) == pytest.approx(value, abs=1e-5)
    turn = np.linalg.qr(rng.normal(size=(dimension, dimension)))[0]
    turned = [(m @ turn, turn.T @ c @ turn) for m, c in (one, two)]
    assert frechet_distance(*turned[0], *turned[1]) == pytest.approx(value, abs=1e-5)
    assert frechet_distance(*one, *one) == pytest.approx(0.0, abs=1e-5)


def test_equal_covariance_leaves_the_distance_of_means() -> None:
    rng = np.random.default_rng(1)
    root = rng.normal(size=(5, 5))
    cov = root @ root.T
    assert frechet_distance(np.zeros(5), cov, np.full(5, 2.0), cov) == pytest.approx(20.0)


def test_wide_singular_problem_is_fast_and_finite() -> None:
    """362 features, 300 events: both covariances singular."""
    rng = np.random.default_rng(2)
    one, two = moments(rng.normal(size=(300, 362))), moments(rng.normal(size=(300, 362)))
    start = time.process_time()
    value = frechet_distance(*one, *two)
    assert time.process_time() - start < 1.0
    assert 0 < value < 724
    assert frechet_distance(*one, *one) == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("case", GOLDEN["features"]["fpd"])
def test_jetnet_protocol_gives_jetnets_numbers(case: dict[str, Any]) -> None:
    options = {key: given for key, given in case.items() if key != "value"}
    got = fpd(*SAMPLES["toy_features"](), "jetnet-0.2.5", **options)
    assert got == pytest.approx(case["value"], rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("case", GOLDEN["jets"]["fpd"])
def test_jetnet_protocol_gives_jetnets_numbers_of_jets(case: dict[str, Any]) -> None:
    """36 polynomials whose covariance is nearly singular: jetnet's root of a matrix is known to 1e-8 only."""
    options = {key: given for key, given in case.items() if key != "value"}
    value, error = fpd(*(efps(jets) for jets in SAMPLES["jet_samples"]()), "jetnet-0.2.5", **options)
    assert value == pytest.approx(case["value"][0], rel=1e-6, abs=1e-9)
    assert error == pytest.approx(case["value"][1], rel=1e-5)


def test_batched_protocols_differ_only_in_the_smallest_sample() -> None:
    x, y = golden_samples()
    small = {"num_batches": 2, "num_points": 3}
    assert fpd(x, y, "calochallenge-2022", **small) == fpd(x, y, "jetnet-0.2.5", min_samples=10_000, **small)
    assert fpd(x, y, "calochallenge-2022", **small) != fpd(x, y, "jetnet-0.2.5", **small)


def test_batched_protocols_want_as_many_events_as_they_draw() -> None:
    x, y = (s[:500] for s in golden_samples())
    with pytest.raises(FacsimError, match="at least 20000 events"):
        fpd(x, y, "jetnet-0.2.5")
    with pytest.raises(FacsimError, match="three or more sizes"):
        fpd(x, y, "jetnet-0.2.5", min_samples=400, max_samples=400)


def test_moments_by_multiplicity_are_those_of_the_rows() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(3.0, 2.0, (40, 5))
    drawn = rng.choice(40, 300)
    mean, cov = _drawn_moments(x, drawn)
    np.testing.assert_allclose(mean, x[drawn].mean(axis=0))
    np.testing.assert_allclose(cov, np.cov(x[drawn], rowvar=False))


def test_strict_has_no_floor_while_the_plain_distance_does() -> None:
    rng = np.random.default_rng(4)
    got, plain = [], []
    for i in range(40):
        x, y = rng.normal(size=(300, 10)), rng.normal(size=(300, 10))
        got.append(fpd(x, y, seed=i))
        plain.append(frechet_distance(*moments(x), *moments(y)))
    values, errors = np.array(got).T
    assert np.mean(plain) > 0.1
    assert abs(values.mean()) < 4 * values.std() / np.sqrt(40)
    assert 0.8 < errors.mean() / values.std() < 2.2


def test_strict_finds_a_known_distance_within_its_error() -> None:
    """N(0, 1)^6 against 1.1 N(0.2, 1)^6 in units of the first: 6 (0.22^2 + 0.1^2)."""
    rng = np.random.default_rng(5)
    got = np.array([fpd(rng.normal(size=(2000, 6)), 1.1 * rng.normal(0.2, 1.0, (2000, 6))) for _ in range(15)])
    assert got[:, 0].mean() == pytest.approx(6 * (0.22**2 + 0.1**2), rel=0.05)
    assert got[:, 1].mean() == pytest.approx(got[:, 0].std(), rel=0.6)


def test_a_few_bad_events_ruin_jetnet_but_not_strict() -> None:
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(4000, 4)), rng.normal(size=(4000, 4))
    clean = fpd(x, y)[0]
    y[:3] *= 300.0
    quick = {"min_samples": 1000, "max_samples": 4000, "num_batches": 3, "num_points": 4}
    assert fpd(x, y, "jetnet-0.2.5", **quick)[0] > 1.0
    value, error = fpd(x, y)
    assert abs(value - clean) < 5 * error


def test_strict_does_not_depend_on_units_or_constant_features() -> None:
    rng = np.random.default_rng(7)
    x, y = rng.normal(size=(500, 3)), rng.normal(0.3, 1.0, (500, 3))
    value, error = fpd(x, y)
    units = np.array([1e-6, 1.0, 1e6])
    assert tuple(fpd(units * x + 7, units * y + 7)) == pytest.approx((value, error), rel=1e-6)
    padded = [np.hstack([s, np.full((500, 1), 0.1)]) for s in (x, y)]
    assert tuple(fpd(*padded)) == pytest.approx((value, error), rel=1e-6)


def test_same_seed_same_value() -> None:
    x, y = (s[:400] for s in golden_samples())
    assert fpd(x, y, seed=1) == fpd(x, y, seed=1)
    assert fpd(x, y, seed=1) != fpd(x, y, seed=2)


def test_broken_input_is_refused() -> None:
    x = np.ones((10, 3))
    with pytest.raises(FacsimError, match=r"shapes \(N, D\)"):
        fpd(x, np.ones((10, 4)))
    with pytest.raises(FacsimError, match="generated sample holds 1 values"):
        fpd(x, np.where(np.arange(30).reshape(10, 3) == 4, np.nan, 1.0))
    with pytest.raises(FacsimError, match="unknown protocol"):
        fpd(x, x, "jetnet")
    with pytest.raises(FacsimError, match="four events"):
        fpd(x[:3], x)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(4, 30), m=st.integers(4, 30))
def test_few_events_give_what_their_covariances_give(seed: int, n: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    pooled = np.concatenate([rng.normal(3.0, 1.0, (n, 40)), rng.normal(3.2, 2.0, (m, 40))])
    block = np.concatenate([np.arange(n) % 4, 4 + np.arange(m) % 4])
    first, second = np.array([[1.0, 0, 1, 1, 0, 0, 0, 0]]), np.array([[0, 0, 0, 0, 1.0, 1, 0, 1]])
    in_first, in_second = first[0][block] > 0, second[0][block] > 0
    expected = frechet_distance(*moments(pooled[in_first]), *moments(pooled[in_second]))
    assert _distance_of_few(pooled, block)(first, second)[0] == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_strict_protocol_takes_either_way_alike() -> None:
    """Weights that are all but equal take the way of covariances."""
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(60, 61)), rng.normal(0.3, 1.0, size=(64, 61))
    weights = np.where(np.arange(60) == 0, 1 + 1e-9, 1.0)
    assert tuple(fpd(x, y)) == pytest.approx(tuple(fpd(x, y, real_weights=weights)), rel=1e-6)


def test_weights_are_multiplicities() -> None:
    rng = np.random.default_rng(8)
    x, y = rng.normal(size=(4000, 3)), rng.normal(0.2, 1.0, (4000, 3))
    twice = rng.random(4000) < 0.3
    value, error = fpd(x, y, gen_weights=1.0 + twice)
    assert value == pytest.approx(fpd(x, np.concatenate([y, y[twice]]))[0], abs=0.25 * error)


def test_signed_weights_take_out_a_background() -> None:
    """Signal and background with weight 1, and other background with weight -1: what is left is the signal."""
    rng = np.random.default_rng(9)
    x, signal = rng.normal(size=(6000, 2)), rng.normal(size=(6000, 2))
    background, other = rng.normal(2.0, 0.5, (2000, 2)), rng.normal(2.0, 0.5, (2000, 2))
    mixed = np.concatenate([signal, background, other])
    value, error = fpd(x, mixed, gen_weights=np.repeat([1.0, 1.0, -1.0], [6000, 2000, 2000]))
    assert abs(value) < 3 * error < fpd(x, mixed[:8000])[0]


def test_p_values_of_exchanged_blocks() -> None:
    rng = np.random.default_rng(10)
    x, y, far = (rng.normal(shift, 1.0, (400, 4)) for shift in (0.0, 0.0, 0.5))
    assert fpd(x, far, permutations=99).p_value == pytest.approx(0.01)
    assert fpd(x, y, permutations=99).p_value > 0.01
    assert np.isnan(fpd(x, y).p_value)


def test_weights_that_cannot_be_are_refused() -> None:
    rng = np.random.default_rng(11)
    x, y = rng.normal(size=(40, 3)), rng.normal(size=(40, 3))
    with pytest.raises(FacsimError, match="positive sum"):
        fpd(x, y, gen_weights=np.zeros(40))
    with pytest.raises(FacsimError, match="40 finite numbers"):
        fpd(x, y, real_weights=np.ones(39))
    with pytest.raises(FacsimError, match="knows no weights"):
        fpd(x, y, "jetnet-0.2.5", real_weights=np.ones(40))
    with pytest.raises(FacsimError, match="all the weight"):
        fpd(x, y, real_weights=(np.arange(40) == 3).astype(float))
    with pytest.raises(FacsimError, match="same events"):
        fpd(x, x)


def test_constant_feature_of_the_reference_counts_deviations_in_no_unit() -> None:
    rng = np.random.default_rng(12)
    x, y = (np.column_stack([rng.normal(size=500), np.full(500, 3e6)]) for _ in range(2))
    y[:50, 1] *= 1 + 1e-3
    small, y[:50, 1] = fpd(x, y), 7e9
    assert tuple(small) == tuple(fpd(x, y))
    assert small[0] > 3 * small[1]
