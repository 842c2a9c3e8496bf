"""Baselines on read-outs that are no cylinder: library and bootstrap hand out showers unturned, GFlash declines."""

from __future__ import annotations

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.events import Events, make_events
from facsim.core.schema import calorimeter_schema
from facsim.core.sources import MemorySource
from facsim.data.calogan import CALOGAN
from facsim.simulate.baselines import find_baseline


def showers(n: int = 30) -> Events:
    rng = np.random.default_rng(1)
    x = rng.exponential(5.0, (n, CALOGAN.n_cells, 1)) * (rng.random((n, CALOGAN.n_cells, 1)) < 0.2)
    return make_events(calorimeter_schema(CALOGAN), x.astype(np.float32), rng.uniform(1e3, 1e5, (n, 1)))


@pytest.mark.parametrize("name", ["library", "bootstrap"])
def test_showers_keep_their_cells(name: str) -> None:
    train = showers()
    baseline = find_baseline(name).fit(MemorySource(train), 1, nearest=3)
    cond = np.full((20, 1), 2e4)
    found = baseline.sample(cond, np.random.default_rng(2))
    assert found.group_id is not None
    source = train[found.group_id]
    factor = cond[:, 0] / source.cond[:, 0]
    np.testing.assert_allclose(found.x[:, :, 0], source.cells * factor[:, None], rtol=1e-5)


@pytest.mark.parametrize("name", ["gflash", "gflash-tuned"])
def test_gflash_needs_a_cylinder(name: str) -> None:
    with pytest.raises(FacsimError, match="needs showers on a cylinder, and the cells of these lie otherwise"):
        find_baseline(name).fit(MemorySource(showers()), 1)
