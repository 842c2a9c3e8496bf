"""Cells of ragged layers in one map: nothing lost, nothing added, turned by one angle."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facsim.models.nets.padding import GridPadding
from facsim.models.space import Space, cylinder
from facsim.physics.geometries import GEOMETRIES

LAYERS = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 5)), min_size=1, max_size=5)


def grid(*layers: tuple[int, int]) -> Space:
    return Space("grid", (sum(alpha * r for alpha, r in layers), 1), tuple(layers))


@given(LAYERS, st.integers(0, 1000))
def test_the_way_there_and_back_changes_nothing(layers: list[tuple[int, int]], seed: int) -> None:
    padding = GridPadding(grid(*layers))
    cells = torch.rand(3, padding.n_cells, generator=torch.Generator().manual_seed(seed)) + 0.1
    there = padding.to_map(cells)
    assert torch.equal(padding.to_cells(there), cells)
    assert torch.equal(there > 0, padding.exists.expand_as(there))
    assert padding.capacity.tolist() == [alpha * r for alpha, r in layers]
    assert padding.trials.sum(1).tolist() == padding.capacity.tolist()


def test_cells_lie_where_the_geometry_says() -> None:
    geometry = GEOMETRIES["ds1-pions"]
    padding = GridPadding(cylinder(geometry))
    there = padding.to_map(torch.arange(float(geometry.n_cells))[None])[0]
    for cell in (0, 8, 107, 250, 532):
        place = geometry.layer_index[cell], geometry.sector_index[cell], geometry.ring_index[cell]
        assert int(there[place]) == cell


def test_a_regular_cylinder_is_a_special_case() -> None:
    padding = GridPadding(grid((6, 3), (6, 3)))
    general = copy.deepcopy(padding)
    general.regular = False
    cells = torch.rand(4, 36)
    assert padding.regular
    assert torch.equal(padding.to_map(cells), general.to_map(cells))
    assert torch.equal(padding.to_cells(padding.to_map(cells)), general.to_cells(general.to_map(cells)))


@given(LAYERS, st.integers(0, 1000))
def test_turned_maps_keep_every_ring(layers: list[tuple[int, int]], seed: int) -> None:
    padding = GridPadding(grid(*layers))
    there = padding.to_map(torch.rand(4, padding.n_cells, generator=torch.Generator().manual_seed(seed)) + 0.1)
    turned = padding.turned(there, torch.Generator().manual_seed(seed))
    assert torch.equal(turned.sort(2).values, there.sort(2).values)
    assert torch.equal(turned > 0, there > 0)


@pytest.mark.parametrize("sectors", [(6, 6, 6), (4, 8, 1), (4, 6, 10)])
def test_all_layers_turn_by_one_angle(sectors: tuple[int, ...]) -> None:
    padding = GridPadding(grid(*((alpha, 1) for alpha in sectors)))
    cells = torch.cat([torch.nn.functional.one_hot(torch.tensor(0), alpha).float() for alpha in sectors])
    edges = [torch.linspace(0, 2 * torch.pi, alpha + 1) for alpha in sectors]
    first = padding.turned(padding.to_map(cells.repeat(300, 1)), torch.Generator().manual_seed(0))[..., 0]
    angles = []
    for layer, alpha in enumerate(sectors):
        if alpha == 1:
            continue
        sector = first[:, layer].argmax(1)
        angles.append((edges[layer][sector], edges[layer][sector + 1]))
    # cell 0 begins at the angle 0: turned by t it begins at t, mirrored it ends at t
    starts = torch.stack([low for low, _ in angles]) % (2 * torch.pi)
    ends = torch.stack([high for _, high in angles]) % (2 * torch.pi)
    together = (_same(starts) | _same(ends)).all()
    assert together
    assert len(starts[0].mul(1000).round().unique()) >= padding.turns


def _same(angles: torch.Tensor) -> torch.Tensor:
    return (torch.cos(angles - angles[:1]) > 1 - 1e-4).all(0)
