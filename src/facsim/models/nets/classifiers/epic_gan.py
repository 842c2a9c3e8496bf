"""The discriminator of EPiC-GAN."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facsim.models.nets.classifiers.base import ClassifierNetwork, Inputs, head
from facsim.models.nets.epic_gan import PublishedEPiCLayer, normed, pooled
from facsim.models.nets.points import there


class EPiCClassifier(ClassifierNetwork):
    """Points speak through a global vector; it, their mean and their sum are read (arXiv 2301.08128, section 3.2).

    Args:
        inputs: x (P, F) and context (K,). outputs: classes. width: of a point. latent: of the global vector.
        depth: layers. dropout: before the output, of which EPiC-GAN has none.
    """

    def __init__(
        self,
        inputs: Inputs,
        outputs: int,
        width: int = 128,
        latent: int = 10,
        depth: int = 3,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(inputs, outputs)
        self.most = inputs.x[0]
        self.embed, self.second = normed(inputs.x[1], width), normed(width, width)
        self.gather, self.whole = normed(2 * width + inputs.context, width), normed(width, latent)
        self.layers = nn.ModuleList(PublishedEPiCLayer(width, latent, self.most) for _ in range(depth))
        self.out = head(2 * width + latent + inputs.context, width, outputs, dropout)

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        x, real, _ = there(x, mask, self.inputs.x[0])
        h = F.leaky_relu(self.embed(x))
        h = F.leaky_relu(h + self.second(h))
        seen = F.leaky_relu(self.gather(torch.cat([pooled(h, real, self.most), context], -1)))
        whole = F.leaky_relu(self.whole(seen))
        for layer in self.layers:
            h, whole = layer(h, whole, real)
        out: Tensor = self.out(torch.cat([pooled(h, real, self.most), whole, context], -1))
        return out
