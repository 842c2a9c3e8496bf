"""Energy mover's distance: linear programs, jetnet's numbers, closed forms, properties, broken input."""

from __future__ import annotations

import json
from pathlib import Path
from runpy import run_path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.stats import wasserstein_distance

from facsim.core.errors import FacsimError
from facsim.metrics import emd as emd_module
from facsim.metrics.emd import emd, emd_matrix

GOLDEN_FOLDER = Path(__file__).parent.parent / "golden"
GOLDEN = json.loads((GOLDEN_FOLDER / "jetnet_0_2_5.json").read_text(encoding="utf-8"))
SAMPLES = run_path(str(GOLDEN_FOLDER / "make_jetnet.py"))


def program(a: np.ndarray, b: np.ndarray) -> float:
    """The distance as a linear program: flows f >= 0, at most each pT, of the smaller sum in total."""
    cost = np.hypot(*(a[:, None, :2] - b[None, :, :2]).transpose(2, 0, 1))
    n, m = cost.shape
    limits = np.vstack([np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))])
    sums = a[:, 2].sum(), b[:, 2].sum()
    found = linprog(
        cost.ravel(),
        A_ub=limits,
        b_ub=np.concatenate([a[:, 2], b[:, 2]]),
        A_eq=np.ones((1, n * m)),
        b_eq=[min(sums)],
    )
    return float(found.fun) + abs(sums[0] - sums[1])


def jets(rng: np.random.Generator, n: int, particles: int) -> np.ndarray:
    """Jets with padding, among them particles in one place and equal pT."""
    angles = rng.uniform(-1.5, 1.5, size=(n, particles, 2))
    found = np.concatenate([angles, rng.exponential(size=(n, particles, 1))], axis=2)
    found[:, -1, 2] = 0.0
    found[::2] = found[::2].round(0)
    return found


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), particles=st.tuples(st.integers(2, 8), st.integers(2, 8)))
def test_equals_the_linear_program(seed: int, particles: tuple[int, int]) -> None:
    rng = np.random.default_rng(seed)
    a, b = jets(rng, 3, particles[0]), jets(rng, 3, particles[1])
    want = [[program(one, two) for two in b] for one in a]
    np.testing.assert_allclose(emd_matrix(a, b), want, rtol=1e-8, atol=1e-9)


def test_equals_jetnet_on_thirty_particles() -> None:
    x, y = SAMPLES["jet_samples"]()
    np.testing.assert_allclose(emd_matrix(x[:20], y[:20]), GOLDEN["emd"], rtol=1e-12)


def test_one_particle_each_in_closed_form() -> None:
    """pT 2 against pT 3 at distance 5: 2 x 5 + 1; phi runs round the circle."""
    one, two = np.array([[[3.0, 0.0, 2.0]]]), np.array([[[0.0, 4.0, 3.0]]])
    angle = 2 * np.pi - 4.0
    assert emd(one, two)[0] == pytest.approx(2 * np.hypot(3, angle) + 1)
    two[0, 0, 1] = 4.0 - 2 * np.pi
    assert emd(one, two)[0] == pytest.approx(2 * np.hypot(3, angle) + 1)


def test_on_a_line_it_is_the_one_dimensional_distance() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 5, 12, 3))
    a[..., 1], b[..., 1] = 0.0, 0.0
    a[..., 2], b[..., 2] = (rng.dirichlet(np.ones(12), size=5) for _ in range(2))
    want = [wasserstein_distance(x[:, 0], y[:, 0], x[:, 2], y[:, 2]) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(emd(a, b), want, rtol=1e-10)


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_is_a_distance_blind_to_order_and_padding(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = jets(rng, 4, 7), jets(rng, 4, 5)
    matrix = emd_matrix(a, b)
    np.testing.assert_allclose(emd_matrix(b, a), matrix.T, atol=1e-12)
    np.testing.assert_allclose(emd_matrix(rng.permutation(a, axis=1), b), matrix, atol=1e-12)
    np.testing.assert_allclose(emd(a, b), np.diag(matrix), atol=1e-12)
    np.testing.assert_allclose(emd(a, a), 0.0, atol=1e-12)
    mask = np.ones((4, 7))
    mask[:, 3:] = 0
    np.testing.assert_allclose(emd_matrix(a, b, mask), emd_matrix(a[:, :3], b), atol=1e-12)
    assert np.all(matrix >= np.abs(a[:, None, :, 2].sum(-1) - b[None, :, :, 2].sum(-1)) - 1e-12)


def test_blocks_and_empty_jets(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    a, b = jets(rng, 5, 6), jets(rng, 4, 6)
    a[2] = 0.0
    b[1] = 0.0
    whole = emd_matrix(a, b)
    assert whole[2, 1] == 0.0
    np.testing.assert_allclose(whole[2], b[..., 2].sum(1))
    monkeypatch.setattr(emd_module, "PAIRS_AT_ONCE", 3)
    np.testing.assert_allclose(emd_matrix(a, b), whole, atol=1e-13)


def test_tensors_give_what_arrays_give() -> None:
    rng = np.random.default_rng(3)
    a, b = jets(rng, 4, 9), jets(rng, 3, 6)
    got = emd_matrix(torch.tensor(a), torch.tensor(b, requires_grad=True))
    assert got.dtype == torch.float64
    np.testing.assert_allclose(got.numpy(), emd_matrix(a, b), rtol=1e-12)
    np.testing.assert_allclose(emd_matrix(a.astype(np.float32), b), emd_matrix(a, b), rtol=1e-5)


def test_broken_input_is_refused() -> None:
    good = np.ones((2, 3, 3))
    with pytest.raises(FacsimError, match="as many jets"):
        emd(good, good[:1])
    with pytest.raises(FacsimError, match="negative pT"):
        emd(good, -good)
    with pytest.raises(FacsimError, match="not finite"):
        emd_matrix(good, good * np.nan)
    with pytest.raises(FacsimError, match="columns eta, phi, pT"):
        emd_matrix(good, good[:, :, :2])


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), sizes=st.tuples(st.integers(1, 25), st.integers(1, 25)))
def test_nearest_only_leaves_out_what_is_not_the_nearest(seed: int, sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(seed)
    a, b = jets(rng, sizes[0], 7), jets(rng, sizes[1], 7)
    whole, some = emd_matrix(a, b), emd_matrix(a, b, nearest_only=True)
    kept = np.isfinite(some)
    np.testing.assert_allclose(some[kept], whole[kept], atol=1e-12)
    np.testing.assert_allclose(some.min(axis=0), whole.min(axis=0), atol=1e-12)
    np.testing.assert_allclose(some.min(axis=1), whole.min(axis=1), atol=1e-12)


def test_nearest_only_gives_up_most_pairs() -> None:
    x, y = SAMPLES["jet_samples"]()
    some = emd_matrix(torch.tensor(x[:35]), torch.tensor(y[:35]), nearest_only=True).numpy()
    assert np.isfinite(some).mean() < 0.5
    for axis in (0, 1):
        np.testing.assert_array_equal(some.argmin(axis=axis), emd_matrix(x[:35], y[:35]).argmin(axis=axis))


def test_angles_that_are_no_angles() -> None:
    jets = np.full((2, 3, 3), 0.1)
    far = jets.copy()
    far[0, 0, 0] = 1e160  # its square is infinite: no path would ever be shortest
    with pytest.raises(FacsimError, match="angle"):
        emd(far, jets)
