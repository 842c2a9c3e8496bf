"""The priors reproduce the covariance they were fitted to and keep the cylinder's symmetry."""

from __future__ import annotations

import pytest
import torch

from facsim.models.nets.prior import LARGEST, CylinderPrior, GaussianPrior, TablePrior
from facsim.models.space import Space


def test_table_prior_has_the_fitted_covariance() -> None:
    rng = torch.Generator().manual_seed(0)
    mixing = torch.randn(5, 5, generator=rng)
    prior = TablePrior(5)
    prior.fit(torch.randn(50_000, 5, generator=rng) @ mixing, shrink=0.0)
    torch.testing.assert_close(prior.root @ prior.root, mixing.T @ mixing, rtol=0.05, atol=0.1)


def symmetric_noise(n: int, rng: torch.Generator) -> torch.Tensor:
    """Correlated between neighbouring sectors, layers and rings, with no preferred direction."""
    x = torch.randn(n, 3, 8, 2, generator=rng)
    x = x + 0.5 * (x.roll(1, 2) + x.roll(-1, 2))
    x[:, 1] += 0.7 * x[:, 0]
    x[..., 1] += 0.4 * x[..., 0]
    return x


def test_cylinder_prior_has_the_fitted_covariance() -> None:
    rng = torch.Generator().manual_seed(1)
    data = symmetric_noise(40_000, rng)
    prior = CylinderPrior(3, 8, 2)
    prior.fit(data, shrink=0.0)
    drawn = prior(torch.randn(40_000, 3, 8, 2, generator=rng)).flatten(1)
    flat = data.flatten(1)
    torch.testing.assert_close(drawn.T @ drawn / len(drawn), flat.T @ flat / len(flat), rtol=0, atol=0.12)


def test_cylinder_prior_commutes_with_rotations_and_starts_as_identity() -> None:
    rng = torch.Generator().manual_seed(2)
    noise = torch.randn(4, 3, 8, 2, generator=rng)
    prior = CylinderPrior(3, 8, 2)
    torch.testing.assert_close(prior(noise), noise, rtol=0, atol=1e-5)
    prior.fit(symmetric_noise(2000, rng))
    torch.testing.assert_close(prior(noise.roll(3, 2)), prior(noise).roll(3, 2), rtol=0, atol=1e-5)
    torch.testing.assert_close(prior(noise.flip(2)), prior(noise).flip(2), rtol=0, atol=1e-5)


def test_events_too_large_for_a_covariance_keep_their_variances() -> None:
    generator = torch.Generator().manual_seed(1)
    size = LARGEST + 1
    widths = torch.linspace(0.5, 2.0, size)
    prior = GaussianPrior(Space("grid", (size, 1)))
    assert sum(buffer.numel() for buffer in prior.buffers()) == size
    prior.fit((torch.randn(2000, size, generator=generator) * widths)[..., None])
    drawn = prior(torch.randn(2000, size, 1, generator=generator))
    torch.testing.assert_close(drawn[..., 0].std(0), widths, rtol=0.15, atol=0.0)
    assert isinstance(GaussianPrior(Space("grid", (16, 1))).of, TablePrior)


@pytest.mark.parametrize("sectors", [1, 2, 3, 4, 7, 8])
def test_each_wave_is_multiplied_by_the_matrix_of_its_harmonic(sectors: int) -> None:
    rng = torch.Generator().manual_seed(sectors)
    prior = CylinderPrior(3, sectors, 2)
    prior.root.copy_(torch.randn(prior.root.shape, generator=rng))
    noise = torch.randn(5, 3, sectors, 2, generator=rng)
    torch.testing.assert_close(prior(noise), prior.cells(prior.modes(noise) @ prior.root[prior.harmonic]))
