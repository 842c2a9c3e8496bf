"""Convolutions on a regular cylinder."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facsim.models.nets.classifiers.base import ClassifierNetwork, Inputs, head


class CylinderConv(nn.Module):
    """Kernels of 3 layers x 3 sectors x all rings, periodic in the angle: (N, C, L, A) -> (N, C', L', A').

    A cylinder has few rings, each unlike the others, so they are channels: no weight is shared between them, and the
    cost is a third of that of kernels of three rings (a 3-D convolution) on a CPU.

    Args:
        n_in, n_out: channels. stride: of layers and angle.
    """

    def __init__(self, n_in: int, n_out: int, stride: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(n_in, n_out, 3, stride=stride, padding=(1, 0))

    def forward(self, x: Tensor) -> Tensor:
        wrapped = torch.cat([x[..., -1:], x, x[..., :1]], dim=3)
        out: Tensor = self.convolution(wrapped.contiguous(memory_format=torch.channels_last))
        return out


class GridClassifier(ClassifierNetwork):
    """Three convolutions; then mean and maximum over the angle, so that a turned shower reads (nearly) the same.

    Two maps go in: the prepared energy and whether a cell is lit.

    Args:
        inputs: x (L, A, R) and context (K,). outputs: classes. channels: of the first convolution, then three halves
            and twice as many. width: of the last layers. dropout: before the output. lit: whether the second map goes
            in. pooled: whether to pool over the angle; if not, what is read knows directions.
    """

    def __init__(
        self,
        inputs: Inputs,
        outputs: int,
        channels: int = 24,
        width: int = 96,
        dropout: float = 0.1,
        lit: bool = True,
        pooled: bool = True,
    ) -> None:
        super().__init__(inputs, outputs)
        self.lit, self.pooled = lit, pooled
        layers, sectors, rings = inputs.x
        sizes = (2 * rings if lit else rings, channels, 3 * channels // 2, 2 * channels)
        self.convolutions = nn.ModuleList(
            CylinderConv(n, m, stride) for n, m, stride in zip(sizes[:-1], sizes[1:], (1, 2, 2), strict=True)
        )
        left, around = (layers + 3) // 4, (sectors + 3) // 4  # after two strides of 2
        read = sizes[-1] * left * (2 if pooled else around)
        self.read = nn.Sequential(nn.Flatten(), nn.Linear(read, width), nn.SiLU())
        self.out = head(width + inputs.context, width, outputs, dropout)

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        h = x.permute(0, 3, 1, 2)
        if self.lit:
            h = torch.cat([h, (h > 0).to(x.dtype)], dim=1)
        for convolution in self.convolutions:
            h = F.silu(convolution(h))
        h = self.read(torch.cat([h.mean(dim=3), h.amax(dim=3)], dim=1) if self.pooled else h)
        out: Tensor = self.out(torch.cat([h, context], dim=-1))
        return out
