"""Samplers of diffusion models: from noise of size sigmas[0] down to none, given the denoiser D(x; sigma).

Plain functions that unroll into one graph. x = data + sigma noise ("variance exploding"); every sampler follows
dx/dsigma = (x - D(x; sigma)) / sigma (Karras et al., arXiv 2206.00364, eq. 3). `sigmas` falls and ends with 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import Tensor

Denoise = Callable[[Tensor, float], Tensor]
Sampler = Callable[[Denoise, Tensor, Sequence[float]], Tensor]


def karras_sigmas(steps: int, smallest: float, largest: float, rho: float = 7.0) -> list[float]:
    """`steps` noise levels from `largest` to `smallest`, evenly spaced in sigma^(1 / rho), and 0 (arXiv 2206.00364,
    eq. 5)."""
    low, high = smallest ** (1 / rho), largest ** (1 / rho)
    levels = [(high + k / max(steps - 1, 1) * (low - high)) ** rho for k in range(steps)]
    return [*levels, 0.0]


def ddim(denoise: Denoise, x: Tensor, sigmas: Sequence[float]) -> Tensor:
    """DDIM without noise (Song et al., arXiv 2010.02502): Euler steps in sigma, one evaluation each."""
    for sigma, following in pairwise(sigmas):
        x = x + (following - sigma) / sigma * (x - denoise(x, sigma))
    return x


def heun(denoise: Denoise, x: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Heun's second-order steps (arXiv 2206.00364, algorithm 1); two evaluations each, one in the last."""
    for sigma, following in pairwise(sigmas):
        slope = (x - denoise(x, sigma)) / sigma
        ahead = x + (following - sigma) * slope
        if following > 0:
            slope = 0.5 * (slope + (ahead - denoise(ahead, following)) / following)
            ahead = x + (following - sigma) * slope
        x = ahead
    return x


def dpm_solver(denoise: Denoise, x: Tensor, sigmas: Sequence[float]) -> Tensor:
    """DPM-Solver++(2M) (Lu et al., arXiv 2211.01095, algorithm 2): second order, one evaluation a step.

    Exact in the part linear in x; D is extrapolated over h, the step in -log(sigma), from its last two values. The
    first step and the last one, to sigma = 0, are of first order.
    """
    before: Tensor | None = None
    last = 0.0
    for sigma, following in pairwise(sigmas):
        now = denoise(x, sigma)
        if following == 0:
            return now
        h = math.log(sigma / following)
        ahead = now if before is None else now + 0.5 * h / last * (now - before)
        x = following / sigma * x - math.expm1(-h) * ahead
        before, last = now, h
    return x


def churned(denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Tensor, churn: float) -> Tensor:
    """Heun's steps, each after fresh noise (arXiv 2206.00364, algorithm 2 with S_noise = 1 and no limits).

    Args:
        denoise, x, sigmas: as for the others.
        noise: standard normal, (N, steps, ...) for `x` (N, ...).
        churn: S_churn; a step raises its sigma by the factor 1 + min(churn / steps, sqrt(2) - 1).
    """
    steps = len(sigmas) - 1
    gamma = min(churn / steps, math.sqrt(2) - 1)
    for k, (sigma, following) in enumerate(pairwise(sigmas)):
        raised = sigma * (1 + gamma)
        x = x + math.sqrt(raised**2 - sigma**2) * noise[:, k]
        x = heun(denoise, x, [raised, following])
    return x


SAMPLERS: dict[str, Sampler] = {"ddim": ddim, "heun": heun, "dpm-solver": dpm_solver}
