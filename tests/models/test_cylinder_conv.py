"""Maps and convolutions on cylinders: nothing is lost, and a turned shower gives a turned output."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from facsim.core.errors import FacsimError
from facsim.models.nets.cylinder_conv import CylinderConvolution
from facsim.models.nets.cylinder_map import CylinderMap
from facsim.models.space import Space

KINDS = [(1, 3), (4, 2), (8, 1), (8, 4), (12, 2)]
Layers = list[tuple[int, int]]
cylinders = st.lists(st.sampled_from(KINDS), min_size=1, max_size=5)


def space_of(layers: Layers) -> Space:
    return Space("grid", (sum(a * r for a, r in layers), 1), tuple(layers))


def turned(x: Tensor, layers: Layers, turn: float) -> Tensor:
    """Cells (N, V, C) after a `turn` (in full circles) that every layer of several sectors divides."""
    parts = torch.split(x, [a * r for a, r in layers], 1)
    out = []
    for (a, r), part in zip(layers, parts, strict=True):
        sectors = turn * a if a > 1 else 0  # one sector covers the circle
        assert abs(sectors - round(sectors)) < 1e-9
        out.append(part.reshape(len(x), a, r, -1).roll(round(sectors), 1).reshape(part.shape))
    return torch.cat(out, 1)


@given(layers=cylinders, channels=st.integers(1, 3), seed=st.integers(0, 9))
@settings(max_examples=50, deadline=None)
def test_cells_come_back_from_their_map(layers: Layers, channels: int, seed: int) -> None:
    x = torch.randn(2, space_of(layers).elements[0], channels, generator=torch.Generator().manual_seed(seed))
    cylinder = CylinderMap("test", space_of(layers))
    maps = cylinder.draw(x)
    sectors = math.lcm(*(a for a, _ in layers))
    assert maps.shape == (2, channels * sum(r for _, r in set(layers)), len(layers), sectors)
    torch.testing.assert_close(cylinder.read(maps, channels), x)


@given(layers=cylinders, steps=st.integers(1, 11), seed=st.integers(0, 9))
@settings(max_examples=25, deadline=None)
def test_a_turned_shower_gives_a_turned_output(layers: Layers, steps: int, seed: int) -> None:
    torch.manual_seed(seed)
    space = space_of(layers)
    network = CylinderConvolution(space, 2, 2, 3, zero=False, width=4, depth=2)
    x, t, cond = torch.randn(3, space.elements[0], 2), torch.rand(3), torch.randn(3, len(layers), 3)
    turn = steps / (math.gcd(*(a for a, _ in layers if a > 1)) or 1)
    out = network(x, t, cond)
    torch.testing.assert_close(network(turned(x, layers, turn), t, cond), turned(out, layers, turn))


def test_coarser_levels_turn_by_the_sectors_they_have() -> None:
    layers = [(8, 2), (1, 3), (8, 2), (4, 1), (8, 2)]
    torch.manual_seed(1)
    network = CylinderConvolution(space_of(layers), 1, 1, 0, zero=False, width=4, depth=1, levels=3)
    x, t, cond = torch.randn(2, space_of(layers).elements[0], 1), torch.rand(2), torch.zeros(2, 0)
    out = network(x, t, cond)
    torch.testing.assert_close(network(turned(x, layers, 0.5), t, cond), turned(out, layers, 0.5))
    assert not torch.allclose(network(turned(x, layers, 0.25), t, cond), turned(out, layers, 0.25), atol=1e-4)


def test_neighbours_across_the_end_of_the_circle_see_each_other() -> None:
    network = CylinderConvolution(space_of([(8, 1)]), 1, 1, 0, zero=False, width=4, depth=1)
    x = torch.zeros(1, 8, 1)
    far = x.clone()
    far[0, 7] = 1.0
    moved = (network(far, None, torch.zeros(1, 0)) - network(x, None, torch.zeros(1, 0))).abs()[0, :, 0]
    assert moved[0] > 1e-4


def test_cylinders_and_levels_that_do_not_fit_are_refused_in_one_sentence() -> None:
    with pytest.raises(
        FacsimError, match=r"common multiple of at most 4 times the largest, not 630 for \[7, 9, 10\]\.$"
    ):
        CylinderConvolution(space_of([(7, 1), (9, 1), (10, 1)]), 1, 1, 0)
    with pytest.raises(FacsimError, match=r"^the 3 levels of 'cylinder-conv' halve the sectors 2 times, but .* 10: "):
        CylinderConvolution(space_of([(10, 2), (1, 2)]), 1, 1, 0, levels=3)
