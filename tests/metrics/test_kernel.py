"""KPD: the full kernel matrix as an independent implementation, jetnet's numbers, null, errors."""

from __future__ import annotations

import json
from pathlib import Path
from runpy import run_path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.metrics import pairs
from facsim.metrics._samples import scale_robustly
from facsim.metrics.kernel import kpd, quartic_moments
from facsim.metrics.pairs import pair_sums, quartic_kernel
from facsim.physics.jets import efps

GOLDEN_FOLDER = Path(__file__).parent.parent / "golden"
GOLDEN = json.loads((GOLDEN_FOLDER / "jetnet_0_2_5.json").read_text(encoding="utf-8"))
SAMPLES = run_path(str(GOLDEN_FOLDER / "make_jetnet.py"))


def slow_mmd(x: np.ndarray, y: np.ndarray) -> float:
    """Unbiased MMD^2 from whole kernel matrices."""
    xx, yy, xy = ((a @ b.T / x.shape[1] + 1) ** 4 for a, b in ((x, x), (y, y), (x, y)))
    n, m = len(x), len(y)
    inside = (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1))
    return float(inside - 2 * xy.mean())


@pytest.mark.parametrize("case", GOLDEN["features"]["kpd"])
def test_jetnet_protocol_gives_jetnets_numbers(case: dict[str, Any]) -> None:
    options = {key: given for key, given in case.items() if key != "value"}
    got = kpd(*SAMPLES["toy_features"](), "jetnet-0.2.5", **options)
    assert got == pytest.approx(case["value"], rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("case", GOLDEN["jets"]["kpd"])
def test_jetnet_protocol_gives_jetnets_numbers_of_jets(case: dict[str, Any]) -> None:
    options = {key: given for key, given in case.items() if key != "value"}
    got = kpd(*(efps(jets) for jets in SAMPLES["jet_samples"]()), "jetnet-0.2.5", **options)
    assert got == pytest.approx(case["value"], rel=1e-8, abs=1e-12)


@pytest.mark.parametrize(("size", "dimension"), [(30, 12), (140, 12), (140, 3)], ids=["batch", "pool", "products"])
def test_batches_equal_the_slow_kernel(size: int, dimension: int) -> None:
    """All ways: a kernel a batch, multiplicities on the kernel of the pool, and products of features."""
    data = np.random.default_rng(1)
    x, y = data.normal(size=(200, dimension)), data.normal(0.2, 1.0, (150, dimension))
    largest = np.abs(x).max(axis=0)
    values = []
    for i in range(3):
        rng = np.random.default_rng(42 + 1000 * i)
        first, second = rng.choice(200, size), rng.choice(150, size)
        values.append(slow_mmd(x[first] / largest, y[second] / largest))
    value, error = kpd(x, y, "jetnet-0.2.5", num_batches=3, batch_size=size)
    assert value == pytest.approx(np.median(values), rel=1e-9)
    low, high = np.percentile(values, (16.275, 83.725))
    assert error == pytest.approx((high - low) / 2, rel=1e-9)


def test_challenge_draws_larger_batches() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(10_000, 3)), rng.normal(size=(10_000, 3))
    with pytest.raises(FacsimError, match="batches of 5000 events"):
        kpd(x[:4999], y, "jetnet-0.2.5")
    assert kpd(x, y, "calochallenge-2022") == kpd(x, y, "jetnet-0.2.5", batch_size=10_000)


@pytest.mark.parametrize(("n", "dimension"), [(300, 40), (1500, 3)], ids=["kernel", "products"])
def test_strict_is_the_exact_unbiased_value_of_all_events(n: int, dimension: int) -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(n, dimension)), rng.normal(0.1, 1.0, (n - 50, dimension))
    assert kpd(x, y)[0] == pytest.approx(slow_mmd(*scale_robustly(x, y)), rel=1e-8)


def test_linear_time_sums_equal_the_kernel() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(90, 4)), rng.normal(size=(70, 4))
    of_x, of_y = np.arange(90) % 3, np.arange(70) % 3
    want = pair_sums(x, np.eye(3)[:, of_x], y, np.eye(3)[:, of_y], quartic_kernel)
    got = quartic_moments(x, of_x, np.ones(90), 3) @ quartic_moments(y, of_y, np.ones(70), 3).T
    np.testing.assert_allclose(got, want, rtol=1e-12)


def test_blocked_sums_do_not_depend_on_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    x, y, w = rng.normal(size=(50, 3)), rng.normal(size=(40, 3)), rng.normal(size=(2, 50))
    whole = pair_sums(x, w, y, np.ones((1, 40)), quartic_kernel)
    monkeypatch.setattr(pairs, "ROWS_AT_ONCE", 7)
    np.testing.assert_allclose(pair_sums(x, w, y, np.ones((1, 40)), quartic_kernel), whole, rtol=1e-12)


def test_null_averages_to_zero_and_error_covers() -> None:
    rng = np.random.default_rng(6)
    got = np.array([kpd(rng.normal(size=(300, 6)), rng.normal(size=(300, 6)), seed=i) for i in range(60)])
    assert abs(got[:, 0].mean()) < 4 * got[:, 0].std() / np.sqrt(60)
    assert 0.8 < got[:, 1].mean() / got[:, 0].std() < 2.2


def test_error_covers_where_samples_differ() -> None:
    rng = np.random.default_rng(7)
    got = np.array([kpd(rng.normal(size=(400, 4)), rng.normal(0.5, 1.0, (400, 4)), seed=i) for i in range(40)])
    assert got[:, 0].min() > 0
    assert got[:, 1].mean() == pytest.approx(got[:, 0].std(), rel=0.4)


def test_kernel_sees_a_mixture_with_the_same_moments() -> None:
    """Two clusters with mean 0 and variance 1: blind spot of the Frechet distance (arXiv 2211.10295, toy)."""
    rng = np.random.default_rng(8)
    x = rng.normal(size=(4000, 1))
    y = rng.choice([-0.9, 0.9], (4000, 1)) + np.sqrt(1 - 0.81) * rng.normal(size=(4000, 1))
    value, error = kpd(x, y)
    assert value > 4 * error


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
def test_unit_free_and_blind_to_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(60, 3)), rng.normal(0.4, 1.0, (60, 3))
    value = kpd(x, y)[0]
    assert kpd(rng.permutation(x), rng.permutation(y))[0] == pytest.approx(value, rel=1e-8, abs=1e-10)
    assert kpd(5e3 * x - 1, 5e3 * y - 1)[0] == pytest.approx(value, rel=1e-6, abs=1e-8)


def test_broken_input_is_refused() -> None:
    x = np.ones((10, 3))
    with pytest.raises(FacsimError, match="unknown protocol"):
        kpd(x, x, "strict-1")
    with pytest.raises(FacsimError, match="four events"):
        kpd(x[:3], x)
    with pytest.raises(FacsimError, match="reference sample holds"):
        kpd(x * np.nan, x)
