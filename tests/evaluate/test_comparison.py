"""Which of several scores is best, and how seldom chance alone makes one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from facsim.core.rng import generator
from facsim.evaluate.comparison import CLEAR, best_of, compare_scores, quickest


def _row(value: float | None, error: float | None, better: str = "lower", **more: Any) -> dict[str, Any]:
    row = {"name": "auc_high", "protocol": "p", "region": "all", "value": value, "error": error}
    return {**row, "null": 0.5, "null_error": 0.01, "z": 0.0, "better": better, "status": "ok", **more}


@pytest.mark.parametrize(
    ("rows", "best"),
    [
        ({"a": _row(0.6, 0.01), "b": _row(0.64, 0.01)}, "a"),
        ({"a": _row(0.6, 0.01), "b": _row(0.62, 0.01)}, None),
        ({"a": _row(0.6, 0.01, "higher"), "b": _row(0.64, 0.01, "higher")}, "b"),
        ({"a": _row(0.44, 0.01, "null"), "b": _row(0.51, 0.01, "null")}, "b"),
        ({"a": _row(0.6, 0.01), "b": _row(0.64, 0.01), "c": _row(0.601, 0.01)}, None),
        ({"a": _row(0.6, 0.01), "b": _row(0.7, 0.01, status="failed")}, None),
        ({"a": _row(0.6, 0.01), "b": _row(0.5, 0.01, status="failed"), "c": _row(0.7, 0.01)}, "a"),
        ({"a": _row(0.6, 0.01), "b": _row(0.7, 0.01, status="underpowered")}, None),
        ({"a": _row(0.6, 0.01), "b": _row(None, None)}, None),
        ({"a": _row(0.6, 0.0), "b": _row(0.7, 0.0)}, None),
        ({"a": _row(0.6, 0.01)}, None),
        ({}, None),
    ],
)
def test_best_is_told_only_where_the_difference_is_clear(rows: dict[str, Any], best: str | None) -> None:
    assert best_of(rows) == best


@pytest.mark.parametrize("number", [2, 5])
def test_equal_samples_seldom_have_a_best(number: int) -> None:
    """Of two equal samples one is 'best' in 4.6 % of cases (two sides of two sigma), of several in fewer."""
    rng = generator(1, "comparison")
    draws = rng.normal(0.6, 0.01, (4000, number))
    found = [best_of({str(k): _row(float(v), 0.01) for k, v in enumerate(values)}) for values in draws]
    share = np.mean([name is not None for name in found])
    assert share < 0.046 + 4 * np.sqrt(0.046 / 4000)
    if number == 2:
        assert share == pytest.approx(0.0455, abs=4 * np.sqrt(0.0455 / 4000))


def test_a_clear_difference_is_found() -> None:
    error = 0.01
    ahead = 1.01 * CLEAR * np.hypot(error, error)
    assert best_of({"a": _row(0.6, error), "b": _row(0.6 + ahead, error)}) == "a"


def test_rows_hold_every_sample_and_the_best_of_the_judged() -> None:
    cards = {
        "a": {"scores": [_row(0.6, 0.01), _row(1.0, 0.1, name="fpd")]},
        "b": {"scores": [_row(0.7, 0.01, region="all")]},
        "library": {"scores": [_row(0.5, 0.01)]},
    }
    auc, fpd = compare_scores(cards, ["a", "b"])
    assert (auc["name"], auc["best"], set(auc["values"])) == ("auc_high", "a", {"a", "b", "library"})
    assert (auc["null"], auc["null_error"]) == (0.5, 0.01)
    assert (fpd["best"], set(fpd["values"])) == (None, {"a"})


def test_the_quickest_has_a_range_of_its_own() -> None:
    a, b = {"ms_per_shower": 1.0, "low": 0.9, "high": 1.1}, {"ms_per_shower": 1.2, "low": 1.15, "high": 1.3}
    assert quickest({"a": a, "b": b}) == "a"
    assert quickest({"a": a, "b": {**b, "low": 1.05}}) is None
    assert quickest({"a": a}) is None
    once = {**a, "low": a["ms_per_shower"], "high": a["ms_per_shower"]}
    assert quickest({"a": once, "b": b}) is None
