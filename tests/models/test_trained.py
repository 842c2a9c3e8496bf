"""A run's surrogate at conditions of one's own, in its training domain and outside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.core.schema import Feature, Schema, given_conditions
from facsim.core.store import write_json
from facsim.export.card import training_domain
from facsim.models.checkpoint import build_model, save_model
from facsim.models.shipped import load

SCHEMA = Schema("table", (Feature("a"), Feature("b")), (Feature("P", "MeV"), Feature("eta")))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "mine"
    model = build_model("single-stage", SCHEMA, {"method": "autoregressive"})
    save_model(model, "single-stage", folder / "models" / "surrogate")
    rng = generator(1, "conditions")
    eta = rng.uniform(2, 5, 5000)
    cond = np.column_stack([1000 * np.exp(eta + 0.2 * rng.standard_normal(5000)), eta])
    write_json(folder / "card.json", {"format": "facsim-card-1", "domain": training_domain(SCHEMA, cond)})
    return folder


INSIDE, OUTSIDE = [2e4, 3.0], [1.2e5, 2.5]


def test_events_and_what_is_done_outside(run: Path) -> None:
    sampler = load(run)
    events = sampler.events([INSIDE], seed=3)
    assert events.x.shape == (1, 2)
    np.testing.assert_array_equal(events.x, sampler.events([INSIDE], seed=3, outside="refuse").x)
    with pytest.warns(UserWarning, match="1 of 2 conditions lie outside of the training domain of the run 'mine'"):
        sampler.events([INSIDE, OUTSIDE])
    flagged = sampler.events([INSIDE, OUTSIDE], outside="flag")
    assert flagged.target is not None
    assert flagged.target.tolist() == [False, True]
    assert sampler.events([OUTSIDE], outside="ignore").target is None
    with pytest.raises(FacsimError, match="conditions lie outside"):
        sampler.events([OUTSIDE], outside="refuse")


def test_clouds_given_points_are_guarded_by_their_other_conditions(tmp_path: Path) -> None:
    columns = (Feature("a"), Feature("b"), Feature("size"))
    schema = Schema("cloud", columns, (Feature("pt", "GeV"), *given_conditions(9, columns, "g")), points=4, given=9)
    method = {"name": "flow-matching", "network": {"name": "epic", "width": 8, "depth": 1}}
    folder = tmp_path / "jets"
    save_model(build_model("single-stage", schema, {"method": method}), "single-stage", folder / "models" / "surrogate")
    rng = generator(2, "conditions")
    cond = np.column_stack([rng.uniform(20, 50, 500), rng.random((500, 27))])
    domain = training_domain(schema, cond)
    assert domain is not None
    assert domain["names"] == ["pt"]
    write_json(folder / "card.json", {"format": "facsim-card-1", "domain": domain})
    sampler = load(folder)
    far = np.array([[30.0, *[9.0] * 27], [60.0, *[0.5] * 27]])
    events = sampler.events(far, outside="flag")
    assert events.target is not None
    assert events.target.tolist() == [False, True]
    assert events.x.shape == (2, 4, 3)
    assert events.mask is not None
    assert not events.x[~events.mask].any()
    with pytest.raises(FacsimError, match=r"finite conditions \(N, 28\): \['pt', 'g0_a', 'g0_b', ... 'g8_size'"):
        sampler.events([[1.0]])


def test_broken_input_is_one_sentence(run: Path, tmp_path: Path) -> None:
    sampler = load(run)
    for bad in ([[np.nan, 3.0]], [[1.0]], [1.0, 2.0]):
        with pytest.raises(FacsimError, match=r"takes finite conditions \(N, 2\): \['P', 'eta'\]"):
            sampler.events(bad)
    sampler.domain = None
    with pytest.raises(FacsimError, match="has no card with its training domain: do its stage 'export'"):
        sampler.events([INSIDE])
    with pytest.raises(FacsimError, match="is no run directory with a trained surrogate"):
        load(str(tmp_path / "nothing"))
    assert training_domain(SCHEMA, np.zeros((3, 2))) is None
