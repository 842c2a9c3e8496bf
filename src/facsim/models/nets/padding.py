"""Cells of a cylinder whose layers differ, as one map with room for the largest layer."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from facsim.models.space import Space


class GridPadding(nn.Module):
    """Between cells (N, V) and a map (N, L, A, R), A and R being the largest numbers of sectors and rings.

    Sectors and rings that a layer lacks are filled on the way there and dropped on the way back. For layers that are
    all alike both ways are a reshape. The tables follow from the space, so they are not saved with the weights.

    Args:
        space: a grid with layers.
    """

    sectors: Tensor
    rings: Tensor
    cell_of: Tensor
    place_of: Tensor
    exists: Tensor

    def __init__(self, space: Space) -> None:
        super().__init__()
        sectors = torch.tensor([n_alpha for n_alpha, _ in space.layers])
        rings = torch.tensor([n_r for _, n_r in space.layers])
        self.shape = (len(space.layers), int(sectors.max()), int(rings.max()))
        self.turns = math.gcd(*(n_alpha for n_alpha, _ in space.layers if n_alpha > 1)) or 1
        self.regular, self.n_cells = space.cylinder is not None, space.elements[0]
        alpha, r = torch.arange(self.shape[1])[:, None], torch.arange(self.shape[2])
        exists = (alpha < sectors[:, None, None]) & (r < rings[:, None, None])
        place_of = exists.flatten().nonzero()[:, 0]
        cell_of = torch.full((exists.numel(),), len(place_of))
        cell_of[place_of] = torch.arange(len(place_of))
        tables = {"sectors": sectors, "rings": rings, "cell_of": cell_of, "place_of": place_of, "exists": exists}
        for name, values in tables.items():
            self.register_buffer(name, values, persistent=False)

    @property
    def capacity(self) -> Tensor:
        """Cells of each layer (L,)."""
        return self.sectors * self.rings

    @property
    def trials(self) -> Tensor:
        """Cells of each ring of each layer (L, R): its sectors, or 0 where it does not exist."""
        return self.exists.sum(1)

    def to_map(self, cells: Tensor, fill: float = 0.0) -> Tensor:
        """The map of `cells` (N, V), with `fill` where there is no cell."""
        if self.regular:
            return cells.reshape(-1, *self.shape)
        nowhere = torch.full_like(cells[:, :1], fill)
        return torch.cat([cells, nowhere], 1)[:, self.cell_of].reshape(-1, *self.shape)

    def to_cells(self, grid: Tensor) -> Tensor:
        """The cells (N, V) of a map (N, L, A, R)."""
        flat = grid.flatten(1)
        return flat if self.regular else flat[:, self.place_of]

    def with_absent(self, grid: Tensor, value: float) -> Tensor:
        """The map `grid` with `value` where there is no cell."""
        return grid if self.regular else torch.where(self.exists, grid, value)

    def turned(self, grid: Tensor, generator: torch.Generator | None) -> Tensor:
        """Each map turned by a random angle that all its layers can make, half of them mirrored.

        The angle is a multiple of a full turn over `turns`, the greatest common divisor of the numbers of sectors.
        Layers of a single sector stay as they are.
        """
        n, alpha = len(grid), torch.arange(self.shape[1], device=grid.device)
        shift = torch.randint(self.turns, (n, 1), generator=generator, device=grid.device)[..., None]
        sign = 2 * torch.randint(2, (n, 1), generator=generator, device=grid.device)[..., None] - 1
        sectors = self.sectors[:, None]
        step = sectors // self.turns
        # a mirror lies at the same angle in all layers: on a border of sectors
        index = (shift * step + sign * alpha + torch.where(sign < 0, step - 1, 0)) % sectors
        index = torch.where(alpha < sectors, index, alpha)
        return grid.gather(2, index[..., None].expand(n, *self.shape))
