"""Densities on (0, 1) that are linear between knots: evaluation, and exact sampling in closed form."""

from __future__ import annotations

import torch
from torch import Tensor, nn

NARROW = 1e-9
ALL = 1 - 1e-4


class PiecewiseLinearDensity(nn.Module):
    """Densities p(u) on (0, 1), linear between `knots`, of one kind for each of many events.

    A knot that stands twice is a place where the density may jump. Of all densities a share of at least `floor` is
    uniform, so that log p is at least log(floor) whatever a network says. The distribution function is quadratic
    between knots (Mueller et al., arXiv 1808.03856), so that samples need one square root.

    Args:
        bins: intervals between knots, 1 at least. floor: least share that is uniform.
    """

    knots: Tensor
    flat: Tensor
    below: Tensor

    def __init__(self, bins: int, floor: float) -> None:
        super().__init__()
        self.bins, self.floor = bins, floor
        self.register_buffer("knots", torch.linspace(0, 1, bins + 1))
        self.register_buffer("flat", torch.zeros(bins, dtype=torch.bool))
        self.register_buffer("below", torch.zeros(bins + 1, bins))
        self.place(self.knots, self.flat)

    @torch.no_grad()
    def place(self, knots: Tensor, flat: Tensor) -> None:
        """Set knots (bins + 1,) from 0 to 1 in order, and the bins (bins,) of which the whole stands for one value:
        their density is the mean over them, and samples may lie anywhere in them."""
        self.knots.copy_(knots)
        self.flat.copy_(flat)
        half = 0.5 * self.knots.diff()
        # areas up to the end of each bin, as one matrix: heights (..., bins + 1) @ below
        ends = torch.cat([torch.diag(half), torch.zeros_like(half[None])])
        self.below.copy_((ends + ends.roll(1, 0)).cumsum(1))

    def _heights(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Densities at the knots and areas up to the end of each bin, for outputs `raw` (..., bins + 1), both times the
        last area, which is 1 at most: so what is added is at least the share `floor`."""
        heights = torch.exp(raw - raw.amax(-1, keepdim=True)) + self.floor / (1 - self.floor)
        return heights, heights @ self.below

    def log_prob(self, raw: Tensor, u: Tensor) -> Tensor:
        """Logarithm of the density at `u` (...) of the events with the outputs `raw` (..., bins + 1)."""
        heights, areas = self._heights(raw)
        index = (torch.searchsorted(self.knots, u.contiguous(), right=True) - 1).clamp(0, self.bins - 1)
        left, right = (heights.gather(-1, (index + k)[..., None])[..., 0] for k in (0, 1))
        inside = (u - self.knots[index]) / (self.knots[index + 1] - self.knots[index]).clamp(min=NARROW)
        inside = torch.where(self.flat[index], 0.5, inside.clamp(0, 1))
        return torch.lerp(left, right, inside).log() - areas[..., -1].log()

    def sample(self, raw: Tensor, uniform: Tensor) -> Tensor:
        """The u at which the distribution function is `uniform` (...)."""
        heights, areas = self._heights(raw)
        area = uniform[..., None] * areas[..., -1:]
        # summed as floats: whole numbers of eight bytes take longer than all else
        index = (areas[..., :-1] <= area).to(raw).sum(-1, keepdim=True).long()
        left, right = heights.gather(-1, index), heights.gather(-1, index + 1)
        start, end = self.knots[index], self.knots[index + 1]
        before = areas.gather(-1, (index - 1).clamp(min=0)) * (index > 0)
        rest = ((area - before) / (end - start).clamp(min=NARROW)).clamp(min=0)
        root = (left * left + 2 * (right - left) * rest).clamp(min=0).sqrt()
        inside = (2 * rest / (left + root)).clamp(max=1)
        return (start + inside * (end - start))[..., 0]


@torch.no_grad()
def knots_with_intervals(bins: int, intervals: Tensor) -> tuple[Tensor, Tensor]:
    """Knots (bins + 1,) for densities that jump at both ends of `intervals` (A, 2) and are constant within, and which
    bins are such intervals (bins,).

    The intervals lie apart in (0, 1), in order; as many as leave a bin for each region between them count, the longest
    first. An interval takes three bins, one of its own and one of no width at either end. One that leaves nothing else
    is all there is, and needs no bins.
    """
    intervals = intervals[intervals[:, 1] - intervals[:, 0] < ALL]
    most = (bins - 1) // 4
    longest = (intervals[:, 1] - intervals[:, 0]).argsort(descending=True)[:most]
    chosen = intervals[longest.sort().values].double().cpu()
    free = torch.cat([chosen.new_zeros(1), chosen[:, 1]]), torch.cat([chosen[:, 0], chosen.new_ones(1)])
    sizes = (free[1] - free[0]).clamp(min=0)
    left = bins - 3 * len(chosen)
    counts = _shared(left, sizes)
    pieces, flat = [], []
    for k, count in enumerate(counts):
        low, high = free[0][k], torch.maximum(free[0][k], free[1][k])
        pieces.append(torch.linspace(float(low), float(high), count + 1, dtype=torch.float64))
        flat += [False] * count
        if k < len(chosen):  # the two ends of a region and of an interval are knots of their own
            pieces.append(chosen[k])
            flat += [False, True, False]
    knots = torch.cat(pieces).clamp(0, 1).cummax(0).values
    return knots.to(intervals), torch.tensor(flat, device=intervals.device)


def _shared(bins: int, sizes: Tensor) -> list[int]:
    """`bins` shared out in proportion to the sizes of regions, of which those of some size get one at least."""
    counts = [0] * len(sizes)
    for _ in range(bins):
        need = [
            float(size) / (count + 0.5) if count else (float("inf") if size > 0 else 0.0)
            for size, count in zip(sizes, counts, strict=True)
        ]
        counts[max(range(len(counts)), key=need.__getitem__)] += 1
    return counts
