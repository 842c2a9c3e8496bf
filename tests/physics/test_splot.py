"""sWeights: their identities, and that they recover the signal."""

from __future__ import annotations

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.physics.splot import fit_mass, sweights

WINDOW = (1800.0, 1930.0)


def sample(n: int = 20_000, share: float = 0.4, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mass, a variable independent of it in each kind, and whether it is signal."""
    rng = np.random.default_rng(seed)
    signal = rng.uniform(size=n) < share
    falling = 1800 - np.log1p(-rng.uniform(size=n) * (1 - np.exp(-0.01 * 130))) / 0.01
    mass = np.where(signal, rng.normal(1865, 8, n).clip(*WINDOW), falling)
    return mass, np.where(signal, rng.normal(2, 1, n), rng.exponential(1, n)), signal


def test_the_fit_finds_what_was_put_in() -> None:
    mass, _, signal = sample()
    fit = fit_mass(mass, WINDOW)
    assert fit.mean == pytest.approx(1865, abs=0.5)
    assert fit.sigma == pytest.approx(8, abs=0.5)
    assert fit.slope == pytest.approx(0.01, abs=0.001)
    assert fit.yields[0] == pytest.approx(signal.sum(), abs=5 * np.sqrt(len(mass)))
    grid = np.linspace(*WINDOW, 20_001)
    assert np.trapezoid(fit.densities(grid), grid, axis=0) == pytest.approx([1, 1], abs=1e-3)


def test_weights_add_up_to_yields_and_each_event_to_one() -> None:
    mass, _, _ = sample()
    fit = fit_mass(mass, WINDOW)
    weights = sweights(fit.densities(mass), fit.yields)
    assert weights.sum(axis=0) == pytest.approx(fit.yields, rel=1e-4)
    assert weights.sum(axis=1) == pytest.approx(np.ones(len(mass)), abs=1e-3)
    assert weights[:, 0].min() < 0


def test_weights_recover_the_signal() -> None:
    mass, value, signal = sample(40_000)
    fit = fit_mass(mass, WINDOW)
    weight = sweights(fit.densities(mass), fit.yields)[:, 0]
    error = np.sqrt((weight**2).sum()) / weight.sum()
    assert np.average(value, weights=weight) == pytest.approx(value[signal].mean(), abs=5 * error)
    assert abs(value.mean() - value[signal].mean()) > 20 * error  # without weights it would be seen


def test_few_events_or_masses_outside_are_refused() -> None:
    with pytest.raises(FacsimError, match="at least 100 events"):
        fit_mass(np.full(99, 1850.0), WINDOW)
    with pytest.raises(FacsimError, match=r"2000"):
        fit_mass(np.append(np.full(200, 1850.0), 2000.0), WINDOW)
    with pytest.raises(FacsimError, match="nan"):
        fit_mass(np.append(np.full(200, 1850.0), np.nan), WINDOW)
