"""What a cut does to background, on toys that are flat and on toys that are not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from facsim.evaluate.anomaly.checks import RUNS, background_checks
from facsim.evaluate.anomaly.judge import AnomalyPlan
from facsim.evaluate.anomaly.predictions import NULL, REFERENCE
from facsim.metrics.trigger_rate import event_rate

PLAN = AnomalyPlan({"is_qcd": 1}, ["mass"], (0.1, 0.01), against=["pile_up", "mass"], spectators=["pile_up", "colour"])


def checked(table: Any, plan: AnomalyPlan = PLAN, score: Any = None) -> dict[str, Any]:
    background = table.cond[:, 0] == 1
    return background_checks(table.outputs[:, 0] if score is None else score, table, background, plan)


def test_a_score_of_chance_is_flat_sculpts_nothing_and_does_not_drift(toy: Any) -> None:
    found = checked(toy(1500, 0))["checks"]
    assert found["notes"] == []
    assert found["target"] == 0.1
    assert set(found["stability"]) == {"pile_up", "mass"}
    assert found["stability"]["mass"] is None  # one value alone: nothing to bin
    assert set(found["sculpting"]) == {"pile_up"}
    stability = found["stability"]["pile_up"]
    assert stability["p_value"] > 0.01
    assert stability["overall"] == pytest.approx(0.1, abs=0.04)
    assert len(found["drift"]) == RUNS
    assert sum(run["events"] for run in found["drift"]) == 1500
    assert min(run["p_holm"] for run in found["drift"]) > 0.01


def test_a_score_of_pile_up_is_seen_by_stability_and_sculpting(toy: Any) -> None:
    table = toy(1500, 0)
    found = checked(table, score=table.outputs[:, 0] + 0.3 * table.cond[:, 2])["checks"]
    assert found["stability"]["pile_up"]["p_value"] <= 0.002
    assert found["stability"]["pile_up"]["slope"][0] > 5 * found["stability"]["pile_up"]["slope"][1]
    sculpted = found["sculpting"]["pile_up"]["test"]
    assert sculpted["statistic"] > max(sculpted["null"])


def test_runs_that_drift_are_seen(toy: Any) -> None:
    table = toy(1600, 0)
    moved = np.flatnonzero(table.of(NULL))[600:800]
    score = table.outputs[:, 0].copy()
    score[moved] += 1.0
    drift = checked(table, score=score)["checks"]["drift"]
    assert [run["run"] for run in drift if run["p_holm"] < 0.01] == ["B4"]


def test_the_threshold_is_set_on_the_first_sample_and_looked_at_on_the_second(toy: Any) -> None:
    table = toy(1000, 0)
    found = checked(table)["checks"]
    first, second = (table.outputs[table.of(part), 0] for part in (REFERENCE, NULL))
    assert np.mean(first > found["threshold"]) <= 0.1
    assert np.mean(first >= found["threshold"]) > 0.1 - 2e-3
    assert found["stability"]["pile_up"]["overall"] == pytest.approx(np.mean(second > found["threshold"]))


def test_where_too_few_or_all_events_pass_it_says_so(toy: Any) -> None:
    few = checked(toy(40, 0), replace(PLAN, targets=(0.02,)))["checks"]
    assert "threshold" not in few
    assert few["notes"] == ["at a background efficiency of 0.02 too few of 40 events pass for the checks"]
    assert (few["stability"], few["sculpting"], few["drift"]) == ({}, {}, [])
    table = toy(200, 0)
    constant = checked(table, score=np.ones(len(table.part)))["checks"]
    assert len(constant["notes"]) == 1
    shifted = checked(table, score=table.outputs[:, 0] + 100 * table.of(NULL))["checks"]
    assert len(shifted["notes"]) == 1


def test_rates_keep_to_what_is_wanted(toy: Any) -> None:
    table, plan = toy(2000, 0), replace(PLAN, cross_section=1e4, luminosity=2e34, rates=[40.0, 0.01])
    assert checked(table)["rates"] == []
    measured, limit = checked(table, plan)["rates"]
    scores = table.outputs[table.of(REFERENCE, NULL), 0]
    hertz = event_rate(1e4, 4000.0, 2e34)
    assert hertz * len(scores) == pytest.approx(1e4 * 1e-36 * 2e34, rel=1e-6)
    assert measured["status"] == "measured"
    assert hertz * np.sum(scores > measured["threshold"][0]) <= 40.0
    assert hertz * (1 + np.sum(scores > measured["threshold"][0])) > 40.0
    assert limit["status"] == "limit"
