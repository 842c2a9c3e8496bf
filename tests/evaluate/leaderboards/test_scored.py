"""A scorecard on a leaderboard: what compares is placed, what does not is told why."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from facsim.core.errors import FacsimError
from facsim.core.geometry import regular_cylinder
from facsim.evaluate.leaderboards import BOARDS
from facsim.evaluate.leaderboards.scored import check_readout, place_scores, scored_board
from facsim.metrics.score import Score
from facsim.physics.geometries import GEOMETRIES

CHALLENGE = "calochallenge-2022"
LAYERS = Score("separation/e_layer", CHALLENGE, 1.0e-3, 0.1e-3, 0.24e-3, 0.02e-3, 100_000, 100_000)
FPD = Score("fpd", CHALLENGE, 0.130, 0.001, 0.0108, 0.0008, 100_000, 100_000)


def test_scores_in_the_challenge_protocol_are_placed() -> None:
    placed = place_scores(BOARDS["ds2"], [FPD, LAYERS])
    fpd, layers = placed["standings"]
    assert (fpd["metric"], fpd["rank"], fpd["models"]) == ("fpd_e3", 3, 17)
    assert (fpd["value"], fpd["error"], fpd["null"]) == pytest.approx((130.0, 1.0, 10.8))
    assert (layers["metric"], layers["rank"], layers["better_model"]) == ("sep_e_layer_e3", 2, "conv. L2LFlows")
    assert json.loads(json.dumps(placed, allow_nan=False)) == placed
    refused = {row["metric"]: row["why"] for row in placed["not_compared"]}
    placed_too = {row["metric"] for row in placed["standings"]}
    costs = {name for name in BOARDS["ds2"].metrics if BOARDS["ds2"].metric(name).cost}
    assert set(refused) | placed_too | costs == set(BOARDS["ds2"].metrics)
    assert "cannot be extended" in refused["logpost"]


def test_own_classifier_does_not_compare_and_the_challenge_one_does() -> None:
    own = Score("auc_high", "facsim-c2st-1", 0.6, 0.01, 0.5, 0.01)
    placed = place_scores(BOARDS["ds2"], [own])
    assert placed["standings"] == []
    (why,) = [row for row in placed["not_compared"] if row["metric"] == "auc_high"]
    assert why["value"] == 0.6
    assert "facsim's own classifier" in why["why"]
    for order in ([own, replace(own, protocol=CHALLENGE)], [replace(own, protocol=CHALLENGE), own]):
        both = place_scores(BOARDS["ds2"], order)
        assert [row["metric"] for row in both["standings"]] == ["auc_high"]
        assert "auc_high" not in {row["metric"] for row in both["not_compared"]}


def test_too_few_showers_do_not_compare() -> None:
    placed = place_scores(BOARDS["ds2"], [replace(LAYERS, null=5e-3, n_generated=3000)])
    assert placed["standings"] == []
    (row,) = [row for row in placed["not_compared"] if row["metric"] == "sep_e_layer_e3"]
    assert "too few showers (3000)" in row["why"]
    assert row["null"] == pytest.approx(5.0)


def test_what_was_not_computed_says_why() -> None:
    missing = replace(FPD, value=math.nan, error=math.nan, status="not computed", note="needs 10000 showers.")
    (row,) = [r for r in place_scores(BOARDS["ds2"], [missing])["not_compared"] if r["metric"] == "fpd_e3"]
    assert row == {"metric": "fpd_e3", "value": None, "null": pytest.approx(10.8), "why": "needs 10000 showers."}


def test_bins_of_energy_are_not_placed() -> None:
    assert place_scores(BOARDS["ds2"], [replace(FPD, region="E1")])["standings"] == []


def test_costs() -> None:
    (found,) = place_scores(BOARDS["ds3"], [], {"cpu_b1_ms": 50.0})["standings"]
    assert (found["rank"], found["better_model"]) == (2, "MDMA")


def test_bad_requests_are_told() -> None:
    with pytest.raises(FacsimError, match="'auc_high' is no cost on the leaderboard 'ds2': costs are params, cpu_b1"):
        scored_board("ds2", {"auc_high": 0.5})
    with pytest.raises(FacsimError, match=r"'cpu_b1_ms' is -1\.0: expected a number above 0"):
        scored_board("ds2", {"cpu_b1_ms": -1.0})
    with pytest.raises(FacsimError, match=r"cannot be scored for the leaderboard 'jetnet-t30'.*leaderboards\.place"):
        scored_board("jetnet-t30")
    with pytest.raises(FacsimError, match="no leaderboard 'ds9'"):
        scored_board("ds9")


def test_readout_must_be_the_boards() -> None:
    check_readout(BOARDS["ds2"], replace(GEOMETRIES["ds2-electrons"], name="mine"))
    with pytest.raises(FacsimError, match="'ds2-electrons' with 6480 cells: these events have 'small' with 2 cells"):
        check_readout(BOARDS["ds2"], regular_cylinder("small", "electron", 2, 1, 1, 5.0, 0.0))
    with pytest.raises(FacsimError, match="these events have none"):
        check_readout(BOARDS["ds2"], None)
