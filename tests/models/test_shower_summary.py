"""Summaries of showers against closed forms and symmetries."""

from __future__ import annotations

import math

import pytest
import torch

from facsim.models.nets.padding import GridPadding
from facsim.models.nets.shower_summary import OCTAVES, ShowerSummary
from facsim.models.space import Space

REGULAR, RAGGED = ((8, 3),) * 5, ((1, 4), (8, 3), (4, 2), (8, 3))
THRESHOLD = 0.5


def summary_of(layers: tuple[tuple[int, int], ...]) -> ShowerSummary:
    cells = sum(a * r for a, r in layers)
    return ShowerSummary(GridPadding(Space("grid", (cells, 1), layers=layers)), THRESHOLD)


def showers(summary: ShowerSummary, padding: GridPadding, n: int = 20) -> torch.Tensor:
    rng = torch.Generator().manual_seed(1)
    flat = torch.rand(n, padding.n_cells, generator=rng)
    return padding.to_map(torch.where(flat < 0.5, 0.0, THRESHOLD * (1 + 100 * flat**8)))


@pytest.mark.parametrize("layers", [REGULAR, RAGGED], ids=["regular", "ragged"])
def test_a_turned_or_mirrored_shower_reads_the_same(layers: tuple[tuple[int, int], ...]) -> None:
    padding, summary = GridPadding(Space("grid", (sum(a * r for a, r in layers), 1), layers=layers)), summary_of(layers)
    cells = showers(summary, padding)
    found = summary(cells)
    assert found.shape == (20, summary.n_features)
    turned = padding.turned(cells, torch.Generator().manual_seed(3))
    assert not torch.equal(turned, cells)
    torch.testing.assert_close(summary(turned), found, rtol=1e-4, atol=1e-4)


def test_one_cell_in_closed_form() -> None:
    summary = summary_of(REGULAR)
    cells = torch.zeros(1, 5, 8, 3)
    cells[0, 2, 3, 1] = 6 * THRESHOLD
    found = summary(cells)[0]
    energy, hits, radius, width, largest, participation = found[: 6 * 5].reshape(6, 5)[:, 2].tolist()
    assert (hits, radius, width, participation) == (1, 0.5, 0, 1)
    assert energy == largest == pytest.approx(math.log(7))
    spectrum = found[-2 - 3 * OCTAVES : -2].reshape(3, OCTAVES)
    assert spectrum.sum() == 1
    assert spectrum[1, 2] == 1  # 4 to 8 thresholds, middle third
    assert found[-2:].tolist() == [pytest.approx(math.log(7)), 1]


def test_an_empty_shower_is_finite() -> None:
    summary = summary_of(RAGGED)
    assert torch.isfinite(summary(torch.zeros(2, *summary.shape))).all()
