"""N-subjettiness: FastJet's values, a plain clustering, simple jets, invariances, gradients, broken inputs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.physics.jet_substructure import R0, subjettiness, tau, tau21, tau32

GOLDEN = Path(__file__).parent.parent / "golden"


def random_jets(seed: int, n: int = 20, particles: int = 8) -> np.ndarray:
    rng = np.random.default_rng(seed)
    angles = 0.4 * rng.normal(size=(n, particles, 2))
    return np.concatenate([angles, rng.exponential(size=(n, particles, 1))], axis=2)


def distance(a: np.ndarray, b: np.ndarray) -> float:
    return math.hypot(a[0] - b[0], math.remainder(a[1] - b[1], 2 * math.pi))


def plain_taus(jet: np.ndarray, n_max: int) -> list[float]:
    """The definition, one jet and one merger at a time."""
    real = [particle for particle in jet if particle[2] > 0]
    clusters, result = [particle.copy() for particle in real], {}
    for n in range(len(real), 0, -1):
        while len(clusters) > n:
            a, b = min(combinations(range(len(clusters)), 2), key=lambda pair: cost(clusters, *pair))
            if clusters[a][2] < clusters[b][2]:
                a, b = b, a
            clusters[a][2] += clusters[b][2]
            del clusters[b]
        near = sum(p[2] * min(distance(p, axis) for axis in clusters) for p in real)
        result[n] = near / (R0 * sum(p[2] for p in real))
    return [result.get(n, 0.0) for n in range(1, n_max + 1)]


def cost(clusters: list[np.ndarray], a: int, b: int) -> float:
    return float(min(clusters[a][2], clusters[b][2]) * distance(clusters[a], clusters[b]))


def test_taus_are_those_of_fastjet() -> None:
    jets = json.loads((GOLDEN / "energyflow_efps.json").read_text(encoding="utf-8"))["jets"]
    expected = json.loads((GOLDEN / "fastjet_taus.json").read_text(encoding="utf-8"))["taus"]
    np.testing.assert_allclose(subjettiness(np.array(jets)), expected, rtol=1e-12)


def test_taus_are_those_of_a_plain_clustering() -> None:
    jets = random_jets(0, 30, 12)
    jets[::2, :, 1] += math.pi
    for i, jet in enumerate(jets):
        jet[: i % 12, 2] = 0.0
    np.testing.assert_allclose(subjettiness(jets, 5), [plain_taus(jet, 5) for jet in jets], rtol=1e-12, atol=1e-15)


def test_simple_jets() -> None:
    jets = np.zeros((3, 4, 3))
    jets[0, :2] = [[0.0, 0.0, 3.0], [0.4, 0.0, 1.0]]
    jets[1, 0] = [0.2, 0.2, 5.0]
    expected = [[0.4 / (4 * R0), 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    np.testing.assert_allclose(subjettiness(jets), expected, atol=1e-15)
    np.testing.assert_allclose(subjettiness(jets, 1, r0=0.4)[:, 0], [0.25, 0.0, 0.0], atol=1e-15)
    assert tau21(jets).tolist() == [0.0, 0.0, 0.0]
    assert tau32(jets).tolist() == [0.0, 0.0, 0.0]


def test_prongs_are_found() -> None:
    rng = np.random.default_rng(1)
    centres = np.array([[-0.4, 0.0], [0.4, 0.0], [0.0, 0.5]])
    for prongs, ratio in ((2, tau21), (3, tau32)):
        angles = np.repeat(centres[:prongs], 5, axis=0) + 0.01 * rng.normal(size=(50, 5 * prongs, 2))
        jets = np.concatenate([angles, rng.uniform(0.5, 1.5, (50, 5 * prongs, 1))], axis=2)
        assert ratio(jets).max() < 0.1
        assert ratio(random_jets(2, 50)).min() > 0.1


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_more_axes_are_never_farther_and_order_and_rotation_do_not_matter(seed: int, particles: int) -> None:
    jets = random_jets(seed, 5, particles)
    taus = subjettiness(jets, 4)
    assert (np.diff(taus, axis=1) <= 0).all()
    assert (taus >= 0).all()
    rng = np.random.default_rng(seed)
    moved = jets[:, rng.permutation(particles)] * [1.0, 1.0, 3.0]
    moved[..., 1] = np.mod(moved[..., 1] + rng.uniform(0, 7), 2 * math.pi)
    padded = np.concatenate([np.zeros((5, 2, 3)), moved, np.full((5, 1, 3), np.nan)], axis=1)
    mask = np.broadcast_to(np.arange(particles + 3) < particles + 2, (5, particles + 3))
    np.testing.assert_allclose(subjettiness(padded, 4, mask), taus, rtol=1e-9, atol=1e-14)


def test_single_taus_and_ratios_and_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    jets = random_jets(3)
    before = jets.copy()
    taus = subjettiness(jets)
    np.testing.assert_array_equal(jets, before)
    for n in (1, 2, 3):
        np.testing.assert_allclose(tau(jets, n), taus[:, n - 1], rtol=1e-12)
    np.testing.assert_allclose(tau21(jets), taus[:, 1] / taus[:, 0], rtol=1e-12)
    np.testing.assert_allclose(tau32(jets), taus[:, 2] / taus[:, 1], rtol=1e-12)
    monkeypatch.setattr("facsim.physics.jet_substructure.PAIRS_AT_ONCE", 200)
    np.testing.assert_array_equal(subjettiness(jets), taus)


@pytest.mark.parametrize("function", [subjettiness, tau21, tau32])
def test_torch_is_numpy_and_gradients_are_right(function: Callable[..., Any]) -> None:
    jets = random_jets(4, 3, 6)
    tensor = torch.from_numpy(jets).requires_grad_()
    np.testing.assert_allclose(function(tensor).detach().numpy(), function(jets), rtol=1e-12)
    assert torch.autograd.gradcheck(function, (tensor,))
    short = function(jets.astype(np.float32))
    assert short.dtype == np.float32
    np.testing.assert_allclose(short, function(jets), rtol=1e-4)


@pytest.mark.parametrize("function", [subjettiness, tau21, tau32])
def test_gradients_are_finite_for_coincident_particles_and_padding(function: Callable[..., Any]) -> None:
    jets = random_jets(5, 4, 6)
    jets[0, 3] = jets[0, 1]
    jets[1, :, :2] = 0.1
    jets[2, 1:] = 0.0
    jets[3] = 0.0
    tensor = torch.from_numpy(jets).requires_grad_()
    function(tensor).sum().backward()
    assert tensor.grad is not None
    assert bool(torch.isfinite(tensor.grad).all())


def test_broken_inputs_are_told() -> None:
    jets = random_jets(6)
    with pytest.raises(FacsimError, match=r"at least 1 axis and a positive radius, not 0 and 0\.8"):
        subjettiness(jets, 0)
    with pytest.raises(FacsimError, match=r"not 2 and -1\.0"):
        tau(jets, 2, r0=-1.0)
    with pytest.raises(FacsimError, match="columns eta, phi, pT"):
        tau21(jets[0])
    jets[3, 2, 2] = -1e-3
    with pytest.raises(FacsimError, match="jet 3 of 20 holds a negative pT"):
        tau32(jets)
    jets[3, 2, 2] = np.nan
    with pytest.raises(FacsimError, match="jet 3 of 20 holds a number that is not finite"):
        tau32(jets)
