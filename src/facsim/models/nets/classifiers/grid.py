"""Convolutions on a regular cylinder."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facsim.models.nets.classifiers.base import ClassifierNetwork, Inputs, head


class CylinderConv(nn.Module):
    """3-D convolution of 3 x 3 x 3 cells, periodic in the angle: (N, C, L, A, R) -> (N, C', L', A', R).

    Args:
        n_in, n_out: channels. stride: of layers and angle (rings are few and keep theirs).
    """

    def __init__(self, n_in: int, n_out: int, stride: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv3d(n_in, n_out, 3, stride=(stride, stride, 1), padding=(1, 0, 1))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.convolution(torch.cat([x[..., -1:, :], x, x[..., :1, :]], dim=3))
        return out


class GridClassifier(ClassifierNetwork):
    """Three convolutions; then mean and maximum over the angle, so that a turned shower reads (nearly) the same.

    Two maps go in: the prepared energy and whether a cell is lit.

    Args:
        inputs: x (L, A, R) and context (K,). outputs: classes. channels: of the first convolution, then twice and
            three times as many. width: of the last layers. dropout: before the output.
    """

    dimensions: ClassVar[tuple[int, ...]] = (3,)

    def __init__(self, inputs: Inputs, outputs: int, channels: int = 8, width: int = 96, dropout: float = 0.1) -> None:
        super().__init__(inputs, outputs)
        layers, _, rings = inputs.x
        self.convolutions = nn.ModuleList(
            [
                CylinderConv(2, channels),
                CylinderConv(channels, 2 * channels, 2),
                CylinderConv(2 * channels, 3 * channels, 2),
            ]
        )
        left = (layers + 3) // 4  # layers after two strides of 2
        self.read = nn.Sequential(nn.Flatten(), nn.Linear(6 * channels * left * rings, width), nn.SiLU())
        self.out = head(width + inputs.context, width, outputs, dropout)

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        h = torch.stack([x, (x > 0).to(x.dtype)], dim=1)
        for convolution in self.convolutions:
            h = F.silu(convolution(h))
        h = self.read(torch.cat([h.mean(dim=3), h.amax(dim=3)], dim=1))
        out: Tensor = self.out(torch.cat([h, context], dim=-1))
        return out
