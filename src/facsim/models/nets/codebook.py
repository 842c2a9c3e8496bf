"""Vector quantisation with a codebook that follows what is quantised."""

from __future__ import annotations

import torch
from torch import Tensor, nn

RARE = 0.01
"""Use of a code, in that of an average one, below which it begins anew."""


class Codebook(nn.Module):
    """`size` vectors of length `dim`; each is the running mean of the vectors nearest to it.

    The updates are those of van den Oord et al., arXiv 1711.00937, appendix A.1; codes that are no longer used begin
    anew at a vector of the batch (as in Jukebox, arXiv 2005.00341).

    Args:
        size, dim: number and length of the vectors. decay: of the running means.
    """

    vectors: Tensor
    count: Tensor
    total: Tensor

    def __init__(self, size: int, dim: int, decay: float = 0.99) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("vectors", torch.randn(size, dim))
        self.register_buffer("count", torch.ones(size))
        self.register_buffer("total", self.vectors.clone())

    def forward(self, codes: Tensor) -> Tensor:
        """The vectors of `codes` (...): (..., dim)."""
        return self.vectors[codes]

    def nearest(self, z: Tensor) -> Tensor:
        """Codes (...) of the vectors nearest to `z` (..., dim)."""
        return (self.vectors.square().sum(-1) - 2 * z @ self.vectors.T).argmin(-1)

    @torch.no_grad()
    def fit(self, z: Tensor, generator: torch.Generator) -> None:
        """Start from random ones of the vectors `z` (N, dim)."""
        self.vectors.copy_(_some(z, len(self.vectors), generator))
        self.count.fill_(1.0)
        self.total.copy_(self.vectors)

    @torch.no_grad()
    def update(self, z: Tensor, codes: Tensor, generator: torch.Generator | None) -> None:
        """Move the vectors towards the means of those `z` (N, dim) that have their `codes` (N,)."""
        size = len(self.vectors)
        used = torch.zeros_like(self.count).index_add_(0, codes, torch.ones_like(codes, dtype=z.dtype))
        sums = torch.zeros_like(self.total).index_add_(0, codes, z)
        average = len(z) / size
        self.count.lerp_(used / average, 1 - self.decay)
        self.total.lerp_(sums / average, 1 - self.decay)
        rare = self.count < RARE
        self.total.copy_(torch.where(rare[:, None], _some(z, size, generator), self.total))
        self.count.copy_(torch.where(rare, 1.0, self.count))
        self.vectors.copy_(self.total / self.count[:, None])


def _some(z: Tensor, n: int, generator: torch.Generator | None) -> Tensor:
    return z[torch.randint(len(z), (n,), generator=generator, device=z.device)]
