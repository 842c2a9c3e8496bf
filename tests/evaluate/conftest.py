"""Toy showers, and a judge of them, for the tests of this folder."""

from __future__ import annotations

import numpy as np
import pytest

from facsim.core.events import make_events
from facsim.core.geometry import regular_cylinder
from facsim.core.schema import calorimeter_schema
from facsim.core.sources import MemorySource
from facsim.evaluate.scorecard import Judge, ScorecardOptions

GEOMETRY = regular_cylinder("toy", "electron", n_layers=6, n_alpha=8, n_r=4, dr=5.0, threshold=0.1)


def _toy_showers(n: int, seed: int, first_id: int = 0, width: float = 6.0) -> MemorySource:
    """`n` showers of 1-50 GeV: gamma-shaped in depth, exponential in radius, each cell fluctuating."""
    rng = np.random.default_rng(seed)
    e_inc = np.exp(rng.uniform(np.log(1e3), np.log(5e4), n))
    start = rng.exponential(0.5, (n, 1))
    depth = np.clip(np.arange(6)[None, :] + 1 - start, 0.05, None)
    along = depth**2 * np.exp(-depth)
    mean = along[:, GEOMETRY.layer_index] * np.exp(-GEOMETRY.r / width)[None, :]
    cells = mean * rng.gamma(2.0, 0.5, mean.shape)
    cells *= (e_inc * rng.normal(0.95, 0.05, n) / cells.sum(axis=1))[:, None]
    cells[cells < GEOMETRY.threshold] = 0.0
    events = make_events(
        calorimeter_schema(GEOMETRY), cells[..., None].astype(np.float32), e_inc[:, None], first_id=first_id
    )
    return MemorySource(events)


def _changed(source: MemorySource, factor: float) -> MemorySource:
    """The same showers with every cell energy times `factor`."""
    events = source.read(0, len(source))
    return MemorySource(make_events(events.schema, (events.x * factor).astype(np.float32), events.cond, first_id=10**6))


@pytest.fixture(scope="session")
def toy_showers():
    """Factory of toy showers: `toy_showers(n, seed, first_id, width)`."""
    return _toy_showers


@pytest.fixture(scope="session")
def changed():
    """Factory of the same showers with every cell scaled: `changed(source, factor)`."""
    return _changed


@pytest.fixture(scope="session")
def judge():
    """Judge with 300 showers a truth sample and two bins of energy."""
    reference, null, train = _toy_showers(300, 1), _toy_showers(300, 2, 300), _toy_showers(500, 3, 600)
    return Judge(reference, null, train, seed=1, options=ScorecardOptions(energy_bins=2))
