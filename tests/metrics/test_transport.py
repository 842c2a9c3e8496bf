"""Transport problems: linear programs, bounds that hold at every step, problems that change places."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from facsim.metrics.transport import Transport, counted


def problems(rng: np.random.Generator, size: int, n: int) -> np.ndarray:
    return rng.integers(0, 20, size=(size, n, n)).astype(np.float64)


def solve(transport: Transport, most: int = 10_000) -> dict[int, float]:
    found: dict[int, float] = {}
    for _ in range(most):
        found.update(zip(*(part.tolist() for part in transport.solved()), strict=True))
        if not transport.live.any():
            return found
        transport.step()
    raise AssertionError("not solved")


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 9))
def test_equal_masses_are_the_assignment_problem(seed: int, n: int) -> None:
    """Costs of whole numbers, with many ties."""
    cost = problems(np.random.default_rng(seed), 5, n)
    found = solve(Transport(cost, np.ones((5, n)), np.ones((5, n)), np.arange(5)))
    for k in range(5):
        assert abs(found[k] - cost[k][linear_sum_assignment(cost[k])].sum()) < 1e-9


def test_bounds_grow_up_to_the_cost() -> None:
    rng = np.random.default_rng(1)
    mass = rng.dirichlet(np.ones(8), size=(2, 6))
    cost = rng.uniform(size=(6, 8, 8))
    want = solve(Transport(1 * cost, 1 * mass[0], 1 * mass[1], np.arange(6)))
    transport = Transport(cost, 1 * mass[0], 1 * mass[1], np.arange(6))
    before = transport.bounds()
    for _ in range(400):
        transport.step()
        bounds = transport.bounds()
        assert np.all(bounds >= before - 1e-12)
        before = bounds
    np.testing.assert_allclose(before, [want[k] for k in range(6)], rtol=1e-9)


def test_replaced_and_dropped_problems_do_not_disturb_the_others() -> None:
    rng = np.random.default_rng(2)
    cost = problems(rng, 8, 6) + rng.uniform(size=(8, 6, 6))
    ones = np.ones((8, 6))
    want = solve(Transport(1 * cost, 1 * ones, 1 * ones, np.arange(8)))
    transport = Transport(1 * cost[:5], 1 * ones[:5], 1 * ones[:5], np.arange(5))
    for _ in range(4):
        transport.step()
    transport.replace(np.array([1, 3]), Transport(1 * cost[5:7], 1 * ones[:2], 1 * ones[:2], np.arange(5, 7)))
    transport.give_up(np.array([True, False, False, False, False]))
    transport.keep(transport.live)
    found = solve(transport)
    assert set(found) == {2, 4, 5, 6}
    assert all(abs(value - want[k]) < 1e-9 for k, value in found.items())


def test_counting() -> None:
    assert counted(np.ones(4)).tolist() == [0, 1, 2, 3]
