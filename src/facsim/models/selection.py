"""Several candidates for an event, of which a learned likelihood ratio keeps one."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facsim.models.base import NoiseSpec

REACH = 6.0
LR_FACTOR, WEIGHT_DECAY = 1 / 3, 0.03
CHOICE = "choice"


class Selection(nn.Module):
    """Log-ratio of true to drawn events from a summary of each, and the choice among candidates.

    A classifier of true and drawn events has the logit log p(x)/q(x) where it is as good as can be. Of candidates
    drawn from q one is kept with a probability in proportion to p/q: sampling-importance-resampling (Smith and
    Gelfand, Am. Stat. 46 (1992) 84) with the ratio of a classifier (arXiv 1907.08209), so that events keep weight 1.
    The more candidates, the nearer to p as far as the classifier can see, and the slower.

    Args:
        n_features: numbers in a summary. width: of the three hidden layers. dropout: after the first two.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, n_features: int, width: int = 256, dropout: float = 0.3) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("std", torch.ones(n_features))
        layers: list[nn.Module] = []
        for n, p in ((n_features, dropout), (width, dropout), (width, 0.0)):
            layers += [nn.Linear(n, width), nn.SiLU(), nn.Dropout(p)]
        self.net = nn.Sequential(*layers, nn.Linear(width, 1))

    @torch.no_grad()
    def fit(self, true: Tensor, drawn: Tensor) -> None:
        """Take the scale of the summaries (N, n_features) of both kinds."""
        both = torch.cat([true, drawn])
        self.mean.copy_(both.mean(0))
        self.std.copy_(both.std(0).clamp(min=1e-3))

    def forward(self, summary: Tensor) -> Tensor:
        """Log-ratio (N,) of events with the summaries (N, n_features)."""
        out: Tensor = self.net(((summary - self.mean) / self.std).clamp(-REACH, REACH))
        return out[:, 0]

    def loss(self, true: Tensor, drawn: Tensor) -> Tensor:
        """Cross-entropy of the classifier on as many true as drawn events."""
        return F.softplus(-self(true)).mean() + F.softplus(self(drawn)).mean()

    def choose(self, summary: Tensor, uniform: Tensor) -> Tensor:
        """Positions (N,) of what is kept in candidates listed event by event.

        Args:
            summary: (N K, n_features). uniform: (N, K), random numbers in [0, 1).
        """
        n, k = uniform.shape
        # the largest of log-weights with Gumbel noise is drawn in proportion to the weights
        gumbel = -torch.log(-torch.log(uniform.clamp(1e-7, 1 - 1e-7)))
        best: Tensor = (self(summary).reshape(n, k) + gumbel).argmax(1)
        kept: Tensor = best + k * torch.arange(n, device=best.device)
        return kept


def of_candidates(specs: dict[str, NoiseSpec], n: int, candidates: int | None) -> dict[str, NoiseSpec]:
    """The noise (N, ...) of one draw as that of `candidates` draws, (N, K, ...), and of the choice among them."""
    if candidates is None:
        return specs
    many = {name: NoiseSpec((n, candidates, *s.shape[1:]), s.distribution) for name, s in specs.items()}
    return many | {CHOICE: NoiseSpec((n, candidates), "uniform")}


def listed(noise: dict[str, Tensor]) -> tuple[dict[str, Tensor], Tensor | None]:
    """The noise of `of_candidates` event by event, (N K, ...), and that of the choice (N, K) where there is one."""
    if CHOICE not in noise:
        return noise, None
    many = {name: array.flatten(0, 1) for name, array in noise.items() if name != CHOICE}
    return many, noise[CHOICE] if noise[CHOICE].shape[1] > 1 else None
