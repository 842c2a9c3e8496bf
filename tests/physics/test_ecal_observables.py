"""Observables of shower images: hand-made showers, mirror images, gradients, the published definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.core.image import regular_image
from facsim.core.schema import Feature, Schema
from facsim.physics.ecal_observables import (
    ALPHAS,
    PUBLIC_NAME,
    Frame,
    Incidence,
    asymmetries,
    axis_depth,
    barycentre,
    cells_above,
    response,
    shower_frame,
    sparsity,
    steered,
    widths,
)

CELLS = regular_image("cells", (-15, 15, 30), (-15, 15, 30), units=("cells", "cells"))
CONDITIONS = tuple(Feature(name) for name in ("px", "py", "pz", "x", "y"))
SCHEMA = Schema("grid", (Feature("energy", "MeV"),), CONDITIONS, CELLS)


def frame(px: float, py: float, x: float = 0.0, y: float = 0.0, depth: float = 25.0) -> Frame:
    return shower_frame(Incidence(np.array([[px, py, 10.0]]), np.array([[x, y]])), CELLS, depth)


def random_showers(n: int, seed: int) -> tuple[np.ndarray, Incidence]:
    rng = np.random.default_rng(seed)
    momentum = np.column_stack([rng.uniform(-3, 3, (n, 2)), np.full(n, 10.0)])
    return rng.gamma(0.1, 1.0, (n, 900)), Incidence(momentum, rng.uniform(-5, 5, (n, 2)))


def blob(x: float, y: float, along: float, across: float, angle: float) -> np.ndarray:
    """A Gaussian of two widths whose longer axis lies at an angle, (1, 900)."""
    u, v = CELLS.x - x, CELLS.y - y
    a, b = u * np.cos(angle) + v * np.sin(angle), v * np.cos(angle) - u * np.sin(angle)
    return np.exp(-0.5 * ((a / along) ** 2 + (b / across) ** 2))[None]


@pytest.mark.parametrize(("px", "py"), [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0), (2.0, -1.5), (0.0, 0.0)])
def test_energy_ahead_is_positive_for_every_direction(px: float, py: float) -> None:
    size = np.hypot(px, py)
    d = np.array([px, py]) / size if size else np.array([1.0, 0.0])
    place = frame(px, py, depth=0.0)
    for shift, expected in ((5 * d, (1, 0)), (-5 * d, (-1, 0)), (5 * np.array([-d[1], d[0]]), (0, 1))):
        cells = blob(*shift, 1.2, 1.2, 0.0)
        assert asymmetries(cells, place)[0] == pytest.approx(expected, abs=0.08)
        assert barycentre(cells, place)[0] == pytest.approx(5 * np.array(expected), abs=0.05)


def test_the_axis_is_where_the_momentum_leads() -> None:
    place = frame(2.0, -1.0, x=1.0, y=0.5)
    assert asymmetries(blob(1 + 25 * 0.2, 0.5 - 25 * 0.1, 1.0, 1.0, 0.0), place)[0] == pytest.approx([0, 0], abs=0.05)


@pytest.mark.parametrize("angle", [0.0, 0.3, np.pi / 4, np.pi / 2, 2.0, np.pi])
def test_widths_are_those_of_the_axes_whatever_the_direction(angle: float) -> None:
    place = frame(np.cos(angle), np.sin(angle), depth=0.0)
    # Of a Gaussian: samples at the centres of cells have its own variance to rounding.
    assert widths(blob(0.3, -0.2, 3.0, 1.5, angle), place)[0] == pytest.approx([3.0, 1.5], rel=2e-3)


def test_mirror_images() -> None:
    cells, (momentum, point) = random_showers(20, 1)
    images = cells.reshape(-1, 30, 30)
    flip = np.array([1.0, -1.0])
    other = images[:, ::-1].reshape(-1, 900)
    mirrored = Incidence(momentum * np.append(flip, 1), point * flip)
    a, b = shower_frame(Incidence(momentum, point), CELLS), shower_frame(mirrored, CELLS)
    np.testing.assert_allclose(asymmetries(cells, a) * flip, asymmetries(other, b), atol=1e-12)
    np.testing.assert_allclose(widths(cells, a), widths(other, b), atol=1e-9)
    turned = Incidence(momentum * [-1, -1, 1], -point)
    c = shower_frame(turned, CELLS)
    np.testing.assert_allclose(
        asymmetries(cells, a), asymmetries(images[:, ::-1, ::-1].reshape(-1, 900), c), atol=1e-12
    )


def published(image: np.ndarray, p: np.ndarray, point: np.ndarray, across: bool) -> float:
    """The published asymmetry, from its description: side of the line above, signs by py."""
    cx, cy = point + 25 * p[:2] / p[2]
    up, down = 0.0, 0.0
    for i in range(30):
        for j in range(30):
            x, y = j - 14.5, i - 14.5
            slope = p[1] / p[0] if across else -p[0] / p[1]
            above = y > cy + slope * (x - cx)
            up, down = (up + image[i, j], down) if above else (up, down + image[i, j])
    sign = 1.0 if across or p[1] > 0 else -1.0
    return sign * (up - down) / image.sum()


def test_asymmetries_are_the_published_ones() -> None:
    cells, (momentum, point) = random_showers(12, 2)
    found = asymmetries(cells, shower_frame(Incidence(momentum, point), CELLS, 25.0))
    for k, image in enumerate(cells.reshape(-1, 30, 30)):
        assert found[k, 0] == pytest.approx(published(image, momentum[k], point[k], False))
        assert found[k, 1] * np.sign(momentum[k, 0]) == pytest.approx(published(image, momentum[k], point[k], True))


def test_depths_of_the_axis() -> None:
    assert axis_depth(regular_image(PUBLIC_NAME, (-303, 303, 30), (-303, 303, 30))) == pytest.approx(505)
    assert axis_depth(regular_image("own", (-303, 303, 30), (-303, 303, 30))) == 150


def test_sparsity_response_and_counts() -> None:
    cells = np.zeros((2, 900))
    cells[0, :3] = [98.9, 1.0, 0.1]
    found = sparsity(cells, [1e-4, 5e-3, 0.5, 1.0])
    np.testing.assert_allclose(found[0] * 900, [3, 2, 1, 0])
    assert not found[1].any()
    assert np.all(np.diff(sparsity(random_showers(3, 1)[0]), axis=1) <= 0)
    assert len(ALPHAS) == 50
    np.testing.assert_allclose(response(cells, np.array([200.0, 100.0])), [0.5, 0.0])
    assert cells_above(cells, 1.0).tolist() == [2, 0]


@given(st.floats(1e-3, 1e6))
def test_the_scale_of_the_energy_does_not_matter(scale: float) -> None:
    cells, where = random_showers(3, 3)
    place = shower_frame(where, CELLS)
    np.testing.assert_allclose(widths(cells, place), widths(cells * scale, place), rtol=1e-9)
    np.testing.assert_allclose(asymmetries(cells, place), asymmetries(cells * scale, place), atol=1e-12)


def test_torch_gives_the_same_and_has_gradients() -> None:
    cells, where = random_showers(8, 4)
    cells[0] = 0.0
    cells[1] = np.eye(900)[450]
    cond = np.concatenate([*where], axis=1)
    cond[2, :2] = 0.0
    expected = steered(cells, cond, SCHEMA)
    tensor = torch.tensor(cells, requires_grad=True)
    found = steered(tensor, torch.tensor(cond), SCHEMA)
    np.testing.assert_allclose(found.detach().numpy(), expected, atol=1e-12)
    found.sum().backward()
    assert tensor.grad is not None
    assert torch.isfinite(tensor.grad).all()
    assert (tensor.grad[3].abs() > 0).all()
    ones = torch.ones((1, 900), dtype=torch.float64, requires_grad=True)
    one = torch.tensor(cond[5:6])
    assert torch.autograd.gradcheck(lambda x: steered(x, one, SCHEMA), (ones,))


def test_other_conditions_are_refused() -> None:
    with pytest.raises(FacsimError, match="no condition 'px'"):
        steered(np.ones((1, 900)), np.ones((1, 1)), Schema("grid", (Feature("energy"),), (Feature("p"),), CELLS))
    with pytest.raises(FacsimError, match="image of cells"):
        steered(np.ones((1, 900)), np.ones((1, 5)), Schema("table", (Feature("energy"),), CONDITIONS))
