"""Gaussian priors: linear maps from white noise to noise with the covariance of the data.

A flow that starts from a Gaussian with the data's own covariance has nothing left to learn at second order.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facsim.models.nets.bins import ConditionBins
from facsim.models.space import Space

LARGEST = 8192
"""Numbers of an event up to which a full covariance is kept."""
LARGEST_IN_BINS = 1024
"""The same where each range of the condition has its own, other than on regular cylinders; beyond, all share one."""


def matrix_root(covariance: Tensor, shrink: float) -> Tensor:
    """Symmetric square root of (..., D, D) after shrinking off-diagonal terms by the factor 1 - `shrink`."""
    diagonal = torch.diag_embed(torch.diagonal(covariance, dim1=-2, dim2=-1))
    values, vectors = torch.linalg.eigh((1 - shrink) * covariance + shrink * diagonal)
    root: Tensor = (vectors * values.clamp(min=1e-6).sqrt()[..., None, :]) @ vectors.transpose(-1, -2)
    return root


class TablePrior(nn.Module):
    """Gaussian with full covariance over `n` columns: noise (N, n) -> (N, n)."""

    root: Tensor

    def __init__(self, n: int) -> None:
        super().__init__()
        self.register_buffer("root", torch.eye(n))

    def fit(self, x: Tensor, shrink: float = 0.02) -> None:
        """Set the covariance to that of `x` (N, n), shrunk towards its diagonal."""
        self.root.copy_(matrix_root((x.T @ x / len(x)).double(), shrink).float())

    def forward(self, noise: Tensor) -> Tensor:
        return noise @ self.root


class DiagonalPrior(nn.Module):
    """Independent Gaussians with the variances of `n` columns: noise (N, n) -> (N, n)."""

    scale: Tensor

    def __init__(self, n: int) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(n))

    def fit(self, x: Tensor) -> None:
        """Set the variances to those of `x` (N, n)."""
        self.scale.copy_((x * x).mean(0).clamp(min=1e-6).sqrt())

    def forward(self, noise: Tensor) -> Tensor:
        return noise * self.scale


class CylinderPrior(nn.Module):
    """Rotation- and reflection-symmetric Gaussian over a cylinder: noise (N, L, A, R) -> (N, L, A, R).

    The covariance between (layer, ring) pairs depends on the azimuthal distance only, so a real Fourier transform
    over the angle makes it block diagonal with one real (L R) x (L R) block per harmonic.
    """

    fourier: Tensor
    harmonic: Tensor
    root: Tensor

    def __init__(self, n_layers: int, n_alpha: int, n_r: int) -> None:
        super().__init__()
        self.shape = (n_layers, n_alpha, n_r)
        angle = 2 * torch.pi * torch.arange(n_alpha, dtype=torch.float64) / n_alpha
        rows, harmonic = [torch.ones(n_alpha, dtype=torch.float64)], [0]
        for m in range(1, n_alpha // 2 + 1):
            rows.append(torch.cos(m * angle))
            harmonic.append(m)
            if 2 * m < n_alpha:
                rows.append(torch.sin(m * angle))
                harmonic.append(m)
        basis = torch.stack(rows)
        self.register_buffer("fourier", (basis / basis.norm(dim=1, keepdim=True)).float())
        self.register_buffer("harmonic", torch.tensor(harmonic))
        size = n_layers * n_r
        self.register_buffer("root", torch.eye(size).repeat(max(harmonic) + 1, 1, 1))

    def modes(self, x: Tensor) -> Tensor:
        """Harmonics (A, N, L R) of events (N, L, A, R); `harmonic` says the number of each."""
        layers, alpha, rings = self.shape
        return torch.einsum("nlar,ka->knlr", x, self.fourier).reshape(alpha, -1, layers * rings)

    def cells(self, modes: Tensor) -> Tensor:
        """Events (N, L, A, R) of harmonics: inverse of `modes`."""
        layers, alpha, rings = self.shape
        return torch.einsum("knlr,ka->nlar", modes.reshape(alpha, -1, layers, rings), self.fourier)

    def fit(self, x: Tensor, shrink: float = 0.02) -> None:
        """Set the covariance to the symmetrised one of `x` (N, L, A, R), shrunk towards its diagonal."""
        modes = self.modes(x)
        for m in range(len(self.root)):
            rows = modes[self.harmonic == m].reshape(-1, modes.shape[-1])
            self.root[m] = matrix_root((rows.T @ rows / len(rows)).double(), shrink).float()

    def forward(self, noise: Tensor) -> Tensor:
        """A wave's cosine and sine have one matrix, read in its place: a copy for each costs more than the products."""
        modes, pairs, size = self.modes(noise), (self.shape[1] - 1) // 2, self.root.shape[-1]
        parts = [modes[:1] @ self.root[:1]]
        if pairs:
            waves = modes[1 : 1 + 2 * pairs].reshape(pairs, -1, size)
            parts.append((waves @ self.root[1 : 1 + pairs]).reshape(2 * pairs, -1, size))
        if self.shape[1] % 2 == 0:  # the fastest wave has no sine
            parts.append(modes[-1:] @ self.root[-1:])
        return self.cells(torch.cat(parts))


class GaussianPrior(nn.Module):
    """Gaussian with the data's covariance on events of any `space`: noise (N, *shape) -> (N, *shape).

    On regular cylinders it is that of `CylinderPrior`, on other grids and tables it has the full covariance (up to 8192
    numbers, then the variances alone: the matrix would take more than a quarter of a gigabyte), on clouds points are
    independent and of one covariance. The mean is that of the latents, zero.
    """

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.space = space
        self.of: CylinderPrior | TablePrior | DiagonalPrior
        self.view: tuple[int, ...]
        if space.representation == "cloud":
            self.of, self.view = TablePrior(space.channels), (space.channels,)
        elif space.cylinder is not None:
            layers, alpha, rings = space.cylinder
            self.of = CylinderPrior(layers, alpha, rings * space.channels)
            self.view = self.of.shape
        else:
            kind = TablePrior if space.size <= LARGEST else DiagonalPrior
            self.of, self.view = kind(space.size), (space.size,)

    def fit(self, x: Tensor, mask: Tensor | None = None) -> None:
        """Set the covariance to that of events `x` (N, *shape)."""
        self.of.fit((x if mask is None else x[mask]).reshape(-1, *self.view))

    def forward(self, noise: Tensor) -> Tensor:
        out: Tensor = self.of(noise.reshape(-1, *self.view))
        return out.reshape(noise.shape)


class BinnedPrior(nn.Module):
    """A `GaussianPrior` for each range of the first condition: (noise, cond (N, K) or (N, L, K)) -> (N, *shape).

    Args:
        space: the events. bins: number of ranges.
    """

    def __init__(self, space: Space, bins: int) -> None:
        super().__init__()
        self.bins = ConditionBins(bins)
        self.of = nn.ModuleList(GaussianPrior(space) for _ in range(bins))

    def fit(self, x: Tensor, cond: Tensor, mask: Tensor | None = None) -> None:
        """Set the ranges, and the covariances to those of events `x` (N, *shape) in or near them."""

        def fit(prior: nn.Module, rows: Tensor) -> None:
            prior.fit(x[rows], None if mask is None else mask[rows])  # type: ignore[operator]

        self.bins.fit_parts(_first(cond), self.of, fit)

    def forward(self, noise: Tensor, cond: Tensor) -> Tensor:
        return self.bins.by_range(_first(cond), list(self.of), noise)


def _first(cond: Tensor) -> Tensor:
    """The first condition (N,), the mean over layers where each has its own."""
    return cond[..., 0] if cond.dim() == 2 else cond[..., 0].mean(1)


class WhitePrior(nn.Module):
    """Independent standard normal numbers."""

    def fit(self, x: Tensor, cond: Tensor, mask: Tensor | None = None) -> None:
        """Nothing."""

    def forward(self, noise: Tensor, cond: Tensor) -> Tensor:
        return noise


def build_prior(name: str, space: Space, bins: int) -> BinnedPrior | WhitePrior:
    """The prior `white` or `gaussian`, of which there is one for each of `bins` conditions, for events of `space`."""
    dense = space.cylinder is None and space.representation != "cloud"
    if dense and space.size > LARGEST_IN_BINS:
        bins = 1
    return BinnedPrior(space, bins) if name == "gaussian" else WhitePrior()
