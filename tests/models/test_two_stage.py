"""Energy conservation and exact hit counts of the two-stage model."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facsim.models.layer_variables import LayerVariables
from facsim.models.shower_pattern import ShowerPattern
from facsim.models.two_stage import _rotate_and_flip

SHAPE = (4, 6, 3)
THRESHOLD = 0.015


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_pattern_restores_layer_energies_and_hit_counts(seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    pattern = ShowerPattern(SHAPE, THRESHOLD, 3)
    torch.nn.init.normal_(pattern.marginals.out.weight, std=0.3)
    hits = torch.randint(0, 19, (16, 4), generator=rng).float()
    layer = hits * THRESHOLD * (1 + 50 * torch.rand(16, 4, generator=rng))
    energy = layer.sum(1) + 1
    context = pattern.context(energy, torch.zeros(16, 3), layer, hits)
    cells = pattern.decode(torch.randn(16, *SHAPE, generator=rng), context, layer, hits)
    assert torch.equal((cells > 0).sum((2, 3)).float(), hits)
    torch.testing.assert_close(cells.sum((2, 3)), layer, rtol=1e-4, atol=1e-5)
    assert (cells[cells > 0] >= THRESHOLD * (1 - 1e-5)).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_layers_have_energy_exactly_when_they_have_hits(seed: int) -> None:
    torch.manual_seed(seed)
    variables = LayerVariables(4, torch.full((4,), 18.0), THRESHOLD, 3)
    torch.nn.init.normal_(variables.marginals.out.weight, std=0.3)
    energy = torch.full((64,), 2000.0)
    layer, hits = variables.decode(2 * torch.randn(64, 9), energy, torch.zeros(64, 3))
    assert torch.equal(layer > 0, hits > 0)
    assert (layer >= hits * THRESHOLD * (1 - 1e-6)).all()
    assert (hits <= 18).all()
    assert torch.equal(hits, hits.round())


def test_rotations_and_mirrors_keep_rings() -> None:
    cells = torch.rand(20, *SHAPE)
    turned = _rotate_and_flip(cells, torch.Generator().manual_seed(0))
    torch.testing.assert_close(turned.sum(2), cells.sum(2))
    assert not torch.equal(turned, cells)
    torch.testing.assert_close(turned.sort(2).values, cells.sort(2).values)
