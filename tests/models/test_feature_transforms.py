"""Transforms to latents: nothing is lost, latents are normal, values that occur exactly come back exactly."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.models.cell_transform import LEAST_KINKED, CellTransform, KinkedCells, kinked
from facsim.models.feature_transforms import TRANSFORMS, QuantileNormalisation

N = 4000


def columns(seed: int = 0) -> torch.Tensor:
    """Normal; zero or a power law over decades; counts; one value; three values; a heavy tail of both signs."""
    rng = torch.Generator().manual_seed(seed)
    u = torch.rand(N, 4, generator=rng)
    normal, tail = torch.randn(N, 2, generator=rng).T
    power = torch.where(u[:, 0] < 0.3, 0.0, u[:, 1] ** -3)
    counts = torch.poisson(torch.full((N,), 6.0), generator=rng)
    return torch.stack([normal, power, counts, torch.full((N,), 2.5), 0.7 * (u[:, 2] * 3).floor(), tail / u[:, 3]], 1)


def dither(x: torch.Tensor, seed: int = 1) -> torch.Tensor:
    return torch.rand(x.shape, generator=torch.Generator().manual_seed(seed))


@given(st.sampled_from(sorted(TRANSFORMS)), st.integers(0, 1000))
def test_features_come_back(name: str, seed: int) -> None:
    x = columns(seed)[:500]
    x = x if name == "quantile" else x[:, [0, 2, 3, 4]]  # no standardisation keeps digits over decades
    transform = TRANSFORMS[name](x.shape[1])
    transform.fit(x)
    back = transform.decode(transform.encode(x, dither(x, seed)))
    torch.testing.assert_close(back, x, rtol=2e-3, atol=1e-3)


def test_values_that_occur_exactly_come_back_exactly_and_as_often() -> None:
    x = columns()
    transform = QuantileNormalisation(x.shape[1])
    transform.fit(x)
    back = transform.decode(transform.encode(x, dither(x)))
    assert torch.equal(back[:, 1] == 0, x[:, 1] == 0)
    assert torch.equal(back[:, 2:5], x[:, 2:5])
    drawn = transform.decode(torch.randn(x.shape, generator=torch.Generator().manual_seed(3)))
    assert float((drawn[:, 1] == 0).float().mean()) == pytest.approx(0.3, abs=0.03)
    assert set(drawn[:, 4].unique().tolist()) == set(x[:, 4].unique().tolist())
    assert torch.equal(drawn[:, 2], drawn[:, 2].round())
    assert (drawn[:, 1:3] >= 0).all()


def test_latents_are_standard_normal() -> None:
    x = columns()
    transform = QuantileNormalisation(x.shape[1])
    transform.fit(x)
    z = transform.encode(x, dither(x))
    probability = torch.special.ndtr(z).sort(0).values
    uniform = (torch.arange(N) + 0.5)[:, None] / N
    assert float((probability - uniform).abs().max()) < 0.04  # Kolmogorov's 1e-6 quantile at this N


def test_features_that_were_never_seen_to_vary_are_finite() -> None:
    for transform in (kind(2) for kind in TRANSFORMS.values()):
        x = torch.tensor([[1.0, 0.0]])
        transform.fit(x)
        z = transform.encode(torch.tensor([[3.0, -1.0]]), torch.full((1, 2), 0.5))
        assert torch.isfinite(z).all()
        assert torch.isfinite(transform.decode(torch.tensor([[9.0, -9.0]]))).all()


def cells(seed: int) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    u = torch.rand(200, 6, 2, generator=rng)
    return torch.where(u < 0.5, 0.0, 0.5 + (20 * u) ** 2)


@given(st.integers(0, 1000))
def test_kinked_cells_come_back_and_zeros_are_exact(seed: int) -> None:
    x = cells(seed)
    transform = KinkedCells(2, 0.5)
    transform.fit(x, x)
    z = transform.encode(x, x)
    assert bool((z[x == 0] == 0).all())
    assert float(z[x > 0].min()) >= LEAST_KINKED * (1 - 1e-6)
    torch.testing.assert_close(transform.decode(z), x, rtol=1e-4, atol=0)
    drawn = transform.decode(torch.randn(z.shape, generator=torch.Generator().manual_seed(seed)))
    assert ((drawn == 0) | (drawn >= 0.5)).all()
    found = KinkedCells(2, 0.0)
    found.fit(x, x)
    assert float(found.threshold[0]) == float(x[..., 0][x[..., 0] > 0].min())


def test_the_kink_is_continuous_and_steep_where_it_should_be() -> None:
    """arXiv 2012.04595: v + y - s above s, else v0 + ELU(y, a) (v - v0) / s with v0 = v / 10, s = 0.01."""
    y, v = torch.tensor([-5.0, -0.1, 0.0, 0.005, 0.01, 0.5], dtype=torch.float64), LEAST_KINKED
    v0, s = v / 10, 0.01
    alpha = v0 * s / (v - v0)
    below = v0 + torch.nn.functional.elu(y, alpha=alpha) * (v - v0) / s
    torch.testing.assert_close(kinked(y, v), torch.where(y > s, v + y - s, below))
    assert float(kinked(torch.tensor(-50.0), v)) == pytest.approx(0.0, abs=1e-6)


@given(st.integers(0, 1000))
def test_cells_come_back_and_zeros_stay_zero(seed: int) -> None:
    x = cells(seed)
    transform = CellTransform(torch.tensor([0, 0, 1, 1, 1, 2]), 2, 0.5)
    transform.fit(x, dither(x, seed))
    z = transform.encode(x, dither(x, seed).clamp(min=1e-3))
    torch.testing.assert_close(transform.decode(z), x, rtol=1e-4, atol=0)
    assert float(z.mean().abs()) < 0.02
    drawn = transform.decode(torch.randn(z.shape, generator=torch.Generator().manual_seed(seed)))
    assert ((drawn == 0) | (drawn >= 0.5)).all()


def test_values_below_threshold_count_as_zero_and_negative_ones_are_refused() -> None:
    transform = CellTransform(torch.zeros(2, dtype=torch.long), 1, 1.0)
    x = torch.tensor([[[0.4], [2.0]], [[0.0], [1.0]]])
    back = transform.decode(transform.encode(x, torch.full_like(x, 0.5)))
    torch.testing.assert_close(back, torch.tensor([[[0.0], [2.0]], [[0.0], [1.0]]]))
    with pytest.raises(FacsimError, match="no negative values"):
        transform.fit(-x, torch.full_like(x, 0.5))


def test_without_threshold_the_smallest_value_of_each_channel_is_one() -> None:
    x = cells(0)
    x[..., 1] *= 10
    transform = CellTransform(torch.zeros(6, dtype=torch.long), 2, 0.0)
    transform.fit(x, dither(x))
    x[0, 0, 0] = 1e-40
    transform.fit(x, dither(x))
    assert float(transform.threshold[0]) == pytest.approx(1e-7 * float(x[..., 0].max()))
    assert torch.isfinite(transform.encode(x, dither(x))).all()
    x[0, 0, 0] = 0
    transform.fit(x, dither(x))
    assert transform.threshold.tolist() == pytest.approx([float(x[..., c][x[..., c] > 0].min()) for c in (0, 1)])


def test_the_highest_of_values_that_occur_exactly_has_no_values_above() -> None:
    rng = torch.Generator().manual_seed(0)
    u = torch.rand(3001, generator=rng)
    x = torch.stack([torch.full_like(u, 5.0), 1 + (3 * u).floor(), (1.5 * u).clamp(max=1.0)], 1)
    transform = QuantileNormalisation(3)
    transform.fit(x)
    z = torch.cat([torch.linspace(-9, 9, 20_001), torch.linspace(-0.44, -0.42, 20_001)])
    back = transform.decode(z[:, None].expand(-1, 3))
    assert (back[:, 0] == 5).all()
    assert set(back[:, 1].tolist()) == {1.0, 2.0, 3.0}
    assert (back[z > 0.5, 2] == 1).all()


def test_codes_of_particles_come_back_and_hardly_any_others() -> None:
    codes = torch.tensor([-211.0, 211, 22, 11, -11, 13, -13, 130, 2112, 321])
    x = codes[torch.randint(10, (N, 1), generator=torch.Generator().manual_seed(0))]
    transform = QuantileNormalisation(1)
    transform.fit(x)
    assert float((transform.decode(transform.encode(x, dither(x))) == x).float().mean()) > 0.995
    drawn = transform.decode(torch.randn(N, 1, generator=torch.Generator().manual_seed(3)))
    assert float(torch.isin(drawn, codes).float().mean()) > 0.95


def test_standardised_features_that_were_never_negative_stay_so() -> None:
    transform = TRANSFORMS["standard"](2)
    transform.fit(torch.tensor([[0.0, -1.0], [2.0, 1.0], [4.0, 3.0]]))
    x = transform.decode(torch.tensor([[-5.0, -5.0], [1.0, 1.0]]))
    assert float(x[0, 0]) == 0.0
    assert float(x[0, 1]) < -1.0
    torch.testing.assert_close(transform.encode(x[1:], x[1:]), torch.ones(1, 2))
