"""The generator of EPiC-GAN as published: weight normalisation, LeakyReLU and no modulation."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from facsim.core.schema import Representation
from facsim.models.nets.base import Network, check_sizes, last_layer
from facsim.models.nets.layers import Context
from facsim.models.nets.points import there
from facsim.models.space import Space


def normed(n_in: int, n_out: int) -> nn.Module:
    """A linear layer whose rows have learnt lengths (arXiv 1602.07868)."""
    layer: nn.Module = weight_norm(nn.Linear(n_in, n_out))
    return layer


def pooled(h: Tensor, real: Tensor, most: int) -> Tensor:
    """Mean of the real points, and their sum over `most`: (N, P, W) -> (N, 2 W)."""
    total = (h * real[..., None]).sum(1)
    return torch.cat([total / real.to(h).sum(1, keepdim=True).clamp(min=1), total / most], -1)


class PublishedEPiCLayer(nn.Module):
    """The layer of EPiC-GAN (arXiv 2301.08128, figure 1): the global vector first, then every point by it.

    Args:
        width, latent: of points and of the global vector.
        most: the sum of points is divided by this number, so that it is of order one.
    """

    def __init__(self, width: int, latent: int, most: int) -> None:
        super().__init__()
        self.most = most
        self.gather, self.whole = normed(2 * width + latent, width), normed(width, latent)
        self.own, self.out = normed(width + latent, width), normed(width, width)

    def forward(self, h: Tensor, whole: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """Points h (N, P, width) and global vector (N, latent) after the layer; `real` (N, P) points are pooled."""
        seen = F.leaky_relu(self.gather(torch.cat([pooled(h, real, self.most), whole], -1)))
        whole = F.leaky_relu(whole + self.whole(seen))
        own = self.own(torch.cat([h, whole[:, None].expand(-1, h.shape[1], -1)], -1))
        return F.leaky_relu(h + self.out(F.leaky_relu(own))), whole


class EPiCGAN(Network):
    """EPiC-GAN's generator (Buhmann et al., arXiv 2301.08128) with its defaults; for arguments see `Network`.

    Time and conditions, with noise of the whole event among them, make the global vector; after every layer points and
    vector get what they began as on top. The cost is linear in the number of points. `epic` is a later form with
    normalised, modulated layers.

    Args:
        width: of a point. latent: of the global vector. depth: number of layers.
    """

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
        latent: int = 10,
        depth: int = 6,
    ) -> None:
        check_sizes("epic-gan", width=width, latent=latent, depth=depth)
        super().__init__(space, n_in, n_out, n_cond)
        self.context, self.start = Context(n_cond + 1, width), normed(width, latent)
        self.embed, self.out = normed(n_in, width), last_layer(width, n_out, zero)
        self.layers = nn.ModuleList(PublishedEPiCLayer(width, latent, space.shape[0]) for _ in range(depth))

    def forward(self, x: Tensor, t: Tensor | None, cond: Tensor, mask: Tensor | None = None) -> Tensor:
        x, real, share = there(x, mask, self.space.shape[0])
        first_whole = F.leaky_relu(self.start(self.context(t, torch.cat([cond, share], -1))))
        first = F.leaky_relu(self.embed(x))
        h, whole = first, first_whole
        for layer in self.layers:
            h, whole = layer(h, whole, real)
            h, whole = h + first, whole + first_whole
        out: Tensor = self.out(h)
        return out
