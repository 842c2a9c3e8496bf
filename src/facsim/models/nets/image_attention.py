"""Self-attention between the cells of an image."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ImageAttention(nn.Module):
    """Every cell looks at every other, and what it sees is added (SAGAN, Zhang et al., arXiv 1805.08318, section 3).

    (N, width, R, C) -> the same. Keys and queries have an eighth of the channels, values half of them. The factor of
    what is added starts at 0, so that training begins with what is near.

    Args:
        width: channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        few, half = max(1, width // 8), max(1, width // 2)
        self.query, self.key = nn.Conv2d(width, few, 1), nn.Conv2d(width, few, 1)
        self.value, self.out = nn.Conv2d(width, half, 1), nn.Conv2d(half, width, 1)
        self.share = nn.Parameter(torch.zeros(()))

    def forward(self, h: Tensor) -> Tensor:
        q, k, v = (part(h).flatten(2).transpose(1, 2)[:, None] for part in (self.query, self.key, self.value))
        seen = F.scaled_dot_product_attention(q, k, v, scale=1.0)[:, 0].transpose(1, 2)
        found: Tensor = self.out(seen.reshape(seen.shape[0], seen.shape[1], *h.shape[2:]))
        return h + self.share * found
