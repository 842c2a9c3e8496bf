"""Numbers and words for readers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facsim.report import text

finite = st.floats(-1e5, 1e5, allow_nan=False)


def parse(written: str) -> float:
    return float(written.replace(text.MINUS, "-").replace(text.NARROW, ""))


@given(finite, st.floats(1e-5, 1e3))
def test_plus_minus_keeps_two_digits_of_the_error(value: float, error: float) -> None:
    shown, _, shown_error = text.plus_minus(value, error).partition(text.PM)
    assert abs(parse(shown) - value) <= 0.0501 * max(error, 10.0)
    if error < 10:
        assert abs(parse(shown) - value) <= 0.06 * error + 1e-12
        assert parse(shown_error) == pytest.approx(error, rel=0.06)


@given(st.floats(1e-4, 9e4), st.integers(2, 4))
def test_significant_is_close(value: float, digits: int) -> None:
    assert parse(text.significant(value, digits)) == pytest.approx(value, rel=0.51 * 10 ** (1 - digits))


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        (text.plus_minus(0.7132, 0.0087), f"0.7132{text.PM}0.0087"),
        (text.plus_minus(-0.5, 0.25), f"{text.MINUS}0.50{text.PM}0.25"),
        (text.plus_minus(1234.5, 21.0), f"1234{text.PM}21"),
        (text.plus_minus(None, 1.0), text.DASH),
        (text.plus_minus(math.nan, 1.0), text.DASH),
        (text.plus_minus(0.25, None), "0.2500"),
        (text.significant(0.0), "0"),
        (text.significant(1.5e-7, 2), f"1.5{text.TIMES}10⁻⁷"),
        (text.count(12800.2), f"12{text.NARROW}800"),
        (text.duration(0.4134), f"0.413{text.NARROW}ms"),
        (text.duration(1200), f"1.20{text.NARROW}s"),
        (text.times(23.96), "24"),
        (text.energy(499.0), f"499{text.NARROW}MeV"),
        (text.energy(1260.0), f"1.26{text.NARROW}GeV"),
        (text.listing(["a", "b", "c"]), "a, b and c"),
        (text.listing(["a"]), "a"),
        (text.score_label("separation/e_ratio"), "visible over incident energy"),
        (text.score_label("w1/width_r/12"), "width in radius (12)"),
        (text.score_label("my_own_score"), "my own score"),
    ],
)
def test_examples(written: str, wanted: str) -> None:
    assert written == wanted


def test_unknown_observables_are_described_by_their_name() -> None:
    assert text.describe("time_of_flight")[0] == "time of flight"
