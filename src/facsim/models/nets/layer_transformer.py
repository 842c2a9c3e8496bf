"""Transformer for cylinders with one token per calorimeter layer."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from facsim.core.schema import Representation
from facsim.models.nets.base import Network, check_cylinder, check_heads, check_sizes, of_layers
from facsim.models.nets.layers import Context, TransformerBlock
from facsim.models.nets.patches import Patches, layer_groups
from facsim.models.space import Space


class LayerTransformer(Network):
    """Attention along the shower axis, on a regular or ragged cylinder; for arguments see `Network`.

    A whole layer is one patch ("large patches", arXiv 2605.12011), so the cost is linear in the number of cells and
    attention runs along the shower axis only. Layers of equal sectors and rings share their linear maps.

    Args:
        width: token width.
        depth: number of blocks.
        heads: attention heads, which share the width.
    """

    representations: ClassVar[tuple[Representation, ...]] = ("grid",)

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
    ) -> None:
        super().__init__(space, n_in, n_out, n_cond)
        check_sizes("layer-transformer", width=width, depth=depth, heads=heads)
        check_heads("layer-transformer", width, heads)
        check_cylinder("layer-transformer", space)
        self.patches = Patches(space, layer_groups(space), n_in, n_out, n_cond, width, zero)
        self.position = nn.Parameter(0.1 * torch.randn(len(space.layers), width))
        self.condition = Context(n_cond, width)
        self.blocks = nn.ModuleList(TransformerBlock(width, heads, width) for _ in range(depth))
        self.norm = nn.LayerNorm(width, elementwise_affine=False)

    def forward(self, x: Tensor, t: Tensor | None, cond: Tensor, mask: Tensor | None = None) -> Tensor:
        cond = of_layers(cond, len(self.space.layers))
        h = self.patches.tokens(x, cond) + self.position
        c = self.condition(t, cond.mean(1))
        for block in self.blocks:
            h = block(h, c)
        return self.patches.cells(self.norm(h))
