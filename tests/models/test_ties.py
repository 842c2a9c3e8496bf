"""Columns that are exactly equal in part of the events: found, kept, and sampled as often."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from facsim.models.event_transforms import OfFeatures
from facsim.models.space import table
from facsim.models.ties import Ties

N = 4000


def tracks(n: int = N, seed: int = 0) -> Tensor:
    """Columns a, b, c, d: b is a in 40 % of the events, c is b in half of those and elsewhere free, d is its own."""
    rng = torch.Generator().manual_seed(seed)
    a, b, c, d = (3 * torch.randn(4, n, generator=rng)) + torch.tensor([5.0, -4.0, 1.0, 0.0])[:, None]
    u = torch.rand(n, generator=rng)
    return torch.stack([a, torch.where(u < 0.4, a, b), torch.where(u < 0.2, a, c), d], 1)


def equal(x: Tensor) -> list[float]:
    pairs = [(0, 1), (0, 2), (1, 2), (0, 3)]
    return [float((x[:, i] == x[:, j]).float().mean()) for i, j in pairs]


def test_ties_form_trees_and_come_back_to_the_last_digit() -> None:
    x = tracks()
    ties = Ties(4)
    ties.fit(x)
    assert ties.tied.tolist() == [False, True, True, False]
    assert ties.parent.tolist()[1] == 0
    assert ties.parent.tolist()[2] in (0, 1)
    d = ties.encode(x)
    assert float((d[:, 1] == 0).float().mean()) == pytest.approx(equal(x)[0])
    back = ties.decode(d)
    assert equal(back) == equal(x)
    torch.testing.assert_close(back, x, rtol=1e-5, atol=1e-5)


@given(st.permutations(range(4)), st.integers(0, 100))
def test_any_order_of_columns(order: list[int], seed: int) -> None:
    x = tracks(500, seed)[:, order]
    ties = Ties(4)
    ties.fit(x)
    assert int(ties.tied.sum()) == 2
    assert equal(ties.decode(ties.encode(x))) == equal(x)


def test_what_is_equal_by_chance_or_has_values_of_its_own_stays() -> None:
    rng = torch.Generator().manual_seed(1)
    counts = torch.poisson(torch.full((N, 2), 3.0), generator=rng)
    zeros = torch.where(torch.rand(N, 1, generator=rng) < 0.3, 0.0, torch.randn(N, 2, generator=rng))
    own = torch.where(torch.rand(N, 2, generator=rng) < 0.3, 0.0, torch.randn(N, 2, generator=rng))
    for x, tied in ((counts, False), (torch.randn(N, 2, generator=rng), False), (zeros, True), (own, False)):
        ties = Ties(2)
        ties.fit(x)
        assert bool(ties.tied.any()) == tied
        assert torch.equal(ties.decode(ties.encode(x)) == 0, x == 0)


def test_signed_weights_decide_what_counts() -> None:
    """Ties of the background, which weights take out, are no ties."""
    x = torch.cat([tracks(2000, 1)[:, [0, 3]], tracks(1000, 2)[:, [0, 0]], tracks(1000, 3)[:, [0, 0]]])
    weight = torch.cat([torch.ones(3000), -torch.ones(1000)])
    ties = Ties(2)
    ties.fit(x, weight)
    assert not bool(ties.tied.any())
    ties.fit(x)
    assert bool(ties.tied.any())


def test_a_column_that_was_never_negative_stays_so() -> None:
    x = tracks().abs()
    ties = Ties(4)
    ties.fit(x)
    drawn = ties.encode(x)[torch.randperm(N, generator=torch.Generator().manual_seed(0))]
    shuffled = torch.stack([drawn[:, 0], *(ties.encode(x)[:, k] for k in range(1, 4))], 1)
    assert bool((ties.decode(shuffled)[:, :3] >= 0).all())


def test_independent_latents_are_equal_as_often_as_events() -> None:
    x = tracks()
    transform = OfFeatures(table(4), "quantile")
    transform.fit(x, None, None, None)
    z = torch.randn(20_000, 4, generator=torch.Generator().manual_seed(2))
    drawn = equal(transform.decode(z))
    share = [float((transform.ties.encode(x)[:, k] == 0).float().mean()) for k in (1, 2)]  # type: ignore[union-attr]
    assert drawn[0] == pytest.approx(share[0], abs=0.02)
    assert drawn[3] == 0
    low, high = transform.intervals()[1, 0]
    assert low < high
    inside = ((z[:, 1] > low) & (z[:, 1] < high)).float().mean()
    assert float(inside) == pytest.approx(share[0], abs=0.02)
