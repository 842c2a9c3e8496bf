"""Residual MLP for tables and small grids."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facsim.core.schema import Representation
from facsim.models.nets.base import Network, last_layer, time_of
from facsim.models.nets.layers import Modulation, TimeEmbedding
from facsim.models.space import Space


class ResidualMLP(Network):
    """Fully connected network over all numbers of an event; for arguments see `Network`.

    Args:
        width: hidden width.
        depth: number of residual blocks, each modulated by time and condition.
    """

    representations: ClassVar[tuple[Representation, ...]] = ("table", "grid")

    def __init__(
        self,
        space: Space,
        n_in: int,
        n_out: int,
        n_cond: int,
        *,
        zero: bool = True,
        width: int = 192,
        depth: int = 3,
    ) -> None:
        super().__init__(space, n_in, n_out, n_cond)
        elements = space.size // space.channels
        self.time = TimeEmbedding(32)
        self.condition = nn.Sequential(nn.Linear(32 + n_cond, width), nn.SiLU())
        self.embed = nn.Linear(elements * n_in, width)
        self.first = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.second = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.modulation = nn.ModuleList(Modulation(width, width, 2) for _ in range(depth))
        self.norm = nn.ModuleList(nn.LayerNorm(width, elementwise_affine=False) for _ in range(depth))
        self.out = last_layer(width, elements * n_out, zero)

    def forward(self, x: Tensor, t: Tensor | None, cond: Tensor, mask: Tensor | None = None) -> Tensor:
        if cond.dim() == 3:
            cond = cond.mean(1)
        t = time_of(t, x)
        c = self.condition(torch.cat([self.time(t).expand(cond.shape[0], -1), cond], -1))
        h = self.embed(x.flatten(1))
        for norm, first, second, modulation in zip(self.norm, self.first, self.second, self.modulation, strict=True):
            scale, shift = modulation(c)
            h = h + second(F.silu(first(norm(h) * (1 + scale) + shift)))
        out: Tensor = self.out(F.silu(h))
        return out.reshape(-1, *self.space.elements, self.n_out)
