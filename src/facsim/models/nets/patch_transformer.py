"""Transformer for cylinders with one token per patch of cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from facsim.core.errors import FacsimError
from facsim.core.schema import Representation
from facsim.models.nets.base import Network, check_cylinder, check_heads, check_sizes, of_layers
from facsim.models.nets.layers import Context, TransformerBlock
from facsim.models.nets.patches import Patches, block_groups, layer_groups
from facsim.models.space import Space

HARMONICS = 8
LARGEST = (3, 4)


class PatchTransformer(Network):
    """Attention between patches that know where they are; for arguments see `Network`.

    Patches and adaLN as in DiT (arXiv 2212.09748), positions in depth, angle and radius as sines and cosines, the angle
    periodic. The cost grows with the square of the number of patches. On ragged cylinders each layer is a patch.

    Args:
        width: token width.
        depth: number of blocks.
        heads: attention heads, which share the width.
        patch: layers, sectors and rings of a patch, which divide those of the cylinder; left out, up to three layers
            and four sectors with all their rings.
    """

    representations: ClassVar[tuple[Representation, ...]] = ("grid",)
    place: Tensor

    def __init__(
        self,
        space: Space,
        n_in: int,
        n_out: int,
        n_cond: int,
        *,
        zero: bool = True,
        width: int = 64,
        depth: int = 3,
        heads: int = 4,
        patch: Sequence[int] | None = None,
    ) -> None:
        super().__init__(space, n_in, n_out, n_cond)
        check_sizes("patch-transformer", width=width, depth=depth, heads=heads)
        check_heads("patch-transformer", width, heads)
        check_cylinder("patch-transformer", space)
        groups, places = _patches(space, patch)
        self.patches = Patches(space, groups, n_in, n_out, n_cond, width, zero)
        self.register_buffer("place", _waves(places), persistent=False)
        self.position = nn.Linear(self.place.shape[1], width, bias=False)
        self.condition = Context(n_cond, width)
        self.blocks = nn.ModuleList(TransformerBlock(width, heads, width) for _ in range(depth))
        self.norm = nn.LayerNorm(width, elementwise_affine=False)

    def forward(self, x: Tensor, t: Tensor | None, cond: Tensor, mask: Tensor | None = None) -> Tensor:
        cond = of_layers(cond, len(self.space.layers))
        h = self.patches.tokens(x, cond) + self.position(self.place)
        c = self.condition(t, cond.mean(1))
        for block in self.blocks:
            h = block(h, c)
        return self.patches.cells(self.norm(h))


def _patches(space: Space, patch: Sequence[int] | None) -> tuple[list[Tensor], Tensor]:
    """Groups of patches and, in their order, centres in depth, angle and radius as parts of the whole, (T, 3)."""
    if space.cylinder is None:
        if patch is not None:
            raise FacsimError(
                f"the option 'patch' of the network 'patch-transformer' needs a cylinder whose layers are alike, not "
                f"{len(set(space.layers))} kinds of layers: leave it out, then each layer is a patch."
            )
        kinds = sorted(set(space.layers))
        depth = [i for kind in kinds for i, layer in enumerate(space.layers) if layer == kind]
        return layer_groups(space), torch.tensor([[(i + 0.5) / len(depth), 0.0, 0.5] for i in depth])
    shape = _checked(space.cylinder, patch)
    counts = [n // size for n, size in zip(space.cylinder, shape, strict=True)]
    centres = [(torch.arange(n) + 0.5) / n for n in counts]
    return block_groups(space.cylinder, shape), torch.cartesian_prod(*centres)


def _checked(cylinder: tuple[int, int, int], patch: object) -> tuple[int, int, int]:
    """The `patch`, or the default one, if it divides the cylinder."""
    if patch is None:
        layers, sectors = (
            max(size for size in range(1, most + 1) if n % size == 0)
            for n, most in zip(cylinder[:2], LARGEST, strict=True)
        )
        return layers, sectors, cylinder[2]
    sizes = list(patch) if isinstance(patch, list | tuple) else []
    fits = len(sizes) == 3 and all(type(size) is int and size > 0 for size in sizes)
    if not fits or any(n % size for n, size in zip(cylinder, sizes, strict=True)):
        raise FacsimError(
            f"the option 'patch' of the network 'patch-transformer' must be three whole numbers that divide the "
            f"cylinder's layers, sectors and rings {list(cylinder)}, not {patch!r}."
        )
    layers, sectors, rings = sizes
    return layers, sectors, rings


def _waves(places: Tensor) -> Tensor:
    """Sines and cosines of places (T, 3): half waves in depth and radius, whole ones in the angle, (T, 6 HARMONICS)."""
    angles = places[:, :, None] * torch.tensor([1.0, 2.0, 1.0])[:, None] * math.pi * torch.arange(1, HARMONICS + 1)
    return torch.cat([angles.cos(), angles.sin()], -1).flatten(1)
