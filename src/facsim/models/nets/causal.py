"""Autoregressive distributions of sequences of codes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facsim.models.nets.base import check_heads
from facsim.models.nets.layers import Context, TransformerBlock


class CausalBlock(TransformerBlock):
    """A transformer block whose tokens see only those before them.

    (x (N, T, width), condition, past) -> the tokens, and `past` with them, where `past` is what attention saw of
    earlier tokens: one token at a time after a `past`, any number without one.
    """

    def forward(  # type: ignore[override]
        self, x: Tensor, condition: Tensor, past: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        scale1, shift1, gate1, scale2, shift2, gate2 = (m[:, None] for m in self.modulation(condition))
        h = self.norm(x) * (1 + scale1) + shift1
        seen = h if past is None else torch.cat([past, h], 1)
        x = x + (1 + gate1) * self.attention(h, seen, causal=past is None)
        return x + (1 + gate2) * self.mlp(self.norm(x) * (1 + scale2) + shift2), seen


class CausalTransformer(nn.Module):
    """Distribution of `n_tokens` codes out of `n_codes`, one after the other (Vaswani et al., arXiv 1706.03762).

    Args:
        n_tokens, n_codes: length and alphabet.
        n_cond: conditions, of the whole sequence (N, K) or of each token (N, n_tokens, K).
        width, depth, heads: of the transformer.
    """

    def __init__(self, n_tokens: int, n_codes: int, n_cond: int, width: int, depth: int, heads: int) -> None:
        super().__init__()
        check_heads("prior", width, heads)
        self.n_tokens = n_tokens
        self.embed = nn.Embedding(n_codes, width) if n_tokens > 1 else None  # the first has none before it
        self.position = nn.Parameter(0.1 * torch.randn(n_tokens, width))
        self.local = nn.Linear(n_cond, width)
        self.context = Context(n_cond, width)
        self.blocks = nn.ModuleList(CausalBlock(width, heads, width) for _ in range(depth))
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.out = nn.Linear(width, n_codes)

    def forward(self, codes: Tensor, cond: Tensor) -> Tensor:
        """Logits (N, n_tokens, n_codes) of every code given those before it: codes (N, n_tokens)."""
        x = self._where(cond)
        if self.embed is not None:
            x = x + nn.functional.pad(self.embed(codes[:, :-1]), (0, 0, 1, 0))
        c = self._whole(cond)
        for block in self.blocks:
            x, _ = block(x, c)
        logits: Tensor = self.out(self.norm(x))
        return logits

    def sample(self, cond: Tensor, uniform: Tensor) -> Tensor:
        """Codes (N, n_tokens), each by inversion of its distribution function at its number of `uniform`."""
        where, c = self._where(cond), self._whole(cond)
        past: list[Tensor | None] = [None] * len(self.blocks)
        codes: list[Tensor] = []
        for k in range(self.n_tokens):
            x = where[:, k : k + 1]
            if codes and self.embed is not None:
                x = x + self.embed(codes[-1])
            for b, block in enumerate(self.blocks):
                x, past[b] = block(x, c, past[b])
            codes.append(drawn(self.out(self.norm(x)), uniform[:, k : k + 1]))
        return torch.cat(codes, 1)

    def _where(self, cond: Tensor) -> Tensor:
        """What every token knows without others: its place and its condition, (N, n_tokens, width)."""
        here: Tensor = self.local(cond)
        return self.position + (here if cond.dim() == 3 else here[:, None])

    def _whole(self, cond: Tensor) -> Tensor:
        c: Tensor = self.context(None, cond.mean(1) if cond.dim() == 3 else cond)
        return c


def drawn(logits: Tensor, uniform: Tensor) -> Tensor:
    """The first code whose cumulated probability exceeds `uniform` (...): logits (..., S) -> (...)."""
    below = logits.softmax(-1).cumsum(-1) <= uniform[..., None]
    return below.long().sum(-1).clamp(max=logits.shape[-1] - 1)
