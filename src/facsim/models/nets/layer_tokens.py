"""Linear maps between the cells of each layer and a token of the layer, for regular and ragged cylinders."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facsim.models.space import Space


def cells_of_layers(space: Space) -> tuple[int, ...]:
    """Number of cells of every layer; a grid without layers is one."""
    return tuple(a * r for a, r in space.layers) or space.elements


class LayersToTokens(nn.Module):
    """(N, V, channels) -> (N, L, width), by weights of each layer's own."""

    def __init__(self, space: Space, channels: int, width: int) -> None:
        super().__init__()
        self.sizes = [cells * channels for cells in cells_of_layers(space)]
        self.maps = nn.ModuleList(nn.Linear(size, width) for size in self.sizes)

    def forward(self, x: Tensor) -> Tensor:
        parts = torch.split(x.flatten(1), self.sizes, dim=1)
        return torch.stack([each(part) for each, part in zip(self.maps, parts, strict=True)], 1)


class TokensToLayers(nn.Module):
    """(N, L, width) -> (N, V, channels), by weights of each layer's own."""

    def __init__(self, space: Space, channels: int, width: int) -> None:
        super().__init__()
        self.channels = channels
        self.maps = nn.ModuleList(nn.Linear(width, cells * channels) for cells in cells_of_layers(space))

    def forward(self, tokens: Tensor) -> Tensor:
        parts = [each(token) for each, token in zip(self.maps, tokens.unbind(1), strict=True)]
        cells = torch.cat(parts, 1)
        return cells.reshape(-1, cells.shape[1] // self.channels, self.channels)
