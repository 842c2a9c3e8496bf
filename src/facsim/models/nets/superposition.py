"""Signals that add up: positive deposits with noise of their own, spread to their neighbours, seen by the logarithm."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from facsim.core.schema import Representation
from facsim.models.nets.base import Network, check_sizes, of_layers
from facsim.models.space import Space

LARGEST = 12.0
"""Of the logarithm of a deposit."""
START = -2.0
SHARPNESS = 4.0
NEAR = 0.02


class Superposition(Network):
    """What electronics do to charge: cells hold log10(1 + signal), the signal being a linear map of positive deposits.

    A small fully connected network makes of time and conditions, a generator's noise of the whole event among them, the
    size of every deposit, its spread, and how likely there is none; the cell's own noise e then draws it,
    exp(size + spread e) / (1 + exp(4 (rare - e))). The map between cells (diffusion, pad response, shaping) is learnt
    and has no negative factors; on images it is a map of rows times one of columns. For arguments see `Network`.

    Args:
        width, depth: of the fully connected network.
        deposits: of each cell, each with a map of its own.
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
        width: int = 64,
        depth: int = 2,
        deposits: int = 1,
    ) -> None:
        super().__init__(space, n_in, n_out, n_cond)
        check_sizes("superposition", width=width, depth=depth, deposits=deposits)
        self.cells, self.deposits = space.size // space.channels, deposits
        sizes = [1 + n_cond * max(1, len(space.layers)), *[width] * depth]
        self.layers = nn.Sequential(*(part for n, m in pairwise(sizes) for part in (nn.Linear(n, m), nn.SiLU())))
        self.heads = nn.Linear(width, (2 + n_in) * deposits * self.cells)
        with torch.no_grad():
            self.heads.bias.reshape(2 + n_in, -1)[:2] = torch.tensor([0.0, START])[:, None]
        axes = (self.cells,) if space.image is None else space.image
        self.maps = nn.ParameterList(
            NEAR * torch.rand(deposits, n_out if k == 0 else 1, n, n) + torch.eye(n) for k, n in enumerate(axes)
        )
        self.gain = nn.Parameter(torch.zeros(n_out) if zero else torch.ones(n_out))

    def forward(self, x: Tensor, t: Tensor | None, cond: Tensor, mask: Tensor | None = None) -> Tensor:
        if self.space.layers:
            cond = of_layers(cond, len(self.space.layers)).flatten(1)
        time = (cond.new_zeros(1) if t is None else t)[:, None].expand(cond.shape[0], 1)
        heads = self.heads(self.layers(torch.cat([time, cond], 1)))
        size, rare, *spreads = heads.reshape(-1, 2 + self.n_in, self.deposits, self.cells).unbind(1)
        noises = [x[:, None, :, k] for k in range(self.n_in)]
        for spread, noise in zip(spreads, noises, strict=True):
            size = size + spread * noise
        there = torch.sigmoid(SHARPNESS * (sum(noises, torch.zeros_like(rare[:, :1])) - rare))
        signal = self._spread(size.clamp(max=LARGEST).exp() * there)
        return self.gain * torch.log10(1 + signal)

    def _spread(self, deposits: Tensor) -> Tensor:
        """Signals (N, V, n_out) of deposits (N, D, V)."""
        maps = [each.abs() for each in self.maps]
        if len(maps) == 1:
            return torch.einsum("ndv,dovw->nwo", deposits, maps[0])
        grid = deposits.reshape(-1, self.deposits, *(len(each[0, 0]) for each in maps))
        rows = torch.einsum("ndrc,dcb->ndrb", grid, maps[1][:, 0])
        return torch.einsum("ndrb,dora->nabo", rows, maps[0]).reshape(-1, self.cells, self.n_out)
