"""Latent maps of autoencoders: as they are, of relaxed one-hot codes, or of shares from Dirichlet distributions.

A map (N, K, rows, columns) holds K numbers at each place. All functions of it are differentiable and, but for the
draws, made of operations that an exported graph knows.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SHIFT = 8
"""Steps of the recurrence before the asymptotic series of the gamma function."""
LEAST = 1e-20
LEAST_CONCENTRATION = 0.02


class PlainMap(nn.Module):
    """What the encoder says, without noise and without a divergence."""

    has_kl = False

    def mean(self, h: Tensor) -> Tensor:
        """The map that is decoded where nothing is drawn, of what the encoder says: (N, K, rows, columns) both."""
        return h

    def draw(self, h: Tensor, generator: torch.Generator | None) -> Tensor:
        """A map drawn from the posterior, differentiable."""
        return h

    def kl(self, h: Tensor) -> Tensor:
        """Divergence of the posterior from the prior, nats, summed over places: (N,)."""
        return h.new_zeros(h.shape[0])


class CategoricalMap(PlainMap):
    """One of K codes at each place, relaxed to shares in training (Gumbel-softmax, arXiv 1611.01144, 1611.00712).

    The temperature of the relaxation is learnt. The prior is uniform or, with `components`, a learnt mixture of
    products of categorical distributions.

    Args:
        codes: K. places: rows times columns. components: of the mixture; 0 for the uniform prior.
    """

    has_kl = True

    def __init__(self, codes: int, places: int, components: int = 0) -> None:
        super().__init__()
        self.codes, self.components = codes, components
        self.log_temperature = nn.Parameter(torch.zeros(()))
        if components:
            self.weight = nn.Parameter(torch.zeros(components))
            self.prior = nn.Parameter(0.5 * torch.randn(components, places, codes))

    def mean(self, h: Tensor) -> Tensor:
        return h.softmax(1)

    def draw(self, h: Tensor, generator: torch.Generator | None) -> Tensor:
        uniform = torch.rand(h.shape, generator=generator, device=h.device, dtype=h.dtype).clamp(min=1e-6, max=1 - 1e-6)
        return ((h - (-uniform.log()).log()) / self.log_temperature.exp()).softmax(1)

    def kl(self, h: Tensor) -> Tensor:
        """Divergence from the prior; from a mixture the bound from above of Hershey & Olsen (ICASSP 2007).

        The bound, -log sum_m w_m exp(-KL(q || p_m)), needs no draws, so that scores have no noise.
        """
        log_q = h.flatten(2).transpose(1, 2).log_softmax(-1)
        q = log_q.exp()
        entropy = -(q * log_q).sum((1, 2))
        if not self.components:
            return log_q.shape[1] * math.log(self.codes) - entropy
        cross = torch.einsum("npk,mpk->nm", q, self.prior.log_softmax(-1))
        return -entropy - (cross + self.weight.log_softmax(0)).logsumexp(1)


class DirichletMap(PlainMap):
    """Shares of K parts at each place (Dirichlet autoencoders, arXiv 1901.02739; of jets arXiv 2104.08291).

    Concentrations are softplus of what the encoder says.

    Args:
        concentration: of the prior, alike for all parts: 1 is flat, less is sparse.
    """

    has_kl = True

    def __init__(self, concentration: float) -> None:
        super().__init__()
        self.concentration = concentration

    def mean(self, h: Tensor) -> Tensor:
        a = _concentrations(h)
        return a / a.sum(1, keepdim=True)

    def draw(self, h: Tensor, generator: torch.Generator | None) -> Tensor:
        # Gamma(a) is Gamma(a + 1) u^(1/a): in logarithms nothing vanishes where `a` is small.
        a = _concentrations(h)
        uniform = torch.rand(h.shape, generator=generator, device=h.device, dtype=h.dtype).clamp(min=LEAST)
        gamma = torch._standard_gamma(a + 1, generator=generator)
        return (gamma.clamp(min=LEAST).log() + uniform.log() / a).softmax(1)

    def kl(self, h: Tensor) -> Tensor:
        return dirichlet_kl(_concentrations(h).flatten(2).transpose(1, 2), self.concentration).sum(1)


def dirichlet_kl(a: Tensor, prior: float) -> Tensor:
    """Divergence of Dirichlet distributions of concentrations `a` (..., K) from one of K times `prior`: (...), nats."""
    total, n = a.sum(-1), a.shape[-1]
    known = n * math.lgamma(prior) - math.lgamma(n * prior)
    slopes = (a - prior) * (digamma(a) - digamma(total)[..., None])
    return log_gamma(total) - log_gamma(a).sum(-1) + known + slopes.sum(-1)


def log_gamma(x: Tensor) -> Tensor:
    """Logarithm of the gamma function of positive numbers: Stirling's series after `SHIFT` steps, as ONNX has none."""
    y, i = x + SHIFT, 1 / (x + SHIFT)
    series = i / 12 * (1 - i**2 / 30 * (1 - i**2 * (2 / 7) * (1 - i**2 * 0.75)))
    steps = sum(((x + k).log() for k in range(1, SHIFT)), x.log())
    return (y - 0.5) * y.log() - y + 0.5 * math.log(2 * math.pi) + series - steps


def digamma(x: Tensor) -> Tensor:
    """Slope of `log_gamma`."""
    y, i = x + SHIFT, 1 / (x + SHIFT)
    series = i**2 / 12 * (1 - i**2 / 10 * (1 - i**2 * (10 / 21) * (1 - i**2 * 1.05)))
    steps = sum((1 / (x + k) for k in range(1, SHIFT)), 1 / x)
    return y.log() - 0.5 * i - series - steps


def _concentrations(h: Tensor) -> Tensor:
    return F.softplus(h) + LEAST_CONCENTRATION
