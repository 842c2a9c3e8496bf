"""Building blocks shared by the networks: time embedding, feature modulation, attention."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class TimeEmbedding(nn.Module):
    """Fourier features of a time in [0, 1]: (N,) -> (N, width)."""

    frequencies: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("frequencies", math.pi * torch.arange(1, width // 2 + 1, dtype=torch.float32) / 2)

    def forward(self, t: Tensor) -> Tensor:
        angles = t[:, None] * self.frequencies
        return torch.cat([torch.cos(angles), torch.sin(angles)], dim=-1)


class Modulation(nn.Module):
    """Scale, shift and gate from a condition (adaLN-zero, Peebles & Xie, arXiv 2212.09748)."""

    def __init__(self, width_condition: int, width: int, parts: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width_condition, parts * width)
        self.parts = parts
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, condition: Tensor) -> tuple[Tensor, ...]:
        parts: tuple[Tensor, ...] = self.linear(condition).chunk(self.parts, dim=-1)
        return parts


class Attention(nn.Module):
    """Multi-head self-attention over tokens: (N, T, width) -> (N, T, width)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        tokens, width = x.shape[1], x.shape[2]
        q, k, v = self.qkv(x).reshape(-1, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v)
        out: Tensor = self.out(y.transpose(1, 2).reshape(-1, tokens, width))
        return out


class TransformerBlock(nn.Module):
    """Pre-norm transformer block modulated by a condition per event (N, width_condition)."""

    def __init__(self, width: int, heads: int, width_condition: int, expansion: int = 2) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False)
        self.attention = Attention(width, heads)
        self.mlp = nn.Sequential(nn.Linear(width, expansion * width), nn.SiLU(), nn.Linear(expansion * width, width))
        self.modulation = Modulation(width_condition, width, 6)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale1, shift1, gate1, scale2, shift2, gate2 = (m[:, None] for m in self.modulation(condition))
        x = x + (1 + gate1) * self.attention(self.norm1(x) * (1 + scale1) + shift1)
        out: Tensor = x + (1 + gate2) * self.mlp(self.norm2(x) * (1 + scale2) + shift2)
        return out
