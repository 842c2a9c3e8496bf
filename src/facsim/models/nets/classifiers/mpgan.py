"""The discriminator of MPGAN."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from facsim.models.nets.classifiers.base import ClassifierNetwork, Inputs, head
from facsim.models.nets.message_passing import EDGES, NODES, MessagePassing
from facsim.models.nets.points import there


class MPGANClassifier(ClassifierNetwork):
    """Message passing between all points, whose sum is read (Kansal et al., arXiv 2106.11535).

    The published one reads with a single layer; here the context of the event joins, and there are two.

    Args:
        inputs: x (P, F) and context (K,). outputs: classes. hidden: numbers of a point after a layer. depth: layers.
        dropout: before the output.
    """

    def __init__(self, inputs: Inputs, outputs: int, hidden: int = 32, depth: int = 2, dropout: float = 0.5) -> None:
        super().__init__(inputs, outputs)
        sizes = [inputs.x[1], *[hidden] * depth]
        self.layers = nn.ModuleList(
            MessagePassing(n, m, inputs.context + 1, EDGES, NODES) for n, m in itertools.pairwise(sizes)
        )
        self.out = head(hidden + inputs.context + 1, hidden, outputs, dropout)

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        h, real, share = there(x, mask, self.inputs.x[0])
        context = torch.cat([context, share], -1)
        for layer in self.layers:
            h = layer(h, context, real)
        out: Tensor = self.out(torch.cat([(h * real[..., None]).sum(1) / self.inputs.x[0], context], -1))
        return out
