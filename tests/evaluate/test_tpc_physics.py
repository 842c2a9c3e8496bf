"""The physics of TPC responses, with the digitiser as truth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.events import Events, make_events
from facsim.core.schema import Feature, Schema
from facsim.core.sources import MemorySource
from facsim.evaluate.physics_judge import PhysicsJudge
from facsim.evaluate.scorecard import ScorecardOptions
from facsim.evaluate.tasks import find_physics
from facsim.evaluate.tpc_physics import TPCPhysics, tpc_conditions
from facsim.physics.tpc_window import tpc_schema
from facsim.simulate.tpc import TPCSimulation


def truth(n: int, seed: int, first: int = 0, **values: Any) -> Events:
    drawn = TPCSimulation(events=1, **values).generate(n, np.random.default_rng(seed))
    return make_events(tpc_schema(), drawn.x, drawn.cond, first)


@pytest.fixture(scope="module")
def samples() -> tuple[Events, Events]:
    return truth(3000, 1), truth(3000, 2, 10_000)


def test_it_is_the_physics_of_its_task() -> None:
    assert isinstance(find_physics("tpc"), TPCPhysics)


def test_measures_of_truth_against_truth(samples: tuple[Events, Events]) -> None:
    found = TPCPhysics().measures(*samples, seed=1)
    assert {"occupancy", "profile_mean/var_time", "profile_width/cov", "profile_chi2/log_sum"} <= set(found)
    for name, number in found.items():
        assert np.isfinite([number.value, number.error]).all(), name
        assert number.error > 0
    chi2 = [number.value for name, number in found.items() if name.startswith("profile_chi2")]
    assert np.mean(chi2) == pytest.approx(1, abs=0.25)
    assert found["profile_mean/var_pad"].value < 0.03
    assert found["occupancy"].value < 0.02


def test_measures_see_a_defect(samples: tuple[Events, Events]) -> None:
    a, b = samples
    image = b.x.reshape(-1, 8, 16)
    wider = 0.8 * image + 0.2 * np.roll(image, 1, axis=2)
    bad = replace(b, x=wider.reshape(b.x.shape).astype(np.float32))
    good, found = TPCPhysics().measures(a, b, 1), TPCPhysics().measures(a, bad, 1)
    for name in ("profile_mean/var_time", "profile_chi2/var_time", "profile_mean/mean_time", "occupancy"):
        assert found[name].value > good[name].value + 5 * good[name].error, name
    # The pads are as they were.
    assert found["profile_mean/mean_pad"].value == pytest.approx(good["profile_mean/mean_pad"].value, rel=1e-3)


def test_profiles_only_against_what_varies() -> None:
    fixed = {"drift_length": (100.0, 100.0), "pad_coordinate": (30.2, 30.2), "pt": (0.5, 0.5), "dip_angle": (5.0, 5.0)}
    a, b = truth(400, 1, **fixed), truth(400, 2, **fixed)
    found = TPCPhysics().measures(a, b, 1)
    assert "crossing angle" in found["profile_mean/cov"].note.replace("_", " ")


def test_curves_and_images(samples: tuple[Events, Events]) -> None:
    a, b = samples
    roles = {"reference": a, "null": b, "generated": replace(b, x=b.x[::-1].copy())}
    physics = TPCPhysics()
    curves, images = physics.curves(roles), physics.images(roles)
    names = [curve.name for curve in curves] + [image.name for image in images]
    assert len(set(names)) == len(names)
    assert {"sum_spectrum", "mean_var_pad_drift_length", "width_log_sum_pt", "mean_response", "response_0.5"} <= set(
        names
    )
    for curve in curves:
        assert set(curve.series) == set(roles)
        curve.to_dict()
        for x, y, error in curve.series.values():
            assert len(np.asarray(x)) == len(np.asarray(y)) + curve.steps
            assert error is not None
    spectrum = next(curve for curve in curves if curve.name == "sum_spectrum")
    np.testing.assert_allclose([np.sum(y) for _, y, _ in spectrum.series.values()], 1)
    means = next(curve for curve in curves if curve.name == "mean_var_pad_drift_length").series["reference"]
    assert np.asarray(means[1])[-1] > np.asarray(means[1])[0]
    assert all(np.asarray(each).shape == (8, 16) for image in images for each in image.images.values())


def test_single_responses_need_equal_conditions(samples: tuple[Events, Events]) -> None:
    a, b = samples
    names = [image.name for image in TPCPhysics().images({"reference": a, "null": b, "generated": a})]
    assert names == ["mean_response", "occupancy"]


def test_conditions_for_classifiers() -> None:
    cond = np.array([[20.0, -60.0, 155.25, 30.75, 27, 10.0]])
    np.testing.assert_allclose(tpc_conditions(cond), [[1, -1, 155.25 / 310, 0.25, 0.75, 1, 1]])
    assert tpc_conditions(cond[:, :2]).shape == (1, 2)


def test_other_events_are_refused() -> None:
    schema = Schema("table", (Feature("a"),))
    with pytest.raises(FacsimError, match="no TPC responses"):
        TPCPhysics().check(make_events(schema, np.zeros((3, 1)), np.zeros((3, 0))))


@pytest.mark.slow
def test_a_scorecard(samples: tuple[Events, Events]) -> None:
    a, b = (MemorySource(each[np.arange(500)]) for each in samples)
    judge = PhysicsJudge(TPCPhysics(), a, b, seed=3, options=ScorecardOptions(energy_bins=1, most=500))
    simulation = TPCSimulation(events=1, digitiser={"effects": {"gain_map": 0.4, "gain": "gem"}})
    cond = b.read(0, 500).cond
    bad = make_events(tpc_schema(), simulation.respond(cond, np.random.default_rng(6)), cond, 50_000)
    card, hists = judge.judge("bad", MemorySource(bad))
    scores = {(score.name, score.region): score for score in card.scores}
    assert scores["auc_cells", "all"].value > 0.7
    assert abs(scores["auc_cells", "all"].null - 0.5) < 0.12
    assert scores["profile_width/mean_pad", "all"].z > 3
    assert {curve["name"] for curve in hists["curves"]} >= {"cell_spectrum", "mean_cov_dip_angle"}
