"""The fixed map of a spectrum: invertible, monotone, it flattens a sharp peak, and has an honest slope."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facsim.models.nets.spectrum import PER_UNIT, REACH, SMOOTH, SpectrumMap, ZonedSpectrum


def _peaked(n: int) -> torch.Tensor:
    rng = np.random.default_rng(1)
    sharp = rng.normal(5.0, 0.02, n // 2)
    broad = np.log(rng.exponential(50.0, n - n // 2) + 1e-3)
    return torch.as_tensor(np.concatenate([sharp, broad]), dtype=torch.float32)


@pytest.fixture(scope="module")
def fitted() -> SpectrumMap:
    spectrum = SpectrumMap()
    spectrum.fit(_peaked(200_000))
    return spectrum


def test_identity_before_the_fit() -> None:
    w = torch.linspace(-REACH, REACH, 33)
    torch.testing.assert_close(SpectrumMap().encode(w), w, atol=1e-5, rtol=0)
    torch.testing.assert_close(SpectrumMap().decode(w)[0], w, atol=1e-4, rtol=0)


@given(st.lists(st.floats(-14, 14), min_size=1, max_size=20))
def test_decode_inverts_encode_also_beyond_the_knots(fitted: SpectrumMap, values: list[float]) -> None:
    w = torch.tensor(values)
    torch.testing.assert_close(fitted.decode(fitted.encode(w))[0], w, atol=2e-3, rtol=0)


def test_values_become_standard_logistic(fitted: SpectrumMap) -> None:
    u = torch.sigmoid(fitted.encode(_peaked(50_000))).numpy()
    counts = np.histogram(u, 50, (0, 1))[0]
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(1000)


def test_slope_is_the_smoothed_derivative_and_continuous(fitted: SpectrumMap) -> None:
    v = torch.linspace(-7.5, 7.5, 5000, dtype=torch.float64).float()
    reach = SMOOTH / PER_UNIT
    mean = (fitted.decode(v + reach)[0] - fitted.decode(v - reach)[0]) / (2 * reach)
    slope = fitted.decode(v)[1]
    assert torch.all(slope > 0)
    torch.testing.assert_close(slope, mean, atol=2e-3, rtol=0.02)
    at_knots = torch.arange(40, 100) / PER_UNIT - REACH
    torch.testing.assert_close(fitted.decode(at_knots - 1e-6)[1], fitted.decode(at_knots + 1e-6)[1], atol=1e-3, rtol=0)


def test_few_and_equal_values_stay_monotone() -> None:
    spectrum = SpectrumMap()
    spectrum.fit(torch.tensor([1.0, 1.0, 1.0]))
    assert torch.all(spectrum.knots.diff() > 0)
    assert torch.isfinite(spectrum.decode(torch.linspace(-20, 20, 9))[0]).all()


def test_zones_have_spectra_of_their_own() -> None:
    zone = torch.tensor([[0, 1], [2, 2]])
    values = torch.stack([_peaked(2000) + shift for shift in (0.0, 1.0, 2.0)], -1)
    w = values[:, zone]
    mask = torch.rand(w.shape, generator=torch.Generator().manual_seed(0)) < 0.6
    spectrum = ZonedSpectrum(zone)
    spectrum.fit(w[mask], mask)
    v = torch.zeros_like(w)
    v[mask] = spectrum.encode(w[mask], mask)
    torch.testing.assert_close(spectrum.decode(v, zone)[0][mask], w[mask], atol=2e-3, rtol=0)
    medians = torch.stack([v[:, i, j][mask[:, i, j]].median() for i, j in ((0, 0), (0, 1), (1, 0))])
    torch.testing.assert_close(medians, torch.zeros(3), atol=0.2, rtol=0)
    assert (spectrum.decode(v, zone)[1] > 0).all()


def test_a_zone_with_few_values_takes_the_spectrum_of_all() -> None:
    spectrum = ZonedSpectrum(torch.tensor([0, 1]))
    mask = torch.ones(2000, 2, dtype=torch.bool)
    mask[100:, 1] = False
    values = torch.stack([_peaked(2000), _peaked(2000)], -1)
    spectrum.fit(values[mask], mask)
    torch.testing.assert_close(spectrum.maps[1].knots, spectrum.maps[0].knots, atol=0.3, rtol=0)


def test_calibration_brings_what_is_drawn_to_the_truth_and_leaves_encode(fitted: SpectrumMap) -> None:
    spectrum = SpectrumMap()
    spectrum.load_state_dict(fitted.state_dict())
    true, rng = _peaked(50_000), torch.Generator().manual_seed(3)
    u = torch.rand(50_000, generator=rng).clamp(1e-6, 1 - 1e-6)
    v = 0.8 * torch.logit(u) + 0.3  # neither of the right width nor in the right place
    before = spectrum.decode(v)[0]
    spectrum.calibrate(true, before)
    after = spectrum.decode(v)[0]
    quantiles = torch.linspace(0.02, 0.98, 49)
    wanted = torch.quantile(true, quantiles)
    assert (torch.quantile(before, quantiles) - wanted).abs().max() > 0.3
    assert (torch.quantile(after, quantiles) - wanted).abs().max() < 0.1
    assert torch.all(spectrum.decode(torch.linspace(-REACH, REACH, 999))[0].diff() >= 0)
    torch.testing.assert_close(spectrum.encode(true), fitted.encode(true))
