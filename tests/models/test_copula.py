"""The Gaussian copula of censored cells: known correlations come back, and empty cells are filled to go with hits."""

from __future__ import annotations

import math

import pytest
import torch

from facsim.models.nets.copula import CylinderCopula, score

SHAPE = (3, 8, 2)


def _covariance(copula: CylinderCopula, distance: int) -> torch.Tensor:
    """Covariance of (layer, ring) pairs at an azimuthal distance in sectors."""
    blocks = (copula.vectors * copula.values[:, None]) @ copula.vectors.transpose(1, 2)
    harmonic = torch.arange(len(blocks))
    wave = torch.bincount(copula.modes.harmonic) / SHAPE[1] * torch.cos(2 * math.pi * harmonic * distance / SHAPE[1])
    return torch.einsum("hij,h->ij", blocks, wave)


@pytest.fixture(scope="module")
def truth() -> tuple[CylinderCopula, torch.Tensor]:
    """A known Gaussian on the cylinder and 20 000 events of it."""
    rng = torch.Generator().manual_seed(0)
    known = CylinderCopula(SHAPE)
    mix = 0.3 * torch.randn(6, 6, generator=rng)
    blocks = [(torch.eye(6) + mix @ mix.T) * math.exp(-h / 3) + 0.5 * torch.eye(6) for h in range(5)]
    known._set(torch.stack(blocks).double(), (torch.bincount(known.modes.harmonic) / SHAPE[1]).double())
    white = torch.randn(8, 20_000, 6, generator=rng) * known.values[known.modes.harmonic].sqrt()[:, None]
    return known, known.modes.cells(white @ known.vectors[known.modes.harmonic].transpose(1, 2))


def _filled(z: torch.Tensor, hit: torch.Tensor, threshold: torch.Tensor) -> torch.Tensor:
    u = torch.rand(z.shape, generator=torch.Generator().manual_seed(1)) * torch.special.ndtr(threshold)
    return torch.where(hit, z, torch.special.ndtri(u.clamp(1e-6, 1 - 1e-6)))


def test_scores_of_a_normal_latent_have_mean_zero_and_the_stated_variance() -> None:
    z = torch.randn(200_000, 1, 1, 1, generator=torch.Generator().manual_seed(0))
    threshold = torch.full((1, 1, 1, 1), 0.8)
    mean, variance = score(z, z > threshold, threshold)
    assert float(mean.mean()) == pytest.approx(0, abs=0.01)
    assert float(mean.var()) == pytest.approx(float(variance[0]), rel=0.02)


def test_correlations_of_mostly_empty_cells_come_back(truth: tuple[CylinderCopula, torch.Tensor]) -> None:
    known, z = truth
    threshold = torch.full((1, 3, 1, 2), 1.0)  # one cell in six is hit
    hit = z > threshold
    found = CylinderCopula(SHAPE)
    found.fit(found.moments(_filled(z, hit, threshold), hit, threshold))
    for distance in (1, 2, 4):
        torch.testing.assert_close(_covariance(found, distance), _covariance(known, distance), atol=0.05, rtol=0.2)
    torch.testing.assert_close(_covariance(found, 0).diagonal(), torch.ones(6), atol=0.02, rtol=0)


def test_filled_cells_have_the_covariance_and_keep_hits(truth: tuple[CylinderCopula, torch.Tensor]) -> None:
    known, z = truth
    threshold = torch.full((1, 3, 1, 2), 1.0)
    hit = z > threshold
    independent = _filled(z, hit, threshold)
    filled = known.complete(independent, hit, threshold, 8, torch.Generator().manual_seed(2))
    assert torch.equal(filled[hit], z[hit])
    assert (filled[~hit] <= 1.0 + 1e-4).all()

    def neighbours(x: torch.Tensor) -> float:
        return float((x[:, 0] * x[:, 0].roll(1, 1)).mean())

    wanted = float(_covariance(known, 1)[:2, :2].diagonal().mean())
    assert neighbours(independent) < 0.5 * wanted
    assert neighbours(filled) == pytest.approx(wanted, rel=0.1)
    torch.testing.assert_close(filled.std((0, 2)), torch.ones(3, 2), atol=0.03, rtol=0)
