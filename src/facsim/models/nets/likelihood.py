"""The Gaussian likelihood of decoders."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from facsim.models.space import Space

START, PACE = -2.0, 5.0
"""Logarithm of the first width and how fast it learns: it has far to go, and while it is wide nothing is encoded."""


class GaussianLikelihood(nn.Module):
    """Independent Gaussians around a decoded event with a learned width (Rybkin et al., arXiv 2006.13202).

    There is a width for each number of an event of `space`, for clouds one for each feature.
    """

    def __init__(self, space: Space) -> None:
        super().__init__()
        shape = space.shape[-1:] if space.representation == "cloud" else space.shape
        self.code = nn.Parameter(torch.full(shape, START / PACE))

    @property
    def log_width(self) -> Tensor:
        """Logarithms of the widths."""
        return PACE * self.code

    def forward(self, x: Tensor, centre: Tensor) -> Tensor:
        """Negative log-likelihood of every number of `x`, like `x`."""
        log_width = self.log_width
        return 0.5 * ((x - centre) * (-log_width).exp()) ** 2 + log_width + 0.5 * math.log(2 * math.pi)

    def draw(self, centre: Tensor, noise: Tensor) -> Tensor:
        """Events around `centre` from standard normal `noise` of its shape."""
        return centre + self.log_width.exp() * noise
