"""Permutation-invariant network for clouds of points."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facsim.models.nets.classifiers.base import ClassifierNetwork, Inputs, head


class CloudClassifier(ClassifierNetwork):
    """Deep set (Zaheer et al., arXiv 1703.06114) with messages from the whole cloud to its points, read by attention.

    The cost is linear in the number of points. Points outside the mask have no influence.

    Args:
        inputs: x (P, F) and context (K,). outputs: classes. width: of a point. blocks: messages. heads: attention
            weights learnt for reading. dropout: before the output.
    """

    def __init__(
        self, inputs: Inputs, outputs: int, width: int = 64, blocks: int = 2, heads: int = 4, dropout: float = 0.1
    ) -> None:
        super().__init__(inputs, outputs)
        self.embed = nn.Sequential(nn.Linear(inputs.x[1], width), nn.SiLU(), nn.Linear(width, width))
        self.own = nn.ModuleList(nn.Linear(width, width) for _ in range(blocks))
        self.message = nn.ModuleList(nn.Linear(2 * width + inputs.context, width) for _ in range(blocks))
        self.query = nn.Linear(width, heads)
        self.out = head((heads + 2) * width + inputs.context, width, outputs, dropout)

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        real = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device) if mask is None else mask
        h = self.embed(x)
        for own, message in zip(self.own, self.message, strict=True):
            whole = torch.cat([_pooled(h, real), context], dim=-1)
            h = h + F.silu(own(h) + message(whole)[:, None])
        score = self.query(h).masked_fill(~real[..., None], -1e9)
        attended = torch.einsum("nph,npw->nhw", score.softmax(dim=1), h) * real.any(dim=1)[:, None, None]
        out: Tensor = self.out(torch.cat([attended.flatten(1), _pooled(h, real), context], dim=-1))
        return out


def _pooled(h: Tensor, real: Tensor) -> Tensor:
    """Mean and maximum over the points, zero for an empty cloud: (N, P, W) -> (N, 2 W)."""
    count = real.sum(dim=1, keepdim=True)
    mean = (h * real[..., None]).sum(dim=1) / count.clamp(min=1)
    most = h.masked_fill(~real[..., None], -1e9).amax(dim=1)
    return torch.cat([mean, torch.where(count > 0, most, torch.zeros_like(most))], dim=-1)
