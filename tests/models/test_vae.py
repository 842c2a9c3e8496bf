"""The divergence and likelihood of variational autoencoders in closed form, order of points, and learning."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Normal, kl_divergence

from facsim.evaluate.targets import TARGETS, distance, learn
from facsim.models.base import Batch
from facsim.models.choices import Choice
from facsim.models.methods import build_method
from facsim.models.space import Space, cloud, table
from facsim.models.vae import in_order, kl_from_normal


def _vae(space: Space, **options: object):
    torch.manual_seed(0)
    return build_method(Choice(name="vae", **options), space, 1)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.floats(-3, 3), st.floats(-4, 4)), min_size=1, max_size=4))
def test_divergence_is_that_of_gaussians(pairs: list[tuple[float, float]]) -> None:
    mean, log_variance = torch.tensor(pairs, dtype=torch.float64).T
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).sum()
    torch.testing.assert_close(kl_from_normal(mean[None], log_variance[None])[0], expected)


def test_loss_bounds_the_entropy_of_white_noise_and_reaches_it_when_nothing_is_encoded() -> None:
    """With a posterior and a decoder that say nothing, the loss of N(0, 1) data is its entropy per number."""
    vae = _vae(table(3))
    for part in (vae.encoder, vae.decoder):
        for p in part.parameters():
            torch.nn.init.zeros_(p)
    torch.nn.init.zeros_(vae.likelihood.code)
    x = torch.randn(40_000, 3, generator=torch.Generator().manual_seed(0))
    losses = vae.losses(Batch(x, torch.zeros(len(x), 1)), "autoencoder", torch.Generator().manual_seed(1))
    assert float(losses["kl"].detach()) == 0.0
    assert float(losses["likelihood"].detach()) == pytest.approx(0.5 * math.log(2 * math.pi * math.e), abs=0.01)


def test_beta_is_a_factor_of_the_divergence_alone() -> None:
    batch = Batch(torch.randn(8, 3, generator=torch.Generator().manual_seed(0)), torch.zeros(8, 1))
    one, four = (_vae(table(3), beta=beta).losses(batch, "autoencoder", torch.Generator().manual_seed(1))
                 for beta in (1.0, 4.0))  # fmt: skip
    assert float(four["kl"].detach()) == pytest.approx(4 * float(one["kl"].detach()), rel=1e-5)
    assert float(four["likelihood"].detach()) == pytest.approx(float(one["likelihood"].detach()), rel=1e-6)


def test_points_are_put_in_the_order_of_their_first_feature() -> None:
    x = torch.tensor([[[1.0, 10], [9, 90], [3, 30], [2, 20]]])
    mask = torch.tensor([[True, False, True, True]])
    ordered = in_order(Batch(x, torch.zeros(1, 1), mask=mask, importance=x[..., :1]))
    assert ordered.x[0, :3].tolist() == [[3, 30], [2, 20], [1, 10]]
    assert ordered.mask.tolist() == [[True, True, True, False]]
    assert ordered.importance[0, :3, 1].tolist() == [3, 2, 1]


def test_loss_of_a_cloud_does_not_depend_on_the_order_of_its_points() -> None:
    vae = _vae(cloud(6, 2))
    rng = torch.Generator().manual_seed(0)
    batch = TARGETS["arcs"].draw(16, rng)
    order = torch.randperm(6, generator=rng)
    turned = replace(batch, x=batch.x[:, order], mask=batch.mask[:, order])
    first, second = (vae.losses(b, "autoencoder", torch.Generator().manual_seed(1)) for b in (batch, turned))
    for name in first:
        assert float(first[name].detach()) == pytest.approx(float(second[name].detach()), rel=1e-5)


def test_the_kth_real_point_has_the_kth_seed_wherever_it_is() -> None:
    vae = _vae(cloud(4, 2)).eval()
    first, spread = torch.tensor([[True, True, False, False]]), torch.tensor([[False, True, False, True]])
    noise = {"latent": torch.randn(1, 16), "noise": torch.zeros(1, 4, 2)}
    with torch.no_grad():
        a, b = (vae.sample(torch.zeros(1, 1), noise, mask)[mask] for mask in (first, spread))
    torch.testing.assert_close(a, b)


def test_prior_phase_standardises_latents_and_trains_only_the_prior() -> None:
    vae = _vae(table(2), prior="flow-matching", latent=2)
    assert vae.phases == ("autoencoder", "prior")
    assert _vae(table(2)).phases == ("autoencoder",)
    rng = torch.Generator().manual_seed(0)
    batch = TARGETS["ring"].draw(2000, rng)
    vae.begin_phase("prior", batch, rng)
    z = vae._latents(batch, rng).x
    torch.testing.assert_close(z.mean(0), torch.zeros(2), atol=0.1, rtol=0)
    torch.testing.assert_close(z.std(0), torch.ones(2), atol=0.1, rtol=0)
    vae.losses(batch, "prior", rng)["flow"].backward()
    trained = {id(p) for p in vae.parameters_of("prior")}
    assert all((p.grad is not None) == (id(p) in trained) for p in vae.parameters())


def test_correlated_cells_are_learned() -> None:
    network = {"name": "layer-transformer", "width": 32, "depth": 1}
    torch.manual_seed(0)
    vae = build_method(Choice(name="vae", latent=4, network=network), TARGETS["cells"].space, 1)
    before = distance(vae.eval(), TARGETS["cells"], 2000)
    learn(vae, TARGETS["cells"], steps=250, size=128, lr=5e-3)
    after = distance(vae, TARGETS["cells"], 2000)
    assert after.w1 < 0.1 < before.w1
    assert after.kpd < 0.2 * before.kpd
    # a common term of variance 0.25 and one of each layer of 0.16 beside white noise of 0.36
    assert float(vae.likelihood.log_width.exp().detach().mean()) == pytest.approx(0.6, abs=0.03)


def test_events_that_are_all_alike_have_a_finite_loss() -> None:
    vae = _vae(table(3))
    batch = Batch(torch.zeros(20, 3), torch.zeros(20, 1))
    vae.begin_phase("autoencoder", batch, torch.Generator().manual_seed(0))
    losses = vae.losses(batch, "autoencoder", torch.Generator().manual_seed(1))
    assert all(torch.isfinite(loss) for loss in losses.values())
