"""Transformer for cylinders with one token per calorimeter layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facsim.models.nets.layers import TimeEmbedding, TransformerBlock


class LayerTransformer(nn.Module):
    """Velocity on a regular cylinder: (x (N, L, A, R), t (N,), cond (N, L, K)) -> (N, L, A, R), zero at start.

    A whole layer is one patch ("large patches", arXiv 2605.12011), so the cost is linear in the number of cells and
    attention runs along the shower axis only.

    Args:
        shape: (L, A, R).
        n_condition: K, context features per layer.
        width: token width.
        depth: number of blocks.
        heads: attention heads.
    """

    def __init__(
        self, shape: tuple[int, int, int], n_condition: int, width: int = 64, depth: int = 3, heads: int = 4
    ) -> None:
        super().__init__()
        self.shape = shape
        cells = shape[1] * shape[2]
        self.embed = nn.Linear(cells, width)
        self.context = nn.Linear(n_condition, width)
        self.position = nn.Parameter(0.1 * torch.randn(shape[0], width))
        self.time = TimeEmbedding(32)
        self.condition = nn.Sequential(nn.Linear(32 + n_condition, width), nn.SiLU())
        self.blocks = nn.ModuleList(TransformerBlock(width, heads, width) for _ in range(depth))
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.out = nn.Linear(width, cells)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor, t: Tensor, cond: Tensor) -> Tensor:
        layers, alpha, rings = self.shape
        h = self.embed(x.reshape(-1, layers, alpha * rings)) + self.context(cond) + self.position
        c = self.condition(torch.cat([self.time(t).expand(cond.shape[0], -1), cond.mean(1)], -1))
        for block in self.blocks:
            h = block(h, c)
        out: Tensor = self.out(self.norm(h))
        return out.reshape(-1, layers, alpha, rings)
