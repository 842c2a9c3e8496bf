"""Batches of samplers become events: masks of clouds, weights, ids of the truth events behind copies."""

from __future__ import annotations

import numpy as np

from facsim.core.events import concatenate, make_events
from facsim.core.schema import Feature, Schema
from facsim.core.sources import MemorySource
from facsim.pipeline.sample import Target, batches
from facsim.simulate.neighbours import Nearest


def test_clouds_of_a_baseline_keep_their_points_and_truth_its_weights() -> None:
    rng = np.random.default_rng(1)
    cond, mask = rng.normal(size=(25, 2)), np.arange(4) < rng.integers(1, 5, (25, 1))
    schema = Schema("cloud", tuple(map(Feature, "xyz")), (Feature("a"), Feature("b")), points=4)
    x = rng.normal(size=(25, 4, 3)).astype(np.float32) * mask[..., None]
    train = MemorySource(make_events(schema, x, cond, 100, mask=mask))
    baseline = Nearest.fit(train, seed=1, nearest=1)
    weight = rng.normal(size=25)
    told: list[float] = []
    target = Target(cond, schema, batch_size=10, seed=1, weight=weight)
    made = concatenate(list(batches("nearest", baseline, target, lambda done, _note: told.append(done))))
    assert made.mask is not None
    assert made.weight is not None
    assert np.array_equal(made.x, x)
    assert np.array_equal(made.mask, mask)
    assert np.array_equal(made.weight, weight)
    assert np.array_equal(made.group_id, np.arange(100, 125))
    assert made.schema.points == 4
    assert told == [0.4, 0.8, 1.0]
