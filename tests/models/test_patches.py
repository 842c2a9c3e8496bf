"""Cells in patches: every cell in one of them, and where the patches are."""

from __future__ import annotations

import pytest
import torch

from facsim.core.errors import FacsimError
from facsim.models.nets.patch_transformer import PatchTransformer, _checked, _waves
from facsim.models.nets.patches import Patches, block_groups, layer_groups
from facsim.models.space import Space

RAGGED = Space("grid", (4 + 6 + 4, 1), ((2, 2), (2, 3), (1, 4)))


def test_layers_are_patches_in_groups_of_a_kind() -> None:
    space = Space("grid", (14, 1), ((2, 2), (3, 2), (2, 2)))
    assert [group.tolist() for group in layer_groups(space)] == [
        [[0, 1, 2, 3], [10, 11, 12, 13]],
        [[4, 5, 6, 7, 8, 9]],
    ]


def test_blocks_hold_neighbours() -> None:
    (cells,) = block_groups((2, 4, 2), (2, 2, 1))
    # cell = (layer * 4 + sector) * 2 + ring
    assert cells.tolist() == [[0, 2, 8, 10], [1, 3, 9, 11], [4, 6, 12, 14], [5, 7, 13, 15]]


@pytest.mark.parametrize("space", [RAGGED, Space("grid", (16, 1), ((4, 2), (4, 2)))])
def test_identity_maps_bring_every_cell_back(space: Space) -> None:
    groups = layer_groups(space) if space.cylinder is None else block_groups(space.cylinder, (1, 2, 1))
    patches = Patches(space, groups, 1, 1, 0, 8, zero=True)
    with torch.no_grad():
        for embed, out in zip(patches.embed, patches.out, strict=True):
            embed.weight.copy_(torch.eye(*embed.weight.shape))
            out.weight.copy_(torch.eye(*out.weight.shape))
            embed.bias.zero_()
    x = torch.randn(3, space.elements[0], 1)
    torch.testing.assert_close(patches.cells(patches.tokens(x, torch.zeros(3, len(space.layers), 0))), x)


def test_a_patch_knows_the_conditions_of_its_layers() -> None:
    space = Space("grid", (8, 1), ((2, 1),) * 4)
    patches = Patches(space, block_groups((4, 2, 1), (2, 1, 1)), 1, 1, 1, 3, zero=True)
    cond = torch.zeros(1, 4, 1)
    before = patches.tokens(torch.zeros(1, 8, 1), cond)
    cond[0, 2] = 1.0
    moved = (patches.tokens(torch.zeros(1, 8, 1), cond) - before).abs().amax(2)[0] > 0
    assert moved.tolist() == [False, False, True, True]


def test_angles_are_periodic_and_places_differ() -> None:
    place = torch.tensor([[0.3, 0.0, 0.5], [0.3, 1.0, 0.5], [0.3, 0.5, 0.5], [0.3, 0.0, 0.6], [0.4, 0.0, 0.5]])
    waves = _waves(place)
    torch.testing.assert_close(waves[0], waves[1], atol=1e-5, rtol=0)
    distance = torch.cdist(waves[1:], waves[1:]) + 9 * torch.eye(4)
    assert distance.min() > 0.3


def test_default_and_given_patches_divide_the_cylinder() -> None:
    assert _checked((45, 16, 9), None) == (3, 4, 9)
    assert _checked((44, 15, 7), None) == (2, 3, 7)
    assert _checked((45, 16, 9), [5, 8, 3]) == (5, 8, 3)


@pytest.mark.parametrize("patch", [[2, 2, 1], [1, 2], "121", [1, 2, 0], 4, [1, 2.0, 1]])
def test_patches_that_do_not_fit_are_refused_in_one_sentence(patch: object) -> None:
    with pytest.raises(
        FacsimError, match=r"^the option 'patch' .* must be three whole numbers .* \[3, 4, 2\], not .*\.$"
    ):
        PatchTransformer(Space("grid", (24, 1), ((4, 2),) * 3), 1, 1, 1, patch=patch)  # type: ignore[arg-type]


def test_ragged_cylinders_have_no_other_patches_than_layers() -> None:
    with pytest.raises(FacsimError, match="needs a cylinder whose layers are alike, not 3 kinds of layers"):
        PatchTransformer(RAGGED, 1, 1, 1, patch=[1, 1, 1])
