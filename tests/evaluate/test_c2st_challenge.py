"""The CaloChallenge's classifier: its numbers, its inputs, a known shift."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from facsim.core.errors import FacsimError
from facsim.core.geometry import CylinderGeometry, Layer
from facsim.evaluate.c2st_challenge import ChallengeSettings, challenge_test, low_level, low_level_normed

SMALL = ChallengeSettings(width=32, depth=2, lr=2e-3, batch_size=200, epochs=10, repeats=2)


def test_the_challenges_classifier_reads_a_shift():
    rng = np.random.default_rng(1)
    found = challenge_test(rng.normal(size=(3000, 2)), rng.normal([1.5, 0], 1, (3000, 2)), settings=SMALL, device="cpu")
    ideal = norm.cdf(1.5 / np.sqrt(2))
    assert found.score.value == pytest.approx(ideal, abs=0.04)
    assert found.auc == pytest.approx(found.raw_auc, abs=0.02)
    assert found.score.protocol == "calochallenge-2022 custom"
    grid = np.linspace(-8, 8, 4001)
    p, q = norm.pdf(grid), norm.pdf(grid, 1.5)
    mixture = (p + q) / 2
    divergence = np.trapezoid(p * np.log2(p / mixture) + q * np.log2(q / mixture), grid) / 2
    assert found.jsd == pytest.approx(divergence, abs=0.1)


def test_the_challenges_defaults_are_its_own():
    full = ChallengeSettings()
    assert (full.width, full.depth, full.lr, full.batch_size, full.epochs) == (2048, 3, 2e-4, 1000, 50)
    assert (full.repeats, full.double, full.train, full.test) == (10, True, 0.6, 0.2)


def test_the_challenges_low_level_inputs():
    cells, energy = np.array([[1.0, 3.0, 0.0, 0.0]]), np.array([100.0])
    layers = (Layer(0, (0.0, 1.0, 2.0), 1), Layer(1, (0.0, 1.0, 2.0), 1))
    geometry = CylinderGeometry("two", "photon", layers)
    assert low_level(cells, energy) == pytest.approx(np.array([[2, 0.01, 0.03, 0, 0]]))
    normed = low_level_normed(cells, energy, geometry)
    assert normed == pytest.approx(np.array([[2, 0.25, 0.75, 0, 0, np.log10(4 + 1e-8), -8]]))


def test_the_challenges_classifier_refuses_what_is_no_table():
    with pytest.raises(FacsimError, match=r"features \(N, D\)"):
        challenge_test(np.ones((60, 2, 2)), np.ones((60, 2, 2)))
    with pytest.raises(FacsimError, match="shares of all three parts"):
        ChallengeSettings(train=0.8, test=0.2)


def test_the_residual_network_sees_where_energy_lies():
    rng = np.random.default_rng(2)
    shape = (8, 4, 4)
    cells = [rng.exponential(size=(300, *shape)) for _ in range(2)]
    cells[1][:, :4] *= 3
    a, b = (low_level(x.reshape(300, -1), np.full(300, 100.0)) for x in cells)
    settings = ChallengeSettings(planes=(4, 4, 8, 8), lr=3e-3, batch_size=20, epochs=8, repeats=1, double=False)
    found = challenge_test(a, b, settings=settings, layers=shape, device="cpu")
    assert found.score.name == "auc_resnet"
    assert found.score.value > 0.9
    with pytest.raises(FacsimError, match="one for each cell"):
        challenge_test(a, b, settings=settings, layers=(8, 4, 5))
