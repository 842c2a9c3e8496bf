"""The generators of GAPT and iGAPT: attention blocks on points of noise."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facsim.core.schema import Representation
from facsim.models.nets.base import Network, check_heads, check_sizes, last_layer
from facsim.models.nets.layers import Context
from facsim.models.nets.message_passing import LEAK
from facsim.models.nets.points import there
from facsim.models.nets.set_attention import InducedSetAttention, SetAttention
from facsim.models.space import Space


class GAPT(Network):
    """Generative adversarial particle transformer (Kansal et al., arXiv 2211.10295); for arguments see `Network`.

    Defaults are those of the paper. What time, conditions and the number of real points make is added to every point
    at the start. The cost grows with the square of the number of points.

    Args:
        width: of a point. depth: number of blocks. heads: attention heads, which share the width.
    """

    name: ClassVar[str] = "gapt"
    representations: ClassVar[tuple[Representation, ...]] = ("cloud",)

    def __init__(
        self,
        space: Space,
        n_in: int,
        n_out: int,
        n_cond: int,
        *,
        zero: bool = True,
        width: int = 128,
        depth: int = 4,
        heads: int = 8,
    ) -> None:
        check_sizes(self.name, width=width, depth=depth, heads=heads)
        check_heads(self.name, width, heads)
        super().__init__(space, n_in, n_out, n_cond)
        self.context, self.whole = Context(n_cond + 1, width), nn.Linear(width, width)
        self.embed, self.out = nn.Linear(n_in, width), last_layer(width, n_out, zero)
        self.blocks = nn.ModuleList(self.block(width, heads) for _ in range(depth))

    def block(self, width: int, heads: int) -> nn.Module:
        """One of the blocks."""
        return SetAttention(width, heads, norm=False)

    def blocks_of(self, h: Tensor, whole: Tensor, real: Tensor) -> Tensor:
        """Points h (N, P, width) after all blocks; `whole` (N, width) is of the event, `real` (N, P) the mask."""
        h = h + whole[:, None]
        for block in self.blocks:
            h = block(h, h, real)
        return h

    def forward(self, x: Tensor, t: Tensor | None, cond: Tensor, mask: Tensor | None = None) -> Tensor:
        x, real, share = there(x, mask, self.space.shape[0])
        whole = self.whole(self.context(t, torch.cat([cond, share], -1)))
        h = F.leaky_relu(self.embed(x), LEAK)
        out: Tensor = self.out(self.blocks_of(h, whole, real))
        return out


class InducedGAPT(GAPT):
    """iGAPT (arXiv 2312.04757, section 10.2): points see one another through a vector made of the conditions.

    Noise of the whole event among them makes that vector random; it passes from block to block. For arguments see
    `GAPT`. The cost is linear in the number of points.
    """

    name: ClassVar[str] = "igapt"

    def block(self, width: int, heads: int) -> nn.Module:
        return InducedSetAttention(width, heads)

    def blocks_of(self, h: Tensor, whole: Tensor, real: Tensor) -> Tensor:
        for block in self.blocks:
            h, whole = block(h, whole, real)
        return h
