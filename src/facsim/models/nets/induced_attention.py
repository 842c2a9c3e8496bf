"""Attention of points through a few inducing points."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facsim.models.nets.base import check_heads, check_sizes
from facsim.models.nets.layers import Attention, Modulation, feed_forward
from facsim.models.nets.points import PointNetwork
from facsim.models.space import Space


class InducedAttention(PointNetwork):
    """Induced set attention blocks (Set Transformer, arXiv 1810.00825, section 3.1); for arguments see `Network`.

    The cost is linear in the number of points.

    Args:
        width: of a point.
        depth: number of blocks.
        heads: attention heads, which share the width.
        inducing: number of inducing points.
    """

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
        inducing: int = 16,
    ) -> None:
        check_sizes("induced-attention", width=width, depth=depth, heads=heads, inducing=inducing)
        check_heads("induced-attention", width, heads)
        super().__init__(space, n_in, n_out, n_cond, zero=zero, width=width)
        self.blocks = nn.ModuleList(InducedBlock(width, heads, inducing) for _ in range(depth))

    def blocks_of(self, h: Tensor, context: Tensor, real: Tensor) -> Tensor:
        for block in self.blocks:
            h = block(h, context, real)
        return h


class InducedBlock(nn.Module):
    """Learnt inducing points attend to the real points, then every point to them; modulated by a condition."""

    def __init__(self, width: int, heads: int, inducing: int) -> None:
        super().__init__()
        self.inducing = nn.Parameter(torch.randn(inducing, width))
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.gather, self.spread = Attention(width, heads), Attention(width, heads)
        self.mlp_inducing, self.mlp = feed_forward(width), feed_forward(width)
        self.modulation = Modulation(width, width, 6)

    def forward(self, h: Tensor, context: Tensor, real: Tensor) -> Tensor:
        """Points h (N, P, width) after the block, `real` (N, P) those attended to."""
        scale1, shift1, gate1, scale2, shift2, gate2 = (m[:, None] for m in self.modulation(context))
        x = self.norm(h) * (1 + scale1) + shift1
        few = self.inducing.expand(h.shape[0], -1, -1)
        few = few + self.gather(few, x, real)
        few = few + self.mlp_inducing(self.norm(few))
        h = h + (1 + gate1) * self.spread(x, self.norm(few))
        out: Tensor = h + (1 + gate2) * self.mlp(self.norm(h) * (1 + scale2) + shift2)
        return out
