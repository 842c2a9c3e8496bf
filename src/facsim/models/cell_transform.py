"""Cell energies <-> latents of order one: hits by their logarithm, zeros spread below the threshold or as they are."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from facsim.core.errors import FacsimError

SPREAD = 2.0
"""How far below the threshold zeros are spread, in units of log energy."""
HIGHEST = 40.0
ROUNDING = 1e-6
LEAST = 1e-7
LEAST_KINKED = math.log10(2.0)
"""Latent of a cell at the threshold in `KinkedCells`."""
LOW_SHARE, STEEP = 0.1, 0.01


def least_positive(x: Tensor) -> Tensor:
    """Of each channel of `x` (N, V, C) the smallest positive value, or 1e-7 of the largest where that is more: (C,)."""
    least = torch.where(x > 0, x, torch.inf).amin((0, 1)).nan_to_num(posinf=1.0)
    return torch.maximum(least, LEAST * x.amax((0, 1)))


def kinked(y: Tensor, least: float) -> Tensor:
    """Any number to one near 0 or above `least`, by a steep piece between (arXiv 2012.04595, section 4).

    What a generator gives around 0 (a hundredth wide) falls between a tenth of `least` and `least`, so that cells below
    threshold are learnt as if there were nothing between them and those above.
    """
    low = LOW_SHARE * least
    rise = (least - low) / STEEP
    below = low + nn.functional.elu(y.clamp(max=STEEP), alpha=low / rise) * rise
    return torch.where(y > STEEP, least + y - STEEP, below)


def check_positive(x: Tensor) -> None:
    """Refuse negative values.

    Raises:
        FacsimError: there are some.
    """
    if bool((x < 0).any()):
        raise FacsimError("grids must hold no negative values for this model: expected energies or counts.")


class KinkedCells(nn.Module):
    """Map of the channels of cells, (N, V, C), that keeps zeros: log10(1 + E / threshold), below the threshold 0.

    Latents are 0 or at least log10(2), and so a `Space.least`; what is less comes back as exactly 0. Nothing is fitted
    but a threshold that is given as 0, see `CellTransform`; `dither` plays no role.

    Args:
        channels: C. threshold: in the unit of the data, or 0.
    """

    threshold: Tensor

    def __init__(self, channels: int, threshold: float) -> None:
        super().__init__()
        self.found = threshold <= 0
        self.register_buffer("threshold", torch.full((channels,), threshold if threshold > 0 else 1.0))

    @torch.no_grad()
    def fit(self, x: Tensor, dither: Tensor) -> None:
        """Find the threshold.

        Raises:
            FacsimError: a value is negative.
        """
        check_positive(x)
        if self.found:
            self.threshold.copy_(least_positive(x))

    def encode(self, x: Tensor, dither: Tensor) -> Tensor:
        """Latents of `x` (N, V, C)."""
        y = torch.log10(1 + (x / self.threshold).clamp(min=1.0))
        return torch.where(x >= self.threshold * (1 - ROUNDING), y, 0.0)

    def decode(self, z: Tensor) -> Tensor:
        """Values (N, V, C) of latents."""
        e = (z.clamp(max=HIGHEST / math.log(10)) * math.log(10)).exp() - 1
        return torch.where(z >= LEAST_KINKED * (1 - ROUNDING), self.threshold * e.clamp(min=1.0), 0.0)


class CellTransform(nn.Module):
    """Invertible map of the channels of cells, (N, V, C).

    A value at or above threshold becomes log(E / threshold), one below counts as zero and becomes a uniform number
    between -2 and 0. Both are standardised with one mean and width for all cells of a group, such as a ring of a layer.
    What comes back is zero or above threshold, as in the data. A threshold of 0 stands for the smallest positive value
    of each channel in the training events, or 1e-7 of its largest where that is more.

    Args:
        groups: number of the group of each cell (V,).
        channels: C.
        threshold: in the unit of the data, or 0.
    """

    group: Tensor
    threshold: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, groups: Tensor, channels: int, threshold: float) -> None:
        super().__init__()
        self.found = threshold <= 0
        n_groups = int(groups.max()) + 1
        self.register_buffer("group", groups, persistent=False)
        self.register_buffer("threshold", torch.full((channels,), threshold if threshold > 0 else 1.0))
        self.register_buffer("mean", torch.zeros(n_groups, channels))
        self.register_buffer("std", torch.ones(n_groups, channels))

    @torch.no_grad()
    def fit(self, x: Tensor, dither: Tensor) -> None:
        """Take means and widths of `x` (N, V, C); `dither` as in `encode`.

        Raises:
            FacsimError: a value is negative.
        """
        check_positive(x)
        if self.found:
            self.threshold.copy_(least_positive(x))
        y = self._spread(x, dither).double()
        cells = torch.zeros(len(self.mean), dtype=y.dtype, device=y.device)
        cells.index_add_(0, self.group, torch.ones_like(self.group, dtype=y.dtype))
        first, second = (self._of_groups(values) / cells[:, None] for values in (y.mean(0), (y * y).mean(0)))
        self.mean.copy_(first)
        self.std.copy_((second - first**2).clamp(min=1e-4).sqrt())

    def _of_groups(self, values: Tensor) -> Tensor:
        """Sums over the cells of each group: (V, C) -> (groups, C)."""
        return torch.zeros_like(self.mean, dtype=values.dtype).index_add_(0, self.group, values)

    def _spread(self, x: Tensor, dither: Tensor) -> Tensor:
        hit = x >= self.threshold * (1 - ROUNDING)
        y = (x / self.threshold).clamp(min=1.0).log()
        return torch.where(hit, y, -SPREAD * dither)

    def encode(self, x: Tensor, dither: Tensor) -> Tensor:
        """Latents of `x` (N, V, C); `dither` of the same shape, uniform in (0, 1)."""
        return (self._spread(x, dither) - self.mean[self.group]) / self.std[self.group]

    def decode(self, z: Tensor) -> Tensor:
        """Values (N, V, C) of latents."""
        y = self.mean[self.group] + z * self.std[self.group]
        return torch.where(y >= 0, self.threshold * y.clamp(0, HIGHEST).exp(), 0.0)
