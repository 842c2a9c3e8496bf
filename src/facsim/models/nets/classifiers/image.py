"""Convolutions on images."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facsim.models.nets.classifiers.base import ClassifierNetwork, Inputs, head
from facsim.models.nets.image_attention import ImageAttention


class ImageClassifier(ClassifierNetwork):
    """Three convolutions with the context as further channels of every cell (as the critic of arXiv 2012.04595).

    The last two halve rows and columns; what is left is read by linear layers that know where it is.

    Args:
        inputs: x (R, C, channels) and context (K,). outputs: classes. channels: of the first convolution, then three
            halves and twice as many. width: of the last layers. dropout: before the output. attention: 1 lets the cells
            look at one another after the second convolution (SAGAN, arXiv 1805.08318), 0 does not. lit: whether a map
            of the cells that are lit goes in too.
    """

    def __init__(
        self,
        inputs: Inputs,
        outputs: int,
        channels: int = 16,
        width: int = 96,
        dropout: float = 0.1,
        attention: int = 0,
        lit: bool = True,
    ) -> None:
        super().__init__(inputs, outputs)
        self.lit = lit
        rows, columns, own = inputs.x
        sizes = (own * (2 if lit else 1) + inputs.context, channels, 3 * channels // 2, 2 * channels)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(n, m, 3, stride=stride, padding=1)
            for (n, m), stride in zip(pairwise(sizes), (1, 2, 2), strict=True)
        )
        self.attention = ImageAttention(sizes[2]) if attention else None
        read = sizes[-1] * ((rows + 3) // 4) * ((columns + 3) // 4)
        self.read = nn.Sequential(nn.Flatten(), nn.Linear(read, width), nn.SiLU())
        self.out = head(width + inputs.context, width, outputs, dropout)

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        h = x.permute(0, 3, 1, 2)
        tiled = context[:, :, None, None].expand(-1, -1, *h.shape[2:])
        h = torch.cat([h, (h > 0).to(x.dtype), tiled] if self.lit else [h, tiled], dim=1)
        for number, convolution in enumerate(self.convolutions):
            h = F.silu(convolution(h))
            if number == 1 and self.attention is not None:
                h = self.attention(h)
        out: Tensor = self.out(torch.cat([self.read(h), context], dim=-1))
        return out
