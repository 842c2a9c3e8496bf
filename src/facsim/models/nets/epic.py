"""Equivariant point cloud network: points speak with one another through a global vector only."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facsim.models.nets.base import check_sizes
from facsim.models.nets.layers import Modulation
from facsim.models.nets.points import PointNetwork
from facsim.models.space import Space


class EPiC(PointNetwork):
    """Layers as in EPiC-GAN (arXiv 2301.08128, section 3.2), with feature modulation; for arguments see `Network`.

    The cost is linear in the number of points.

    Args:
        width: of a point.
        latent: width of the global vector.
        depth: number of layers.
    """

    def __init__(
        self,
        space: Space,
        n_in: int,
        n_out: int,
        n_cond: int,
        *,
        zero: bool = True,
        width: int = 128,
        latent: int = 16,
        depth: int = 4,
    ) -> None:
        check_sizes("epic", width=width, latent=latent, depth=depth)
        super().__init__(space, n_in, n_out, n_cond, zero=zero, width=width)
        self.start = nn.Linear(width, latent)
        self.blocks = nn.ModuleList(EPiCLayer(width, latent, space.shape[0]) for _ in range(depth))

    def blocks_of(self, h: Tensor, context: Tensor, real: Tensor) -> Tensor:
        whole = self.start(context)
        for block in self.blocks:
            h, whole = block(h, whole, context, real)
        return h


class EPiCLayer(nn.Module):
    """The global vector takes in mean and sum of the points, then every point takes in the global vector.

    Args:
        width, latent: of points and of the global vector.
        most: the sum is divided by this number, so that it is of order one.
    """

    def __init__(self, width: int, latent: int, most: int) -> None:
        super().__init__()
        self.most = most
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = Modulation(width, width, 3)
        self.whole = nn.Sequential(nn.Linear(3 * width + latent, width), nn.SiLU(), nn.Linear(width, latent))
        self.own = nn.Linear(width, width)
        self.message = nn.Linear(latent, width, bias=False)
        self.out = nn.Linear(width, width)

    def forward(self, h: Tensor, whole: Tensor, context: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """Points h (N, P, width) and global vector (N, latent) after the layer."""
        scale, shift, gate = (m[:, None] for m in self.modulation(context))
        x = self.norm(h) * (1 + scale) + shift
        total = (x * real[..., None]).sum(1)
        mean = total / real.to(x).sum(1, keepdim=True).clamp(min=1)
        whole = whole + self.whole(torch.cat([mean, total / self.most, whole, context], -1))
        h = h + (1 + gate) * self.out(F.silu(self.own(x) + self.message(whole)[:, None]))
        return h, whole
