"""Validity counts: each defect is counted exactly, in whatever batches the sample is read."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.events import make_events
from facsim.core.geometry import regular_cylinder
from facsim.core.schema import Schema, calorimeter_schema
from facsim.core.sources import MemorySource
from facsim.evaluate import validity as module
from facsim.evaluate.validity import validity

GEOMETRY = regular_cylinder("small", "electron", 3, 4, 2, 5.0, 0.5)
COUNTS = (
    "cells_not_finite",
    "negative_cells",
    "cells_below_threshold",
    "showers_not_finite",
    "empty_showers",
    "response_outside",
    "cell_above_incident",
    "exact_duplicates",
)


def showers(n: int = 50, seed: int = 1) -> np.ndarray:
    """E_tot / E_inc between 0.8 and 1.0 at 1 GeV."""
    rng = np.random.default_rng(seed)
    cells = 1.0 + rng.random((n, GEOMETRY.n_cells))
    cells *= np.linspace(800, 1000, n)[:, None] / cells.sum(axis=1, keepdims=True)
    return cells.astype(np.float32)


def source(cells: np.ndarray) -> MemorySource:
    return MemorySource(make_events(calorimeter_schema(GEOMETRY), cells[:, :, None], np.full((len(cells), 1), 1e3)))


def broken() -> tuple[np.ndarray, dict[str, Any]]:
    cells = showers()
    cells[0, 0], cells[1, 3], cells[1, 4] = np.nan, np.inf, -np.inf
    cells[2, 5] = -1
    cells[30, :4] = 0.4
    cells[4] = 0
    cells[5] = 0
    cells[6] *= 2
    cells[7] *= 0.5
    cells[8, 0] = 1001
    cells[10] = cells[11] = cells[12]
    expected = dict(zip(COUNTS, (3, 1, 4, 2, 2, 3, 1, 2), strict=True))
    return cells, expected


@pytest.mark.parametrize("megabytes", [32.0, 1e-3])
def test_every_defect_is_counted(megabytes: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_MB", megabytes)
    cells, expected = broken()
    found = validity(source(cells), source(showers(seed=2)))
    assert {name: found[name] for name in COUNTS} == expected
    assert found["valid"] is False
    assert found["showers"] == 50
    assert found["cells"] == 50 * GEOMETRY.n_cells
    json.dumps(found, allow_nan=False)


def test_sound_showers_have_nothing_to_count() -> None:
    found = validity(source(showers(seed=3)), source(showers(seed=2)))
    assert {found[name] for name in COUNTS} == {0}
    assert found["valid"] is True
    low, high = found["response"]["allowed"]
    assert found["response"]["range"] == [pytest.approx(0.8, abs=1e-4), pytest.approx(1.0, abs=1e-4)]
    assert (low, high) == (pytest.approx(0.72, abs=1e-3), pytest.approx(1.1, abs=1e-3))


def test_incident_energies_that_truth_does_not_have_are_told() -> None:
    events = source(showers()).read(0, 50)
    events.cond[:3, 0] = (999, 1001, 5000)
    events.x[:3] *= events.cond[:3, :, None] / 1e3
    assert validity(MemorySource(events), source(showers(seed=2)))["incident_outside"] == 3


def test_cells_at_the_threshold_are_hits_whatever_the_float() -> None:
    cells = showers()
    cells[:, 0] = np.nextafter(np.float32(0.5), np.float32(0))
    assert validity(source(cells), source(showers(seed=2)))["cells_below_threshold"] == 0


def test_a_sample_without_any_energy_is_still_told() -> None:
    found = validity(source(np.zeros((4, GEOMETRY.n_cells), np.float32)), source(showers()))
    assert found["empty_showers"] == 4
    assert found["exact_duplicates"] == 0
    assert found["response"]["range"] is None
    json.dumps(found, allow_nan=False)


def test_what_cannot_be_judged_is_refused() -> None:
    table = MemorySource(make_events(Schema("table", ()), np.zeros((2, 3)), np.zeros((2, 0))))
    with pytest.raises(FacsimError, match="the generated sample holds none"):
        validity(table, source(showers()))
    with pytest.raises(FacsimError, match="the reference sample holds none"):
        validity(source(showers()), source(showers()[:0]))
    other = regular_cylinder("other", "electron", 2, 4, 2, 5.0, 0.5)
    cells = make_events(calorimeter_schema(other), np.ones((2, other.n_cells, 1)), np.full((2, 1), 1e3))
    with pytest.raises(FacsimError, match="16 cells, the reference 24"):
        validity(MemorySource(cells), source(showers()))
