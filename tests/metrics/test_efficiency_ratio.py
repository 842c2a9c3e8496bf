"""Ratios of efficiencies: closed forms, coverage of the errors, pairs, and negative weights."""

from __future__ import annotations

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.metrics.efficiency_ratio import bin_numbers, efficiency_ratio


def ones(n: int) -> np.ndarray:
    return np.zeros(n, dtype=np.int64)


def test_ratio_and_error_of_unweighted_events() -> None:
    a, b = np.arange(100) < 40, np.arange(400) < 200
    found = efficiency_ratio(a, b, ones(100), ones(400), 1)
    assert found.value[0] == pytest.approx(0.5 / 0.4)
    assert found.reference_error[0] == pytest.approx(np.sqrt(0.4 * 0.6 / 100))
    relative = np.hypot(np.sqrt(0.24 / 100) / 0.4, np.sqrt(0.25 / 400) / 0.5)
    assert found.error[0] == pytest.approx(found.value[0] * relative)
    assert found.events[0] == 100


def test_errors_cover_with_signed_weights() -> None:
    rng = np.random.default_rng(0)
    pulls: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(300):
        # a condition moves the efficiency and the weight, and both samples share it
        c = rng.random(800)
        weight = np.where(rng.random(800) < 0.3, -0.5, 1.2)
        a, b = (rng.random(800) < 0.2 + 0.7 * c for _ in range(2))
        for paired, found_pulls in pulls.items():
            found = efficiency_ratio(a, b, ones(800), ones(800), 1, weight, weight, paired=paired)
            found_pulls.append(float((found.value[0] - 1) / found.error[0]))
    assert np.std(pulls[True]) == pytest.approx(1, abs=0.13)
    assert np.std(pulls[False]) < np.std(pulls[True])  # what is shared is counted twice there


def test_bins_and_what_lies_outside() -> None:
    number = bin_numbers(np.array([0.5, 1.0, 1.5, 2.0, 9.0]), [1.0, 2.0, 3.0])
    assert number.tolist() == [-1, 0, 0, 1, -1]
    passed = np.array([True, True, False, True, True])
    found = efficiency_ratio(passed, passed, number, number, 2, paired=True)
    assert found.value.tolist() == [1, 1]
    assert found.reference.tolist() == [0.5, 1]
    assert found.error[0] == 0  # the same events: nothing is left
    assert found.error[1] > 0  # all pass: no spread, but few events
    empty = efficiency_ratio(passed, passed, number, number, 3)
    assert np.isnan(empty.value[2])
    assert empty.events[2] == 0


def test_nothing_passes_in_truth() -> None:
    found = efficiency_ratio(np.zeros(9), np.ones(9), ones(9), ones(9), 1)
    assert np.isnan(found.value[0])
    assert found.generated[0] == 1


def test_broken_input_is_one_sentence() -> None:
    good = np.ones(3)
    with pytest.raises(FacsimError, match="needs a list of what passes and as many bins"):
        efficiency_ratio(good, good, ones(2), ones(3), 1)
    with pytest.raises(FacsimError, match="events in pairs need samples of one length"):
        efficiency_ratio(good, np.ones(4), ones(3), ones(4), 1, paired=True)
    with pytest.raises(FacsimError, match="increasing edges"):
        bin_numbers(good, [2.0, 1.0])
