"""Ranges of a condition, each with a part of its own: covariances of showers change with energy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn

FEWEST = 2000
"""Events that a part is fitted to, where there are so many."""


class ConditionBins(nn.Module):
    """Ranges of a number that hold equally many training events; numbers beyond belong to the first or last.

    Args:
        bins: how many.
    """

    edges: Tensor

    def __init__(self, bins: int) -> None:
        super().__init__()
        self.bins = bins
        self.register_buffer("edges", torch.zeros(bins - 1))

    @torch.no_grad()
    def fit(self, values: Tensor) -> None:
        """Set the ranges by the numbers (N,) of training events."""
        ordered = values.sort().values
        place = torch.arange(1, self.bins, device=values.device) * len(values) // self.bins
        self.edges.copy_(0.5 * (ordered[place] + ordered[(place - 1).clamp(min=0)]))

    def windows(self, values: Tensor) -> Iterator[Tensor]:
        """For each range, rows of the events (N,) to fit its part to: those in it, and its neighbours where few are."""
        order, n = values.argsort(), len(values)
        size = min(n, max(FEWEST, -(-n // self.bins)))
        for k in range(self.bins):
            first = (2 * k + 1) * n // (2 * self.bins) - size // 2
            yield order[min(max(first, 0), n - size) :][:size]

    def fit_parts(self, values: Tensor, parts: Iterable[nn.Module], fit: Callable[[nn.Module, Tensor], None]) -> None:
        """Set the ranges by the numbers (N,) of training events, and `fit` each part to its window.

        Args:
            parts: modules of one kind, one for each range. fit: takes a part and the rows of its window.
        """
        self.fit(values)
        before: tuple[nn.Module, Tensor] | None = None
        for part, rows in zip(parts, self.windows(values), strict=True):
            if before is not None and torch.equal(before[1], rows):  # few events: all ranges have the same
                part.load_state_dict(before[0].state_dict())
            else:
                fit(part, rows)
            before = part, rows

    def by_range(self, values: Tensor, parts: Sequence[Callable[[Tensor], Tensor]], x: Tensor) -> Tensor:
        """Each event of `x` (N, ...) by the part of its range: a function of some of the events (M, ...)."""
        if self.bins == 1:
            return parts[0](x)
        index = (values[:, None] > self.edges).sum(1)
        rows = [(index == k).nonzero()[:, 0] for k in range(self.bins)]
        out = torch.cat([part(x[row]) for part, row in zip(parts, rows, strict=True)])
        return out[torch.cat(rows).argsort()]
