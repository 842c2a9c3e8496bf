"""Piecewise linear densities in closed form; a table whose ties depend on conditions, one column after the other."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from facsim.core.schema import Feature, Schema
from facsim.models.autoregressive import Autoregressive
from facsim.models.base import Batch, draw_noise
from facsim.models.checkpoint import build_model
from facsim.models.nets.piecewise import PiecewiseLinearDensity, knots_with_intervals

FLOOR = 1e-3
EDGES = st.lists(st.floats(0.02, 0.98), min_size=0, max_size=6, unique=True)


def intervals_of(edges: list[float]) -> Tensor:
    ordered = sorted(edges)
    return torch.tensor(ordered[: len(ordered) // 2 * 2]).reshape(-1, 2)


def density(bins: int, edges: list[float]) -> PiecewiseLinearDensity:
    found = PiecewiseLinearDensity(bins, FLOOR)
    found.place(*knots_with_intervals(bins, intervals_of(edges)))
    return found


@given(st.integers(1, 40), EDGES)
def test_knots_go_from_0_to_1_and_intervals_are_bins(bins: int, edges: list[float]) -> None:
    knots, flat = knots_with_intervals(bins, intervals_of(edges))
    assert knots.shape == (bins + 1,)
    assert flat.shape == (bins,)
    assert (knots[0], knots[-1]) == (0, 1)
    assert bool((knots.diff() >= 0).all())
    intervals = intervals_of(edges)
    assert int(flat.sum()) == min(len(intervals), (bins - 1) // 4)
    assert not bool(knots_with_intervals(bins, torch.tensor([[1e-6, 1 - 1e-6]]))[1].any())
    inner = torch.stack([knots[:-1], knots[1:]], 1)[flat]
    for low, high in inner:
        assert any(torch.allclose(torch.stack([low, high]), one) for one in intervals)


@given(st.integers(1, 24), EDGES, st.integers(0, 100))
def test_densities_integrate_to_one_and_samples_invert_their_integral(bins: int, edges: list[float], seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    d, raw = density(bins, edges), 3 * torch.randn(1, bins + 1, generator=rng)
    u = (torch.arange(20_000) + 0.5) / 20_000
    p = d.log_prob(raw.expand(len(u), -1), u).exp()
    assert float(p.mean()) == pytest.approx(1, abs=0.01)
    assert float(p.min()) >= FLOOR * (1 - 1e-4)
    share = torch.linspace(0.001, 0.999, 50)
    at = d.sample(raw.expand(50, -1), share)
    below = torch.stack([(p * (u < one)).mean() for one in at])
    counts = torch.ones(50, dtype=torch.bool)
    for low, high in torch.stack([d.knots[:-1], d.knots[1:]], 1)[d.flat]:  # where in an interval means nothing
        counts &= (at <= low) | (at >= high)
    assert float(((below - share).abs() * counts).max()) < 0.02
    assert bool((at.diff() >= 0).all())


def test_no_event_makes_the_loss_infinite() -> None:
    d = PiecewiseLinearDensity(8, FLOOR)
    raw = torch.full((1, 9), -1e4).index_fill(1, torch.tensor(4), 1e4)
    assert float(-d.log_prob(raw, torch.tensor([0.01]))) <= -math.log(FLOOR) + 1e-4


SCHEMA = Schema("table", (Feature("k"), Feature("p"), Feature("mu")), (Feature("c"),))


def tracks(n: int, seed: int) -> Batch:
    """p is k in a share 1 - c of the events; k is skewed, mu follows from whether they are equal."""
    rng = torch.Generator().manual_seed(seed)
    c = torch.rand(n, 1, generator=rng)
    k, p, mu = torch.randn(3, n, 1, generator=rng)
    k = 4 * c + k.exp()
    same = torch.rand(n, 1, generator=rng) > c
    return Batch(torch.cat([k, torch.where(same, k, k + 3 * p), torch.where(same, 2.0, -2.0) + mu], 1), c)


def test_ties_that_depend_on_the_condition_are_learned() -> None:
    torch.manual_seed(0)
    model = build_model("single-stage", SCHEMA, {"method": {"name": "autoregressive", "width": 32}})
    rng = torch.Generator().manual_seed(1)
    model.begin_phase("likelihood", tracks(8000, 1), rng)
    optimiser = torch.optim.Adam(model.parameters(), 5e-3)
    for step in range(250):
        loss = model.losses(tracks(512, step), "likelihood", rng)["nll"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        optimiser.param_groups[0]["lr"] = 5e-3 * (1 - step / 250)
    given = tracks(20_000, 999)
    with torch.no_grad():
        x = model.eval().sample(given.cond, draw_noise(model.noise_spec(20_000), rng))
    c = given.cond[:, 0]
    for low, high in ((0.0, 0.2), (0.4, 0.6), (0.8, 1.0)):
        inside = (c >= low) & (c < high)
        same = x[inside, 0] == x[inside, 1]
        assert float(same.float().mean()) == pytest.approx(1 - 0.5 * (low + high), abs=0.04)
        quantiles = torch.tensor([0.1, 0.5, 0.9])
        found, expected = x[inside].quantile(quantiles, 0), given.x[inside].quantile(quantiles, 0)
        assert float((found - expected).abs().max()) < 0.5
    # what follows from the tie is exact too
    same = x[:, 0] == x[:, 1]
    assert float(x[same, 2].mean()) == pytest.approx(2.0, abs=0.15)
    assert float(x[~same, 2].mean()) == pytest.approx(-2.0, abs=0.15)
    assert np.isfinite(x.numpy()).all()


def test_intervals_are_told_to_the_method() -> None:
    model = build_model("single-stage", SCHEMA, {"method": "autoregressive"})
    model.begin_phase("likelihood", tracks(4000, 1), torch.Generator())
    method = model.method
    assert isinstance(method, Autoregressive)
    there = method.intervals[:, :, 0] < method.intervals[:, :, 1]
    assert there.sum(1).tolist() in ([0, 1, 0], [1, 0, 0])
    tied = int(there.any(1).nonzero()[0])
    flat = method._density(tied).flat
    assert int(flat.sum()) == 1
    low, high = method._density(tied).knots[:-1][flat], method._density(tied).knots[1:][flat]
    share = float((tracks(4000, 1).x[:, 0] == tracks(4000, 1).x[:, 1]).float().mean())
    assert float(high - low) == pytest.approx(share, abs=0.02)
