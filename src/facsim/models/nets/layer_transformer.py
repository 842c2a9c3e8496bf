"""Transformer for cylinders with one token per calorimeter layer."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from facsim.core.errors import FacsimError
from facsim.core.schema import Representation
from facsim.models.nets.base import Network, last_layer, time_of
from facsim.models.nets.layers import TimeEmbedding, TransformerBlock
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
        if width % heads:
            raise FacsimError(f"the width {width} of 'layer-transformer' is not a multiple of its {heads} heads.")
        layers, alpha, rings = space.cylinder
        self.tokens, self.patch = layers, alpha * rings * n_in
        self.embed = nn.Linear(self.patch, width)
        self.context = nn.Linear(n_cond, width)
        self.position = nn.Parameter(0.1 * torch.randn(layers, width))
        self.time = TimeEmbedding(32)
        self.condition = nn.Sequential(nn.Linear(32 + n_cond, width), nn.SiLU())
        self.blocks = nn.ModuleList(TransformerBlock(width, heads, width) for _ in range(depth))
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.out = last_layer(width, alpha * rings * n_out, zero)

    def forward(self, x: Tensor, t: Tensor | None, cond: Tensor, mask: Tensor | None = None) -> Tensor:
        if cond.dim() == 2:
            cond = cond[:, None]
        time = self.time(time_of(t, x)).expand(cond.shape[0], -1)
        h = self.embed(x.reshape(-1, self.tokens, self.patch)) + self.context(cond) + self.position
        c = self.condition(torch.cat([time, cond.mean(1)], -1))
        for block in self.blocks:
            h = block(h, c)
        out: Tensor = self.out(self.norm(h))
        return out.reshape(-1, *self.space.elements, self.n_out)
