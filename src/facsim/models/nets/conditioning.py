"""Features of the incident condition, normalised on the training sample and carried in the model."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Conditioning(nn.Module):
    """Features of conditions whose first column is an energy: (N, K) -> (N, K + 2).

    The energy enters as the first three Hermite polynomials of its normalised logarithm; other columns are
    standardised, and columns that do not vary in training give zero.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, n_conditions: int) -> None:
        super().__init__()
        self.n_features = n_conditions + 2
        self.register_buffer("mean", torch.zeros(n_conditions))
        self.register_buffer("scale", torch.ones(n_conditions))

    @staticmethod
    def _columns(cond: Tensor) -> Tensor:
        return torch.cat([cond[:, :1].log(), cond[:, 1:]], -1)

    def fit(self, cond: Tensor) -> None:
        """Set the normalisation from training conditions (N, K); energies in MeV."""
        columns = self._columns(cond)
        std = columns.std(0)
        self.mean.copy_(columns.mean(0))
        self.scale.copy_(torch.where(std > 1e-6 * self.mean.abs() + 1e-9, 1 / std.clamp(min=1e-12), 0.0))

    def forward(self, cond: Tensor) -> Tensor:
        columns = (self._columns(cond) - self.mean) * self.scale
        x = columns[:, :1]
        return torch.cat([x, x * x - 1, x**3 - 3 * x, columns[:, 1:]], -1)
