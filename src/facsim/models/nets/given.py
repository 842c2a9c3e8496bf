"""Points that are known of an event beforehand, such as a jet's particles before the detector, as conditions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facsim.core.schema import GIVEN_FEATURES
from facsim.models.nets.layers import Attention
from facsim.models.space import Space

MOMENTS = 6
TOKEN = 5
"""Numbers of a given point as networks see it: two places, size and its logarithm, whether it is there."""
LEAST = 1e-8
NEGLIGIBLE = 1e-4


class GivenPoints(nn.Module):
    """Given points (N, G * 3), columns two places and a size > 0, to features (N, `n_features`); trained with a method.

    A deep set (Zaheer et al., arXiv 1703.06114): each point passes through one network, and what comes out is summed
    with the points' sizes as weights (an energy flow network, arXiv 1810.05165) and averaged. Beside the `outputs` of a
    second network are moments, without anything to be learned: sum of sizes and its logarithm, centre, logarithm of the
    square width about it, and number of points.

    Args:
        points: G. outputs, width: of the networks.
    """

    centre: Tensor
    scale: Tensor
    moment_mean: Tensor
    moment_std: Tensor

    def __init__(self, points: int, outputs: int = 32, width: int = 64) -> None:
        super().__init__()
        self.points, self.n_features = points, MOMENTS + outputs
        self.each = nn.Sequential(nn.Linear(TOKEN, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.whole = nn.Sequential(nn.Linear(2 * width + MOMENTS, width), nn.SiLU(), nn.Linear(width, outputs))
        self.register_buffer("centre", torch.zeros(TOKEN - 1))
        self.register_buffer("scale", torch.ones(TOKEN - 1))
        self.register_buffer("moment_mean", torch.zeros(MOMENTS))
        self.register_buffer("moment_std", torch.ones(MOMENTS))

    @torch.no_grad()
    def fit(self, flat: Tensor) -> None:
        """Take the normalisation from the given points of training events (N, G * 3), whatever their weights."""
        columns, present = _columns(flat, self.points)
        rows, of_all = columns[present], self._moments(flat)
        if len(rows):
            self.centre.copy_(rows.mean(0))
            self.scale.copy_(_spread(rows))
        self.moment_mean.copy_(of_all.mean(0))
        self.moment_std.copy_(_spread(of_all))

    def tokens(self, flat: Tensor) -> Tensor:
        """Points as networks see them, (N, G, 5): zeros where there is none."""
        columns, present = _columns(flat, self.points)
        mark = present.to(flat)[..., None]
        return torch.cat([(columns - self.centre) / self.scale * mark, mark], -1)

    def forward(self, flat: Tensor) -> Tensor:
        tokens = self.tokens(flat)
        size = _split(flat, self.points)[..., 2:].clamp(min=0)
        h = self.each(tokens) * tokens[..., -1:]
        mean = h.sum(1) / tokens[..., -1].sum(1, keepdim=True).clamp(min=1)
        of_all = (self._moments(flat) - self.moment_mean) / self.moment_std
        return torch.cat([of_all, self.whole(torch.cat([(h * size).sum(1), mean, of_all], -1))], -1)

    def _moments(self, flat: Tensor) -> Tensor:
        points = _split(flat, self.points)
        size = points[..., 2:].clamp(min=0)
        number = (size > 0).to(flat).sum(1)
        return torch.cat([size.sum(1), moments(points, LEAST), number], -1)


class AttendGiven(nn.Module):
    """Points h (N, P, width) attend to the given points that stand among the conditions (N, K) of a `Space`.

    Where an event has no given point nothing is added.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.embed = nn.Sequential(nn.Linear(TOKEN, width), nn.SiLU(), nn.Linear(width, width))
        self.attention = Attention(width, 4 if width % 4 == 0 else 1)

    def forward(self, h: Tensor, tokens: Tensor) -> Tensor:
        present = tokens[..., -1] > 0
        found = self.attention(self.norm(h), self.embed(tokens), keys=present)
        out: Tensor = h + found * present.any(1).to(h)[:, None, None]
        return out


def moments(points: Tensor, least: float) -> Tensor:
    """Logarithm of the sum of sizes, their centre, logarithm of the square width about it: (N, P, 3) -> (N, 4).

    Points of size 0 do not count; sum and square width count as at least `least`.
    """
    size = points[..., 2].clamp(min=0)
    total = size.sum(1, keepdim=True).clamp(min=least)
    share = (size / total)[..., None]
    centre = (share * points[..., :2]).sum(1)
    width = (share * (points[..., :2] - centre[:, None]) ** 2).sum((1, 2))[:, None]
    return torch.cat([total.log(), centre, width.clamp(min=least).log()], -1)


def given_tokens(cond: Tensor, space: Space) -> Tensor:
    """The given points (N, G, 5) among conditions (N, K)."""
    assert space.given is not None
    start, points = space.given
    return cond[:, start : start + TOKEN * points].reshape(-1, points, TOKEN)


def own_conditions(cond: Tensor, space: Space) -> Tensor:
    """The conditions without the given points among them; the same where there are none."""
    if space.given is None:
        return cond
    start, points = space.given
    return torch.cat([cond[..., :start], cond[..., start + TOKEN * points :]], -1)


def own_number(n_cond: int, space: Space) -> int:
    """How many conditions `own_conditions` leaves of `n_cond`."""
    return n_cond if space.given is None else n_cond - TOKEN * space.given[1]


def _split(flat: Tensor, points: int) -> Tensor:
    return flat.reshape(-1, points, GIVEN_FEATURES)


def _columns(flat: Tensor, points: int) -> tuple[Tensor, Tensor]:
    """Places, size and its logarithm (N, G, 4), and which points are there (N, G)."""
    split = _split(flat, points)
    size = split[..., 2:]
    return torch.cat([split, size.clamp(min=LEAST).log()], -1), size[..., 0] > 0


def _spread(x: Tensor) -> Tensor:
    """Standard deviations; 1 where there is nothing but rounding, as of the logarithm of a sum that is 1."""
    std = x.std(0, correction=0)
    return torch.where(std > NEGLIGIBLE * x.abs().mean(0).clamp(min=0.1), std, 1.0)
