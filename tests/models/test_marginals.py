"""Closed-form checks of the zero-inflated quantile functions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facsim.models.nets.marginals import (
    N_PARAMS,
    ConditionalMarginals,
    ZeroInflatedQuantiles,
    encode_zero,
    logit_to_normal,
    normal_to_logit,
)


def parameters(seed: int, n: int = 5) -> torch.Tensor:
    return 0.7 * torch.randn(n, N_PARAMS, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_cubic_logit_matches_the_normal_distribution() -> None:
    z = torch.linspace(-5, 5, 1001, dtype=torch.float64)
    assert (torch.sigmoid(normal_to_logit(z)) - torch.special.ndtr(z)).abs().max() < 2e-4
    torch.testing.assert_close(logit_to_normal(normal_to_logit(z)), z)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(-12, 12))
def test_quantile_function_increases_and_inverts(seed: int, s: float) -> None:
    marginal = ZeroInflatedQuantiles(parameters(seed))
    at = torch.full((5,), s, dtype=torch.float64)
    w = marginal.quantile(at)
    assert (marginal.quantile(at + 1e-3) > w).all()
    torch.testing.assert_close(marginal._solve(w)[0], at, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_density_integrates_to_one(seed: int) -> None:
    marginal = ZeroInflatedQuantiles(parameters(seed, 1))
    edge = torch.tensor([-14.0, 14.0], dtype=torch.float64)
    low, high = (float(marginal.quantile(e[None])) for e in edge)
    w = torch.linspace(low, high, 400_001, dtype=torch.float64)
    density = torch.exp(ZeroInflatedQuantiles(parameters(seed, 1).expand(len(w), -1)).log_prob(w))
    assert float(torch.trapezoid(density, w)) == pytest.approx(1.0, abs=2e-3)


@pytest.mark.parametrize("seed", range(4))
def test_encode_and_decode_are_inverse_for_hits(seed: int) -> None:
    marginal = ZeroInflatedQuantiles(parameters(seed, 50))
    w = marginal.quantile(torch.linspace(-4, 4, 50, dtype=torch.float64))
    margin = marginal.margin(marginal.encode(w))
    assert (margin > 0).all()
    torch.testing.assert_close(marginal.decode(margin), w, rtol=1e-4, atol=1e-4)


def test_latents_of_the_distribution_itself_are_standard_normal() -> None:
    n = 200_000
    rng = torch.Generator().manual_seed(0)
    params = parameters(3, 1).expand(n, -1)
    marginal = ZeroInflatedQuantiles(params)
    hit = torch.rand(n, generator=rng, dtype=torch.float64) < torch.sigmoid(marginal.logit_hit)
    w = marginal.quantile(torch.logit(torch.rand(n, generator=rng, dtype=torch.float64)))
    dither = torch.rand(n, generator=rng, dtype=torch.float64)
    z = torch.where(hit, marginal.encode(w), encode_zero(marginal.logit_hit, dither))
    expected = torch.special.ndtri(torch.tensor([0.01, 0.2, 0.5, 0.8, 0.99], dtype=torch.float64))
    np.testing.assert_allclose(z.quantile(torch.tensor([0.01, 0.2, 0.5, 0.8, 0.99]).double()), expected, atol=0.02)


def test_maximum_likelihood_recovers_a_known_mixture() -> None:
    rng = torch.Generator().manual_seed(1)
    n = 8000
    w = 2.0 + 0.5 * torch.randn(n, 1, generator=rng)
    hit = (torch.rand(n, 1, generator=rng) < 0.3).float()
    torch.manual_seed(0)
    net = ConditionalMarginals(1, 1, 1, hidden=8)
    optimiser = torch.optim.Adam(net.parameters(), 2e-2)
    for _ in range(500):
        marginal = ZeroInflatedQuantiles(net(torch.zeros(n, 1, 1))[:, 0])
        loss = -(marginal.log_prob_hit(hit) + hit * marginal.log_prob(w)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        marginal = ZeroInflatedQuantiles(net(torch.zeros(1, 1, 1))[:, 0])
        levels = torch.logit(torch.tensor([[0.159, 0.5, 0.841]])).T
        quantiles = ZeroInflatedQuantiles(net(torch.zeros(3, 1, 1))[:, 0]).quantile(levels)[:, 0]
    assert float(torch.sigmoid(marginal.logit_hit)) == pytest.approx(0.3, abs=0.03)
    np.testing.assert_allclose(quantiles, [1.5, 2.0, 2.5], atol=0.06)


def test_start_recovers_a_linear_dependence_on_the_context() -> None:
    rng = torch.Generator().manual_seed(2)
    context = torch.randn(5000, 1, 2, generator=rng)
    w = 3.0 + 2.0 * context[..., :1] - context[..., 1:] + 0.1 * torch.randn(5000, 1, 1, generator=rng)
    net = ConditionalMarginals(1, 1, 2, hidden=8)
    net.fit_start(context, torch.ones_like(w), w, w**2, torch.ones_like(w[0]))
    assert float(net.intercept) == pytest.approx(3.0, abs=0.02)
    np.testing.assert_allclose(net.slope[0, 0], [2.0, -1.0], atol=0.02)
    assert float(torch.exp(net.log_scale)) * np.pi / np.sqrt(3) == pytest.approx(0.1, abs=0.03)


def test_start_finds_the_odds_of_cells_that_are_always_sometimes_or_never_lit() -> None:
    rng = torch.Generator().manual_seed(4)
    context = torch.randn(4000, 1, 1, generator=rng)
    odds = torch.tensor([30.0, -1.0, -30.0]) + torch.tensor([0.0, 2.0, 0.0]) * context
    count = torch.distributions.Binomial(16, logits=odds).sample()
    net = ConditionalMarginals(1, 3, 1, hidden=8)
    net.fit_start(context, count, count, count, torch.full_like(count[0], 16))
    found = net(torch.zeros(1, 1, 1))[0, 0, :, 0].detach()
    assert found[0] > 8
    assert float(found[1]) == pytest.approx(-1.0, abs=0.05)
    assert found[2] < -8
    assert float(net.odds[0, 1, 1]) == pytest.approx(2.0, abs=0.05)


def test_a_cut_keeps_the_quantile_among_what_lies_above() -> None:
    """A latent at quantile q among those above the cut gives the value at quantile q of the distribution."""
    torch.manual_seed(0)
    marginal = ZeroInflatedQuantiles(0.5 * torch.randn(200, N_PARAMS))
    q, cut = torch.rand(200).clamp(0.02, 0.98), 0.7 * torch.randn(200)
    beyond = torch.sigmoid(marginal.logit_hit - cut)  # probability of a latent above the cut
    margin = marginal.logit_hit - torch.logit(beyond * (1 - q))
    assert torch.all(margin > cut)
    torch.testing.assert_close(marginal.decode(margin, cut), marginal.quantile(torch.logit(q)), rtol=1e-3, atol=1e-3)


def test_slopes_of_steep_and_flat_neighbours_stay_positive() -> None:
    """Parameters that a training on 500 showers came to: slopes at neighbouring knots differ by up to ten thousand."""
    raw = [0, -1.5066, 2.8471, 0.6833, -1.9105, -4.998, 4.3453, -4.2778, -0.6894, -3.9042, -3.974, -4.5145, -4.6754]
    params = torch.tensor([*raw, -4.9521, -4.9804, 4.8114], dtype=torch.float64).expand(400, -1)
    exact, single = ZeroInflatedQuantiles(params), ZeroInflatedQuantiles(params.float())
    s, step = torch.linspace(-5.99, 5.99, 400, dtype=torch.float64), 1e-6
    w = exact.quantile(s)
    wanted = (exact.quantile(s + step) - exact.quantile(s - step)) / (2 * step)
    logistic = torch.nn.functional.logsigmoid(s) + torch.nn.functional.logsigmoid(-s)
    torch.testing.assert_close(torch.exp(logistic - exact.log_prob(w)), wanted, rtol=1e-4, atol=1e-6)
    assert torch.isfinite(single.log_prob(w.float())).all()
    assert torch.isfinite(single.log_prob(torch.full((400,), -0.8205))).all()
