"""The seed tree: same path, same stream; different path, different stream; the same on every machine."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from facsim.core.rng import generator, integer_seed, seed_sequence

GOLDEN_WORDS = (5098241479121613008, 10077857921523255118)
GOLDEN_SEED = 7835079390808658567
GOLDEN_DRAWS = [679, 471, 471]
PATHS = st.lists(st.sampled_from(["simulate", "train", "1", ""]) | st.integers(0, 3), max_size=4).map(tuple)


@given(st.integers(0, 2**63), PATHS)
def test_same_path_same_stream(seed: int, path: tuple[str | int, ...]) -> None:
    np.testing.assert_array_equal(
        generator(seed, *path).integers(0, 2**63, 4), generator(seed, *path).integers(0, 2**63, 4)
    )


@given(st.integers(0, 2**32), st.integers(0, 2**32), PATHS, PATHS)
def test_another_path_or_seed_another_stream(
    seed: int, other: int, path: tuple[str | int, ...], branch: tuple[str | int, ...]
) -> None:
    same = (seed, path) == (other, branch)
    assert (integer_seed(seed, *path) == integer_seed(other, *branch)) is same


def test_number_and_its_text_are_different_branches() -> None:
    assert integer_seed(1, 2) != integer_seed(1, "2")


@given(st.integers(0, 2**63), PATHS)
def test_integer_seed_fits_63_bits(seed: int, path: tuple[str | int, ...]) -> None:
    assert 0 <= integer_seed(seed, *path) < 2**63


def test_golden_value() -> None:
    """A change here would silently change every published result."""
    assert seed_sequence(7, "simulate", 3).entropy == [7, GOLDEN_WORDS[0], GOLDEN_WORDS[1]]
    assert integer_seed(7, "simulate", 3) == GOLDEN_SEED
    assert generator(7, "simulate", 3).integers(0, 1000, 3).tolist() == GOLDEN_DRAWS
