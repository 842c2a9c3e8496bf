"""Names and semantic versions of models."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.repository.versions import is_version, newest, parse_reference, precedence

SPECIFIED = [
    "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1",
    "1.0.0", "1.2.0", "1.10.0", "2.0.0", "2.1.0", "2.1.1",
]  # fmt: skip
"""In the order that semver.org gives (section 11)."""


def test_order_is_that_of_the_specification() -> None:
    mixed = SPECIFIED.copy()
    random.Random(1).shuffle(mixed)
    assert sorted(mixed, key=precedence) == SPECIFIED


def test_newest_is_a_release_where_there_is_one() -> None:
    assert newest(["1.9.0", "1.10.0", "2.0.0-rc.1"]) == "1.10.0"
    assert newest(["2.0.0-rc.1", "2.0.0-rc.10", "2.0.0-rc.9"]) == "2.0.0-rc.10"
    assert newest([]) is None


@pytest.mark.parametrize("text", [*SPECIFIED, "0.0.0", "1.0.0--", "1.0.0-0a", "999999999.0.0"])
def test_versions(text: str) -> None:
    assert is_version(text)


@pytest.mark.parametrize(
    "text",
    ["", "1", "1.0", "1.0.0.0", "v1.0.0", "01.0.0", "1.0.0-", "1.0.0-01", "1.0.0-a..b", "1.0.0+build", "1.0.0 ",
     " 1.0.0", "1.0.0\n", "../1.0.0", "1.0.0/..", "\u0661.0.0", "9" * 10 + ".0.0", "1.0.0-" + "a" * 60, "latest",
     "-1.0.0"],
)  # fmt: skip
def test_what_is_no_version(text: str) -> None:
    assert not is_version(text)
    with pytest.raises(FacsimError, match="is no version"):
        precedence(text)
    with pytest.raises(FacsimError, match="is not the name of a model"):
        parse_reference(f"calo@{text}")


def test_references() -> None:
    assert parse_reference("calo") == ("calo", None)
    assert parse_reference("calo-2_x@1.2.0") == ("calo-2_x", "1.2.0")
    for text in ("", "@1.0.0", "a/b", "../a", "a.b", "-a", "é", "a b", "a" * 65, "a@", "a@1.0.0@2.0.0", "a\n"):
        with pytest.raises(FacsimError, match="is not the name of a model"):
            parse_reference(text)


NUMBERS = st.tuples(*[st.integers(0, 10**9 - 1)] * 3)


@given(a=NUMBERS, b=NUMBERS)
def test_numbers_count_as_numbers(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    first, second = (".".join(map(str, each)) for each in (a, b))
    assert (precedence(first) < precedence(second)) == (a < b)
    assert precedence(f"{first}-rc.1") < precedence(first)
