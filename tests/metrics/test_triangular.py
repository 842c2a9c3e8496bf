"""Separation power: closed forms, the challenge's definition and its blind spot, noise, errors, broken input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.metrics.triangular import separation_of_spectra, separation_power

CHALLENGE, STRICT = "calochallenge-2022", "strict"
BINS = np.linspace(0.5, 1.5, 101)


def scorer_definition(a: np.ndarray, b: np.ndarray, bins: np.ndarray) -> float:
    """Densities inside the range times bin widths, as the challenge's scorer has it."""
    first, second = (np.histogram(v, bins, density=True)[0] * np.diff(bins) for v in (a, b))
    return float(0.5 * ((first - second) ** 2 / (first + second + 1e-16)).sum())


@pytest.mark.parametrize("bins", [BINS, np.logspace(-0.3, 0.3, 40)], ids=["equal", "log"])
def test_challenge_protocol_to_the_digit(bins: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(1.0, 0.3, 5000), rng.normal(1.05, 0.25, 4000)
    value, error = separation_power(a, b, bins, CHALLENGE)
    assert value == pytest.approx(scorer_definition(a, b, bins), rel=1e-12)
    assert 0 < error < value


def test_overflow_is_invisible_to_the_challenge_and_seen_by_strict() -> None:
    """Defect 1: 30 % of the generated events outside the range; calorimeter.md 1.3 quotes 0.00021 and 0.177."""
    rng = np.random.default_rng(0)
    n = 100_000
    a, b = rng.normal(1.0, 0.05, n), rng.normal(1.0, 0.05, n)
    b[: 3 * n // 10] = 3.0
    assert separation_power(a, b, BINS, CHALLENGE)[0] < 4e-4
    value, error = separation_power(a, b, BINS, STRICT)
    # h1 = (1, 0), h2 = (0.7, 0.3) in (inside, above): (0.3^2 / 1.7 + 0.3) / 2
    assert value == pytest.approx(0.5 * (0.09 / 1.7 + 0.3), abs=4 * error)
    assert value == pytest.approx(0.177, abs=0.003)


def test_empty_layers_are_a_bin_of_their_own() -> None:
    values = np.random.default_rng(0).normal(1.0, 0.05, 40_000)
    empty = np.arange(40_000) % 5 == 0
    full = np.zeros(40_000, dtype=bool)
    value, error = separation_power(values, values, BINS, STRICT, empty_a=full, empty_b=empty)
    # h1 = (1, 0), h2 = (0.8, 0.2) in (filled, empty)
    assert value == pytest.approx(0.5 * (0.04 / 1.8 + 0.2), abs=5 * error)
    assert separation_power(values, values, BINS, STRICT, empty_a=~full, empty_b=~full)[0] == pytest.approx(0, abs=1e-4)
    assert separation_power(values, values, BINS, STRICT, empty_a=full, empty_b=~full)[0] == pytest.approx(1.0)
    with_holes = np.where(empty, np.nan, values)
    assert separation_power(values, with_holes, BINS, STRICT, empty_b=empty)[0] == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("protocol", [CHALLENGE, STRICT])
def test_disjoint_is_one_and_alike_is_zero(protocol: str) -> None:
    rng = np.random.default_rng(2)
    a, b = rng.uniform(0.5, 0.9, 3000), rng.uniform(1.1, 1.5, 2000)
    value, error = separation_power(a, b, BINS, protocol)
    assert value == pytest.approx(1.0, abs=1e-12)
    assert error < 0.05
    assert separation_power(a, a, BINS, CHALLENGE)[0] == 0.0


@pytest.mark.parametrize("sizes", [(400, 400), (3000, 600)])
def test_strict_has_no_floor_and_its_error_covers(sizes: tuple[int, int]) -> None:
    """Samples of one distribution: the mean is 0, the error is the spread; the plain definition has a floor."""
    rng = np.random.default_rng(3)
    bins = np.linspace(-2, 2, 21)
    pairs = [(rng.normal(size=sizes[0]), rng.normal(size=sizes[1])) for _ in range(120)]
    strict = np.array([separation_power(a, b, bins, STRICT, n_bootstrap=50) for a, b in pairs])
    plain = np.array([separation_power(a, b, bins, CHALLENGE, n_bootstrap=2)[0] for a, b in pairs])
    floor = 20 / 4 * (1 / sizes[0] + 1 / sizes[1])
    assert plain.mean() == pytest.approx(floor, rel=0.15)
    assert abs(strict[:, 0].mean()) < 0.1 * floor
    assert strict[:, 1].mean() == pytest.approx(strict[:, 0].std(), rel=0.3)


def test_error_covers_where_samples_differ() -> None:
    rng = np.random.default_rng(4)
    bins = np.linspace(-3, 3, 25)
    got = np.array(
        [separation_power(rng.normal(size=1500), rng.normal(0.7, 1.0, 1500), bins, seed=i) for i in range(80)]
    )
    assert got[:, 1].mean() == pytest.approx(got[:, 0].std(), rel=0.35)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(0.01, 100.0), shift=st.floats(-5.0, 5.0))
def test_symmetry_permutation_scale_and_range(seed: int, scale: float, shift: float) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 40, 200) / 8, rng.integers(5, 60, 150) / 8
    bins = np.arange(1, 6) - 1 / 16
    for protocol in (CHALLENGE, STRICT):
        value = separation_power(a, b, bins, protocol, n_bootstrap=2)[0]
        assert value <= 1 + 1e-12
        assert value >= (0 if protocol == CHALLENGE else -0.1)
        assert separation_power(b, a, bins, protocol, n_bootstrap=2)[0] == pytest.approx(value, abs=1e-12)
        mixed = rng.permutation(a), rng.permutation(b)
        assert separation_power(*mixed, bins, protocol, n_bootstrap=2)[0] == pytest.approx(value, abs=1e-12)
        moved = (scale * a + shift, scale * b + shift, scale * bins + shift)
        assert separation_power(*moved, protocol, n_bootstrap=2)[0] == pytest.approx(value, abs=1e-12)


def test_last_edge_belongs_to_the_last_bin_in_both_protocols() -> None:
    a, b = np.array([0.1, 2.0, 2.0]), np.array([0.1, 1.5, 1.5])
    bins = np.array([0.0, 1.0, 2.0])
    assert separation_power(a, b, bins, CHALLENGE)[0] == 0.0
    assert separation_power(a, b, bins, STRICT)[0] < 0.01


def test_same_seed_same_error() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.normal(1, 0.2, 500), rng.normal(1.3, 0.2, 500)
    assert separation_power(a, b, BINS, seed=7) == separation_power(a, b, BINS, seed=7)
    assert separation_power(a, b, BINS, seed=7)[1] != separation_power(a, b, BINS, seed=8)[1]


def test_nothing_inside_the_range_is_not_a_number() -> None:
    value, error = separation_power(np.ones(10), np.full(10, 9.0), BINS, CHALLENGE)
    assert np.isnan(value)
    assert np.isnan(error)


def test_broken_input_is_refused() -> None:
    good = np.ones(5)
    with pytest.raises(FacsimError, match="not finite"):
        separation_power(good, np.array([1.0, np.nan]), BINS)
    with pytest.raises(FacsimError, match="increasing bin edges"):
        separation_power(good, good, np.array([1.0, 0.0]))
    for protocol in ("calochallenge", ""):
        with pytest.raises(FacsimError, match="unknown protocol"):
            separation_power(good, good, BINS, protocol)
        with pytest.raises(FacsimError, match="unknown protocol"):
            separation_of_spectra(np.ones((4, 5)), np.ones((4, 5)), protocol)
    with pytest.raises(FacsimError, match="list of numbers"):
        separation_power(np.ones((2, 2)), good, BINS, CHALLENGE)
    with pytest.raises(FacsimError, match="shapes"):
        separation_of_spectra(np.ones((4, 5)), np.ones((4, 6)))


def spectrum(rng: np.random.Generator, mean: np.ndarray) -> np.ndarray:
    """Blocks whose entries come in bunches of 10, so that counts are not Poisson."""
    return 10 * rng.poisson(mean, size=(32, len(mean)))


def test_spectra_of_bunched_entries_average_to_zero_and_error_covers() -> None:
    rng = np.random.default_rng(6)
    mean = np.array([1.0, 5.0, 8.0, 3.0, 2.0, 1.0])
    got = np.array([separation_of_spectra(spectrum(rng, mean), spectrum(rng, mean)) for _ in range(120)])
    plain = np.array(
        [separation_of_spectra(spectrum(rng, mean), spectrum(rng, mean), CHALLENGE)[0] for _ in range(120)]
    )
    assert abs(got[:, 0].mean()) < 0.3 * plain.mean()
    assert 0.8 < got[:, 1].mean() / got[:, 0].std() < 2.2


def test_challenge_spectrum_ignores_the_outer_bins() -> None:
    a = np.tile([0, 5, 5, 0], (8, 1))
    b = np.tile([50, 5, 5, 70], (8, 1))
    assert separation_of_spectra(a, b, CHALLENGE)[0] == 0.0
    assert separation_of_spectra(a, b, STRICT)[0] > 0.5
    assert np.isnan(separation_of_spectra(a, np.zeros((8, 4)))[0])


def test_edges_that_are_not_numbers() -> None:
    with pytest.raises(FacsimError, match="increasing"):
        separation_power(np.arange(4.0), np.arange(4.0), np.array([0.0, np.nan, 1.0]))


@pytest.mark.parametrize(("n", "m"), [(60, 3000), (3000, 150), (400, 1000)])
def test_strict_averages_to_zero_for_unequal_sizes_too(n: int, m: int) -> None:
    """Bins that are empty in the small sample only by chance count as noise."""
    rng = np.random.default_rng(n)
    bins = np.linspace(-3, 3, 21)
    found = [separation_power(rng.normal(size=n), rng.normal(size=m), bins, n_bootstrap=20) for _ in range(300)]
    values, errors = np.array(found).T
    assert abs(values.mean()) < 0.3 * errors.mean()
