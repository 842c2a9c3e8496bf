"""Transformer for cylinders with one token per calorimeter layer."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from facsim.core.errors import FacsimError
from facsim.core.schema import Representation
from facsim.models.nets.base import Network, check_heads, check_sizes, last_layer, of_layers
from facsim.models.nets.layers import Context, TransformerBlock
from facsim.models.space import Space


class LayerTransformer(Network):
    """Attention along the shower axis on a regular cylinder; for arguments see `Network`.

    A whole layer is one patch ("large patches", arXiv 2605.12011), so the cost is linear in the number of cells and
    attention runs along the shower axis only.

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
        if space.cylinder is None:
            raise FacsimError("the network 'layer-transformer' needs a cylinder whose layers are alike.")
        check_sizes("layer-transformer", width=width, depth=depth, heads=heads)
        check_heads("layer-transformer", width, heads)
        layers, alpha, rings = space.cylinder
        self.tokens, self.patch = layers, alpha * rings * n_in
        self.embed = nn.Linear(self.patch + n_cond, width)
        self.position = nn.Parameter(0.1 * torch.randn(layers, width))
        self.condition = Context(n_cond, width)
        self.blocks = nn.ModuleList(TransformerBlock(width, heads, width) for _ in range(depth))
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.out = last_layer(width, alpha * rings * n_out, zero)

    def forward(self, x: Tensor, t: Tensor | None, cond: Tensor, mask: Tensor | None = None) -> Tensor:
        cond = of_layers(cond, self.tokens)
        h = self.embed(torch.cat([x.reshape(-1, self.tokens, self.patch), cond], -1)) + self.position
        c = self.condition(t, cond.mean(1))
        for block in self.blocks:
            h = block(h, c)
        out: Tensor = self.out(self.norm(h))
        return out.reshape(-1, *self.space.elements, self.n_out)
