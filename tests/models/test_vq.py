"""Codebook, causal transformer and the vector-quantised autoencoder, against brute force and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.evaluate.targets import TARGETS, distance, learn
from facsim.models.base import Batch, draw_noise
from facsim.models.choices import Choice
from facsim.models.methods import build_method
from facsim.models.nets.causal import CausalTransformer, drawn
from facsim.models.nets.codebook import Codebook
from facsim.models.nets.layer_tokens import LayersToTokens, TokensToLayers
from facsim.models.space import Space, table

RAGGED = Space("grid", (13, 2), ((1, 4), (3, 3)))


def _rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@settings(max_examples=10, deadline=None)
@given(st.integers(2, 30), st.integers(1, 5), st.integers(0, 1000))
def test_nearest_vectors_are_those_of_brute_force(size: int, dim: int, seed: int) -> None:
    torch.manual_seed(seed)
    book = Codebook(size, dim)
    z = torch.randn(6, 3, dim)
    every = [[min(range(size), key=lambda k: float((v - book.vectors[k]).square().sum())) for v in row] for row in z]
    chosen, wanted = book(book.nearest(z)), book(torch.tensor(every))
    torch.testing.assert_close((z - chosen).square().sum(-1), (z - wanted).square().sum(-1))


def test_vectors_become_the_means_of_what_is_nearest() -> None:
    book = Codebook(2, 1, decay=0.5)
    book.vectors.copy_(torch.tensor([[-1.0], [1.0]]))
    book.total.copy_(book.vectors)
    z = torch.tensor([[-3.0], [-1.0], [2.0], [4.0]])
    first = book.vectors.clone()
    book.update(z, book.nearest(z), _rng())
    # counts stay 1: half the old vector and half the new mean
    torch.testing.assert_close(book.vectors, 0.5 * first + 0.5 * torch.tensor([[-2.0], [3.0]]))
    for _ in range(40):
        book.update(z, book.nearest(z), _rng())
    torch.testing.assert_close(book.vectors, torch.tensor([[-2.0], [3.0]]))


def test_codes_without_use_begin_anew_at_a_vector_of_the_batch() -> None:
    book = Codebook(3, 1, decay=0.9)
    book.vectors.copy_(torch.tensor([[-1.0], [1.0], [50.0]]))
    book.total.copy_(book.vectors)
    z = torch.tensor([[-1.0], [1.0]]).repeat(50, 1)
    for _ in range(30):
        book.update(z, book.nearest(z), _rng())
        assert book.vectors[2, 0] == pytest.approx(50.0)
    for _ in range(30):
        book.update(z, book.nearest(z), _rng())
    assert book.vectors.abs().max() == pytest.approx(1.0)


def test_codes_are_drawn_with_their_probabilities() -> None:
    p = torch.tensor([0.5, 0.2, 0.0, 0.3])
    u = torch.tensor([0.0, 0.49, 0.51, 0.69, 0.71, 0.999])
    assert drawn(p.log().expand(6, 4), u).tolist() == [0, 0, 1, 1, 3, 3]
    even = (torch.arange(10_000) + 0.5) / 10_000
    shares = torch.bincount(drawn(p.log().expand(10_000, 4), even), minlength=4) / 10_000
    torch.testing.assert_close(shares, p, atol=1e-3, rtol=0)


def _transformer(depth: int = 2) -> CausalTransformer:
    torch.manual_seed(0)
    net = CausalTransformer(5, 7, 2, 16, depth, 2)
    for p in net.parameters():
        torch.nn.init.normal_(p, std=0.4)  # blocks start as the identity in their condition
    return net.eval()


@torch.no_grad()
def test_a_code_depends_on_those_before_it_alone() -> None:
    net = _transformer()
    codes, cond = torch.randint(7, (4, 5), generator=_rng()), torch.randn(4, 2, generator=_rng())
    logits = net(codes, cond)
    for k in range(5):
        other = codes.clone()
        other[:, k] = (other[:, k] + 1) % 7
        changed = (net(other, cond) - logits).abs().amax((0, 2)) > 1e-6
        assert changed.tolist() == [False] * (k + 1) + [True] * (4 - k)


@torch.no_grad()
@pytest.mark.parametrize("per_token", [False, True])
def test_sampling_one_by_one_follows_the_probabilities_of_whole_sequences(per_token: bool) -> None:
    net = _transformer()
    cond = torch.randn(50, 5, 2, generator=_rng()) if per_token else torch.randn(50, 2, generator=_rng())
    u = torch.rand(50, 5, generator=_rng(1))
    codes = net.sample(cond, u)
    assert torch.equal(drawn(net(codes, cond), u), codes)
    assert len(codes.unique()) > 3


def test_layers_have_maps_of_their_own() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 13, 2, requires_grad=True)
    tokens = LayersToTokens(RAGGED, 2, 6)(x)
    assert tokens.shape == (2, 2, 6)
    (gradient,) = torch.autograd.grad(tokens[:, 1].sum(), x)
    assert (gradient != 0).any(2).sum(1).tolist() == [9, 9]
    assert not gradient[:, :4].any()
    back = TokensToLayers(RAGGED, 2, 6)(tokens)
    assert back.shape == x.shape
    (gradient,) = torch.autograd.grad(back[:, :4].sum(), tokens)
    assert bool(gradient[:, 0].all())
    assert not gradient[:, 1].any()


def _vq(space: Space, **options: object):
    torch.manual_seed(0)
    network = {"name": "residual-mlp", "width": 32, "depth": 1}
    return build_method(Choice(name="vq", **{"network": network, "width": 32, "depth": 1, **options}), space, 1)


def test_the_gradient_passes_the_quantisation() -> None:
    """The encoder's gradient of the likelihood is that of a decoder that is fed the encoder's output shifted."""
    vq = _vq(RAGGED).eval()
    batch = Batch(torch.randn(4, 13, 2, generator=_rng()), torch.zeros(4, 1))
    losses = vq.losses(batch, "autoencoder")
    parameter = vq.to_tokens.maps[0].weight
    (got,) = torch.autograd.grad(losses["likelihood"], parameter, retain_graph=True)
    z = vq._encode(batch)
    vectors = vq.codebook(vq.codebook.nearest(z))
    slope_at = vectors.detach().requires_grad_(True)
    nll = vq.likelihood(batch.x, vq._decode(slope_at, batch.cond)).mean()
    (slope,) = torch.autograd.grad(nll, slope_at)
    (wanted,) = torch.autograd.grad((z * slope).sum(), parameter)
    torch.testing.assert_close(got, wanted)
    commitment = 0.25 * float((z - vectors).detach().square().mean())
    assert float(losses["commitment"].detach()) == pytest.approx(commitment, rel=1e-5)


def test_phases_train_their_own_parts() -> None:
    vq = _vq(RAGGED)
    parts = [{id(p) for p in vq.parameters_of(phase)} for phase in vq.phases]
    assert vq.phases == ("autoencoder", "prior")
    assert not parts[0] & parts[1]
    assert parts[0] | parts[1] == {id(p) for p in vq.parameters()}


def test_tables_are_refused() -> None:
    with pytest.raises(FacsimError, match="takes events that are a grid, not a table"):
        build_method(Choice(name="vq"), table(3), 1)


def test_layers_with_two_patterns_that_follow_one_another_are_learned() -> None:
    """Layer 1 is +-1 by chance with P(+) from the condition, layer 2 is its opposite: four codes, two sequences."""

    def truth(n: int, rng: torch.Generator) -> Batch:
        cond = torch.rand(n, 1, generator=rng)
        sign = torch.where(torch.rand(n, 1, generator=rng) < cond, 1.0, -1.0)
        cells = torch.cat([sign.expand(-1, 4), -sign.expand(-1, 4)], 1) + 0.2 * torch.randn(n, 8, generator=rng)
        return Batch(cells[..., None], cond)

    vq, rng = _vq(Space("grid", (8, 1), ((2, 2), (2, 2))), codes=1, size=4, dim=2), _rng()
    for phase in vq.phases:
        vq.train().begin_phase(phase, truth(500, rng), rng)
        optimiser = torch.optim.Adam(vq.parameters_of(phase), 5e-3)
        for _ in range(250):
            loss = torch.stack(list(vq.losses(truth(128, rng), phase, rng).values())).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    cond = torch.full((4000, 1), 0.8)
    with torch.no_grad():
        x = vq.eval().sample(cond, draw_noise(vq.noise_spec(4000), rng)).reshape(4000, 2, 4)
    means = x.mean(2)
    assert float((means[:, 0] > 0).float().mean()) == pytest.approx(0.8, abs=0.06)
    assert float((means[:, 0] * means[:, 1] < 0).float().mean()) > 0.97
    np.testing.assert_allclose(means.abs().mean(0), 1.0, atol=0.1)
    assert float((x - means[..., None]).std()) == pytest.approx(0.2 * (3 / 4) ** 0.5, abs=0.05)


def test_correlated_cells_are_learned() -> None:
    torch.manual_seed(0)
    vq = _vq(TARGETS["cells"].space, size=32, codes=2)
    before = distance(vq.eval(), TARGETS["cells"], 2000)
    learn(vq, TARGETS["cells"], steps=200, size=128, lr=5e-3)
    after = distance(vq, TARGETS["cells"], 2000)
    assert after.w1 < 0.12 < before.w1
    assert after.kpd < 0.3 * before.kpd
