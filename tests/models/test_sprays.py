"""Sprays: something more in each event, inside the image, around the beam, of the size asked for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facsim.core.image import ImageGeometry, regular_image
from facsim.models.sprays import LEVELS, Sprays

ROWS, COLUMNS = 24, 20
BARREL = regular_image("barrel", (-math.pi, math.pi, ROWS), (-2.5, 2.5, COLUMNS), units=("rad", ""))
FLAT = regular_image("flat", (0.0, 5.0, ROWS), (0.0, 4.0, COLUMNS))


def sprays(geometry: ImageGeometry = BARREL, seen: tuple[float, ...] = (1.0,), **ranges: Any) -> Sprays:
    return Sprays(geometry, seen, *({"hits": (5, 40), "width": (0.5, 2), "energy": (0.5, 2), **ranges}.values()))


def made(of: Sprays, n: int, seed: int = 1) -> torch.Tensor:
    """Sprays on nothing, (n, rows, columns, C)."""
    empty = torch.zeros(n, ROWS * COLUMNS, len(of.seen))
    return of(empty, torch.Generator().manual_seed(seed)).reshape(n, ROWS, COLUMNS, -1)


@given(
    st.integers(0, 2**31), st.sampled_from([BARREL, FLAT]), st.floats(0.5, 30), st.floats(1, 10), st.floats(0.05, 20)
)
def test_energy_is_only_added_and_never_of_more_hits_than_asked_for(
    seed: int, geometry: ImageGeometry, hits: float, more: float, width: float
) -> None:
    of = sprays(geometry, (1.0, 0.5), hits=(hits, hits * more), width=(width, width), energy=(1.0, 1.0))
    x = torch.rand(4, ROWS * COLUMNS, 2, generator=torch.Generator().manual_seed(seed))
    found = of(x, torch.Generator().manual_seed(seed)) - x
    assert torch.isfinite(found).all()
    assert float(found.min()) > -1e-5
    assert float(found.sum(1).max()) <= math.ceil(hits * more) * (1 + 1e-4)


def test_every_hit_of_a_narrow_spray_is_there() -> None:
    """With energies of one the sum is the number of hits, uniform in its logarithm."""
    number = made(sprays(hits=(5, 40), width=(0.1, 0.1), energy=(1, 1)), 4000).sum((1, 2, 3))
    assert float(number.min()) == 6
    assert float(number.max()) == 40
    assert torch.equal(number, number.round())
    # rounded up, half a hit above the logarithmic mean
    assert float(number.mean()) == pytest.approx(35 / math.log(8) + 0.5, abs=4 * float(number.std()) / 4000**0.5)


def test_channels_see_their_share_and_hits_may_differ() -> None:
    found = made(sprays(seen=(1.0, 0.25, 0.0), width=(0.1, 0.1), energy=(1, 1)), 2000).sum((0, 1, 2))
    assert float(found[1] / found[0]) == pytest.approx(0.25, abs=0.02)
    assert float(found[2]) == 0


def test_the_axis_of_a_full_turn_wraps_around_and_the_other_loses_hits() -> None:
    """Every centre of the turn is as likely, and a spray over the seam is on both sides of it."""
    of = sprays(hits=(400, 400), width=(0.6, 0.6), energy=(1, 1))
    found = made(of, 3000).sum(3)
    share = found.sum((0, 2)) / found.sum()
    assert share.numpy() == pytest.approx(1 / ROWS, rel=0.15)
    both = (found[:, 0].sum(1) > 0) & (found[:, -1].sum(1) > 0)
    assert float(both.float().mean()) > 0.2
    wave = torch.exp(1j * torch.arange(ROWS) * 2 * math.pi / ROWS)
    length = ((found.sum(2).to(wave) @ wave).abs() / found.sum((1, 2))).mean()
    assert float(length) == pytest.approx(math.exp(-0.5 * 0.6**2), abs=0.02)
    assert float(found.sum((1, 2)).max()) <= 400
    assert float(found.sum((1, 2)).mean()) < 398


def test_no_axis_of_another_length_wraps_around() -> None:
    found = made(sprays(FLAT, hits=(200, 200), width=(0.3, 0.3), energy=(1, 1)), 2000).sum(3)
    seams = (found[:, 0].sum(1) > 0) & (found[:, -1].sum(1) > 0)
    assert not seams.any()
    # centres lie in the inner seven tenths
    middle = (found.sum(2) @ torch.arange(ROWS).float()) / found.sum((1, 2))
    assert float(middle.min()) > 0.14 * ROWS - 1
    assert float(middle.max()) < 0.86 * ROWS


def test_energies_are_those_of_hit_cells_times_a_factor() -> None:
    rng = np.random.default_rng(1)
    x = torch.from_numpy(rng.choice([0.0, 2.0, 8.0], (50, ROWS * COLUMNS, 2), p=[0.9, 0.05, 0.05])).float()
    x[..., 1] *= 10
    of = sprays(seen=(1.0, 1.0), hits=(3, 3), width=(0.05, 0.05), energy=(1, 1))
    of.fit(x)
    assert of.values.shape == (2, LEVELS)
    assert set(of.values.flatten().tolist()) >= {2.0, 8.0, 20.0, 80.0}
    single = made(sprays_with(of, hits=(1, 1)), 3000).sum((1, 2))
    for channel, scale in ((0, 1), (1, 10)):
        values, counts = torch.unique(single[:, channel].round(decimals=3), return_counts=True)
        kept = counts > 30
        assert values[kept].tolist() == pytest.approx([2 * scale, 8 * scale])
    before = of.values.clone()
    of.fit(torch.zeros(5, ROWS * COLUMNS, 2))
    assert torch.equal(of.values, before)
    factor = made(sprays(hits=(1, 1), width=(0.05, 0.05), energy=(0.5, 2)), 4000).sum((1, 2, 3))
    assert 0.5 <= float(factor.min()) < 0.52
    assert 1.95 < float(factor.max()) <= 2.0001
    assert float(factor.log().mean()) == pytest.approx(0, abs=0.03)


def sprays_with(of: Sprays, **ranges: Any) -> Sprays:
    """The same energies with other ranges."""
    other = sprays(seen=of.seen, width=(0.05, 0.05), energy=(1, 1), **ranges)
    other.load_state_dict(of.state_dict())
    return other


def test_the_generator_decides() -> None:
    of, state = sprays(), torch.get_rng_state()
    assert torch.equal(made(of, 5, 1), made(of, 5, 1))
    assert not torch.equal(made(of, 5, 1), made(of, 5, 2))
    assert torch.equal(state, torch.get_rng_state())
    assert not torch.equal(*made(of, 2, 1))
