"""Physics of ECAL showers: truth agrees with truth, known defects are seen, plots hold what they say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.events import Events, make_events
from facsim.core.schema import Feature, Schema
from facsim.core.sources import MemorySource
from facsim.evaluate.ecal_physics import ECAL_QUANTITIES, ECALPhysics, incident
from facsim.evaluate.ecal_response import calorimetry, energy_edges
from facsim.evaluate.physics_judge import PhysicsJudge
from facsim.evaluate.scorecard import ScorecardOptions
from facsim.evaluate.tasks import find_physics
from facsim.simulate.ecal import ECALSimulation

NAMES = [quantity.name for quantity in ECAL_QUANTITIES]


def truth(n: int, seed: int, first: int = 0, **settings: Any) -> Events:
    simulation = ECALSimulation(events=1, energy={"log_uniform": [2, 50]}, **settings)
    drawn = simulation.generate(n, np.random.default_rng(seed))
    return make_events(simulation.schema_of(), drawn.x, drawn.cond, first)


@pytest.fixture(scope="module")
def samples() -> tuple[Events, Events]:
    return truth(1500, 1), truth(1500, 2, 10_000)


def test_quantities_are_finite_and_named(samples: tuple[Events, Events]) -> None:
    physics, a = ECALPhysics(), samples[0]
    assert isinstance(find_physics("ecal"), ECALPhysics)
    values = physics.observe(a)
    assert values.shape == (1500, len(NAMES))
    assert np.isfinite(values).all()
    empty = physics.observe(replace(a, x=np.zeros_like(a.x)))
    assert np.isfinite(empty).all()
    assert not empty[:, NAMES.index("response")].any()
    assert values[:, NAMES.index("response")].mean() == pytest.approx(0.993, abs=0.01)
    assert physics.observe(a[slice(0, 0)]).shape == (0, len(NAMES))
    # Most of the asymmetry along the slope and across it averages out.
    assert abs(values[:, NAMES.index("transverse_asymmetry")].mean()) < 0.05


def test_conditions_for_classifiers(samples: tuple[Events, Events]) -> None:
    cond = np.array([[3.0, 0.0, 4.0, 1.0, 2.0, 22.0]])
    np.testing.assert_allclose(ECALPhysics().conditions(cond), [[np.log10(5), 0.75, 0.0, 1.0, 2.0, 1.0]])
    assert ECALPhysics().conditions(cond[:, :5]).shape == (1, 5)
    np.testing.assert_allclose(incident(samples[0][slice(0, 3)]), 1e3 * np.linalg.norm(samples[0].cond[:3, :3], axis=1))


def test_truth_agrees_with_truth(samples: tuple[Events, Events]) -> None:
    a, b = (each[slice(0, 600)] for each in samples)
    found = ECALPhysics().measures(a, b, seed=1)
    assert {"sparsity", "linearity", "prd_auc", "prd_auc/physics", "prd_auc/images", "response/E1"} <= set(found)
    for name, number in found.items():
        assert np.isfinite([number.value, number.error]).all(), name
        if name.startswith(("response", "resolution")):
            assert abs(number.value - 1) < 4 * number.error + 1e-9, name
    assert found["prd_auc"].value == min(found["prd_auc/physics"].value, found["prd_auc/images"].value)
    assert found["prd_auc"].value > 0.85
    assert found["linearity"].value < 0.03


def test_defects_are_seen(samples: tuple[Events, Events]) -> None:
    a, b = (each[slice(0, 400)] for each in samples)
    good = ECALPhysics().measures(a, b, 1)
    scaled = ECALPhysics().measures(a, replace(b, x=b.x * np.float32(1.05)), 1)
    assert scaled["linearity"].value == pytest.approx(0.05, abs=0.03)
    assert scaled["response/E3"].value == pytest.approx(1.05 * good["response/E3"].value, rel=1e-6)
    assert scaled["resolution/E3"].value == pytest.approx(good["resolution/E3"].value, rel=1e-6)
    image = b.x.reshape(-1, 30, 30)
    smooth = (0.6 * image + 0.1 * sum(np.roll(image, s, axis) for s in (1, -1) for axis in (1, 2))).reshape(b.x.shape)
    found = ECALPhysics().measures(a, replace(b, x=smooth.astype(np.float32)), 1)
    assert found["sparsity"].value > good["sparsity"].value + 5 * good["sparsity"].error
    assert found["prd_auc"].value < good["prd_auc"].value - 0.05
    assert found["linearity"].value == pytest.approx(good["linearity"].value, rel=1e-3)


def test_response_and_resolution_of_known_numbers() -> None:
    rng = np.random.default_rng(1)
    energy = rng.uniform(1e3, 1e4, 60_000)
    measured = 0.9 * energy * (1 + 0.05 * rng.standard_normal(len(energy)))
    found = calorimetry(measured, energy, energy_edges(energy))
    assert found.count.sum() == len(energy)
    np.testing.assert_allclose(found.response, 0.9, atol=4 * found.response_error.max())
    np.testing.assert_allclose(found.resolution, 0.05, atol=4 * found.resolution_error.max())
    np.testing.assert_allclose(found.resolution_error, 0.05 / np.sqrt(2 * found.count), rtol=0.1)
    assert energy_edges(np.full(5, 10.0)).shape == (2,)
    assert np.isnan(calorimetry(measured[:5], energy[:5], energy_edges(energy[:5])).response).all()


def test_curves_and_images(samples: tuple[Events, Events]) -> None:
    a, b = samples
    roles = {"reference": a, "null": b, "generated": replace(b, x=b.x[::-1].copy())}
    physics = ECALPhysics()
    curves, images = physics.curves(roles), physics.images(roles)
    names = [each.name for each in (*curves, *images)]
    assert len(set(names)) == len(names)
    assert {"linearity", "resolution", "sparsity", "spectrum_longitudinal_asymmetry", "mean_shower"} <= set(names)
    for curve in curves:
        assert set(curve.series) == set(roles)
        curve.to_dict()
        for x, y, _ in curve.series.values():
            assert len(np.asarray(x)) == len(np.asarray(y)) + curve.steps
    spectrum = next(curve for curve in curves if curve.steps)
    np.testing.assert_allclose([np.sum(y) for _, y, _ in spectrum.series.values()], 1)
    assert len(images) == 4
    assert all(np.asarray(each).shape == (30, 30) for image in images for each in image.images.values())
    other = physics.images({"reference": a, "null": b, "generated": a})
    assert [image.name for image in other] == ["mean_shower"]


def test_other_events_are_refused() -> None:
    with pytest.raises(FacsimError, match="no ECAL showers"):
        ECALPhysics().check(make_events(Schema("table", (Feature("a"),)), np.zeros((3, 1)), np.zeros((3, 0))))


@pytest.mark.slow
def test_a_scorecard(samples: tuple[Events, Events]) -> None:
    a, b = (MemorySource(each[np.arange(400)]) for each in samples)
    judge = PhysicsJudge(ECALPhysics(), a, b, seed=3, options=ScorecardOptions(energy_bins=1, most=400))
    bad = truth(400, 5, 50_000, spots=0.1)
    card, hists = judge.judge("bad", MemorySource(bad))
    scores = {(score.name, score.region): score for score in card.scores}
    assert scores["auc_high", "all"].value > 0.9
    assert abs(scores["auc_high", "all"].null - 0.5) < 0.12
    assert scores["ks/longitudinal_asymmetry", "all"].value > 0
    assert {"prd_auc", "sparsity"} <= {name for name, _ in scores}
    assert {curve["name"] for curve in hists["curves"]} >= {"linearity", "sparsity"}
