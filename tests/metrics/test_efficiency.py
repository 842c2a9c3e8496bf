"""Efficiencies against counting, binomial errors, repeated samples, and sWeights of a known signal."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.metrics.efficiency import binned_efficiency, efficiencies, efficiency, efficiency_shift
from facsim.physics.splot import fit_mass, sweights


def test_without_weights_it_is_counting_with_binomial_errors() -> None:
    values = np.array([0.0, 1.0, 2.0, 2.0, 3.0])
    found = efficiency(values, 1.0)
    assert found == pytest.approx((0.6, np.sqrt(0.6 * 0.4 / 5)))
    assert efficiencies(values, [3.0, -1.0, 2.0])[0] == pytest.approx([0.0, 1.0, 0.2])


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(-1, 2)), min_size=2, max_size=40), st.floats(-5, 5))
def test_any_weights_against_their_definition(pairs: list[tuple[float, float]], cut: float) -> None:
    x, w = np.array(pairs).T
    w[0] += 1 + np.abs(w).sum()
    value, error = efficiency(x, cut, w)
    passed = x > cut
    assert value == pytest.approx(w[passed].sum() / w.sum(), abs=1e-9)
    assert error == pytest.approx(np.sqrt(np.sum((w * (passed - value)) ** 2)) / w.sum(), abs=1e-7)


def test_bins_agree_with_selecting_and_say_where_nothing_is() -> None:
    rng = np.random.default_rng(1)
    x, by, w = rng.normal(size=500), rng.uniform(0, 3, 500), rng.normal(0.5, 1, 500)
    found = binned_efficiency(x > 0.2, by, [0.0, 1.0, 3.0, 4.0], w)
    for k, (low, high) in enumerate([(0, 1), (1, 3)]):
        inside = (by >= low) & (by < high)
        assert (found.value[k], found.error[k]) == pytest.approx(efficiency(x[inside], 0.2, w[inside]))
        assert found.events[k] == pytest.approx(w[inside].sum() ** 2 / np.sum(w[inside] ** 2))
    assert np.isnan(found.value[2])
    assert np.isnan(found.error[2])
    assert found.events[2] == 0


def test_sweights_give_the_efficiency_of_the_signal_and_its_scatter() -> None:
    rng = np.random.default_rng(2)
    found = []
    for _ in range(120):
        signal = rng.uniform(size=1200) < 0.5
        mass = np.where(signal, np.clip(rng.normal(5, 0.5, 1200), 0, 10), rng.uniform(0, 10, 1200))
        values = np.where(signal, rng.normal(1, 1, 1200), rng.normal(-1, 1, 1200))
        fit = fit_mass(mass, (0.0, 10.0))
        found.append(efficiency(values, 0.0, sweights(fit.densities(mass), fit.yields)[:, 0]))
    value, error = np.array(found).T
    assert value.mean() == pytest.approx(0.8413, abs=4 * value.std() / np.sqrt(120))
    assert error.mean() == pytest.approx(value.std(ddof=1), rel=0.25)


def test_a_shift_of_the_efficiency() -> None:
    a, b = np.arange(100.0), np.arange(100.0) + 10
    value, error = efficiency_shift(a, b)
    assert value == pytest.approx(0.1)
    assert error == pytest.approx(np.sqrt(0.25 / 100 + 0.24 / 100))
    assert efficiency_shift(a, b, cut=200.0).value == 0


def test_broken_input() -> None:
    with pytest.raises(FacsimError, match="positive sum"):
        efficiency(np.zeros(2), 0.0, np.array([1.0, -1.0]))
    with pytest.raises(FacsimError, match="finite cut"):
        efficiency_shift(np.zeros(2), np.ones(2), cut=np.nan)
    with pytest.raises(FacsimError, match="increasing edges"):
        binned_efficiency(np.ones(3), np.ones(3), [1.0, 1.0])
    with pytest.raises(FacsimError, match="one length"):
        binned_efficiency(np.ones(3), np.ones(4), [0.0, 1.0])
