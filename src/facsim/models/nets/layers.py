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


class Context(nn.Module):
    """What modulates the blocks: time (N,) or (1,), None being 0, and conditions (N, K) -> (N, width).

    Conditions of layers (N, L, K) give (N, L, width), where `n_layers` layers have an offset each to be told apart by.
    """

    def __init__(self, n_cond: int, width: int, n_layers: int | None = None) -> None:
        super().__init__()
        self.time = TimeEmbedding(32)
        self.linear = nn.Linear(32 + n_cond, width)
        self.layer = None if n_layers is None else nn.Parameter(0.1 * torch.randn(n_layers, width))

    def forward(self, t: Tensor | None, cond: Tensor) -> Tensor:
        time = self.time(cond.new_zeros(1) if t is None else t).expand(cond.shape[0], -1)
        if cond.dim() == 3:
            time = time[:, None].expand(-1, cond.shape[1], -1)
        h = self.linear(torch.cat([time, cond], -1))
        return F.silu(h if self.layer is None else h + self.layer)


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
    """Multi-head attention of tokens (N, T, width) to one another, or to `others` (N, S, width): -> (N, T, width).

    `keys` (N, S) says which of those attended to exist; where none does, what comes out is finite and means nothing.
    With `causal` each token sees those before it and itself. Without `fused`, gradients have gradients, which critics
    need for penalties on their slopes.
    """

    def __init__(self, width: int, heads: int, fused: bool = True) -> None:
        super().__init__()
        self.heads, self.fused = heads, fused
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(
        self, x: Tensor, others: Tensor | None = None, keys: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        others = x if others is None else others
        q = self._heads(self.query(x))
        k, v = (self._heads(part) for part in self.key_value(others).chunk(2, dim=-1))
        allowed = None if keys is None else (keys | ~keys.any(1, keepdim=True))[:, None, None]
        if self.fused or causal:
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed, is_causal=causal)
        else:
            y = _attended(q, k, v, allowed)
        out: Tensor = self.out(y.transpose(1, 2).reshape(-1, x.shape[1], x.shape[2]))
        return out

    def _heads(self, x: Tensor) -> Tensor:
        return x.reshape(-1, x.shape[1], self.heads, x.shape[2] // self.heads).transpose(1, 2)


def _attended(q: Tensor, k: Tensor, v: Tensor, allowed: Tensor | None) -> Tensor:
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    scores = scores if allowed is None else scores.masked_fill(~allowed, -math.inf)
    return scores.softmax(-1) @ v


def feed_forward(width: int, expansion: int = 2) -> nn.Sequential:
    """Two linear layers, the first `expansion` times as wide."""
    return nn.Sequential(nn.Linear(width, expansion * width), nn.SiLU(), nn.Linear(expansion * width, width))


class TransformerBlock(nn.Module):
    """Pre-norm transformer block modulated by a condition per event (N, width_condition); `keys` as in `Attention`."""

    def __init__(self, width: int, heads: int, width_condition: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.attention = Attention(width, heads)
        self.mlp = feed_forward(width)
        self.modulation = Modulation(width_condition, width, 6)

    def forward(self, x: Tensor, condition: Tensor, keys: Tensor | None = None) -> Tensor:
        scale1, shift1, gate1, scale2, shift2, gate2 = (m[:, None] for m in self.modulation(condition))
        x = x + (1 + gate1) * self.attention(self.norm(x) * (1 + scale1) + shift1, keys=keys)
        out: Tensor = x + (1 + gate2) * self.mlp(self.norm(x) * (1 + scale2) + shift2)
        return out
