"""Energy conservation and exact hit counts of the two-stage model, on equal layers and on ragged ones."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facsim.models.layer_variables import LayerVariables
from facsim.models.nets.padding import GridPadding
from facsim.models.shower_pattern import ShowerPattern
from facsim.models.space import Space

REGULAR, RAGGED = ((6, 3),) * 4, ((1, 5), (6, 3), (4, 2), (1, 1))
THRESHOLD = 0.015


def padding(layers: tuple[tuple[int, int], ...]) -> GridPadding:
    return GridPadding(Space("grid", (sum(alpha * r for alpha, r in layers), 1), layers))


def pattern_of(layers: tuple[tuple[int, int], ...], seed: int, spread: float = 0.3) -> ShowerPattern:
    torch.manual_seed(seed)
    pattern = ShowerPattern(padding(layers), THRESHOLD, 3)
    torch.nn.init.normal_(pattern.marginals.out.weight, std=spread)
    return pattern


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([REGULAR, RAGGED]), st.integers(0, 10_000), st.floats(0.1, 10), st.floats(-3, 3))
def test_pattern_restores_layer_energies_and_hit_counts(
    layers: tuple[tuple[int, int], ...], seed: int, width: float, mean: float
) -> None:
    """Whatever latents a method draws."""
    rng = torch.Generator().manual_seed(seed)
    pattern = pattern_of(layers, seed)
    hits = (torch.rand(16, 4, generator=rng) * (pattern.padding.capacity + 1)).floor()
    layer = hits * THRESHOLD * (1 + 50 * torch.rand(16, 4, generator=rng))
    energy = layer.sum(1) + 1
    context = pattern.context(energy, torch.zeros(16, 3), layer, hits)
    z = mean + width * torch.randn(16, *pattern.shape, generator=rng)
    cells = pattern.decode(z, pattern.params(context), layer, hits)
    assert torch.equal((cells > 0).sum((2, 3)).float(), hits)
    assert not (cells > 0)[:, ~pattern.padding.exists].any()
    torch.testing.assert_close(cells.sum((2, 3)), layer, rtol=1e-4, atol=1e-5)
    assert (cells[cells > 0] >= THRESHOLD * (1 - 1e-5)).all()


@settings(max_examples=20, deadline=None)
@given(st.sampled_from([REGULAR, RAGGED]), st.integers(0, 10_000))
def test_encoded_showers_decode_to_themselves(layers: tuple[tuple[int, int], ...], seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    pattern = pattern_of(layers, seed, spread=0.0)
    flat = torch.rand(16, pattern.padding.n_cells, generator=rng)
    cells = pattern.padding.to_map(torch.where(flat < 0.4, 0.0, THRESHOLD * (1 + 20 * flat**3)))
    layer, hits = cells.sum((2, 3)), (cells > 0).sum((2, 3)).float()
    pattern.fit_scale(layer.sum(1) + 1, torch.zeros(16, 3), layer, hits)
    context = pattern.context(layer.sum(1) + 1, torch.zeros(16, 3), layer, hits)
    pattern.fit_start(cells, context)
    z = pattern.encode(cells, context, torch.rand(cells.shape, generator=rng).clamp(1e-3, 1 - 1e-3))
    inside = (z.abs() < 4.9).flatten(1).all(1)  # beyond, latents are cut off
    again = pattern.decode(z, pattern.params(context), layer, hits)
    torch.testing.assert_close(again[inside], cells[inside], rtol=1e-2, atol=1e-3 * THRESHOLD)


def test_likelihood_and_fit_do_not_see_cells_that_a_layer_lacks() -> None:
    """A ragged cylinder of equal layers, told to be padded, is a regular one."""
    pattern = pattern_of(REGULAR, 1)
    rng = torch.Generator().manual_seed(2)
    flat = torch.rand(64, 72, generator=rng)
    cells = torch.where(flat < 0.4, 0.0, THRESHOLD * (1 + 20 * flat**3)).reshape(64, 4, 6, 3)
    layer, hits = cells.sum((2, 3)), (cells > 0).sum((2, 3)).float()
    wider = padding((*REGULAR, (8, 5)))
    general = ShowerPattern(wider, THRESHOLD, 3)
    context = pattern.context(layer.sum(1) + 1, torch.zeros(64, 3), layer, hits)
    pattern.fit_start(cells, context)
    padded = torch.nn.functional.pad(cells, (0, 2, 0, 2, 0, 1))
    general.fit_start(padded, torch.nn.functional.pad(context, (0, 0, 0, 1)))
    torch.testing.assert_close(general.marginals.odds[:4, :3], pattern.marginals.odds)
    torch.testing.assert_close(general.marginals.intercept[:4, :3], pattern.marginals.intercept)
    assert (general.marginals.odds[:4, 3:] == 0).all()


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([REGULAR, RAGGED]), st.integers(0, 10_000))
def test_layers_have_energy_exactly_when_they_have_hits(layers: tuple[tuple[int, int], ...], seed: int) -> None:
    torch.manual_seed(seed)
    capacity = padding(layers).capacity
    variables = LayerVariables(4, capacity, THRESHOLD, 3)
    torch.nn.init.normal_(variables.marginals.out.weight, std=0.3)
    energy = torch.full((64,), 2000.0)
    layer, hits = variables.decode(2 * torch.randn(64, 9), energy, variables.params(torch.zeros(64, 3)))
    assert torch.equal(layer > 0, hits > 0)
    assert (layer >= hits * THRESHOLD * (1 - 1e-6)).all()
    assert (hits <= capacity).all()
    assert torch.equal(hits, hits.round())


@pytest.mark.parametrize("seed", range(3))
def test_the_general_path_gives_a_regular_cylinder_the_same_showers(seed: int) -> None:
    pattern = pattern_of(REGULAR, seed)
    general = copy.deepcopy(pattern)
    general.padding.regular = False
    rng = torch.Generator().manual_seed(seed)
    hits = torch.randint(0, 19, (16, 4), generator=rng).float()
    layer = hits * THRESHOLD * (1 + 50 * torch.rand(16, 4, generator=rng))
    context = pattern.context(layer.sum(1) + 1, torch.zeros(16, 3), layer, hits)
    z = torch.randn(16, *pattern.shape, generator=rng)
    first, second = (p.decode(z, p.params(context), layer, hits) for p in (pattern, general))
    assert torch.equal(first, second)
    assert torch.equal(pattern.nll(first, context), general.nll(first, context))
