"""One contract for every baseline: what `fit` and `sample` promise, on a regular and on a ragged cylinder."""

from __future__ import annotations

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.events import make_events
from facsim.core.geometry import CylinderGeometry
from facsim.core.schema import Feature, Schema, calorimeter_schema
from facsim.core.sources import MemorySource
from facsim.physics.geometries import GEOMETRIES
from facsim.simulate.baseline import ShowerBaseline
from facsim.simulate.baselines import BASELINES, Baseline, find_baseline
from facsim.simulate.gflash import GFlash

REGULAR = GEOMETRIES["ds2-electrons"]
SHOWERS = [name for name, kind in BASELINES.items() if issubclass(kind, ShowerBaseline)]
OF_CELLS = [name for name in BASELINES if name != "jet-smearing"]
"""That one is of reconstructed jets and has tests of its own."""
CASES = ("ds2-electrons", "ds1-photons")


def truth(geometry: CylinderGeometry, n: int, seed: int, response: float = 0.9) -> MemorySource:
    """Showers of the parametrisation with a known calibration, ids from 1000."""
    rng = np.random.default_rng(seed)
    energy = np.exp(rng.uniform(np.log(2e3), np.log(5e4), n))
    schema = calorimeter_schema(geometry)
    x = GFlash.calibrated(schema, response, 0.15).sample(energy[:, None], rng).x
    return MemorySource(make_events(schema, x, energy[:, None], first_id=1000))


@pytest.fixture(scope="module", params=CASES)
def train(request: pytest.FixtureRequest) -> MemorySource:
    return truth(GEOMETRIES[request.param], 150, seed=3)


@pytest.fixture(scope="module", params=OF_CELLS)
def fitted(request: pytest.FixtureRequest, train: MemorySource) -> Baseline:
    return BASELINES[request.param].fit(train, seed=5)


def test_showers_have_the_promised_shape_type_and_threshold(fitted: Baseline, train: MemorySource) -> None:
    geometry = train.schema.geometry
    assert geometry is not None
    showers = fitted.sample(train.read(0, 7).cond, np.random.default_rng(1))
    assert showers.x.shape == (7, geometry.n_cells, 1)
    assert showers.x.dtype == np.float32
    assert np.all(np.isfinite(showers.x))
    assert np.all((showers.x == 0) | (showers.x >= np.float32(geometry.threshold)))
    assert showers.x.any(axis=(1, 2)).all()
    assert fitted.sample(train.read(0, 0).cond, np.random.default_rng(1)).x.shape == (0, geometry.n_cells, 1)


def test_same_seeds_same_showers_other_seeds_others(fitted: Baseline, train: MemorySource) -> None:
    cond = train.read(0, 20).cond
    again = type(fitted).fit(train, seed=5)
    first = fitted.sample(cond, np.random.default_rng(1))
    assert np.array_equal(first.x, again.sample(cond, np.random.default_rng(1)).x)
    assert not np.array_equal(first.x, fitted.sample(cond, np.random.default_rng(2)).x)


@pytest.mark.parametrize("energy", [3e3, 3e4])
def test_the_energy_asked_for_is_the_energy_given(fitted: Baseline, train: MemorySource, energy: float) -> None:
    events = train.read(0, len(train))
    truth_ratio = events.cells.sum(axis=1) / events.cond[:, 0]
    near = np.abs(np.log(events.cond[:, 0] / energy)) < 0.4
    ratio = fitted.sample(np.full((150, 1), energy), np.random.default_rng(4)).x.sum(axis=(1, 2)) / energy
    error = np.hypot(truth_ratio[near].std() / np.sqrt(near.sum()), 1.5 * ratio.std() / np.sqrt(len(ratio)))
    assert abs(ratio.mean() - truth_ratio[near].mean()) < 4 * error + 0.02 * truth_ratio.mean()


def test_group_ids_name_training_events_exactly_when_truth_is_resampled(fitted: Baseline, train: MemorySource) -> None:
    showers = fitted.sample(train.read(0, 30).cond, np.random.default_rng(1))
    assert (showers.group_id is not None) == fitted.resamples_truth
    if showers.group_id is not None:
        assert showers.group_id.dtype == np.int64
        assert set(showers.group_id.tolist()) <= set(train.read(0, len(train)).event_id.tolist())


def test_memory_is_counted(fitted: Baseline, train: MemorySource) -> None:
    hits = int(np.count_nonzero(train.read(0, len(train)).x))
    assert (fitted.memory_bytes >= 8 * hits) == fitted.resamples_truth


@pytest.mark.parametrize("name", BASELINES)
def test_the_table_names_each_class_by_its_name(name: str) -> None:
    assert find_baseline(name).name == name


def test_unknown_baseline_and_option() -> None:
    with pytest.raises(FacsimError, match=r"unknown baseline 'closest'.*library"):
        find_baseline("closest")
    with pytest.raises(FacsimError, match=r"no option \['neighbours'\].*nearest"):
        BASELINES["library"].fit(truth(REGULAR, 3, 1), seed=1, neighbours=3)


@pytest.mark.parametrize("name", OF_CELLS)
def test_conditions_that_make_no_sense(name: str) -> None:
    baseline = BASELINES[name].fit(truth(REGULAR, 40, 1), seed=1)
    wrong = [(np.ones((3, 2)), r"shape \(N, 1\)"), (np.array([[np.nan]]), "finite")]
    if name in SHOWERS:
        wrong.append((np.array([[0.0]]), "positive and finite"))
    for cond, message in wrong:
        with pytest.raises(FacsimError, match=message):
            baseline.sample(cond, np.random.default_rng(1))


@pytest.mark.parametrize("name", SHOWERS)
def test_events_that_are_no_showers(name: str) -> None:
    table = Schema("table", (Feature("pt", "MeV"),), (Feature("incident_energy", "MeV"),))
    events = make_events(table, np.ones((2, 1)), np.ones((2, 1)))
    with pytest.raises(FacsimError, match="needs showers in cells"):
        BASELINES[name].fit(MemorySource(events), seed=1)
    nameless = calorimeter_schema(REGULAR, (Feature("energy", "MeV"),))
    with pytest.raises(FacsimError, match="needs the condition 'incident_energy'"):
        BASELINES[name].fit(MemorySource(make_events(nameless, np.ones((2, 6480, 1)), np.ones((2, 1)))), seed=1)
    with pytest.raises(FacsimError, match="there are none"):
        BASELINES[name].fit(MemorySource(truth(REGULAR, 2, 1).read(0, 0)), seed=1)
