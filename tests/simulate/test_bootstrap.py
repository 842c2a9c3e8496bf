"""The bootstrap returns training events, unrotated, with their ratio of visible to incident energy."""

from __future__ import annotations

import numpy as np

from facsim.core.events import make_events
from facsim.core.geometry import regular_cylinder
from facsim.core.schema import calorimeter_schema
from facsim.core.sources import MemorySource
from facsim.simulate.bootstrap import Bootstrap

GEOMETRY = regular_cylinder("small", "electron", 3, 4, 2, 5.0, 0.0)


def test_showers_are_training_events_times_the_energy_ratio() -> None:
    rng = np.random.default_rng(1)
    x = rng.exponential(5.0, (50, GEOMETRY.n_cells, 1)).astype(np.float32)
    energy = np.geomspace(1e3, 1e5, 50)
    train = MemorySource(make_events(calorimeter_schema(GEOMETRY), x, energy[:, None]))
    wanted = rng.uniform(1e3, 1e5, 300)
    showers = Bootstrap.fit(train, seed=1).sample(wanted[:, None], np.random.default_rng(2))
    assert showers.group_id is not None
    source = showers.group_id
    np.testing.assert_allclose(showers.x, x[source] * (wanted / energy[source])[:, None, None], rtol=1e-6)
    ratio = showers.x.sum(axis=(1, 2)) / wanted
    np.testing.assert_allclose(ratio, x[source].sum(axis=(1, 2)) / energy[source], rtol=1e-5)
    assert len(np.unique(source)) < len(source)
