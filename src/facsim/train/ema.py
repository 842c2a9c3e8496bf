"""Exponential moving average of parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class EMA:
    """Averaged copies of `parameters`; the effective decay grows with the number of updates up to `decay`."""

    def __init__(self, parameters: Iterable[nn.Parameter], decay: float) -> None:
        self.parameters = list(parameters)
        self.decay, self.updates = decay, 0
        self.average: list[Tensor] = [p.detach().clone() for p in self.parameters]

    @torch.no_grad()
    def update(self) -> None:
        """Take the parameters' present values into the average."""
        self.updates += 1
        weight = 1 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(self.average, [p.detach() for p in self.parameters], weight)

    @torch.no_grad()
    def copy_to_parameters(self) -> None:
        """Overwrite the parameters with their average."""
        _copy(self.average, self.parameters)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Context in which the parameters are the averaged ones."""
        kept = [p.detach().clone() for p in self.parameters]
        self.copy_to_parameters()
        try:
            yield
        finally:
            with torch.no_grad():
                _copy(kept, self.parameters)

    @torch.no_grad()
    def restore(self, average: Sequence[Tensor], updates: int) -> None:
        """Go on from a saved state."""
        _copy(average, self.average)
        self.updates = updates


def _copy(source: Sequence[Tensor], target: Sequence[Tensor]) -> None:
    for a, b in zip(source, target, strict=True):
        b.copy_(a)
