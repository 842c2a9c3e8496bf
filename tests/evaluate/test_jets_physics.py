"""Physics of jets: kinds apart, JetNet's protocol beside the strict one, known defects found, truth is as truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.events import Events, make_events
from facsim.core.schema import Feature, Schema
from facsim.core.sources import MemorySource
from facsim.evaluate.jets_physics import JetsPhysics
from facsim.evaluate.physics_judge import PhysicsJudge
from facsim.evaluate.scorecard import Scorecard, ScorecardOptions
from facsim.evaluate.tasks import find_physics
from facsim.metrics.protocols import JETNET, STRICT
from facsim.physics.jet_schema import jet_schema, kinds_of

N, POINTS = 500, 12
KINDS = ("g", "t")


def draw(seed: int, width: float = 1.0, kinds: tuple[str, ...] = KINDS, points: int = POINTS) -> Events:
    """Jets with falling momenta; those of the second kind are wider and have more particles."""
    rng = np.random.default_rng(seed)
    second = np.arange(N) % 2 == len(kinds) - 1
    count = rng.integers(3, np.where(second, POINTS + 1, 8))
    mask = np.arange(points) < count[:, None]
    pt = np.where(mask, rng.exponential(size=(N, points)), 0)
    pt = -np.sort(-pt / pt.sum(axis=1, keepdims=True), axis=1)
    spread = width * np.where(second, 0.25, 0.1)
    angles = rng.normal(size=(N, points, 2)) * spread[:, None, None] * mask[:, :, None]
    cond = [rng.uniform(800, 1600, N), rng.normal(size=N)]
    cond += [1.0 * ~second, 1.0 * second] if len(kinds) > 1 else []
    x = np.concatenate([angles, pt[:, :, None]], axis=2).astype(np.float32)
    return make_events(jet_schema(kinds, points), x, np.column_stack(cond), seed * N, mask=mask)


@pytest.fixture(scope="module")
def judge() -> PhysicsJudge:
    options = ScorecardOptions(energy_bins=2, most=120, network=60)
    return PhysicsJudge(JetsPhysics(), MemorySource(draw(1)), MemorySource(draw(2)), seed=1, options=options)


@pytest.fixture(scope="module")
def card(judge: PhysicsJudge) -> Scorecard:
    """Of jets whose kind t is 30 % too wide, padded to more points than truth."""
    events, wide = draw(3, points=POINTS + 3), draw(3, width=1.3, points=POINTS + 3)
    second = events.condition("is_t") > 0.5
    x = np.where(second[:, None, None], wide.x, events.x)
    return judge.judge("surrogate", MemorySource(replace(events, x=x)))[0]


def test_the_task_has_its_physics() -> None:
    assert isinstance(find_physics("jets"), JetsPhysics)


def test_the_kind_with_the_defect_is_named(card: Scorecard) -> None:
    for name, protocol in (
        ("w1p/eta", STRICT),
        ("w1efp", STRICT),
        ("w1m", JETNET),
        ("w1/mass", STRICT),
        ("w1p", JETNET),
    ):
        good, bad = card.score(name, "g", protocol), card.score(name, "t", protocol)
        assert bad.value - bad.null > 4 * np.hypot(bad.error, bad.null_error), name
        assert good.value - good.null < 4 * np.hypot(good.error, good.null_error), name
    assert card.score("fpd", "t", STRICT).z > 4
    assert card.score("w1m/multiple", "t").value > 2
    assert card.score("w1p/multiple", "g").value == pytest.approx(1, abs=0.6)
    assert "not compute" in card.score("fpd", "all", JETNET).status


def test_classifiers_have_their_controls(card: Scorecard, judge: PhysicsJudge) -> None:
    for name in ("auc_high", "auc_cells", "auc_network"):
        score = card.score(name)
        assert 0 < score.value < 1
        assert score.null == pytest.approx(0.5, abs=0.2)
    assert set(card.controls) >= {"auc_high/all", "auc_cells/all", "auc_network/all"}
    assert card.score("auc_high").value > 0.56
    assert {s.region for s in card.scores if s.name == "auc_high"} == {"all", "E1", "E2", "worst"}
    assert card.binned["condition"] == "pt"
    assert judge.headline(MemorySource(draw(3))).auc == pytest.approx(0.5, abs=0.12)


def test_curves_are_densities_and_pictures_hold_the_momentum() -> None:
    physics, samples = JetsPhysics(), {"reference": draw(1), "null": draw(2), "generated": draw(3, width=1.3)}
    curves = {curve.name: curve for curve in physics.curves(samples)}
    assert {"mass/g", "mass/t", "particle_pt/g", "particle_eta/t", "tau21/t", "d2/t", "multiplicity/t"} <= set(curves)
    for role, (edges, heights, errors) in curves["mass/t"].series.items():
        assert np.sum(np.asarray(heights) * np.diff(np.asarray(edges))) == pytest.approx(1, abs=0.1), role
        assert errors is not None
    heights = {role: np.asarray(y) for role, (_, y, _) in curves["multiplicity/g"].series.items()}
    count = np.sum(draw(1).x[::2, :, 2] > 0, axis=1)
    assert heights["reference"] == pytest.approx(np.bincount(count)[3:] / (N / 2))
    by_rank = np.asarray(curves["pt_by_rank/t"].series["null"][1])
    first = draw(2).x[1::2]
    assert by_rank[0] == pytest.approx(first[:, 0, 2].mean(), rel=1e-5)
    images = {image.name: image for image in physics.images({**samples, "generated": draw(3, width=2.0)})}
    total = np.sum(images["jet_image/g"].images["reference"])
    assert 0.98 < total <= 1.0001
    pulls = {role: np.asarray(x) for role, x in images["jet_image_pulls/t"].images.items()}
    squares = {role: np.mean(pull[pulls["null"] != 0] ** 2) for role, pull in pulls.items()}
    assert squares["null"] < 1.5
    assert squares["generated"] > 1.25 * squares["null"]


def test_single_jets_are_those_of_the_sample() -> None:
    events = draw(1)
    (_, display) = JetsPhysics().displays({"reference": events, "generated": draw(3)})
    assert set(display.events) == {"reference", "generated"}
    second = events.x[1::2]
    for points in display.to_dict()["events"]["reference"]:
        assert any(np.allclose(second[k, : len(points)], points, atol=1e-3) for k in range(len(second)))
    assert all("GeV" in head for head in display.heads["reference"])


def test_jets_of_one_kind_and_without_conditions() -> None:
    events = draw(1, kinds=("g",))
    assert kinds_of(events.schema) == ()
    named = replace(events.schema, provenance={"settings": {"kinds": ["g"]}})
    assert kinds_of(named) == ("g",)
    assert kinds_of(draw(1).schema) == KINDS
    bare = Schema("cloud", events.schema.features, (), points=POINTS)
    samples = [replace(draw(k, kinds=("g",)), schema=bare, cond=np.zeros((N, 0))) for k in (1, 2, 3)]
    judge = PhysicsJudge(
        JetsPhysics(), *map(MemorySource, samples[:2]), seed=1, options=ScorecardOptions(energy_bins=2, most=60)
    )
    card, histograms = judge.judge("surrogate", MemorySource(samples[2]))
    assert card.binned == {}
    assert {s.region for s in card.scores} == {"all"}
    assert [curve["x_label"] for curve in histograms["curves"] if curve["name"] == "mass"] == [r"$m / p_T$"]


def test_the_known_defect_makes_jets_heavier() -> None:
    physics, events = JetsPhysics(), draw(1)
    mass = [physics.jets(one).features["mass"] for one in (events, physics.distorted(events))]
    assert mass[1] == pytest.approx(1.05 * mass[0], rel=0.02)
    assert np.array_equal(physics.distorted(events).x[:, :, 2], events.x[:, :, 2])


def test_what_is_no_jet_is_refused() -> None:
    events = draw(1)
    with pytest.raises(FacsimError, match="no event weights"):
        JetsPhysics().check(replace(events, weight=np.ones(N)))
    other = replace(events.schema, features=(Feature("x"), Feature("y"), Feature("e")))
    with pytest.raises(FacsimError, match="etarel"):
        JetsPhysics().check(replace(events, schema=other))
