"""Cells of a cylinder in patches: one token each."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facsim.models.nets.base import last_layer
from facsim.models.space import Space


class Patches(nn.Module):
    """Cells (N, V, n_in) and conditions of layers (N, L, n_cond) to tokens (N, T, width), and tokens to (N, V, n_out).

    Args:
        space: a cylinder.
        groups: cells of the patches, (patches, cells) for each group of patches of one size; together all cells once.
            Each group has linear maps of its own. The tokens are in this order. A patch has cells of as many layers
            as any other.
        n_in, n_out, n_cond, zero: as of `Network`. width: of a token.
    """

    order: Tensor
    inverse: Tensor
    layers: Tensor

    def __init__(
        self, space: Space, groups: list[Tensor], n_in: int, n_out: int, n_cond: int, width: int, zero: bool
    ) -> None:
        super().__init__()
        self.n_in, self.n_out = n_in, n_out
        self.sizes = [(len(group), group.shape[1]) for group in groups]
        order = torch.cat([group.flatten() for group in groups])
        self.sorted = bool((order == torch.arange(len(order))).all())
        self.register_buffer("order", order, persistent=False)
        self.register_buffer("inverse", order.argsort(), persistent=False)
        of_cell = torch.repeat_interleave(torch.tensor([a * r for a, r in space.layers]))
        layers = torch.stack([row.unique() for group in groups for row in of_cell[group]])
        self.register_buffer("layers", layers, persistent=False)
        extra = layers.shape[1] * n_cond
        self.embed = nn.ModuleList(nn.Linear(cells * n_in + extra, width) for _, cells in self.sizes)
        self.out = nn.ModuleList(last_layer(width, cells * n_out, zero) for _, cells in self.sizes)

    def tokens(self, x: Tensor, cond: Tensor) -> Tensor:
        """Tokens (N, T, width)."""
        x = x if self.sorted else x[:, self.order]
        cells = torch.split(x, [n * size for n, size in self.sizes], 1)
        known = torch.split(cond[:, self.layers].flatten(2), [n for n, _ in self.sizes], 1)
        parts = [
            embed(torch.cat([part.reshape(-1, n, size * self.n_in), own], -1))
            for part, own, (n, size), embed in zip(cells, known, self.sizes, self.embed, strict=True)
        ]
        return torch.cat(parts, 1)

    def cells(self, h: Tensor) -> Tensor:
        """Cells (N, V, n_out)."""
        tokens = torch.split(h, [n for n, _ in self.sizes], 1)
        parts = [
            out(part).reshape(-1, n * size, self.n_out)
            for part, (n, size), out in zip(tokens, self.sizes, self.out, strict=True)
        ]
        x = torch.cat(parts, 1)
        return x if self.sorted else x[:, self.inverse]


def layer_groups(space: Space) -> list[Tensor]:
    """Whole layers as patches, in groups of equal sectors and rings."""
    starts = [0]
    for a, r in space.layers:
        starts.append(starts[-1] + a * r)
    return [
        torch.stack([torch.arange(a * r) + starts[i] for i, layer in enumerate(space.layers) if layer == (a, r)])
        for a, r in sorted(set(space.layers))
    ]


def block_groups(cylinder: tuple[int, int, int], patch: tuple[int, int, int]) -> list[Tensor]:
    """Blocks of `patch` (layers, sectors, rings) of a regular `cylinder`, which they divide, as one group."""
    (layers, alpha, rings), (pl, pa, pr) = cylinder, patch
    cells = torch.arange(layers * alpha * rings).reshape(layers // pl, pl, alpha // pa, pa, rings // pr, pr)
    return [cells.permute(0, 2, 4, 1, 3, 5).reshape(-1, pl * pa * pr)]
