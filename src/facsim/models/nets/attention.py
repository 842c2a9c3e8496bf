"""Full self-attention over points."""

from __future__ import annotations

from torch import Tensor, nn

from facsim.models.nets.base import check_heads, check_sizes
from facsim.models.nets.layers import TransformerBlock
from facsim.models.nets.points import PointNetwork
from facsim.models.space import Space


class PointTransformer(PointNetwork):
    """Transformer without positions, modulated as in DiT (adaLN, arXiv 2212.09748); for arguments see `Network`.

    The cost grows with the square of the number of points.

    Args:
        width: of a point.
        depth: number of blocks.
        heads: attention heads, which share the width.
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
    ) -> None:
        check_sizes("attention", width=width, depth=depth, heads=heads)
        check_heads("attention", width, heads)
        super().__init__(space, n_in, n_out, n_cond, zero=zero, width=width)
        self.blocks = nn.ModuleList(TransformerBlock(width, heads, width) for _ in range(depth))

    def blocks_of(self, h: Tensor, context: Tensor, real: Tensor) -> Tensor:
        for block in self.blocks:
            h = block(h, context, real)
        return h
