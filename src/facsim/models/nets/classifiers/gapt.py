"""The discriminators of GAPT and iGAPT."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facsim.models.nets.base import check_heads
from facsim.models.nets.classifiers.base import ClassifierNetwork, Inputs, head
from facsim.models.nets.message_passing import LEAK
from facsim.models.nets.points import there
from facsim.models.nets.set_attention import InducedSetAttention, SetAttention


class GAPTClassifier(ClassifierNetwork):
    """Attention blocks, then a learnt vector that attends to all points (arXiv 2211.10295, arXiv 1810.00825).

    Args:
        inputs: x (P, F) and context (K,). outputs: classes. width: of a point. depth: blocks. heads: which share the
            width. dropout: before the output.
    """

    name = "gapt"

    def __init__(
        self,
        inputs: Inputs,
        outputs: int,
        width: int = 128,
        depth: int = 2,
        heads: int = 8,
        dropout: float = 0.5,
    ) -> None:
        check_heads(self.name, width, heads)
        super().__init__(inputs, outputs)
        self.embed = nn.Linear(inputs.x[1], width)
        self.blocks = nn.ModuleList(self.block(width, heads) for _ in range(depth))
        self.seed = nn.Parameter(torch.randn(1, 1, width) / width**0.5)
        self.pool = SetAttention(width, heads, norm=False, fused=False)
        self.out = head(width + inputs.context + 1, width, outputs, dropout)

    def block(self, width: int, heads: int) -> nn.Module:
        """One of the blocks."""
        return SetAttention(width, heads, norm=False, fused=False)

    def blocks_of(self, h: Tensor, context: Tensor, real: Tensor) -> Tensor:
        """Points h (N, P, width) after all blocks; `context` (N, K + 1) ends with the number of real points."""
        for block in self.blocks:
            h = block(h, h, real)
        return h

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        x, real, share = there(x, mask, self.inputs.x[0])
        context = torch.cat([context, share], -1)
        h = F.leaky_relu(self.embed(x), LEAK)
        h = self.blocks_of(h, context, real)
        read = self.pool(self.seed.expand(len(x), -1, -1), h, real)[:, 0] * real.any(1, keepdim=True)
        out: Tensor = self.out(torch.cat([read, context], -1))
        return out


class InducedGAPTClassifier(GAPTClassifier):
    """iGAPT's: points see one another through a vector that begins as their mean and sum (arXiv 2312.04757).

    Arguments as of `GAPTClassifier`; iGAPT has a `depth` of 8.
    """

    name = "igapt"

    def __init__(
        self,
        inputs: Inputs,
        outputs: int,
        width: int = 128,
        depth: int = 8,
        heads: int = 8,
        dropout: float = 0.5,
    ) -> None:
        super().__init__(inputs, outputs, width, depth, heads, dropout)
        self.start = nn.Linear(2 * width + inputs.context + 1, width)

    def block(self, width: int, heads: int) -> nn.Module:
        return InducedSetAttention(width, heads, fused=False)

    def blocks_of(self, h: Tensor, context: Tensor, real: Tensor) -> Tensor:
        total = (h * real[..., None]).sum(1)
        mean = total / real.to(h).sum(1, keepdim=True).clamp(min=1)
        whole = F.leaky_relu(self.start(torch.cat([mean, total / self.inputs.x[0], context], -1)), LEAK)
        for block in self.blocks:
            h, whole = block(h, whole, real)
        return h
