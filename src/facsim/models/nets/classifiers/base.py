"""What every classifier network has in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True)
class Inputs:
    """Shape of one event.

    Args:
        x: (D,) for a table, (L, A, R) for a regular grid, (V,) for a ragged one, (P, F) for a cloud.
        context: numbers a whole event has beside `x`.
        layers: cells in each layer of a ragged grid, in order.
    """

    x: tuple[int, ...]
    context: int = 0
    layers: tuple[int, ...] = ()


class ClassifierNetwork(nn.Module):
    """Base class: (x (N, ...), context (N, K), mask (N, P) or None) -> (N, outputs).

    Args:
        inputs: shape of one event. outputs: classes, or 1 for the log-odds of two. options: of the network.
    """

    def __init__(self, inputs: Inputs, outputs: int, **options: Any) -> None:
        super().__init__()
        self.inputs = inputs

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        raise NotImplementedError


def head(n_inputs: int, width: int, outputs: int, dropout: float) -> nn.Sequential:
    """Two layers with a small last one, so that training starts near chance."""
    last = nn.Linear(width, outputs)
    nn.init.normal_(last.weight, std=0.01)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(n_inputs, width), nn.SiLU(), nn.Dropout(dropout), last)
