"""Inside and outside of a training domain: ranges, what lies between, round trip, and the user's choice."""

from __future__ import annotations

import json

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.metrics.domain import ConditionDomain

NAMES = ("P", "eta", "charge")


def tracks(n: int, seed: int = 0) -> np.ndarray:
    """Momenta over decades that go with pseudorapidity, and two charges."""
    rng = np.random.default_rng(seed)
    eta = rng.uniform(2, 5, n)
    return np.column_stack([1000 * np.exp(eta + 0.3 * rng.standard_normal(n)), eta, rng.choice([-1.0, 1.0], n)])


@pytest.fixture(scope="module")
def domain() -> ConditionDomain:
    return ConditionDomain.fit(tracks(50_000), NAMES, seed=1)


def test_tracks_like_those_of_training_are_inside(domain: ConditionDomain) -> None:
    assert float(domain.outside(tracks(20_000, 7)).mean()) < 0.004
    assert domain.logarithmic.tolist() == [True, False, False]


@pytest.mark.parametrize(
    "cond",
    [(1e6, 4.0, 1.0), (2e4, 6.0, 1.0), (2e4, 3.0, 3.0), (8e4, 2.1, 1.0), (1e4, 4.9, -1.0), (2e4, 3.0, 0.0)],
)
def test_others_are_not_though_each_value_may_be_in_range(domain: ConditionDomain, cond: tuple[float, ...]) -> None:
    assert domain.outside(np.array([cond]))[0]
    assert not domain.outside(np.array([[2e4, 3.0, 1.0]]))[0]


def test_a_domain_goes_with_a_card(domain: ConditionDomain) -> None:
    text = json.dumps(domain.to_dict())
    assert len(text) < 50_000
    again = ConditionDomain.from_dict(json.loads(text))
    cond = np.concatenate([tracks(500, 3), 2 * tracks(500, 4)])
    assert np.array_equal(again.outside(cond), domain.outside(cond))
    with pytest.raises(FacsimError, match="expected a domain of format"):
        ConditionDomain.from_dict({"format": "other"})


def test_the_user_chooses(domain: ConditionDomain) -> None:
    cond = np.array([[2e4, 3.0, 1.0], [9e6, 3.0, 1.0]])
    with pytest.raises(
        FacsimError, match=r"1 of 2 conditions lie outside .* P = 9e\+06, eta = 3, .*\(outside='warn'\)"
    ):
        domain.guard(cond, "refuse")
    flags, text = domain.guard(cond, "warn", "surrogate")
    assert flags.tolist() == [False, True]
    assert "training domain of the surrogate" in text
    assert domain.guard(cond, "ignore")[0].tolist() == [False, False]
    assert domain.guard(cond[:1], "refuse") == (np.array([False]), "")
    assert len(domain.guard(cond[:0], "refuse")[0]) == 0
    with pytest.raises(FacsimError, match="is 'ignore', 'warn', 'flag' or 'refuse'"):
        domain.guard(cond, "shout")  # type: ignore[arg-type]


def test_constants_and_single_precision() -> None:
    cond = np.column_stack([np.full(5000, 0.1), np.linspace(0.1, 0.9, 5000)])
    found = ConditionDomain.fit(cond, ("a", "b"), seed=0)
    assert found.outside(cond.astype(np.float32)).mean() < 0.003
    assert found.outside(np.array([[0.2, 0.5]]))[0]


def test_broken_conditions_are_one_sentence(domain: ConditionDomain) -> None:
    with pytest.raises(FacsimError, match="at least 20 finite conditions of 3 columns"):
        ConditionDomain.fit(tracks(5), NAMES, seed=0)
    for bad in (np.full((1, 3), np.nan), np.ones((4, 2)), np.ones(3)):
        with pytest.raises(FacsimError, match=r"expected finite conditions \(N, 3\)"):
            domain.outside(bad)
