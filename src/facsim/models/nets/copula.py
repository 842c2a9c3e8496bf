"""Gaussian copula of cells of which most are empty: what the latents of empty cells must be for hits to go together.

An empty cell says only that its latent lies below a threshold. Filling it with an independent random number hides how
hits go together, since most of the latents' covariance is then noise. Here the covariance is estimated from what the
observations say, and empty cells are filled from their conditional distribution given the hits around them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from facsim.models.nets.bins import ConditionBins
from facsim.models.nets.prior import CylinderPrior

_PER_CELL = 1 / math.sqrt(2 * math.pi)
_SHRINK = 5.0
_LEAST_VALUE = 0.15
_NORMALISATIONS = 3
PART = 256
"""Showers encoded at a time in closed-form fits."""


def score(z: Tensor, hit: Tensor, threshold: Tensor) -> tuple[Tensor, Tensor]:
    """What observations say of latents: E[z | observed] like `z`, and its variance over observations.

    Args:
        z: latents (N, L, A, R), read where `hit`. hit: cells that are hit. threshold: latents below it are no hits;
            broadcast to z.
    """
    t = threshold.double()
    empty = torch.special.ndtr(t).clamp(1e-9, 1 - 1e-9)
    density = _PER_CELL * torch.exp(-0.5 * t * t)
    mean = torch.where(hit, z, (-density / empty).to(z).expand_as(z))
    known = (t * density + (1 - empty) + density**2 / empty).to(z)
    return mean, known.expand_as(z)


class CylinderCopula(nn.Module):
    """Rotation- and reflection-symmetric Gaussian over the latents of a regular cylinder, fitted to censored cells.

    To first order in a correlation rho of two latents their scores have covariance rho k_1 k_2, where k is the variance
    of a score (first Hermite coefficients; the tetrachoric correlation of rare hits). So rho is the sum of products of
    scores over the sum of k_1 k_2, for each pair of (layer, ring) and azimuthal distance. Empty cells are then drawn by
    Gibbs sampling: the covariance is written as that of a signal plus independent noise of its least eigenvalue; given
    the signal all cells are independent, given the cells the signal is Gaussian, so that a sweep costs two products
    with the eigenvectors.

    Args:
        shape: (n_layers, n_alpha, n_r).
    """

    values: Tensor
    vectors: Tensor
    root: Tensor

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.modes = CylinderPrior(*shape)  # its Fourier transform; its matrices are not used
        del self.modes.root
        size, harmonics = shape[0] * shape[2], int(self.modes.harmonic.max()) + 1
        self.shape = shape
        self.register_buffer("values", torch.ones(harmonics, size))
        self.register_buffer("vectors", torch.eye(size).repeat(harmonics, 1, 1))
        self.register_buffer("root", torch.eye(size).repeat(harmonics, 1, 1))  # symmetric, of the covariance

    def moments(self, z: Tensor, hit: Tensor, threshold: Tensor) -> Tensor:
        """Sums over showers of products of scores and of k_1 k_2, by harmonic: (2, H, L R, L R)."""
        found = []
        for x in score(z, hit, threshold):
            modes = self.modes.modes(x)
            rows = [modes[self.modes.harmonic == h] for h in range(len(self.values))]
            found.append(torch.stack([torch.einsum("kni,knj->ij", r, r) / len(r) for r in rows]))
        return torch.stack(found)

    def fit(self, moments: Tensor) -> None:
        """Set the covariance from the sum of `moments` over training showers."""
        alpha = self.shape[1]
        harmonics = torch.arange(len(self.values), device=moments.device)
        distance = torch.arange(alpha, device=moments.device)
        waves = torch.cos(2 * math.pi * harmonics[:, None] * distance / alpha).to(moments)
        share = torch.bincount(self.modes.harmonic).to(moments) / alpha
        product, known = torch.einsum("shij,hd->sdij", moments, share[:, None] * waves)
        rho = product / (known + _SHRINK)
        rho[0].fill_diagonal_(1.0)
        self._set(torch.einsum("dij,hd->hij", rho, waves).double(), share.double())

    def _set(self, covariance: Tensor, share: Tensor) -> None:
        """Eigenvectors and eigenvalues of the nearest covariance with unit variances, by harmonic."""
        for _ in range(_NORMALISATIONS):
            values, vectors = torch.linalg.eigh(0.5 * (covariance + covariance.transpose(1, 2)))
            covariance = (vectors * values.clamp(min=_LEAST_VALUE)[:, None]) @ vectors.transpose(1, 2)
            scale = torch.einsum("h,hii->i", share, covariance).rsqrt()
            covariance = covariance * scale[:, None] * scale
        values, vectors = torch.linalg.eigh(covariance)
        self.values.copy_(values.clamp(min=0.8 * _LEAST_VALUE))
        self.vectors.copy_(vectors)
        self.root.copy_((self.vectors * self.values.sqrt()[:, None]) @ self.vectors.transpose(1, 2))

    def complete(
        self, z: Tensor, hit: Tensor, threshold: Tensor, sweeps: int, generator: torch.Generator | None
    ) -> Tensor:
        """Latents with those of empty cells drawn given all others; arguments as of `score`, and Gibbs `sweeps`."""
        values, vectors = self.values[self.modes.harmonic], self.vectors[self.modes.harmonic]
        noise = 0.95 * float(self.values.min())
        gain = (values - noise) / values
        spread, step = (noise * gain).sqrt()[:, None], math.sqrt(noise)
        # a start with the right covariance: slow modes would take tens of sweeps from independent cells
        start = self.modes.cells(self.modes.modes(z) @ self.root[self.modes.harmonic])
        z = torch.where(hit, z, torch.minimum(start, threshold))
        for _ in range(sweeps):
            along = self.modes.modes(z) @ vectors
            drawn = torch.randn(along.shape, generator=generator, device=z.device)
            signal = self.modes.cells((gain[:, None] * along + spread * drawn) @ vectors.transpose(1, 2))
            below = torch.special.ndtr((threshold - signal) / step)
            u = (torch.rand(z.shape, generator=generator, device=z.device) * below).clamp(1e-6, 1 - 1e-6)
            z = torch.where(hit, z, signal + step * torch.special.ndtri(u))
        return z


class BinnedCopula(nn.Module):
    """A `CylinderCopula` for each range of the incident energy.

    Args:
        shape: (n_layers, n_alpha, n_r). bins: number of ranges.
    """

    def __init__(self, shape: tuple[int, int, int], bins: int) -> None:
        super().__init__()
        self.bins = ConditionBins(bins)
        self.of = nn.ModuleList(CylinderCopula(shape) for _ in range(bins))

    def fit(self, energy: Tensor, latents: Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]) -> None:
        """Set ranges and covariances.

        Args:
            energy: of the training showers (N,), MeV.
            latents: gives what `score` takes, for showers of the given numbers.
        """

        def fit(copula: nn.Module, window: Tensor) -> None:
            copula.fit(sum(copula.moments(*latents(rows)) for rows in torch.split(window, PART)))  # type: ignore[operator]

        self.bins.fit_parts(energy, self.of, fit)

    def complete(
        self,
        z: Tensor,
        hit: Tensor,
        threshold: Tensor,
        energy: Tensor,
        sweeps: int,
        generator: torch.Generator | None,
    ) -> Tensor:
        """As `CylinderCopula.complete`, by the covariances at the energies (N,), MeV."""

        def by(copula: nn.Module) -> Callable[[Tensor], Tensor]:
            def part(rows: Tensor) -> Tensor:
                given = z[rows], hit[rows], threshold[rows]
                return copula.complete(*given, sweeps, generator) if len(rows) else given[0]  # type: ignore[operator]

            return part

        rows = torch.arange(len(z), device=z.device)
        return self.bins.by_range(energy, [by(copula) for copula in self.of], rows)
