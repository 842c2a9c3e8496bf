"""Residual MLP for tables and small grids."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from facsim.core.schema import Representation
from facsim.models.nets.base import Network, check_sizes, last_layer, of_layers
from facsim.models.nets.layers import Context, Modulation
from facsim.models.space import Space


class ResidualMLP(Network):
    """Fully connected network over all numbers of an event and the conditions of all its layers.

    For arguments see `Network`.

    Args:
        width: hidden width.
        depth: number of residual blocks, each modulated by time and condition.
    """

    representations: ClassVar[tuple[Representation, ...]] = ("table", "grid")

    def __init__(
        self,
        space: Space,
        n_in: int,
        n_out: int,
        n_cond: int,
        *,
        zero: bool = True,
        width: int = 192,
        depth: int = 3,
    ) -> None:
        super().__init__(space, n_in, n_out, n_cond)
        check_sizes("residual-mlp", width=width, depth=depth)
        elements = space.size // space.channels
        self.context = Context(n_cond * max(1, len(space.layers)), width)
        self.embed = nn.Linear(elements * n_in, width)
        self.first = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.second = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.modulation = nn.ModuleList(Modulation(width, width, 2) for _ in range(depth))
        self.norm = nn.ModuleList(nn.LayerNorm(width, elementwise_affine=False) for _ in range(depth))
        self.out = last_layer(width, elements * n_out, zero)

    def forward(self, x: Tensor, t: Tensor | None, cond: Tensor, mask: Tensor | None = None) -> Tensor:
        if self.space.layers:
            cond = of_layers(cond, len(self.space.layers)).flatten(1)
        c = self.context(t, cond)
        h = self.embed(x.flatten(1))
        for norm, first, second, modulation in zip(self.norm, self.first, self.second, self.modulation, strict=True):
            scale, shift = modulation(c)
            h = h + second(F.silu(first(norm(h) * (1 + scale) + shift)))
        out: Tensor = self.out(F.silu(h))
        return out.reshape(-1, *self.space.elements, self.n_out)
