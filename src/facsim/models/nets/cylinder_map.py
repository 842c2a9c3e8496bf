"""Events on a cylinder, regular or ragged, as maps over layers and angle with the rings as channels."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facsim.core.errors import FacsimError
from facsim.models.nets.base import check_cylinder
from facsim.models.space import Space

FINEST = 4


class CylinderMap(nn.Module):
    """Cells (N, V, C) to maps (N, rings * C, L, A) and back; channels are last in memory, as they come in.

    Layers that differ in sectors or rings are of different kinds. Rings of different kinds lie at different radii, so
    each kind has channels of its own, zero in all other layers, and a convolution learns weights of its own for it. The
    map has the least common multiple of the layers' sectors: a sector covers several columns on the way in and is their
    mean on the way out. So a turn of the map by columns turns every layer whose sectors divide it, exactly, and leaves
    layers of one sector as they are.

    Args:
        network: name for errors. space: the events.

    Raises:
        FacsimError: the space is no cylinder, or the common multiple is large.
    """

    by_kind: Tensor
    index: Tensor
    order: Tensor

    def __init__(self, network: str, space: Space) -> None:
        super().__init__()
        check_cylinder(network, space)
        self.cells, self.layers, self.sectors = (
            space.elements[0],
            len(space.layers),
            math.lcm(*(a for a, _ in space.layers)),
        )
        if self.sectors > FINEST * max(a for a, _ in space.layers):
            raise FacsimError(
                f"the network '{network}' needs layers whose numbers of sectors have a common multiple of at most "
                f"{FINEST} times the largest, not {self.sectors} for {sorted({a for a, _ in space.layers})}."
            )
        self.kinds = sorted(set(space.layers))
        self.rings = sum(rings for _, rings in self.kinds)
        self.counts = [space.layers.count(kind) for kind in self.kinds]
        by_kind = sorted(range(self.layers), key=lambda i: space.layers[i])
        self.register_buffer("by_kind", torch.tensor(by_kind), persistent=False)
        index, order = _indices(space, self.kinds, self.sectors)
        self.register_buffer("index", index, persistent=False)
        self.register_buffer("order", order, persistent=False)

    def draw(self, x: Tensor) -> Tensor:
        """Cells (N, V, C) to maps (N, rings * C, L, A)."""
        if len(self.kinds) > 1:
            x = F.pad(x, (0, 0, 0, 1))[:, self.index]  # where a layer has no ring, the zero behind the last cell
        return x.reshape(-1, self.layers, self.sectors, self.rings * x.shape[2]).permute(0, 3, 1, 2)

    def read(self, maps: Tensor, n_out: int) -> Tensor:
        """Maps (N, rings * n_out, L, A) to cells (N, V, n_out)."""
        maps = maps.permute(0, 2, 3, 1)
        if len(self.kinds) == 1:
            return maps.reshape(-1, self.cells, n_out)
        parts, first = [], 0
        of_kinds = torch.split(maps[:, self.by_kind], self.counts, 1)
        for (sectors, rings), count, of_kind in zip(self.kinds, self.counts, of_kinds, strict=True):
            own = of_kind[..., first : first + rings * n_out]
            columns = own.reshape(-1, count * sectors, self.sectors // sectors, rings * n_out)
            parts.append(columns.mean(2).reshape(-1, count * sectors * rings, n_out))
            first += rings * n_out
        return torch.cat(parts, 1)[:, self.order]


def _indices(space: Space, kinds: list[tuple[int, int]], sectors: int) -> tuple[Tensor, Tensor]:
    """Cell of each place of the map (L * A * rings,), V for none; and place of each cell among those sorted by kind."""
    starts = [0]
    for a, r in space.layers:
        starts.append(starts[-1] + a * r)
    places = torch.full((len(space.layers), sectors, sum(r for _, r in kinds)), starts[-1])
    by_kind: list[Tensor] = []
    first = 0
    for a, r in kinds:
        for layer, of_layer in enumerate(space.layers):
            if of_layer == (a, r):
                cells = torch.arange(starts[layer], starts[layer + 1])
                places[layer, :, first : first + r] = cells.reshape(a, r).repeat_interleave(sectors // a, 0)
                by_kind.append(cells)
        first += r
    return places.flatten(), torch.cat(by_kind).argsort()
