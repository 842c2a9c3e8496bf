"""Conditional dual autoencoders: divergences and draws in closed form, conditioning by place, sizes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Categorical, Dirichlet, kl_divergence

from facsim.core.errors import FacsimError
from facsim.core.image import regular_image
from facsim.core.schema import Feature, Schema
from facsim.models.base import Batch
from facsim.models.checkpoint import build_model
from facsim.models.codae import CoDAE
from facsim.models.nets.dual_autoencoder import SpatialConditioning, map_sizes
from facsim.models.nets.latent_maps import CategoricalMap, DirichletMap, digamma, dirichlet_kl, log_gamma

SMALL = {"widths": [8, 8], "codes": 6, "groups": 2}


def model_of(rows: int, columns: int, **options: Any) -> CoDAE:
    names = ("tracker", "ecal", "hcal")
    geometry = regular_image("toy", (-3.2, 3.2, rows), (-2.5, 2.5, columns))
    torch.manual_seed(1)
    model = build_model("codae", Schema("grid", tuple(Feature(n, "GeV") for n in names), (), geometry), options)
    assert isinstance(model, CoDAE)
    return model


@given(st.floats(1e-2, 1e4))
def test_gamma_functions(x: float) -> None:
    t = torch.tensor(x, dtype=torch.float64)
    assert float(log_gamma(t)) == pytest.approx(math.lgamma(x), rel=1e-10, abs=1e-10)
    assert float(digamma(t)) == pytest.approx(float(torch.digamma(t)), rel=1e-10, abs=1e-10)
    assert float(log_gamma(t.float())) == pytest.approx(math.lgamma(x), rel=1e-5, abs=2e-5)


@given(st.floats(0.05, 5), st.integers(2, 20), st.integers(0, 99))
def test_divergence_of_dirichlet_distributions(prior: float, parts: int, seed: int) -> None:
    a = 0.05 + 5 * torch.rand(4, parts, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    expected = kl_divergence(Dirichlet(a), Dirichlet(torch.full_like(a, prior)))
    torch.testing.assert_close(dirichlet_kl(a, prior), expected, rtol=1e-8, atol=1e-8)
    same = torch.full((parts,), prior, dtype=torch.float64)
    assert float(dirichlet_kl(same, prior)) == pytest.approx(0, abs=1e-8)


def test_divergence_of_beta_distributions_by_integration() -> None:
    """Dirichlet distributions of two parts, on a grid of logits, on which their tails are short."""
    logit = np.linspace(-60, 60, 200_001)
    log_x, log_rest = -np.logaddexp(0, -logit), -np.logaddexp(0, logit)

    def log_density(a: float, b: float) -> np.ndarray:
        norm = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
        return norm + (a - 1) * log_x + (b - 1) * log_rest

    for a, b, prior in ((0.7, 2.5, 1.0), (4.0, 0.9, 0.5)):
        p = np.exp(log_density(a, b) + log_x + log_rest)
        step = logit[1] - logit[0]
        assert float(p.sum() * step) == pytest.approx(1, abs=1e-6)
        integral = float((p * (log_density(a, b) - log_density(prior, prior))).sum() * step)
        found = dirichlet_kl(torch.tensor([a, b], dtype=torch.float64), prior)
        assert float(found) == pytest.approx(integral, rel=1e-5)


def test_divergence_of_codes() -> None:
    h = 2 * torch.randn(5, 6, 2, 3, generator=torch.Generator().manual_seed(1)).double()
    of_place = Categorical(logits=h.permute(0, 2, 3, 1))
    uniform = CategoricalMap(6, 6)
    expected = kl_divergence(of_place, Categorical(logits=torch.zeros_like(of_place.logits))).sum((1, 2))
    torch.testing.assert_close(uniform.kl(h), expected)
    assert float(uniform.kl(torch.zeros(1, 6, 2, 3))) == pytest.approx(0, abs=1e-5)
    torch.manual_seed(2)
    single = CategoricalMap(6, 6, components=1).double()
    prior = Categorical(logits=single.prior[0].reshape(2, 3, 6))
    torch.testing.assert_close(single.kl(h), kl_divergence(of_place, prior).sum((1, 2)))


def test_divergence_from_a_mixture_is_bounded_from_above_and_tight_where_components_are_apart() -> None:
    torch.manual_seed(3)
    latent = CategoricalMap(4, 2, components=3).double().requires_grad_(False)
    with torch.no_grad():
        latent.prior.mul_(6)
        latent.weight.copy_(torch.tensor([0.5, 0.0, -1.0]))
    h = 3 * torch.randn(6, 4, 1, 2).double()
    log_q = h.flatten(2).transpose(1, 2).log_softmax(-1)
    log_prior = latent.prior.log_softmax(-1)
    exact = torch.zeros(6).double()
    for first in range(4):
        for second in range(4):
            log_joint = log_q[:, 0, first] + log_q[:, 1, second]
            of_component = log_prior[:, 0, first] + log_prior[:, 1, second] + latent.weight.log_softmax(0)
            exact += log_joint.exp() * (log_joint - of_component.logsumexp(0))
    bound = latent.kl(h)
    assert bool((bound >= exact - 1e-9).all())
    one_hot = 40 * torch.nn.functional.one_hot(torch.tensor([[0, 1]]), 4).double().transpose(1, 2)[:, :, None]
    log_p = log_prior[:, 0, 0] + log_prior[:, 1, 1] + latent.weight.log_softmax(0)
    assert float(latent.kl(one_hot)) == pytest.approx(-float(log_p.logsumexp(0)), rel=1e-6)


def test_draws_of_shares_have_the_moments_of_dirichlet_distributions() -> None:
    latent = DirichletMap(1.0)
    h = torch.tensor([-3.0, 0.0, 1.0, 2.0]).reshape(1, 4, 1, 1).expand(40_000, -1, -1, -1)
    drawn = latent.draw(h, torch.Generator().manual_seed(1))[:, :, 0, 0]
    a = torch.nn.functional.softplus(h[0, :, 0, 0]) + 0.02
    truth = Dirichlet(a)
    torch.testing.assert_close(latent.mean(h)[0, :, 0, 0], truth.mean)
    torch.testing.assert_close(drawn.mean(0), truth.mean, rtol=0, atol=0.006)
    torch.testing.assert_close(drawn.var(0), truth.variance, rtol=0.05, atol=0)


def test_draws_of_codes_are_as_frequent_as_they_should_be_and_sharp_when_cold() -> None:
    latent = CategoricalMap(3, 1)
    h = torch.tensor([0.0, 1.0, 2.0]).reshape(1, 3, 1, 1).expand(20_000, -1, -1, -1)
    with torch.no_grad():
        latent.log_temperature.fill_(math.log(0.05))
        drawn = latent.draw(h, torch.Generator().manual_seed(1))[:, :, 0, 0]
    counts = torch.bincount(drawn.argmax(1), minlength=3) / 20_000
    torch.testing.assert_close(counts, torch.tensor([0.0, 1.0, 2.0]).softmax(0), rtol=0, atol=0.015)
    assert float(drawn.max(1).values.mean()) > 0.95


def test_gradients_of_draws_are_those_of_their_mean() -> None:
    """d E[z] / d h by draws against that of the closed form."""
    latent = DirichletMap(1.0)
    h = torch.tensor([-0.5, 0.5, 1.0]).double().reshape(1, 3, 1, 1).requires_grad_()
    drawn = latent.draw(h.expand(100_000, -1, -1, -1), torch.Generator().manual_seed(1))
    (found,) = torch.autograd.grad(drawn[:, 0].mean(), h)
    (expected,) = torch.autograd.grad(latent.mean(h)[:, 0].sum(), h)
    torch.testing.assert_close(found, expected, rtol=0.03, atol=0.003)


def test_numbers_condition_a_map_by_place() -> None:
    torch.manual_seed(1)
    layer = SpatialConditioning(2, 4, (3, 5))
    h = torch.randn(2, 4, 3, 5)
    with torch.no_grad():
        layer.factor.weight.zero_()
        torch.testing.assert_close(layer(h, torch.randn(2, 2)), h)
        layer.factor.bias.zero_()
        layer.factor.weight[0, 0, 1, 1] = 2.0  # the first number
        layer.factor.weight[1, 2, 1, 1] = 1.0  # x, which runs along columns
        layer.factor.weight[2, 3, 1, 1] = 1.0  # y
        found = layer(h, torch.tensor([[3.0, 0.0], [0.5, 7.0]]))
    torch.testing.assert_close(found[0, 0], 6 * h[0, 0])
    torch.testing.assert_close(found[1, 0], h[1, 0])
    torch.testing.assert_close(found[:, 1], h[:, 1] * torch.linspace(-1, 1, 5))
    torch.testing.assert_close(found[:, 2], h[:, 2] * torch.linspace(-1, 1, 3)[:, None])
    assert not found[:, 3].any()


def test_distance_is_in_units_of_the_spread_of_background() -> None:
    model = model_of(11, 14, numbers=3, **SMALL)
    x = (torch.rand(400, 154, 3) > 0.9).float() * torch.rand(400, 1, 1).round(decimals=1)
    model.end_phase("autoencoder", Batch(x, torch.zeros(400, 0)), torch.Generator())
    with torch.inference_mode():
        found = model.eval().predict(x, torch.zeros(400, 0))
    names = [feature.name for feature in model.outputs]
    assert names == ["reconstruction", "distance", "latent_0", "latent_1", "latent_2"]
    assert float(found[:, 1].mean()) == pytest.approx(1, rel=1e-3)
    numbers = found[:, 2:].double()
    away = numbers - numbers.mean(0)
    expected = (away @ torch.linalg.inv(away.T @ away / 400) * away).sum(1) / 3
    torch.testing.assert_close(found[:, 1].double(), expected, rtol=0.01, atol=0.01)


def test_only_the_chosen_channels_are_seen() -> None:
    model = model_of(11, 14, **SMALL).eval()
    x = (torch.rand(3, 154, 3) > 0.8).float()
    other = torch.cat([5 * x[..., :1], torch.rand(3, 154, 2)], 2)
    with torch.inference_mode():
        assert torch.equal(*(model.predict(events, torch.zeros(3, 0)) for events in (x, other)))
        seen, made = model.reconstruct(x)
    assert seen.shape == made.shape == (3, 1, 11, 14)


@pytest.mark.parametrize("image", [(72, 58), (286, 360), (11, 14)], ids=str)
def test_images_of_any_size(image: tuple[int, int]) -> None:
    model = model_of(*image, widths=[4, 4, 4], codes=8)
    x = (torch.rand(2, image[0] * image[1], 3) > 0.98).float()
    losses = model.losses(Batch(x, torch.zeros(2, 0)), "autoencoder", torch.Generator())
    assert math.isfinite(float(losses["reconstruction"].detach()))
    assert model.reconstruct(x)[1].shape == (2, 1, *image)


def test_published_sizes_and_options_that_do_not_fit() -> None:
    assert map_sizes((72, 58), 4) == [(72, 58), (36, 29), (18, 15), (9, 8), (5, 4)]
    with pytest.raises(FacsimError, match="leave one place of 11 x 14 cells: give fewer widths"):
        model_of(11, 14)
    with pytest.raises(FacsimError, match="a mixture is a prior of latent: categorical, not of dirichlet"):
        model_of(11, 14, latent="dirichlet", prior="mixture", **SMALL)
