"""Networks for tables."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from facsim.models.nets.classifiers.base import ClassifierNetwork, Inputs

LARGEST = 4.0


class TableClassifier(ClassifierNetwork):
    """A linear map of values and squares, which learns means and widths at once, plus residual blocks for the rest.

    Args:
        inputs: x (D,) and context (K,). outputs: classes. width: of the blocks. depth: how many. dropout: in them.
    """

    def __init__(self, inputs: Inputs, outputs: int, width: int = 96, depth: int = 2, dropout: float = 0.1) -> None:
        super().__init__(inputs, outputs)
        n = inputs.x[0] + inputs.context
        self.linear = nn.Linear(2 * n, outputs)
        self.embed = nn.Linear(n, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Dropout(dropout))
            for _ in range(depth)
        )
        self.out = nn.Linear(width, outputs)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)
        nn.init.normal_(self.out.weight, std=0.01)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        x = torch.cat([x, context], dim=-1)
        h = torch.nn.functional.silu(self.embed(x))
        for block in self.blocks:
            h = h + block(h)
        squares = (x.clamp(-LARGEST, LARGEST) ** 2 - 1) / 2**0.5  # of unit variance where x is Gaussian
        out: Tensor = self.linear(torch.cat([x, squares], dim=-1)) + self.out(h)
        return out


class PlainClassifier(ClassifierNetwork):
    """The CaloChallenge's network: linear layers of one width with LeakyReLU (arXiv 2410.21611, section 4).

    Args:
        inputs: x (D,) and context (K,). outputs: classes. width: of the hidden layers. depth: how many.
    """

    def __init__(self, inputs: Inputs, outputs: int, width: int = 2048, depth: int = 3) -> None:
        super().__init__(inputs, outputs)
        sizes = [inputs.x[0] + inputs.context, *[width] * depth]
        hidden = [part for n, m in pairwise(sizes) for part in (nn.Linear(n, m), nn.LeakyReLU())]
        self.layers = nn.Sequential(*hidden, nn.Linear(width, outputs))

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        out: Tensor = self.layers(torch.cat([x, context], dim=-1))
        return out
