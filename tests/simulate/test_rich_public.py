"""The RICH truth beside a public sample: 250 000 tracks of pidgan's notebooks, whose mixture of species is not said.

Its momentum and number of tracks are taken as log-normal, eta as normal, with its quartiles.
"""

from __future__ import annotations

import numpy as np
import pytest

from facsim.simulate.rich import RichSimulation

N = 16_000
SPREAD = {0: 16.1, 1: 11.5, 2: 28.8, 3: 28.0}
MEAN = {0: -8.96, 1: -1.85, 2: -3.6, 3: -3.6}
QUARTILES = {0: (-12.3, -3.5, -0.18), 1: (-3.8, -0.6, 0.65), 2: (-16.8, 1.75, 14.2), 3: (-18.4, 1.7, 15.2)}


@pytest.fixture(scope="module")
def dlls() -> np.ndarray:
    rng = np.random.default_rng(1)
    momentum = np.clip(rng.lognormal(np.log(10.98e3), np.log(22.39 / 5.97) / 1.349, N), 2e3, 200e3)
    eta = np.clip(rng.normal(3.36, 0.77, N), 2.0, 5.0)
    tracks = np.clip(rng.lognormal(np.log(164), np.log(228 / 116) / 1.349, N), 10, 1000)
    simulation = RichSimulation(events=1, species=("mu", "pi", "k", "p"))
    species = np.eye(4)[np.arange(N) % 4]
    return simulation.respond(np.column_stack([momentum, eta, tracks, species]), rng)


@pytest.mark.parametrize("column", [0, 1, 2, 3])
def test_moments_and_quartiles_are_near(dlls: np.ndarray, column: int) -> None:
    values = dlls[:, column]
    assert values.std() == pytest.approx(SPREAD[column], rel=0.2)
    assert values.mean() == pytest.approx(MEAN[column], abs=3)
    found = np.quantile(values, [0.25, 0.5, 0.75])
    assert found == pytest.approx(QUARTILES[column], abs=0.25 * SPREAD[column])
