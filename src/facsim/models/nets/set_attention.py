"""Attention blocks without modulation, as in the Set Transformer and in GAPT."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from facsim.models.nets.layers import Attention
from facsim.models.nets.message_passing import LEAK


class SetAttention(nn.Module):
    """Points attend to others, then pass one layer, both beside a residual (MAB of arXiv 1810.00825, section 3.1).

    Args:
        width: of a point. heads: which share it. norm: whether the sums are normalised, as in iGAPT and not in GAPT.
        fused: as of `Attention`.
    """

    def __init__(self, width: int, heads: int, norm: bool, fused: bool = True) -> None:
        super().__init__()
        self.attention, self.own = Attention(width, heads, fused), nn.Linear(width, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) if norm else nn.Identity() for _ in range(2))

    def forward(self, x: Tensor, others: Tensor, keys: Tensor) -> Tensor:
        """Points x (N, T, width) after looking at those of `others` (N, S, width) that `keys` (N, S) says exist."""
        x = self.norms[0](x + self.attention(x, others, keys))
        out: Tensor = self.norms[1](x + F.leaky_relu(self.own(x), LEAK))
        return out


class InducedSetAttention(nn.Module):
    """One vector of the whole event looks at all points, then every point at it (arXiv 2312.04757, section 10.2).

    The cost is linear in the number of points. Attention to a single vector is that vector's value, whatever asks.

    Args:
        width: of a point and of the vector. heads: which share it. fused: as of `Attention`.
    """

    def __init__(self, width: int, heads: int, fused: bool = True) -> None:
        super().__init__()
        self.gather = SetAttention(width, heads, norm=True, fused=fused)
        self.value, self.own = nn.Linear(width, width), nn.Linear(width, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))

    def forward(self, x: Tensor, whole: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """Points x (N, P, width) and the vector (N, width) after the block; `real` (N, P) are those looked at."""
        whole = self.gather(whole[:, None], x, real)[:, 0]
        x = self.norms[0](x + self.value(whole)[:, None])
        return self.norms[1](x + F.leaky_relu(self.own(x), LEAK)), whole
