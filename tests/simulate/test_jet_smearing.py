"""Smearing of jets by one number: it has the width that training jets had, and keeps angles."""

from __future__ import annotations

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.events import make_events
from facsim.core.rng import generator
from facsim.core.schema import Feature, Schema, given_conditions
from facsim.core.sources import MemorySource
from facsim.simulate.baselines import find_baseline

FEATURES = (Feature("etarel"), Feature("phirel", "rad"), Feature("ptrel"))
CONDITIONS = (Feature("gen_pt", "GeV"), Feature("gen_eta"), *given_conditions(4, FEATURES, "gen"))
SCHEMA = Schema("cloud", FEATURES, CONDITIONS, points=3, given=4)


def source(n: int = 4000) -> MemorySource:
    """Response 0.8 +- 0.05 below 100 GeV, 0.9 +- 0.1 above; particles in one direction, so that pT adds up."""
    rng = generator(1, "smearing")
    pt = rng.uniform(50, 150, n)
    size = np.sort(rng.dirichlet(np.ones(4), n), axis=1)[:, ::-1]
    gen = np.concatenate([np.tile([0.1, -0.2], (n, 4, 1)), size[..., None]], -1)
    scale = np.where(pt < 100, rng.normal(0.8, 0.05, n), rng.normal(0.9, 0.1, n))
    x = np.zeros((n, 3, 3), dtype=np.float32)
    x[:, 0, 2] = scale
    cond = np.column_stack([pt, np.zeros(n), gen.reshape(n, -1)])
    return MemorySource(make_events(SCHEMA, x, cond, mask=x[..., 2] > 0))


def test_response_is_that_of_training_in_bins_of_pt() -> None:
    train = source()
    baseline = find_baseline("jet-smearing").fit(train, seed=1, bins=2)
    cond = train.read(0, len(train)).cond
    made = baseline.sample(cond, generator(2, "made"))
    given = SCHEMA.given_points(cond)
    assert made.x.shape == (4000, 3, 3)
    assert made.mask is not None
    np.testing.assert_array_equal(made.x[made.mask][:, :2], np.float32([[0.1, -0.2]] * int(made.mask.sum())))
    scale = made.x[..., 0, 2] / given[:, 0, 2]
    np.testing.assert_allclose(made.x[..., 2], given[:, :3, 2] * scale[:, None], rtol=1e-5)
    low = cond[:, 0] < 99
    assert scale[low].mean() == pytest.approx(0.8, abs=0.01)
    assert scale[low].std() == pytest.approx(0.05, abs=0.005)
    assert scale[cond[:, 0] > 101].mean() == pytest.approx(0.9, abs=0.01)
    assert scale[cond[:, 0] > 101].std() == pytest.approx(0.1, abs=0.01)


def test_few_jets_and_wrong_events() -> None:
    few = source(15)
    baseline = find_baseline("jet-smearing").fit(few, seed=1)
    assert np.isfinite(baseline.sample(few.read(0, 15).cond, generator(1, "a")).x).all()
    with pytest.raises(FacsimError, match="finite conditions"):
        baseline.sample(np.full((2, 14), np.nan), generator(1, "a"))
    table = Schema("table", FEATURES, CONDITIONS[:2])
    with pytest.raises(FacsimError, match="0 given points"):
        find_baseline("jet-smearing").fit(MemorySource(make_events(table, np.ones((3, 3)), np.ones((3, 2)))), seed=1)
