"""Adversarial losses as functions of a critic's scores of real and generated events, (N,) and (N,) -> (N,)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn.functional import relu, softplus

from facsim.core.errors import FacsimError

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


class PatchScore(nn.Module):
    """Energy scores of all patches of an image, mean over the patches of a size and sum over the sizes.

    The score of whole events is blind to detail in many dimensions; that of patches of rows x columns sees what
    neighbours do together (Pacchiardi et al., arXiv 2112.08217). Norms are over the root of a patch's numbers.

    Args:
        image: rows and columns. sizes: rows and columns of patches, which lie at every place.

    Raises:
        FacsimError: patches larger than the image.
    """

    means: Tensor
    share: Tensor

    def __init__(self, image: tuple[int, int], sizes: Iterable[tuple[int, int]]) -> None:
        super().__init__()
        parts, shares = [], []
        for rows, columns in sizes:
            if rows > image[0] or columns > image[1]:
                raise FacsimError(
                    f"patches of {rows} x {columns} cells do not fit images of {image[0]} x {image[1]}: take smaller."
                )
            each = [_windows(n, size) for n, size in zip(image, (rows, columns), strict=True)]
            parts.append(torch.einsum("pr,qc->rcpq", *each).reshape(image[0] * image[1], -1))
            shares.append(torch.full((parts[-1].shape[1],), 1 / parts[-1].shape[1]))
        self.register_buffer("means", torch.cat(parts, 1), persistent=False)
        self.register_buffer("share", torch.cat(shares), persistent=False)

    def forward(self, real: Tensor, fake: Tensor, other: Tensor) -> Tensor:
        """Scores (N,) of images (N, V, C), of which `fake` and `other` are generated at the condition of `real`."""
        a, b, c = (self._norms(x - y) for x, y in ((real, fake), (real, other), (fake, other)))
        return a + b - c

    def _norms(self, difference: Tensor) -> Tensor:
        norms: Tensor = (difference.square().mean(-1) @ self.means + 1e-9).sqrt()
        return norms @ self.share


def _windows(n: int, size: int) -> Tensor:
    """Means of `size` numbers in a row of `n`, at every place: (n - size + 1, n)."""
    place = torch.arange(n) - torch.arange(n - size + 1)[:, None]
    return ((place >= 0) & (place < size)) / size


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
