"""Coupling layer of a normalising flow: splines on half of an event's numbers, shaped by the other half."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from zuko.transforms import MonotonicRQSTransform

from facsim.models.choices import Choice
from facsim.models.nets import build_network
from facsim.models.space import Space

BOUND = 5.0


def halves(space: Space) -> list[Tensor]:
    """Which numbers of an event move, (D,) each, in turn: every half is followed by its complement.

    Features of tables, and of the points of clouds, by the bits of their number. Cells of cylinders by a chequered
    pattern, by sectors, by layers and by rings; other cells by bits. D counts features, or cells times channels.
    """
    if space.layers:
        place = [(k, a, r) for k, (alpha, rings) in enumerate(space.layers) for a in range(alpha) for r in range(rings)]
        layer, sector, ring = torch.tensor(place).repeat_interleave(space.channels, 0).T
        channel = torch.arange(space.channels).repeat(len(place))
        numbers = [layer + sector + ring, sector, layer, ring, channel]
    else:
        n = space.size if space.representation == "grid" else space.channels
        numbers = [torch.arange(n) >> bit for bit in range(max(n - 1, 0).bit_length())]
    found = [number % 2 == parity for number in numbers for parity in (1, 0) if len((number % 2).unique()) > 1]
    size = space.size if space.representation != "cloud" else space.channels
    return found or [torch.ones(size) > 0]


class CouplingLayer(nn.Module):
    """Rational-quadratic splines (Durkan et al., arXiv 1906.04032) on (-5, 5); beyond, nothing moves.

    Numbers come as (N, D), for clouds (N, P, D); what moves a point of a cloud are its other features and those of all
    other real points, so that their order does not matter.

    Args:
        space, n_cond, network: as of `nets.build_network`.
        moves: numbers that move, (D,).
        bins: of each spline.
    """

    moved: Tensor
    kept: Tensor
    order: Tensor
    keep: Tensor

    def __init__(self, space: Space, n_cond: int, network: Choice | None, moves: Tensor, bins: int) -> None:
        super().__init__()
        self.space, self.bins = space, bins
        # cells look alike to a convolution: it has to be told which of them are shown
        self.told = space.representation == "grid"
        self.register_buffer("moved", moves.nonzero()[:, 0], persistent=False)
        kept = (~moves).nonzero()[:, 0]
        self.register_buffer("kept", kept, persistent=False)
        self.register_buffer("order", torch.cat([kept, self.moved]).argsort(), persistent=False)
        self.register_buffer("keep", (~moves).float(), persistent=False)
        n_in = space.channels * (2 if self.told else 1)
        self.net = build_network(network, space, n_in, space.channels * (3 * bins - 1), n_cond)

    def _splines(self, x: Tensor, cond: Tensor, mask: Tensor | None) -> MonotonicRQSTransform:
        shown = x * self.keep
        if self.told:
            shown = shown.reshape(-1, *self.space.shape)
            shown = torch.cat([shown, self.keep.reshape(self.space.shape).expand_as(shown)], -1)
        shape = self.net(shown, None, cond, mask)
        axes = x.shape[1:-1]
        shape = shape.reshape(-1, *axes, x.shape[-1], 3 * self.bins - 1).index_select(-2, self.moved)
        return MonotonicRQSTransform(*shape.split([self.bins, self.bins, self.bins - 1], -1), bound=BOUND)

    def forward(self, x: Tensor, cond: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Towards noise: new numbers and the logarithm of the slope of each, both like `x`."""
        y, slope = self._splines(x, cond, mask).call_and_ladj(x.index_select(-1, self.moved))
        kept = x.index_select(-1, self.kept)
        return self._merged(kept, y), self._merged(torch.zeros_like(kept), slope)

    def inverse(self, y: Tensor, cond: Tensor, mask: Tensor | None) -> Tensor:
        """Towards data; what is kept is the same on both sides, so the network sees the same."""
        x = self._splines(y, cond, mask).inv(y.index_select(-1, self.moved))
        return self._merged(y.index_select(-1, self.kept), x)

    def _merged(self, kept: Tensor, moved: Tensor) -> Tensor:
        return torch.cat([kept, moved], -1).index_select(-1, self.order)
