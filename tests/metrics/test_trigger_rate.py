"""Rates of triggers: units, exact limits, thresholds for a rate, overlaps of a menu."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from facsim.core.errors import FacsimError
from facsim.metrics.trigger_rate import event_rate, rate_above, threshold_for_rate, trigger_menu


def test_an_event_in_hertz() -> None:
    """The inelastic cross section, 80 mb, at 2e34: 1.6 GHz of collisions."""
    assert event_rate(80e9, 1, 2e34) == pytest.approx(1.6e9)
    scores = np.arange(1000.0)
    rate = rate_above(scores, np.full(1000, event_rate(80e9, 1000, 2e34)), 989.0)
    assert rate.value == pytest.approx(1.6e7)
    assert rate.error == pytest.approx(1.6e7 / np.sqrt(10), rel=0.2)


def test_slices_of_cross_section_make_the_rate_of_the_spectrum() -> None:
    """Two slices, a thousand times rarer the second; a threshold in the rare one is known far better than alone."""
    rng = np.random.default_rng(1)
    scores = np.concatenate([rng.normal(size=20_000), rng.normal(3, 1, 20_000)])
    hertz = np.repeat([event_rate(1e6, 20_000, 1e34), event_rate(1e3, 20_000, 1e34)], 20_000)
    truth = 1e4 * norm.sf(4) + 10 * norm.sf(1)
    found = rate_above(scores, hertz, 4.0)
    assert found.low < truth < found.high
    assert found.value == pytest.approx(truth, abs=1.0)


def test_the_threshold_has_the_rate_and_its_range() -> None:
    inside, rates = [], []
    for k in range(200):
        scores = np.random.default_rng(k).normal(size=4000)
        found = threshold_for_rate(scores, np.full(4000, 0.25), 20.0)
        assert found.status == "measured"
        assert found.rate.value == pytest.approx(20.0)
        inside.append(found.threshold.low <= norm.isf(0.02) <= found.threshold.high)
        rates.append(1000 * norm.sf(found.threshold.value))
    assert 0.62 < np.mean(inside) < 0.85
    assert np.mean(rates) == pytest.approx(20.0, rel=0.03)


def test_beyond_the_statistics_there_is_a_promise_or_nothing() -> None:
    kept = []
    for k in range(200):
        scores = np.random.default_rng(k).normal(size=4000)
        found = threshold_for_rate(scores, np.full(4000, 0.25), 2.0)
        assert found.status == "limit"
        kept.append(1000 * norm.sf(found.threshold.value) <= 2.0)
    assert np.mean(kept) >= 0.95
    none = threshold_for_rate(scores, np.full(4000, 0.25), 0.1)
    assert np.isnan(none.threshold.value)
    assert np.isnan(none.rate.value)
    assert none.smallest == pytest.approx(-0.25 * np.log(0.05))


def test_one_heavy_event_is_no_measurement() -> None:
    hertz = np.append(np.full(1000, 0.01), 100.0)
    found = threshold_for_rate(np.arange(1001.0), hertz, 105.0)
    assert found.status == "limit"
    assert found.events < 2
    assert rate_above(np.arange(1001.0), hertz, 1e9).high > 100


@given(st.integers(0, 10_000), st.floats(0.01, 200))
def test_never_more_than_wanted(seed: int, wanted: float) -> None:
    rng = np.random.default_rng(seed)
    scores, hertz = rng.integers(0, 9, 80).astype(float), rng.uniform(0.1, 2, 80)
    found = threshold_for_rate(scores, hertz, wanted, least=0)
    assert hertz[scores > found.threshold.value].sum() == pytest.approx(found.rate.value)
    assert found.rate.value <= wanted * (1 + 1e-9)


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(0.1, 3)), min_size=1, max_size=40))
def test_a_menu_counts_overlaps_once(rows: list[tuple[bool, bool, float]]) -> None:
    passed, hertz = np.array([row[:2] for row in rows]), np.array([row[2] for row in rows])
    menu = trigger_menu(passed, hertz)
    shared = hertz[passed.all(axis=1)].sum()
    assert menu.total.value == pytest.approx(sum(rate.value for rate in menu.each) - shared)
    assert menu.total.value == pytest.approx(sum(rate.value for rate in menu.alone) + shared)
    assert menu.total.low <= menu.total.value <= menu.total.high


def test_broken_input() -> None:
    with pytest.raises(FacsimError, match="above 0"):
        event_rate(0.0, 10, 1e34)
    with pytest.raises(FacsimError, match="above 0 Hz"):
        threshold_for_rate(np.zeros(3), np.ones(3), 0.0)
    with pytest.raises(FacsimError, match="events, triggers"):
        trigger_menu(np.ones(3, dtype=bool), np.ones(3))
    with pytest.raises(FacsimError, match="must not be negative"):
        rate_above(np.zeros(3), np.array([1.0, 1.0, -0.5]), 0.0)
