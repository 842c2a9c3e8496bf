"""Scorecards: what they hold, what they see, and that nulls are truth's own."""

from __future__ import annotations

import json

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.events import make_events
from facsim.core.geometry import regular_cylinder
from facsim.core.schema import Schema, calorimeter_schema
from facsim.core.sources import MemorySource
from facsim.evaluate.files import score_files
from facsim.evaluate.scorecard import ScorecardOptions, scorecard
from facsim.metrics.score import Score
from facsim.physics.observables import OBSERVABLES


@pytest.fixture(scope="module")
def truth_card(judge, toy_showers):
    return judge.judge("truth", toy_showers(300, 9, 5000), kind="baseline")


@pytest.fixture(scope="module")
def wrong_card(judge, toy_showers):
    return judge.judge("wide", toy_showers(300, 10, 5000, width=8.0), kind="surrogate")


@pytest.fixture(scope="module")
def null_card(judge):
    """The card of the null sample itself."""
    return judge.judge("B", judge.null_source)


def test_truth_is_compatible_with_truth(truth_card):
    card, _ = truth_card
    z = np.array([s.z for s in card.scores if s.status in ("ok", "underpowered") and np.isfinite(s.z)])
    assert len(z) > 50
    assert np.abs(z).max() < 5
    assert card.score("memorisation").status == "ok"
    assert card.validity["valid"]


def test_a_wrong_radius_is_seen_by_every_kind_of_score(wrong_card):
    card, _ = wrong_card
    for name in ("auc_high", "auc_cells", "separation/width_r", "w1/ec_r", "fpd", "kpd"):
        assert card.score(name, protocol=None).z > 4, name
    assert card.score("auc_high").value > 0.9
    assert card.score("auc_high").status == "ok"


def test_a_score_has_all_that_is_needed_to_read_it(wrong_card):
    card, _ = wrong_card
    score = card.score("auc_high")
    assert (score.n_reference, score.n_generated, score.seed) == (300, 300, 1)
    assert score.protocol == "facsim-c2st-1"
    assert "Positive control" in score.note
    assert 0.3 < score.null < 0.7
    assert score.null_error > 0


def test_regions_are_the_bins_and_the_worst_of_them(wrong_card):
    card, _ = wrong_card
    names = {(s.name, s.region) for s in card.scores}
    for name in ("auc_high", "auc_cells", "fpd", "kpd", "separation/e_ratio", "w1/e_layer"):
        assert {(name, "all"), (name, "E1"), (name, "E2")} <= names
    values = [card.score("auc_high", region).value for region in ("E1", "E2")]
    assert card.score("auc_high", "worst").value == max(values)
    assert len(card.energy_bins) == 3
    assert card.score("fpd", "E1").n_reference == 150


def test_every_observable_is_scored(wrong_card):
    card, _ = wrong_card
    names = {s.name for s in card.scores}
    assert {f"{kind}/{name}" for kind in ("separation", "w1") for name in OBSERVABLES} <= names
    assert {"separation/cells", "correlation/e_layer"} <= names
    challenge = {s.name for s in card.scores if s.protocol == "calochallenge-2022"}
    assert "separation/e_layer" in challenge


def test_protocols_that_need_more_showers_say_so(wrong_card):
    card, _ = wrong_card
    score = card.score("fpd", protocol="jetnet-0.2.5")
    assert score.status == "not computed"
    assert "20000 showers" in score.note
    assert score.to_dict()["value"] is None


def test_nulls_are_the_same_for_all_generators(truth_card, wrong_card):
    nulls = [{(s.name, s.protocol, s.region): s.null for s in card.scores} for card, _ in (truth_card, wrong_card)]
    for key, value in nulls[0].items():
        if not key[0].startswith(("memor", "duplic")):
            assert value == nulls[1][key] or np.isnan(value)


def test_json_is_complete_and_reads_back(wrong_card):
    card, _ = wrong_card
    found = json.loads(json.dumps(card.to_dict(), allow_nan=False))
    assert found["format"] == "facsim-scorecard-1"
    assert found["kind"] == "surrogate"
    assert found["n"] == {"reference": 300, "generated": 300, "null": 300}
    assert len(Score.from_dict(found["scores"][0]).name) > 0
    widths = found["curves"]["layer_separation"]["width_r"]
    assert len(widths["value"]) == len(widths["layer"]) == len(widths["null"]) == 6
    assert set(found["controls"]["auc_high/all"]) == {"distortion", "value", "error", "seen"}


def test_the_null_sample_itself_scores_its_null(null_card):
    card, _ = null_card
    for score in card.scores:
        if not score.name.startswith(("memor", "duplic")) and np.isfinite(score.value):
            assert score.value == score.null, score


def test_an_unseen_control_makes_a_passing_score_underpowered(toy_showers):
    options = {"energy_bins": 1, "most": 60}
    card = scorecard(
        "few",
        toy_showers(90, 1),
        toy_showers(90, 3, 200),
        null=toy_showers(90, 2, 100),
        train=None,
        seed=1,
        options=options,
    )
    assert not card.controls["auc_high/all"]["seen"]
    assert card.score("auc_high").status == "underpowered"
    assert any("no memorisation check" in note for note in card.notes)
    assert (card.score("auc_high").n_reference, card.score("fpd").n_reference) == (60, 90)
    assert any("60 of 90" in note for note in card.notes)


def test_resampled_truth_at_other_energies_fails_and_is_told(judge):
    copies = judge.train_source.read(0, 500)
    high = copies[copies.condition("incident_energy") > 5e3]
    card, _ = judge.judge("library", MemorySource(high), kind="baseline", resamples_truth=True)
    assert card.score("memorisation").status == "failed"
    assert any("hands out truth" in note for note in card.notes)
    assert any("incident energies differ" in note for note in card.notes)


def test_two_files_need_no_configuration(toy_showers, changed):
    truth, generated = toy_showers(180, 1), changed(toy_showers(150, 2), 1.3)
    card, hists = score_files(truth, generated, seed=3, options=ScorecardOptions(energy_bins=1))
    assert card.n == {"reference": 90, "generated": 90, "null": 90}
    assert card.score("separation/e_ratio").value > 0.8
    assert "90 of 180 reference events" in card.notes[0]
    assert hists["name"] == "generated"


def test_bad_samples_are_named(judge, toy_showers):
    with pytest.raises(FacsimError, match="generated sample has 20 showers"):
        judge.judge("few", toy_showers(20, 1))
    with pytest.raises(FacsimError, match="two halves"):
        score_files(toy_showers(60, 1), toy_showers(60, 2), seed=1)
    other = regular_cylinder("other", "electron", 2, 4, 3, 5.0, 0.1)
    events = make_events(calorimeter_schema(other), np.ones((60, 24, 1)), np.full((60, 1), 1e3))
    with pytest.raises(FacsimError, match=r"192 cells \(toy\) and 24 cells \(other\)"):
        judge.judge("other", MemorySource(events))
    table = make_events(Schema("table", ()), np.ones((60, 2)), np.ones((60, 1)))
    with pytest.raises(FacsimError, match="holds a grid, 'generated' a table"):
        judge.judge("table", MemorySource(table))
    broken = toy_showers(60, 1).read(0, 60)
    broken.x[3, 5] = np.nan
    with pytest.raises(FacsimError, match="not a finite number"):
        judge.judge("nan", MemorySource(broken))
    with pytest.raises(FacsimError, match="unknown scorecard options"):
        scorecard("x", judge.reference_source, broken, null=judge.null_source, train=None, seed=1, options={"bins": 1})


def test_an_unknown_score_is_named(truth_card):
    with pytest.raises(FacsimError, match="no score 'beauty'"):
        truth_card[0].score("beauty")


def test_equivalent_size_says_how_many_truth_showers_a_sample_is_worth(truth_card, wrong_card):
    good, bad = (card.score("equivalent_size/e_layer") for card, _ in (truth_card, wrong_card))
    assert good.better == "higher"
    assert good.value > 75
    assert good.value > bad.value or bad.status == "capped"


def test_kernel_distance_has_a_p_value(truth_card, wrong_card):
    assert truth_card[0].score("kpd", protocol="strict").p_value > 0.01
    assert wrong_card[0].score("kpd", protocol="strict").p_value < 0.01


def test_showers_far_outside_are_counted_and_named(judge, toy_showers):
    events = toy_showers(300, 12, 5000).read(0, 300)
    x = events.x.copy()
    x[17] *= 0.001
    card, _ = judge.judge("one bad", MemorySource(make_events(events.schema, x, events.cond, first_id=5000)))
    assert card.validity["farthest_outside"][0] == 17
    assert card.validity["features_outside"] <= card.validity["reference"]["features_outside"] + 8


def test_weights_say_where_a_generator_fails(judge, toy_showers):
    """Showers of high incident energy lose a tenth of their energy: that is where the difference is."""
    events = toy_showers(300, 13, 5000).read(0, 300)
    high = events.cond[:, 0] > 15_000
    x = np.where(high[:, None, None], 0.85 * events.x, events.x)
    card, _ = judge.judge("low response", MemorySource(make_events(events.schema, x, events.cond, first_id=5000)))
    weights = card.weights
    assert weights["mean_weight"][0] == pytest.approx(1.0, abs=5 * weights["mean_weight"][1] + 0.2)
    gap = dict.fromkeys(("low", "high"), 0.0)
    for row in weights["regions"]:
        if row["observable"] == "e_inc":
            gap["high" if row["low"] > 14_000 else "low"] += row["gap"]
    assert gap["high"] > 3 * abs(gap["low"])
    json.dumps(weights, allow_nan=False)


def test_truth_given_as_generated_is_suspicious(null_card):
    card, _ = null_card
    assert card.validity["shared_with_truth"] == 300
    assert "300 showers are showers of truth itself" in card.notes[0]
    assert card.score("fpd").status == "suspicious"


def test_the_smaller_file_is_named(toy_showers):
    with pytest.raises(FacsimError, match="the generated sample has 10 events"):
        score_files(toy_showers(300, 1), toy_showers(10, 2, 900), seed=1)
