"""Background events with something added that background has not: what a score learns to see where signal is unknown.

A spray is a cloud of hit cells about a direction, of random number, width and energy. The energies are those of
background's own hit cells times one factor for all of a spray. It stands for no process; what it says is that an
anomaly is made of particles, and that there are more of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from facsim.core.image import ImageGeometry

LEVELS = 256
CENTRAL = 0.7
"""Share of the axis that is not periodic in which sprays have their centre."""
Range = tuple[float, float]


class Sprays(nn.Module):
    """Adds one spray to each event.

    Args:
        geometry: of the images.
        seen: probability that a hit is seen in each channel.
        hits, width, energy: ranges from which a spray's number of hits, standard deviation (in the units of the axes)
            and factor of the energies are drawn, uniform in the logarithm.
    """

    values: Tensor

    def __init__(
        self, geometry: ImageGeometry, seen: Sequence[float], hits: Range, width: Range, energy: Range
    ) -> None:
        super().__init__()
        self.image, self.ranges, self.seen = geometry.image, (hits, width, energy), tuple(seen)
        edges = (geometry.row_edges, geometry.column_edges)
        self.spans = [axis[-1] - axis[0] for axis in edges]
        self.periodic = [abs(span - 2 * math.pi) < 0.05 for span in self.spans]
        self.register_buffer("values", torch.ones(len(self.seen), LEVELS))

    @torch.no_grad()
    def fit(self, x: Tensor) -> None:
        """Take the energies of hit cells from events (N, V, C)."""
        for channel, values in enumerate(x.unbind(-1)):
            hit = values[values > 0]
            if len(hit):
                levels = torch.linspace(0, 1, LEVELS, device=x.device)
                self.values[channel] = torch.quantile(hit[: 1 << 20], levels)

    @torch.no_grad()
    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Events (N, V, C) with a spray each."""
        n, device = len(x), x.device

        def uniform(*shape: int) -> Tensor:
            return torch.rand(*shape, generator=generator, device=device)

        number, width, factor = (_logarithmic(uniform(n, 1), *span) for span in self.ranges)
        most = math.ceil(self.ranges[0][1])
        there = torch.arange(most, device=device) < number
        normal = torch.randn(2, n, most, generator=generator, device=device)
        cells, inside = self._cells(uniform(2, n, 1), normal * width)
        added = torch.zeros_like(x)
        for channel, probability in enumerate(self.seen):
            hit = there & inside & (uniform(n, most) < probability)
            level = (uniform(n, most) * LEVELS).long().clamp(max=LEVELS - 1)
            energy = torch.where(hit, factor * self.values[channel][level], 0.0)
            added[:, :, channel].scatter_add_(1, cells, energy.to(added))
        return x + added

    def _cells(self, centre: Tensor, offset: Tensor) -> tuple[Tensor, Tensor]:
        """Cells (N, M) of hits about centres (2, N, 1), 0 to 1 along rows and columns, and which are in the image."""
        inside, places = torch.ones_like(offset[0], dtype=torch.bool), []
        for axis, (cells, span, periodic) in enumerate(zip(self.image, self.spans, self.periodic, strict=True)):
            middle = centre[axis] if periodic else 0.5 + CENTRAL * (centre[axis] - 0.5)
            place = ((middle + offset[axis] / span) * cells).floor().long()
            inside &= torch.ones_like(inside) if periodic else (place >= 0) & (place < cells)
            places.append(place.remainder(cells) if periodic else place.clamp(0, cells - 1))
        return places[0] * self.image[1] + places[1], inside


def _logarithmic(u: Tensor, low: float, high: float) -> Tensor:
    return (math.log(low) + u * math.log(high / low)).exp()
