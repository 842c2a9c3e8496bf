"""Observables of jets: closed forms, brute force, other packages' values, invariances, gradients, broken inputs."""

from __future__ import annotations

import json
import math
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from facsim.core.errors import FacsimError
from facsim.physics.jets import N_EFPS, W1EFP_COLUMNS, d2, efps, jet_features

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "energyflow_efps.json").read_text(encoding="utf-8"))
Function = Callable[..., Any]
FUNCTIONS: dict[str, Function] = {"efps": efps, "d2": d2, "mass": lambda *given: jet_features(*given)["mass"]}

EDGES = (
    "", "ab", "ab ab", "ab ab ab", "ab ab ab ab",
    "ab ac", "ab ac ac", "ab ac ac ac", "ab ab ac ac", "ab bc ca", "ab bc ca ca",
    "ab ac ad", "ab ac ad ad", "ab bc cd", "ab bc cd cd", "ab bc bc cd", "ab bc ca cd", "ab bc cd da",
    "ab ac ad ae", "ab ac ad de", "ab bc cd de",
    "ab cd", "ab cd cd", "ab cd cd cd", "ab ab cd cd", "ab cd de", "ab ab cd de", "ab cd de de", "ab cd de ec",
    "ab cd ef", "ab cd ce cf", "ab cd de ef", "ab ac de df", "ab cd ef ef", "ab cd ef fg", "ab cd ef gh",
)  # fmt: skip
"""The 36 multigraphs, one pair of letters an edge; 14 and 15 are paths with a double edge at the end, in the middle."""


def random_jets(seed: int = 0, n: int = 7, particles: int = 5, spread: float = 0.4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    angles = spread * rng.normal(size=(n, particles, 2))
    return np.concatenate([angles, rng.exponential(size=(n, particles, 1))], axis=2)


def brute_force(jet: np.ndarray, edges: str) -> float:
    """One polynomial of one jet, by its definition: a sum over all particles at all vertices."""
    eta, phi, pt = jet.T
    turn = np.angle(np.exp(1j * (phi[:, None] - phi[None, :])))
    theta = np.hypot(eta[:, None] - eta[None, :], turn)
    pairs = edges.split()
    vertices = sorted(set("".join(pairs)) or {"a"})
    return float(
        np.einsum(",".join(vertices + pairs) + "->", *[pt] * len(vertices), *[theta] * len(pairs), optimize="greedy")
    )


def test_efps_are_the_sums_over_all_graphs() -> None:
    jets = random_jets(spread=1.5)
    expected = np.array([[brute_force(jet, edges) for edges in EDGES] for jet in jets])
    assert expected.shape == (len(jets), N_EFPS)
    np.testing.assert_allclose(efps(jets), expected, rtol=1e-12)


def test_efps_are_those_of_energyflow() -> None:
    jets, expected = np.array(GOLDEN["jets"]), np.array(GOLDEN["efps"])
    np.testing.assert_allclose(efps(jets), expected, rtol=1e-12)
    np.testing.assert_allclose(efps(torch.from_numpy(jets)).numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(efps(jets.astype(np.float32)), expected, rtol=3e-5)


def test_w1efp_columns_are_the_graphs_of_four_vertices_and_edges() -> None:
    chosen = [
        i
        for i, edges in enumerate(EDGES)
        if len(edges.split()) == 4 and len(set(edges) - {" "}) == 4 and is_connected(edges)
    ]
    assert tuple(chosen) == W1EFP_COLUMNS


def is_connected(edges: str) -> bool:
    pairs = edges.split()
    reached = set(pairs[0])
    for _ in pairs:
        for pair in pairs:
            reached |= set(pair) if reached & set(pair) else set()
    return reached == set("".join(pairs))


def test_two_particles_have_the_closed_form() -> None:
    a, b, distance = 2.0, 3.0, 0.5
    row = efps([[[0.0, 0.0, a], [0.3, 0.4, b]]])[0]
    assert row[0] == pytest.approx(a + b)
    assert row[1:5] == pytest.approx([2 * a * b * distance**k for k in (1, 2, 3, 4)])
    assert row[5] == pytest.approx(a * b * (a + b) * distance**2)
    assert row[[9, 10, 16, 28]] == pytest.approx(0.0, abs=1e-15)
    assert row[17] == pytest.approx(2 * (a * b) ** 2 * distance**4)


def test_one_particle_and_none() -> None:
    jets = np.zeros((2, 4, 3))
    jets[0, 2] = [0.3, -1.0, 5.0]
    values = efps(jets)
    assert values[0, 0] == 5.0
    assert not values[0, 1:].any()
    assert not values[1].any()
    features = jet_features(jets)
    assert features["mass"] == pytest.approx([0.0, 0.0], abs=1e-12)
    assert features["pt"] == pytest.approx([5.0, 0.0])
    assert features["eta"] == pytest.approx([0.3, 0.0])
    assert features["multiplicity"].tolist() == [1.0, 0.0]
    assert d2(jets).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_order_rotation_and_padding_do_not_matter(name: str) -> None:
    function, jets = FUNCTIONS[name], random_jets(1, 40, 9)
    expected = function(jets)
    shuffled = jets[:, np.random.default_rng(2).permutation(9)]
    np.testing.assert_allclose(function(shuffled), expected, rtol=1e-11)
    for angle in (0.5, math.pi, 3.0, 20.0):
        turned = jets.copy()
        turned[..., 1] = np.mod(turned[..., 1] + angle + math.pi, 2 * math.pi) - math.pi
        np.testing.assert_allclose(function(turned), expected, rtol=1e-9)
    far = jets + np.where(np.arange(9) % 2, 6 * math.pi, 0.0)[None, :, None] * np.array([0.0, 1.0, 0.0])
    np.testing.assert_allclose(function(far), expected, rtol=1e-9)
    padded = np.concatenate([jets, np.zeros((40, 4, 3))], axis=1)
    np.testing.assert_allclose(function(padded), expected, rtol=1e-12)
    padded[:, 9:] = np.nan
    mask = np.arange(13) < 9
    for kind in (bool, np.int64, np.float32):
        given = np.broadcast_to(mask, (40, 13)).astype(kind)
        np.testing.assert_allclose(function(padded, given), expected, rtol=1e-12)


def test_blocks_do_not_matter_and_bound_the_memory() -> None:
    jets = random_jets(3, 20_000, 30)
    tracemalloc.start()
    values = efps(jets)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6  # one array of all pairs alone is 144 MB
    for i in (0, 71, 72, 73, 19_999):
        np.testing.assert_allclose(values[i], efps(jets[i : i + 1])[0], rtol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_torch_is_numpy(name: str, dtype: torch.dtype) -> None:
    tensor = torch.from_numpy(random_jets(4, 100, 30)).to(dtype)
    mask = torch.rand(100, 30, generator=torch.Generator().manual_seed(0)) < 0.7
    given = FUNCTIONS[name](tensor, mask)
    expected = FUNCTIONS[name](tensor.numpy(), mask.numpy())
    assert isinstance(given, torch.Tensor)
    assert given.dtype == dtype
    assert torch.from_numpy(expected).dtype == dtype
    np.testing.assert_allclose(given.numpy(), expected, rtol=1e-10 if dtype == torch.float64 else 1e-4)
    np.testing.assert_array_equal(FUNCTIONS[name](tensor, mask.numpy()).numpy(), given.numpy())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_are_right(name: str) -> None:
    tensor = torch.from_numpy(random_jets(5, 2, 4)).requires_grad_()
    assert torch.autograd.gradcheck(FUNCTIONS[name], (tensor,))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_are_finite_for_coincident_particles_and_padding(name: str) -> None:
    jets = random_jets(6, 5, 6)
    jets[0, 3] = jets[0, 1]
    jets[1, :, :2] = 0.1
    jets[2, 1:] = 0.0
    jets[3] = 0.0
    jets[4, :2, :2] = [[0.0, 0.0], [0.0, math.pi]]
    tensor = torch.from_numpy(jets).requires_grad_()
    values = FUNCTIONS[name](tensor)
    values.sum().backward()
    assert tensor.grad is not None
    assert bool(torch.isfinite(tensor.grad).all())
    np.testing.assert_allclose(values.detach().numpy(), FUNCTIONS[name](jets), rtol=1e-10, atol=1e-12)


def test_jet_features_are_those_of_the_summed_momentum() -> None:
    jets = random_jets(7, 50, 12)
    jets[..., 0] += 1.5
    eta, phi, pt = np.moveaxis(jets, 2, 0)
    e, px, py, pz = ((pt * f).sum(1) for f in (np.cosh(eta), np.cos(phi), np.sin(phi), np.sinh(eta)))
    features = jet_features(jets)
    np.testing.assert_allclose(features["mass"], np.sqrt(e**2 - px**2 - py**2 - pz**2), rtol=1e-10)
    np.testing.assert_allclose(features["pt"], np.hypot(px, py), rtol=1e-12)
    np.testing.assert_allclose(features["eta"], np.arcsinh(pz / np.hypot(px, py)), rtol=1e-12)
    assert features["multiplicity"].tolist() == [12.0] * 50


def test_mass_of_a_light_jet_keeps_its_digits_in_float32() -> None:
    jet = np.array([[[2.0, 1.0, 700.0], [2.001, 1.002, 300.0]]])
    expected = math.sqrt(2 * 700 * 300 * (math.cosh(0.001) - math.cos(0.002)))
    assert jet_features(jet)["mass"][0] == pytest.approx(expected, rel=1e-7)
    shifted = jet - np.array([2.0, 1.0, 0.0])
    assert jet_features(shifted.astype(np.float32))["mass"][0] == pytest.approx(expected, rel=1e-5)


def test_d2_of_simple_jets() -> None:
    height = math.sqrt(3) / 2
    equilateral = np.array([[0.0, 0.0, 1.0], [0.2, 0.0, 1.0], [0.1, 0.2 * height, 1.0]])
    two_places = np.array([[0.0, 0.0, 1.0], [0.2, 0.0, 2.0], [0.2, 0.0, 3.0]])
    one_place = np.array([[0.1, 0.1, 1.0]] * 3)
    assert d2(np.stack([equilateral, two_places, one_place])) == pytest.approx([1.0, 0.0, 0.0], abs=1e-12)
    for scale in (3.0, 1e-8):
        scaled = (equilateral * [scale, scale, 100.0]).astype(np.float32)
        assert d2(scaled[None])[0] == pytest.approx(1.0, rel=1e-5)


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(np.float64, (3, 4, 3), elements=st.floats(-3.0, 3.0, width=32)))
def test_efps_of_any_jets_agree_with_brute_force(jets: np.ndarray) -> None:
    jets[..., 2] = np.abs(jets[..., 2])
    some = [1, 5, 9, 10, 15, 16, 17, 19, 20]
    expected = np.array([[brute_force(jet, EDGES[i]) for i in some] for jet in jets])
    np.testing.assert_allclose(efps(jets)[:, some], expected, rtol=1e-9, atol=1e-280)


@pytest.mark.parametrize("function", [efps, d2, jet_features])
@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
def test_broken_inputs_are_told(function: Function, kind: Function) -> None:
    good = random_jets()
    for shape in ((7, 5), (7, 5, 2), (0, 5, 3), (7, 0, 3)):
        with pytest.raises(FacsimError, match=r"columns eta, phi, pT, not \("):
            function(kind(np.zeros(shape)))
    for value in (np.nan, np.inf):
        bad = good.copy()
        bad[3, 2, 1] = value
        with pytest.raises(FacsimError, match="jet 3 of 7 holds a number that is not finite"):
            function(kind(bad))
    with pytest.raises(FacsimError, match=r"has shape \(7, 5\), not \(7, 4\)"):
        function(kind(good), kind(np.ones((7, 4))))
    with pytest.raises(FacsimError, match="1 for particles and 0 for padding"):
        function(kind(good), kind(np.full((7, 5), 0.5)))


def test_negative_pt_is_refused_where_it_means_nothing() -> None:
    jets = random_jets()
    jets[2, 1, 2] = -0.1
    assert np.isfinite(efps(jets)).all()
    with pytest.raises(FacsimError, match="jet 2 of 7 holds a negative pT"):
        d2(jets)


def test_the_input_is_left_as_it_was() -> None:
    jets, mask = random_jets(8), np.ones((7, 5))
    mask[:, 3:] = 0
    before = jets.copy()
    for function in FUNCTIONS.values():
        function(jets, mask)
        function(jets)
    np.testing.assert_array_equal(jets, before)


def test_integers_and_further_columns_are_taken() -> None:
    jets = np.array([[[0, 0, 2, 9], [3, 4, 1, 9]]])
    values = efps(jets)
    assert values.dtype == np.float64
    assert values[0, 1] == pytest.approx(2 * 2 * math.hypot(3, 2 * math.pi - 4))
    assert efps(torch.from_numpy(jets)).dtype == torch.float64
