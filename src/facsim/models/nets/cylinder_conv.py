"""Convolutions on a cylinder, periodic in the angle."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from facsim.core.errors import FacsimError
from facsim.core.schema import Representation
from facsim.models.nets.base import Network, check_sizes, of_layers
from facsim.models.nets.classifiers.grid import CylinderConv
from facsim.models.nets.cylinder_map import CylinderMap
from facsim.models.nets.layers import Context, Modulation
from facsim.models.space import Space

CONTEXT = 64


class CylinderConvolution(Network):
    """Residual convolutions over layers and angle, regular or ragged; for arguments see `Network`.

    Rings are channels (`CylinderConv`), layers that differ have channels of their own (`CylinderMap`). A turned shower
    gives a turned output, for turns by 2^(levels - 1) sectors. Time, conditions and an offset of each layer scale and
    shift the features of that layer (FiLM, arXiv 1709.07871).

    Args:
        width: channels, doubled at each coarser level.
        depth: residual blocks at each level, of two convolutions each.
        levels: resolutions; each further one has half the layers and sectors (a U-Net, arXiv 1505.04597).
    """

    representations: ClassVar[tuple[Representation, ...]] = ("grid",)

    def __init__(
        self,
        space: Space,
        n_in: int,
        n_out: int,
        n_cond: int,
        *,
        zero: bool = True,
        width: int = 16,
        depth: int = 2,
        levels: int = 1,
    ) -> None:
        super().__init__(space, n_in, n_out, n_cond)
        check_sizes("cylinder-conv", width=width, depth=depth, levels=levels)
        self.map = CylinderMap("cylinder-conv", space)
        if self.map.sectors % 2 ** (levels - 1):
            raise FacsimError(
                f"the {levels} levels of 'cylinder-conv' halve the sectors {levels - 1} times, but there are "
                f"{self.map.sectors}: choose fewer levels."
            )
        self.context = Context(n_cond, CONTEXT, len(space.layers))
        self.embed = CylinderConv(self.map.rings * n_in, width)
        self.body = Level(width, depth, levels)
        self.out = CylinderConv(width, self.map.rings * n_out)
        if zero:
            for parameter in self.out.parameters():
                nn.init.zeros_(parameter)

    def forward(self, x: Tensor, t: Tensor | None, cond: Tensor, mask: Tensor | None = None) -> Tensor:
        context = self.context(t, of_layers(cond, len(self.space.layers)))
        h = self.body(self.embed(self.map.draw(x)), context)
        return self.map.read(self.out(F.silu(h)), self.n_out)


class Level(nn.Module):
    """Blocks at one resolution around those at the coarser ones: (N, width, L, A) -> the same."""

    def __init__(self, width: int, depth: int, levels: int) -> None:
        super().__init__()
        self.before = nn.ModuleList(Block(width) for _ in range(depth))
        self.coarser = None if levels == 1 else Coarser(width, depth, levels - 1)

    def forward(self, h: Tensor, context: Tensor) -> Tensor:
        for block in self.before:
            h = block(h, context)
        return h if self.coarser is None else self.coarser(h, context)


class Coarser(nn.Module):
    """Adds what is found at half the resolution, and a block after it: (N, width, L, A) -> the same."""

    def __init__(self, width: int, depth: int, levels: int) -> None:
        super().__init__()
        self.down = CylinderConv(width, 2 * width, stride=2)
        self.inner = Level(2 * width, depth, levels)
        self.up = nn.Conv2d(2 * width, width, 1)
        self.after = Block(width)

    def forward(self, h: Tensor, context: Tensor) -> Tensor:
        found = self.up(self.inner(self.down(h), context[:, ::2]))
        found = F.interpolate(found, scale_factor=2.0, mode="nearest")[:, :, : context.shape[1]]
        out: Tensor = self.after(h + found, context)
        return out


class Block(nn.Module):
    """Residual block with a context of each layer (N, L, CONTEXT): (N, width, L, A) -> the same."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.first, self.second = CylinderConv(width, width), CylinderConv(width, width)
        self.modulation = Modulation(CONTEXT, width, 2)

    def forward(self, h: Tensor, context: Tensor) -> Tensor:
        scale, shift = (m[:, :, None] for m in self.modulation(context))
        x = (self.norm(h.permute(0, 2, 3, 1)) * (1 + scale) + shift).permute(0, 3, 1, 2)
        out: Tensor = h + self.second(F.silu(self.first(F.silu(x))))
        return out
