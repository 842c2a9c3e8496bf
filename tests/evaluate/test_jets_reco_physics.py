"""Response of jets in closed form, what bins and errors are, and the scorecard of a surrogate that smears too much."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.events import Events, make_events
from facsim.core.rng import generator
from facsim.core.schema import Feature, Schema, given_conditions
from facsim.core.sources import MemorySource
from facsim.evaluate.jets_reco_physics import JetsRecoPhysics, girth
from facsim.evaluate.jets_response import ETA, PT, bin_edges, binned_response, jet_pairs, response_errors
from facsim.evaluate.physics_judge import PhysicsJudge
from facsim.evaluate.scorecard import ScorecardOptions
from facsim.evaluate.tasks import find_physics

FEATURES = (Feature("etarel"), Feature("phirel", "rad"), Feature("ptrel"))
SCALARS = (Feature(PT, "GeV"), Feature(ETA))
SCHEMA = Schema("cloud", FEATURES, (*SCALARS, *given_conditions(5, FEATURES, "gen")), points=6, given=5)


def jets(n: int, seed: int, width: float = 0.1, mean: float = 0.9) -> Events:
    """Jets whose particles' pT are all scaled by one Gaussian number, of which the softest is lost at times."""
    rng = generator(seed, "reco-toys")
    pt, eta = rng.uniform(50, 500, n), rng.uniform(-2, 2, n)
    size = np.sort(rng.dirichlet(np.ones(5), n), axis=1)[:, ::-1]
    gen = np.concatenate([rng.normal(0, 0.15, (n, 5, 2)), size[..., None]], -1)
    x = np.pad(gen * np.array([1, 1, 0]), ((0, 0), (0, 1), (0, 0)))
    x[:, :5, 2] = size * (mean + width * rng.standard_normal((n, 1)))
    mask = np.arange(6) < np.where(rng.random(n) < 0.3, 4, 5)[:, None]
    cond = np.column_stack([pt, eta, gen.reshape(n, -1)])
    return make_events(SCHEMA, (x * mask[..., None]).astype(np.float32), cond, mask=mask)


def test_pairs_are_the_jets_before_and_after() -> None:
    gen = [[0.1, 0.0, 0.6], [-0.1, 0.2, 0.4], [0, 0, 0]]
    cond = np.array([[100.0, 1.0, *np.ravel(gen)]])
    schema = replace(SCHEMA, conditions=(*SCALARS, *given_conditions(3, FEATURES, "gen")), given=3)
    x = np.array([[[0.0, 0.3, 0.5], [0.0, -0.3, 0.5], [0.4, 0.4, 7.0]]], dtype=np.float32)
    events = make_events(schema, x, cond, mask=np.array([[True, True, False]]))
    pairs = jet_pairs(events)
    assert pairs.multiplicity.tolist() == [2]
    assert pairs.gen_multiplicity.tolist() == [2]
    assert pairs.response("pt")[0] == pytest.approx(np.cos(0.3), rel=1e-6)
    assert pairs.mass[0] == pytest.approx(100 * np.sin(0.3), rel=1e-6)  # E = 1, p = cos 0.3 of unit pT
    gen_mass = 100 * np.sqrt(2 * 0.6 * 0.4 * (np.cosh(0.2) - np.cos(0.2)))
    assert pairs.gen_mass[0] == pytest.approx(gen_mass, rel=1e-6)
    assert (pairs.d_eta[0], pairs.d_phi[0]) == pytest.approx((0, 0), abs=1e-7)


def test_responses_are_those_that_went_in() -> None:
    events = jets(4000, 1)
    events = events[events.mask.sum(1) == 5]  # type: ignore[union-attr]
    found = binned_response(jet_pairs(events), "pt", PT, np.array([-np.inf, 250, np.inf]), 1)
    size = jet_pairs(replace(events, x=np.pad(SCHEMA.given_points(events.cond), ((0, 0), (0, 1), (0, 0)))))
    ratio = size.response("pt").mean()  # the vector sum is a little less than 1
    np.testing.assert_allclose(found.mean / ratio, 0.9, atol=4 * found.mean_error.max())
    np.testing.assert_allclose(found.width / ratio, 0.1, atol=4 * found.width_error.max())
    assert (found.width_error > 0).all()


def test_differences_of_responses_are_seen_and_stand_in_errors() -> None:
    truth = jet_pairs(jets(3000, 1))
    same = response_errors(truth, jet_pairs(jets(3000, 2)), 1)
    wide = response_errors(truth, jet_pairs(jets(3000, 3, width=0.12)), 1)
    assert len(same) == 12
    for against in ("all", PT, ETA):
        number = same[f"pt_response_width/{against}"]
        assert number.value < 4.5 * number.error
        assert "in truth" in number.note
    off = wide["pt_response_width/all"]
    assert off.value == pytest.approx(0.2, abs=4 * off.error)
    assert wide["pt_response_mean/all"].value < 0.01


def test_bins_hold_as_many_jets_each() -> None:
    pairs = jet_pairs(jets(1000, 1))
    edges = bin_edges(pairs, ETA)
    counts = np.bincount(np.digitize(pairs.against(ETA), edges) - 1)
    assert len(counts) == 4
    assert counts.max() - counts.min() <= 2


def test_quantities_are_finite_for_lost_jets_and_follow_their_definitions() -> None:
    physics = find_physics("jets-reco")
    assert isinstance(physics, JetsRecoPhysics)
    events = jets(60, 4)
    assert events.mask is not None
    empty = replace(events, x=events.x * 0, mask=events.mask & False)
    for sample in (events, empty):
        physics.check(sample)
        values = physics.observe(sample)
        assert values.shape == (60, len(physics.quantities))
        assert np.isfinite(values).all()
    assert not physics.observe(empty).any()
    assert physics.conditions(events.cond).shape == (60, 6)
    assert girth(np.array([[[0.3, 0.4, 2.0], [0, 0, 2.0]]]))[0] == pytest.approx(0.25)
    hardest = physics.pixels(events).reshape(60, -1, 3)[..., 2]
    assert (np.diff(hardest, axis=1) <= 0).all()
    with pytest.raises(FacsimError, match="take no event weights"):
        physics.check(replace(events, weight=np.ones(60)))
    with pytest.raises(FacsimError, match="0 given points"):
        physics.check(replace(events, schema=replace(SCHEMA, given=0)))


@pytest.mark.slow
def test_a_scorecard_tells_a_wrong_detector() -> None:
    options = ScorecardOptions(energy_bins=2, most=300)
    truth = [MemorySource(jets(600, seed)) for seed in (1, 2)]
    judge = PhysicsJudge(JetsRecoPhysics(), *truth, seed=1, options=options)
    card, hists = judge.judge("wide", MemorySource(jets(600, 3, width=0.15)))
    scores = {(s.name, s.region): s for s in card.scores}
    assert scores["pt_response_width/all", "all"].value == pytest.approx(0.5, abs=0.2)
    assert {item["name"] for item in hists["curves"]} >= {"response/pt/gen_pt", "resolution/mass/gen_eta"}
