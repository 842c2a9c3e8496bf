"""How many points an event has: a categorical distribution given its condition."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facsim.models.base import weighted_mean


class Multiplicity(nn.Module):
    """Network from features of the condition (N, K) to the probabilities of 0 to `largest` points.

    It starts from the shares of the training events.
    """

    shares: Tensor

    def __init__(self, n_features: int, largest: int, width: int = 64) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(n_features, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.out = nn.Linear(width, largest + 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.register_buffer("shares", torch.zeros(largest + 1))

    @torch.no_grad()
    def fit(self, count: Tensor) -> None:
        """Start from the shares of `count` (N,); a number that does not occur is one event's hundredth."""
        found = torch.bincount(count, minlength=len(self.shares)).to(self.shares)
        self.shares.copy_((found.clamp(min=0.01) / len(count)).log())

    def forward(self, features: Tensor) -> Tensor:
        """Logits (N, largest + 1)."""
        out: Tensor = self.out(self.net(features)) + self.shares
        return out

    def loss(self, features: Tensor, count: Tensor, weight: Tensor | None) -> Tensor:
        """Negative log-likelihood of `count` (N,)."""
        return weighted_mean(F.cross_entropy(self(features), count, reduction="none"), weight)

    def draw(self, features: Tensor, uniform: Tensor) -> Tensor:
        """Numbers of points (N, 1), whole and float, by the inverse distribution function at `uniform` (N, 1)."""
        cumulative = torch.softmax(self(features), -1).cumsum(-1)
        return (cumulative[:, :-1] < uniform).to(features).sum(-1, keepdim=True)
