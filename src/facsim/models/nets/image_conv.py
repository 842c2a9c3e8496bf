"""Convolutions on images: one plane of rows and columns."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facsim.core.errors import FacsimError
from facsim.core.schema import Representation
from facsim.models.nets.base import Network, check_sizes
from facsim.models.nets.image_attention import ImageAttention
from facsim.models.nets.layers import Context, Modulation
from facsim.models.space import Space

CONTEXT = 64


class ImageConvolution(Network):
    """Residual convolutions over rows and columns; for arguments see `Network`.

    Any numbers of rows and columns. Time and conditions scale and shift the features of every block (FiLM, arXiv
    1709.07871); each cell adds features of its own, since pads and cells at an edge are unlike others. An event may
    have no numbers (`n_in` 0), where a generator's noise is among the conditions.

    Args:
        width: channels, doubled at each coarser level.
        depth: residual blocks at each level, of two convolutions each.
        levels: resolutions; each further one has half the rows and columns (a U-Net, arXiv 1505.04597).
        attention: whether the cells of the coarsest level look at one another (SAGAN, arXiv 1805.08318).
    """

    representations: ClassVar[tuple[Representation, ...]] = ("grid",)
    without_input: ClassVar[bool] = True

    def __init__(
        self,
        space: Space,
        n_in: int,
        n_out: int,
        n_cond: int,
        *,
        zero: bool = True,
        width: int = 16,
        depth: int = 1,
        levels: int = 2,
        attention: bool = False,
    ) -> None:
        super().__init__(space, n_in, n_out, n_cond)
        check_sizes("image-conv", width=width, depth=depth, levels=levels)
        self.rows, self.columns = check_image("image-conv", space)
        if min(self.rows, self.columns) < 2 ** (levels - 1):
            raise FacsimError(
                f"the {levels} levels of 'image-conv' halve {self.rows} x {self.columns} cells {levels - 1} times: "
                "choose fewer levels."
            )
        self.context = Context(n_cond, CONTEXT)
        self.embed = None if n_in == 0 else nn.Conv2d(n_in, width, 3, padding=1)
        self.place = nn.Parameter(0.1 * torch.randn(width, self.rows, self.columns))
        self.body = Level(width, depth, levels, attention)
        self.out = nn.Conv2d(width, n_out, 3, padding=1)
        if zero:
            for parameter in self.out.parameters():
                nn.init.zeros_(parameter)

    def forward(self, x: Tensor, t: Tensor | None, cond: Tensor, mask: Tensor | None = None) -> Tensor:
        h = self.place.expand(cond.shape[0], -1, -1, -1)
        if self.embed is not None:
            h = h + self.embed(x.reshape(-1, self.rows, self.columns, self.n_in).permute(0, 3, 1, 2))
        h = self.body(h, self.context(t, cond))
        out: Tensor = self.out(F.silu(h))
        return out.permute(0, 2, 3, 1).reshape(-1, *self.space.elements, self.n_out)


def check_image(network: str, space: Space) -> tuple[int, int]:
    """Rows and columns of images.

    Raises:
        FacsimError: the events are none.
    """
    if space.image is None:
        raise FacsimError(f"the network '{network}' needs images, one plane of rows and columns: choose another.")
    return space.image


class Level(nn.Module):
    """Blocks at one resolution around those at the coarser ones: (N, width, R, C) -> the same."""

    def __init__(self, width: int, depth: int, levels: int, attention: bool) -> None:
        super().__init__()
        self.before = nn.ModuleList(Block(width) for _ in range(depth))
        self.attention = ImageAttention(width) if attention and levels == 1 else None
        self.coarser = None if levels == 1 else Coarser(width, depth, levels - 1, attention)

    def forward(self, h: Tensor, context: Tensor) -> Tensor:
        for block in self.before:
            h = block(h, context)
        if self.attention is not None:
            h = self.attention(h)
        return h if self.coarser is None else self.coarser(h, context)


class Coarser(nn.Module):
    """Adds what is found at half the resolution, and a block after it: (N, width, R, C) -> the same."""

    def __init__(self, width: int, depth: int, levels: int, attention: bool) -> None:
        super().__init__()
        self.down = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.inner = Level(2 * width, depth, levels, attention)
        self.up = nn.Conv2d(2 * width, width, 1)
        self.after = Block(width)

    def forward(self, h: Tensor, context: Tensor) -> Tensor:
        found = self.up(self.inner(self.down(h), context))
        found = F.interpolate(found, scale_factor=2.0, mode="nearest")[:, :, : h.shape[2], : h.shape[3]]
        out: Tensor = self.after(h + found, context)
        return out


class Block(nn.Module):
    """Residual block with a context (N, CONTEXT) of the event: (N, width, R, C) -> the same."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.first, self.second = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.modulation = Modulation(CONTEXT, width, 2)

    def forward(self, h: Tensor, context: Tensor) -> Tensor:
        scale, shift = (part[:, :, None, None] for part in self.modulation(context))
        x = self.norm(h.permute(0, 2, 3, 1)).permute(0, 3, 1, 2) * (1 + scale) + shift
        out: Tensor = h + self.second(F.silu(self.first(F.silu(x))))
        return out
