"""Features of the incident condition, normalised on the training sample and carried in the model."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facsim.core.errors import FacsimError
from facsim.models.nets.weighted import moments

SMALLEST = 1e-6


class Conditioning(nn.Module):
    """Features of conditions: (N, K) -> (N, K + 2 + fractions), or a constant (N, 1) where there are none.

    The first column, or its logarithm where it is an energy, enters as the first three Hermite polynomials of its
    normalised value; other columns are standardised, and columns that do not vary in training give zero. The
    fraction of a coordinate in units of cells says where in its cell a track is, so some enter once more, modulo 1.

    Args:
        n_conditions: K.
        energy: whether the first column is an energy, which is positive.
        fractions: columns whose fractional part is a feature as well.
        momentum: columns of px, py and pz: they enter as the size of the momentum, which is the energy, and the slopes
            px / pz and py / pz.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        n_conditions: int,
        energy: bool = True,
        fractions: tuple[int, ...] = (),
        momentum: tuple[int, int, int] | None = None,
    ) -> None:
        super().__init__()
        self.momentum = None if momentum is None else list(momentum)
        self.others = [k for k in range(n_conditions) if k not in (momentum or ())]
        self.n_features = n_conditions + 2 + len(fractions) if n_conditions else 1
        self.fractions = list(fractions)
        self.energy = energy
        self.register_buffer("mean", torch.zeros(n_conditions))
        self.register_buffer("scale", torch.ones(n_conditions))

    def _columns(self, cond: Tensor) -> Tensor:
        if self.momentum is not None:
            p = cond[:, self.momentum]
            size = p.square().sum(-1, keepdim=True).sqrt()
            cond = torch.cat([size, p[:, :2] / p[:, 2:], cond[:, self.others]], -1)
        if not self.energy:
            return cond
        return torch.cat([cond[:, :1].clamp(min=SMALLEST).log(), cond[:, 1:]], -1)

    def fit(self, cond: Tensor, weight: Tensor | None = None) -> None:
        """Set the normalisation from training conditions (N, K), energies in the unit of the data, and weights (N,).

        Raises:
            FacsimError: an energy is negative.
        """
        if cond.shape[1] == 0:
            return
        if self.momentum is not None and bool((cond[:, self.momentum[2]] <= 0).any()):
            raise FacsimError("particles have to fly forwards: 'pz' is not positive in some events.")
        if self.momentum is None and self.energy and bool((cond[:, 0] < 0).any()):
            raise FacsimError(
                "the first condition, an energy that enters by its logarithm, is negative in some events: put another "
                "one first, or give it no unit."
            )
        columns = self._columns(cond)
        mean, std = (columns.mean(0), columns.std(0)) if weight is None else moments(columns, weight)
        self.mean.copy_(mean)
        self.scale.copy_(torch.where(std > 1e-6 * self.mean.abs() + 1e-9, 1 / std.clamp(min=1e-12), 0.0))

    def forward(self, cond: Tensor) -> Tensor:
        if len(self.mean) == 0:
            return cond.new_zeros(cond.shape[0], 1)
        columns = (self._columns(cond) - self.mean) * self.scale
        x = columns[:, :1]
        features = [x, x * x - 1, x**3 - 3 * x, columns[:, 1:]]
        if self.fractions:
            chosen = cond[:, self.fractions]
            features.append((chosen - chosen.floor() - 0.5) * 12**0.5)  # of unit variance where uniform
        return torch.cat(features, -1)
