"""Adversarial losses as functions of a critic's scores of real and generated events, (N,) and (N,) -> (N,)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

Loss = Callable[[Tensor, Tensor], Tensor]

GAN_LOSSES: dict[str, tuple[Loss, Loss]] = {
    # Goodfellow et al., arXiv 1406.2661
    "non-saturating": (lambda real, fake: softplus(-real) + softplus(fake), lambda real, fake: softplus(-fake)),
    # Mao et al., arXiv 1611.04076
    "least-squares": (lambda real, fake: (real - 1) ** 2 + fake**2, lambda real, fake: (fake - 1) ** 2),
    # Lim & Ye, arXiv 1705.02894
    "hinge": (lambda real, fake: relu(1 - real) + relu(1 + fake), lambda real, fake: -fake),
    # Jolicoeur-Martineau, arXiv 1807.00734; events are paired by condition
    "relativistic": (lambda real, fake: softplus(fake - real), lambda real, fake: softplus(real - fake)),
    # Arjovsky et al., arXiv 1701.07875; Gulrajani et al., arXiv 1704.00028
    "wasserstein": (lambda real, fake: fake - real, lambda real, fake: -fake),
}
"""Name to the losses of critic and generator."""


def energy_score(real: Tensor, fake: Tensor, other: Tensor) -> Tensor:
    """|real - fake| + |real - other| - |fake - other| of features (N, D): (N,).

    `fake` and `other` are two independent events at the condition of `real`. The mean is twice the Cramer (energy)
    distance between truth and generator but for a term that knows no generator (Bellemare et al., arXiv 1705.10743).
    """
    return length(real - fake) + length(real - other) - length(fake - other)


def cramer_score(x: Tensor, other: Tensor) -> Tensor:
    """Score |h - h'| - |h| of an event with features `x` by those of an independent generated one: (N,).

    Where the Wasserstein loss has a critic's output, the Cramer one has this (arXiv 1705.10743, algorithm 1): its mean
    difference between real and generated events is the energy distance, the origin standing for a second real event.
    """
    return length(x - other) - length(x)


def length(x: Tensor) -> Tensor:
    """Euclidean norm of (N, ...), with a gradient at zero: (N,)."""
    return (x.flatten(1).square().sum(1) + 1e-12).sqrt()


def penalised_gradient(score: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Norm of the gradient of `score` (N,) at each event of `x` (N, ...), differentiable: (N,)."""
    with torch.enable_grad():
        x = x.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(score(x).sum(), x, create_graph=True)
        return length(gradient)
