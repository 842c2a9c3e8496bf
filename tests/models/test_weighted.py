"""Moments, distribution functions and quantile transforms of events with negative weights, against known signals."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from facsim.core.errors import FacsimError
from facsim.models.expected_weight import mean_weight
from facsim.models.feature_transforms import QuantileNormalisation, Standardisation
from facsim.models.nets.conditioning import Conditioning
from facsim.models.nets.weighted import moments, weighted_distribution, weighted_quantiles


def polluted(n: int = 30_000, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Signal N(2, 1) with zeros in 20 %, a background N(-1, 2) in as many events, taken out by known sWeights.

    The discriminating variable is uniform for the background, and for the signal of density 2 m on (0, 1). With equal
    yields the weights are (V_ss f_s + V_sb f_b) / (N_s f_s + N_b f_b).
    """
    rng = torch.Generator().manual_seed(seed)
    signal = torch.arange(n) < n // 2
    u = torch.rand(n, generator=rng)
    m = torch.where(signal, u.sqrt(), u)
    f = torch.stack([2 * m, torch.ones(n)])
    inverse = ((f[:, None] * f[None]) / (0.5 * (f[0] + f[1])) ** 2).mean(-1)
    weight = (torch.linalg.inv(inverse) @ f)[0] / (0.5 * (f[0] + f[1]))
    normal = torch.randn(n, generator=rng)
    x = torch.where(signal, 2 + normal, -1 + 2 * normal)
    x = torch.where(signal & (torch.rand(n, generator=rng) < 0.2), 0.0, x)
    return x, weight


@given(st.lists(st.floats(-1, 2), min_size=2, max_size=40))
def test_distribution_functions_do_not_fall(weights: list[float]) -> None:
    weight = torch.tensor(weights, dtype=torch.float64)
    if float(weight.sum()) < 0.1:
        return
    found = weighted_distribution(weight)
    assert bool((found.diff() >= 0).all())
    assert 0 <= float(found[0]) <= float(found[-1]) <= 1
    raw = (weight.cumsum(0) - 0.5 * weight) / weight.sum()
    # of all nondecreasing functions none is nearer than half the largest fall
    fall = float((raw.clamp(0, 1).cummax(0).values - raw.clamp(0, 1)).max())
    assert float((found - raw.clamp(0, 1)).abs().max()) == pytest.approx(0.5 * fall, abs=1e-9)


def test_quantiles_of_positive_weights_are_those_of_repeated_events() -> None:
    values = torch.tensor([3.0, 1.0, 2.0], dtype=torch.float64)
    found = weighted_quantiles(values, torch.tensor([0.0, 1.0, 1.0], dtype=torch.float64), torch.tensor([0.25, 0.5]))
    assert found.tolist() == pytest.approx([1.0, 1.5])


def test_moments_of_the_signal() -> None:
    x, weight = polluted()
    assert float(weight.min()) < -0.3
    mean, std = moments(x[:, None], weight)
    assert float(mean) == pytest.approx(1.6, abs=0.05)  # 0.8 x 2
    assert float(std) == pytest.approx((0.8 * 5 - 1.6**2) ** 0.5, abs=0.1)
    assert moments(x[:, None], torch.where(x > 1, 1.0, -1.0) + 0.3)[1] > 0
    standard = Standardisation(1)
    standard.fit(x[:, None], weight)
    assert float(standard.mean) == pytest.approx(1.6, abs=0.05)
    conditioning = Conditioning(1, energy=False)
    conditioning.fit(x[:, None], weight)
    assert float(conditioning.mean) == pytest.approx(1.6, abs=0.05)


def test_quantile_transform_of_sweighted_events_is_the_signals() -> None:
    x, weight = polluted()
    transform = QuantileNormalisation(1)
    transform.fit(x[:, None], weight)
    z = torch.randn(20_000, 1, generator=torch.Generator().manual_seed(1))
    drawn = transform.decode(z)[:, 0]
    assert float((drawn == 0).float().mean()) == pytest.approx(0.2, abs=0.02)
    rest = drawn[drawn != 0]
    place = torch.tensor([0.1, 0.25, 0.5, 0.75, 0.9])
    expected = 2 + torch.special.ndtri(place)
    assert float((rest.quantile(place) - expected).abs().max()) < 0.12
    back = transform.decode(transform.encode(x[:, None], torch.full_like(x[:, None], 0.5)))
    torch.testing.assert_close(back[:, 0], x, rtol=2e-3, atol=2e-2)


def test_weights_of_one_are_no_weights() -> None:
    x, _ = polluted(2000)
    plain, weighted = QuantileNormalisation(1), QuantileNormalisation(1)
    plain.fit(x[:, None])
    weighted.fit(x[:, None], torch.ones(2000))
    z = torch.linspace(-2.3, 2.3, 200)[:, None]
    torch.testing.assert_close(weighted.decode(z), plain.decode(z), rtol=0.02, atol=0.02)


def test_weights_that_sum_to_about_nothing_are_refused() -> None:
    weight = torch.tensor([1.0, -1.0]).repeat(500)
    with pytest.raises(FacsimError, match=r"weights of 1000 training events sum to 0 \+- .* about zero"):
        mean_weight(weight)
    with pytest.raises(FacsimError, match="about zero"):
        mean_weight(torch.zeros(10))
    assert float(mean_weight(weight + 0.5)) == pytest.approx(0.5)
    assert float(mean_weight(None)) == 1
