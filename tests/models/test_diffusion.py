"""Diffusion: EDM's coefficients, samplers on Gaussian data with the exact solution, the flow behind it."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from facsim.core.errors import FacsimError
from facsim.models.base import Batch
from facsim.models.choices import Choice
from facsim.models.diffusion import Diffusion, coefficients
from facsim.models.methods import build_method
from facsim.models.samplers import SAMPLERS, churned, ddim, karras_sigmas
from facsim.models.space import cloud, table

NETWORK = {"name": "residual-mlp", "width": 8, "depth": 1}


def diffusion(n: int = 2, **options: object) -> Diffusion:
    torch.manual_seed(0)
    method = build_method(Choice(name="diffusion", network=NETWORK, **options), table(n), 1)
    assert isinstance(method, Diffusion)
    return method


def gaussian(spread: float) -> Callable[[Tensor, float], Tensor]:
    """The exact denoiser of N(0, spread^2)."""
    return lambda x, sigma: x * spread**2 / (spread**2 + sigma**2)


def test_coefficients_keep_input_and_target_at_variance_one() -> None:
    rng = torch.Generator().manual_seed(0)
    for sigma in (0.01, 0.5, 3.0, 50.0):
        skip, out, into = coefficients(torch.tensor(sigma))
        x, noise = torch.randn(2, 200_000, generator=rng)
        noisy = x + sigma * noise
        assert float((into * noisy).var()) == pytest.approx(1, abs=0.01)
        assert float(((x - skip * noisy) / out).var()) == pytest.approx(1, abs=0.01)
        # the least error of a linear guess leaves nothing that is correlated with the input
        assert float((((x - skip * noisy) / out) * noisy).mean() / noisy.std()) == pytest.approx(0, abs=0.01)


def test_karras_levels_fall_from_largest_to_smallest_and_end_with_none() -> None:
    levels = karras_sigmas(5, 0.002, 80.0)
    assert levels[0] == pytest.approx(80)
    assert levels[4] == pytest.approx(0.002)
    assert levels[5] == 0
    roots = [level ** (1 / 7) for level in levels[:5]]
    assert [a - b for a, b in pairwise(roots)] == pytest.approx([(roots[0] - roots[4]) / 4] * 4)
    assert karras_sigmas(1, 0.002, 80.0) == pytest.approx([80.0, 0.0])


@pytest.mark.parametrize(("name", "order"), [("ddim", 1), ("heun", 2), ("dpm-solver", 2)])
def test_sampler_converges_at_its_order(name: str, order: int) -> None:
    """Down to a level above zero, where the exact solution is x sqrt((s^2 + b^2) / (s^2 + a^2))."""
    errors = []
    for steps in (16, 32, 64):
        sigmas = [10 * (0.05 / 10) ** (k / steps) for k in range(steps + 1)]
        x = SAMPLERS[name](gaussian(0.7), torch.ones(1, dtype=torch.float64), sigmas)
        errors.append(abs(float(x) - math.sqrt((0.49 + 0.05**2) / (0.49 + 100))))
    assert errors[2] < errors[1] < errors[0]
    assert math.log2(errors[1] / errors[2]) > order - 0.25


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_sampler_reaches_the_exact_end_of_gaussian_data(name: str) -> None:
    x = SAMPLERS[name](gaussian(0.7), torch.ones(1, dtype=torch.float64), karras_sigmas(400, 0.001, 10.0))
    assert float(x) == pytest.approx(0.7 / math.sqrt(0.49 + 100), rel=2e-2)
    # a single value is reached in one step
    assert float(SAMPLERS[name](gaussian(0.0), torch.ones(1), [10.0, 0.0])) == pytest.approx(0, abs=1e-6)


def test_churn_keeps_the_spread_and_without_it_is_heun() -> None:
    rng = torch.Generator().manual_seed(0)
    sigmas = karras_sigmas(64, 0.005, 20.0)
    x, noise = 20 * torch.randn(20_000, 1, generator=rng), torch.randn(20_000, 64, 1, generator=rng)
    ends = churned(gaussian(0.7), x, sigmas, noise, churn=40.0)
    assert float(ends.std()) == pytest.approx(0.7, rel=0.03)
    without = churned(gaussian(0.7), x, sigmas, noise, churn=0.0)
    torch.testing.assert_close(without, SAMPLERS["heun"](gaussian(0.7), x, sigmas))
    # much of where it ends is the fresh noise's doing
    assert abs(float(torch.corrcoef(torch.cat([x, ends], 1).T)[0, 1])) < 0.5


def test_untrained_denoiser_is_the_best_for_gaussian_data_and_samples_have_its_scale() -> None:
    model = diffusion(steps=64)
    x = 3 * torch.randn(4000, 2, generator=torch.Generator().manual_seed(0))
    batch = Batch(x, torch.zeros(4000, 1))
    model.begin_phase("diffusion", batch, torch.Generator())
    assert float(model.scale) == pytest.approx(3, rel=0.02)
    loss = model.losses(batch, "diffusion", torch.Generator().manual_seed(1))["diffusion"]
    assert float(loss.detach()) == pytest.approx(1, abs=0.04)
    with torch.no_grad():
        ends = model.sample(torch.zeros(4000, 1), {"noise": x / 3})
    assert float(ends.std()) == pytest.approx(3, rel=0.03)


def test_scale_of_clouds_is_that_of_real_points() -> None:
    model = build_method(Choice(name="diffusion"), cloud(4, 2), 1)
    x = torch.full((3, 4, 2), 100.0)
    mask = torch.zeros(3, 4) > 0
    mask[:, :2], x[:, :2] = True, 2.0
    model.begin_phase("diffusion", Batch(x, torch.zeros(3, 1), mask=mask), torch.Generator())
    assert float(model.scale) == pytest.approx(2)


def test_velocity_is_the_samplers_own_flow() -> None:
    """Euler steps of the velocity in [0, 1] end where DDIM does, with a network that is not zero."""
    model = diffusion(steps=1000, sampler="ddim", sigma_max=200.0, sigma_min=0.001)
    torch.nn.init.normal_(model.net.out.weight, std=0.3, generator=torch.Generator().manual_seed(1))
    model.scale.fill_(1.5)
    noise = {"noise": torch.randn(6, 2, generator=torch.Generator().manual_seed(2))}
    cond = torch.linspace(-1, 1, 6)[:, None]
    with torch.no_grad():
        expected = model.sample(cond, noise)
        x = model.start(noise, cond)
        for k in range(2000):
            x = x + model.velocity(x, torch.tensor([(k + 0.5) / 2000]), cond, None) / 2000
        assert torch.isfinite(model.velocity(x, torch.tensor([0.0, 1.0] * 3), cond, None)).all()
    torch.testing.assert_close(x, expected, rtol=0, atol=0.03)
    assert float((expected - model.start(noise, cond)).abs().max()) > 0.2


def test_ddim_is_one_euler_step_between_neighbours() -> None:
    x = torch.linspace(-2, 2, 5)
    expected = x + (1.0 - 2.0) / 2.0 * (x - gaussian(0.7)(x, 2.0))
    torch.testing.assert_close(ddim(gaussian(0.7), x, [2.0, 1.0]), expected)


@pytest.mark.parametrize("smallest", [40.0, 50.0])
def test_noise_levels_that_do_not_fall_are_refused(smallest: float) -> None:
    with pytest.raises(FacsimError, match=r"'sigma_min' .* has to be below 'sigma_max' 40"):
        diffusion(sigma_min=smallest)
