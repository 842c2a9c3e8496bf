"""Physics of RICH tracks: known shifts are found where they are, truth is as truth, with and without sWeights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.events import Events, make_events
from facsim.core.schema import Feature
from facsim.core.sources import MemorySource
from facsim.evaluate.physics_judge import PhysicsJudge
from facsim.evaluate.rich_physics import RichPhysics
from facsim.evaluate.rich_samples import of_events
from facsim.evaluate.scorecard import ScorecardOptions
from facsim.evaluate.tasks import find_physics
from facsim.metrics.auc import value_auc
from facsim.report.histograms import read_uhi
from facsim.simulate.rich import RichSimulation

N = 5000
K = 2
"""Column of RichDLLk."""


def draw(seed: int, **settings: Any) -> Events:
    simulation = RichSimulation(**{"events": 1, "species": ("k", "pi"), **settings})
    drawn = simulation.generate(N, np.random.default_rng(seed))
    x = drawn.x.astype(np.float32)
    return make_events(simulation.schema_of(), x, drawn.cond, seed * N, weight=drawn.weight, target=drawn.target)


@pytest.fixture(scope="module")
def truth() -> tuple[Events, Events]:
    return draw(1), draw(2)


@pytest.fixture(scope="module")
def weighted() -> tuple[Events, Events]:
    return draw(3, background=0.4), draw(4, background=0.4)


def moved(events: Events, where: np.ndarray, by: float) -> Events:
    x = events.x.copy()
    x[where, K] += by
    return replace(events, x=x)


def test_the_task_has_its_physics() -> None:
    assert isinstance(find_physics("rich"), RichPhysics)


@pytest.mark.parametrize("name", ["truth", "weighted"])
def test_truth_against_truth_is_within_errors(name: str, request: pytest.FixtureRequest) -> None:
    a, b = request.getfixturevalue(name)
    found = RichPhysics().measures(a, b, 1)
    assert {"efficiency_error/k/RichDLLk>5", "misidentification_error/pi/RichDLLk>5", "separation_error/k-pi"} <= set(
        found
    )
    for key, number in found.items():
        # the largest of five bins
        assert np.isfinite([number.value, number.error]).all()
        if "chi2" not in key:
            assert number.value < 3.7 * number.error, key
    assert found["separation_chi2/k-pi"].value < 1 + 4 * found["separation_chi2/k-pi"].error


def test_efficiencies_are_those_of_the_species(truth: tuple[Events, Events]) -> None:
    a, b = truth
    pions = b.condition("is_pi") > 0.5
    off = RichPhysics().measures(a, moved(b, pions, 12.0), 1)
    assert off["misidentification_error/pi/RichDLLk>5"].value > 5 * off["misidentification_error/pi/RichDLLk>5"].error
    same = RichPhysics().measures(a, b, 1)
    assert off["efficiency_error/k/RichDLLk>5"] == same["efficiency_error/k/RichDLLk>5"]
    assert off["separation_error/k-pi"].value > same["separation_error/k-pi"].value
    few = RichPhysics().measures(a, b[:40], 1)
    assert not any(key.startswith("efficiency_error") for key in few)


def test_shares_of_equal_values(truth: tuple[Events, Events]) -> None:
    a, b = truth
    share = np.mean(a.x[:, K] == a.x[:, 3])
    assert 0.2 < share < 0.6
    smeared = moved(b, np.arange(N), 0.5)
    found = RichPhysics().measures(a, smeared, 1)["share_error/k=p"]
    assert found.value == pytest.approx(share, abs=5e-3)
    assert found.value > 20 * found.error


def test_sweights_give_the_efficiency_of_the_signal(weighted: tuple[Events, Events]) -> None:
    """Signal alone, by its known truth, agrees with the weighted sample; the sample without weights does not."""
    a, b = weighted
    assert a.weight is not None
    assert b.target is not None
    assert a.weight.min() < 0
    pure = replace(b, weight=b.target[:, 0])
    bare = replace(b, weight=np.ones(N))
    found = [RichPhysics().measures(a, other, 1)["efficiency_error/k/RichDLLk>5"] for other in (pure, bare)]
    assert found[0].value < 3.7 * found[0].error
    assert found[1].value > 5 * found[1].error


def test_curves_and_maps_hold_their_numbers(truth: tuple[Events, Events]) -> None:
    a, b = truth
    samples = {"reference": a, "null": b, "generated": moved(b, b.condition("is_k") > 0.5, -8.0)}
    curves = {curve.name: curve for curve in RichPhysics().curves(samples)}
    x, y, error = map(np.asarray, curves["efficiency/k/RichDLLk>5"].series["reference"])
    kaons = of_events(a).of("k")
    third = (kaons.momentum >= 10e3) & (kaons.momentum < 20e3)
    assert y[2] == pytest.approx(np.mean(kaons.dll("k")[third] > 5))
    assert x.shape == y.shape == error.shape
    wrong = np.asarray(curves["misidentification/pi/RichDLLk>5"].series["reference"][1])
    assert np.nanmax(wrong[:4]) < 0.2 < np.nanmin(y[1:4])
    edges, density, _ = map(np.asarray, curves["spectrum/k/RichDLLk"].series["null"])
    assert 0.97 < np.sum(density * np.diff(edges)) <= 1
    efficiency, rate, _ = map(np.asarray, curves["rejection/k-pi"].series["reference"])
    assert efficiency == pytest.approx(np.linspace(0.02, 0.98, 25), abs=0.01)
    assert (np.diff(rate[np.isfinite(rate)]) >= 0).all()
    maps = {image.name: image.images for image in RichPhysics().images(samples)}
    worse = np.asarray(maps["separation/k-pi/difference"]["generated"])
    assert np.nanmean(worse) < -0.01
    assert abs(np.nanmean(np.asarray(maps["separation/k-pi/difference"]["null"]))) < 0.01
    tracks = [of_events(events).of("pi") for events in (a, b)]
    assert value_auc(tracks[0].dll("k"), tracks[1].dll("k")).value == pytest.approx(0.5, abs=0.05)


def test_one_species_that_is_not_told() -> None:
    a, b = draw(5, species=("k",)), draw(6, species=("k",))
    found = RichPhysics().measures(a, b, 1)
    assert {"efficiency_error/any/RichDLLk>5", "share_error/k=p"} <= set(found)
    assert not any(key.startswith("separation") for key in found)
    assert RichPhysics().images({"reference": a, "null": b}) == []
    assert len(RichPhysics().curves({"reference": a})) == 3 + 5


@pytest.mark.parametrize("name", ["truth", "weighted"])
def test_the_scorecard(name: str, request: pytest.FixtureRequest) -> None:
    a, b = request.getfixturevalue(name)
    judge = PhysicsJudge(
        RichPhysics(), MemorySource(a), MemorySource(b), seed=1, options=ScorecardOptions(energy_bins=2, most=1500)
    )
    fresh = draw(7, background=0.0 if name == "truth" else 0.4)
    smeared = moved(fresh, np.arange(N), 0.3)  # no value is exactly another's any more
    card, histograms = judge.judge("smeared", MemorySource(smeared))
    scores = {(score.name, score.region): score for score in card.scores}
    auc = scores["auc_high", "all"]
    assert abs(auc.null - 0.5) < 3.5 * auc.null_error
    assert auc.z > 5
    assert scores["share_error/k=p", "all"].z > 10
    if name == "truth":
        assert scores["auc_cells27", "all"].value > auc.value - 0.05
        assert scores["auc_cells27_chi2", "all"].null < 4
    control = card.controls["auc_high/all"]
    assert control["distortion"] == "DLLs x 1.15"
    item = histograms["items"][0]
    filled = read_uhi(item["reference"])
    total = N if a.weight is None else a.weight.sum()
    assert filled.total == pytest.approx(total, rel=1e-6)
    assert filled.variances.sum() <= (N if a.weight is None else np.sum(a.weight**2)) * (1 + 1e-9)
    assert {curve["name"] for curve in histograms["curves"]} >= {"rejection/k-pi", "efficiency/k/RichDLLk>5"}


def test_events_of_another_kind_are_refused(truth: tuple[Events, Events]) -> None:
    a, _ = truth
    schema = a.schema
    less = replace(a, schema=replace(schema, features=schema.features[:4]), x=a.x[:, :4])
    with pytest.raises(FacsimError, match=r"RICH tracks are a table with the columns .*RichDLLbt"):
        RichPhysics().check(less)
    turned = (schema.conditions[1], schema.conditions[0], *schema.conditions[2:])
    with pytest.raises(FacsimError, match=r"P \(first\)"):
        RichPhysics().check(replace(a, schema=replace(schema, conditions=turned)))
    renamed = (*schema.conditions[:2], Feature("multiplicity"), *schema.conditions[3:])
    with pytest.raises(FacsimError, match="nSPDHits"):
        RichPhysics().check(replace(a, schema=replace(schema, conditions=renamed)))
    with pytest.raises(FacsimError, match="must be positive"):
        RichPhysics().conditions(np.zeros((1, 3)))
