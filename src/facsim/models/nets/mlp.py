"""Residual MLP for tables."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facsim.models.nets.layers import Modulation, TimeEmbedding


class ResidualMLP(nn.Module):
    """Velocity of a table: (x (N, F), t (N,), cond (N, K)) -> (N, F), zero at initialisation.

    Args:
        n_features: F.
        n_condition: K.
        width: hidden width.
        depth: number of residual blocks, each modulated by time and condition.
    """

    def __init__(self, n_features: int, n_condition: int, width: int = 192, depth: int = 3) -> None:
        super().__init__()
        self.time = TimeEmbedding(32)
        self.condition = nn.Sequential(nn.Linear(32 + n_condition, width), nn.SiLU())
        self.embed = nn.Linear(n_features, width)
        self.first = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.second = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.modulation = nn.ModuleList(Modulation(width, width, 2) for _ in range(depth))
        self.norm = nn.ModuleList(nn.LayerNorm(width, elementwise_affine=False) for _ in range(depth))
        self.out = nn.Linear(width, n_features)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor, t: Tensor, cond: Tensor) -> Tensor:
        c = self.condition(torch.cat([self.time(t).expand(cond.shape[0], -1), cond], -1))
        h = self.embed(x)
        for norm, first, second, modulation in zip(self.norm, self.first, self.second, self.modulation, strict=True):
            scale, shift = modulation(c)
            h = h + second(F.silu(first(norm(h) * (1 + scale) + shift)))
        out: Tensor = self.out(F.silu(h))
        return out
