"""The residual network of the CaloChallenge: three-dimensional convolutions on a regular cylinder."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facsim.models.nets.classifiers.base import ClassifierNetwork, Inputs


class ResNet3D(ClassifierNetwork):
    """ResNet-18 (arXiv 1512.03385) in three dimensions, as the CaloChallenge trained it (arXiv 2410.21611, section 4).

    A first convolution of 7 x 7 x 7 and pooling, both in strides of 2; four stages of two blocks, which halve the
    maps from the second on; mean over the cells; the context, batch-normalised, joins before the last layer.

    Args:
        inputs: x (L, A, R) and context (K,). outputs: classes, or 1. planes: channels of the four stages.
    """

    def __init__(self, inputs: Inputs, outputs: int, planes: tuple[int, ...] = (32, 64, 64, 128)) -> None:
        super().__init__(inputs, outputs)
        first = nn.Conv3d(1, planes[0], 7, stride=2, padding=3, bias=False)
        self.start = nn.Sequential(first, nn.BatchNorm3d(planes[0]), nn.ReLU(), nn.MaxPool3d(3, stride=2, padding=1))
        blocks: list[nn.Module] = []
        before = planes[0]
        for stage, width in enumerate(planes):
            blocks += [Block(before, width, 1 if stage == 0 else 2), Block(width, width, 1)]
            before = width
        self.blocks = nn.Sequential(*blocks)
        self.context = nn.BatchNorm1d(inputs.context)
        self.out = nn.Linear(before + inputs.context, outputs)

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        h = self.blocks(self.start(x[:, None])).mean((2, 3, 4))
        out: Tensor = self.out(torch.cat([h, self.context(context)], -1))
        return out


class Block(nn.Module):
    """Two convolutions beside a shortcut, which is a convolution of one cell where the shape changes."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv3d(n_in, n_out, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm3d(n_out),
            nn.ReLU(),
            nn.Conv3d(n_out, n_out, 3, padding=1, bias=False),
            nn.BatchNorm3d(n_out),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or n_in != n_out:
            self.shortcut = nn.Sequential(nn.Conv3d(n_in, n_out, 1, stride=stride, bias=False), nn.BatchNorm3d(n_out))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.body(x) + self.shortcut(x))
