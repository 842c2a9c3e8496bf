"""The judge on toys of known areas: what it finds, how it chooses, what it refuses, and that its files are small."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from facsim.core.errors import FacsimError
from facsim.core.events import make_events
from facsim.core.schema import Feature, Schema
from facsim.core.sources import MemorySource
from facsim.evaluate.anomaly.groups import BACKGROUND
from facsim.evaluate.anomaly.judge import (
    CURVE_POINTS,
    FEWEST_BACKGROUND,
    IMPROVEMENT_POINTS,
    AnomalyPlan,
    compare,
    fidelity,
    judge,
)
from facsim.evaluate.anomaly.predictions import NULL, REFERENCE, VALIDATION, read_predictions
from facsim.evaluate.anomaly.records import restored
from facsim.evaluate.anomaly.scores import FREE, TOGETHER
from facsim.metrics.roc import RocCurve
from facsim.metrics.signal_groups import GroupResult

PLAN = AnomalyPlan({"is_qcd": 1}, ["mass"], (0.1, 0.01), against=["pile_up"], spectators=["mass"])
SHIFTS = {125.0: [0.5], 400.0: [1.5], 1000.0: [3.0]}


def rows(content: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
    return {row["region"]: row for row in content["scores"] if row["name"] == name}


def test_areas_and_efficiencies_are_those_of_shifted_gaussians(toy: Any) -> None:
    found = judge("mine", "baseline", toy(2000, 500, SHIFTS), PLAN)
    card = found.content
    assert found.groups == list(card["events"]["signals"]) == ["125 GeV", "400 GeV", "1000 GeV"]
    assert card["events"] == {BACKGROUND: 4000, VALIDATION: 2000, "signals": dict.fromkeys(found.groups, 1000)}
    for (shift,), group in zip(SHIFTS.values(), found.groups, strict=True):
        row = rows(card, "auc")[group]
        assert row["value"] == pytest.approx(norm.cdf(shift / np.sqrt(2)), abs=4 * row["error"])
        assert 0 < row["error"] < 0.02
        assert row["null"] == pytest.approx(0.5, abs=4 * row["null_error"])
        assert (row["n_reference"], row["n_generated"]) == (4000, 1000)
        for target in PLAN.targets:
            point = rows(card, f"efficiency/{target:g}")[group]
            expected = norm.sf(norm.isf(target) - shift)
            assert point["status"] == "ok"
            assert point["value"] == pytest.approx(expected, abs=4 * point["error"])
    best = rows(card, "significance_improvement")["400 GeV"]
    at = np.linspace(0, 2.5, 500)
    assert best["value"] == pytest.approx(np.max(norm.sf(at - 1.5) / np.sqrt(norm.sf(at))), abs=4 * best["error"])
    assert best["error"] < 0.3


def test_content_is_plain_and_small_and_curves_are_whole(toy: Any) -> None:
    card = judge("mine", "baseline", toy(3000, 800, SHIFTS), PLAN).content
    text = json.dumps(card, allow_nan=False)
    assert len(text) < 40_000 * len(SHIFTS)
    for group, item in card["roc"].items():
        curve = restored(RocCurve, item["curve"])
        assert len(curve.background) <= CURVE_POINTS
        assert (curve.background[0], curve.signal[0], curve.background[-1], curve.signal[-1]) == (0, 0, 1, 1)
        assert np.trapezoid(curve.signal, curve.background) == pytest.approx(curve.auc.value, abs=0.01), group
    for item in card["groups"]:
        improvement = restored(GroupResult, item).improvement
        assert 50 < len(improvement.background) <= IMPROVEMENT_POINTS
        assert len(improvement.value) == len(improvement.error) == len(improvement.background)
        assert (np.diff(improvement.background) > 0).all()
        assert improvement.background[0] < 0.003
        assert improvement.background[-1] == 1
        assert improvement.value[-1] == 1


def test_the_score_is_chosen_by_changed_background_and_the_best_one_told_apart(toy: Any) -> None:
    """The second output sees changed background best, the first sees signal best."""
    changed = {"blended": [0.3, 1.5, 0], "thinned": [0.3, 1.5, 0], "exchanged": [0, 1, 0], "scattered": [0, 2, 0]}
    table = toy(500, 200, {125.0: [2.5, 0.5, 0.0]}, changed, ["first", "second", "third"])
    found = judge("surrogate", "surrogate", table, PLAN)
    card = found.content
    assert (card["chosen"], card["oracle"]) == ("second", "first")
    names = [row["name"] for row in card["choice"]]
    assert set(names) == {f"{name}{end}" for name in table.names for end in ("", FREE)} | {TOGETHER}
    merit = [row["merit"] for row in card["choice"]]
    assert merit == sorted(merit, reverse=True)
    chosen, best = card["choice"][0], next(row for row in card["choice"] if row["name"] == "first")
    assert rows(card, "auc")["125 GeV"]["value"] == pytest.approx(chosen["auc"]["125 GeV"][0], rel=1e-6)
    assert best["auc"]["125 GeV"][0] == pytest.approx(norm.cdf(2.5 / np.sqrt(2)), abs=0.03)
    assert chosen["changed"]["scattered"][0] == pytest.approx(norm.cdf(np.sqrt(2)), abs=0.05)
    test = table.of(REFERENCE, NULL)
    assert np.array_equal(found.values, table.outputs[test, 1])
    assert np.array_equal(found.event_id, table.event_id[test])


def test_the_choice_does_not_look_at_signal(toy: Any) -> None:
    changed = {"blended": [1, 0.5], "thinned": [1, 0.5]}
    cards = [
        judge("surrogate", "surrogate", toy(300, 100, {125.0: shift}, changed, ["a", "b"]), PLAN).content
        for shift in ([0, 3], [3, 0])
    ]
    assert [card["chosen"] for card in cards] == ["a", "a"]
    assert cards[0]["oracle"].startswith("b")
    assert cards[1]["oracle"].startswith("a")


def test_a_baseline_is_its_first_output(toy: Any) -> None:
    card = judge("tracks", "baseline", toy(300, 100, {125.0: [0, 3]}, {}, ["a", "b"]), PLAN).content
    assert (card["chosen"], card["oracle"], len(card["choice"])) == ("a", "a", 1)


def test_without_signal_there_are_rates_and_checks(toy: Any) -> None:
    plan = replace(PLAN, background={}, cross_section=1e9, rates=[1e6, 1.0])
    card = judge("mine", "surrogate", toy(300, 0), plan).content
    assert (card["scores"], card["groups"], card["roc"], card["oracle"]) == ([], [], {}, None)
    assert card["events"] == {BACKGROUND: 600, "signals": {}, VALIDATION: 300}
    assert card["checks"]["stability"]["pile_up"]["p_value"] > 1e-3
    assert [rate["status"] for rate in card["rates"]] == ["measured", "limit"]


def test_kinds_with_fewer_than_five_events_are_left_out(toy: Any) -> None:
    found = judge("mine", "baseline", toy(100, 2, {125.0: [1.0]}), PLAN)
    assert found.groups == []
    assert judge("mine", "baseline", toy(100, 3, {125.0: [1.0]}), PLAN).groups == ["125 GeV"]


def test_too_little_background_and_unknown_conditions_are_refused(toy: Any) -> None:
    with pytest.raises(FacsimError, match=rf"at least {FEWEST_BACKGROUND} background .* 19 and 38: .* larger 'prepare"):
        judge("mine", "baseline", toy(19, 100, SHIFTS), PLAN)
    judge("mine", "baseline", toy(20, 20, SHIFTS), PLAN)
    for plan in (replace(PLAN, background={"is_top": 1}), replace(PLAN, signals=["colour"])):
        with pytest.raises(FacsimError, match=r"(is_top|colour).*is_qcd"):
            judge("mine", "baseline", toy(100, 50, SHIFTS), plan)
    with pytest.raises(FacsimError, match="have 41 different values"):
        judge("mine", "baseline", toy(100, 1, {float(mass): [0.0] for mass in range(41)}), PLAN)


def test_scores_are_compared_event_by_event(toy: Any) -> None:
    table = toy(1000, 400, {125.0: [1.0, 0.0], 400.0: [1.0, 1.0]}, {}, ["a", "b"])
    both = [judge(name, "baseline", replace(table, outputs=table.outputs[:, [k, 1 - k]]), PLAN) for k, name in
            enumerate("ab")]  # fmt: skip
    found = compare(*both)
    assert set(found) == {"125 GeV", "400 GeV"}
    value, error = found["125 GeV"]
    assert value == pytest.approx(norm.cdf(1 / np.sqrt(2)) - 0.5, abs=4 * error)
    assert abs(found["400 GeV"][0]) < 4 * found["400 GeV"][1]
    assert compare(both[0], both[0]) == {group: [0.0, 0.0] for group in found}
    other = replace(both[1], event_id=both[1].event_id[::-1])
    with pytest.raises(FacsimError, match="same events: sample both again"):
        compare(both[0], other)


def test_weights_of_events_count(toy: Any) -> None:
    table = toy(1000, 300, {125.0: [1.0]})
    heavy = replace(table, weight=np.where(table.outputs[:, 0] > 0, 4.0, 1.0))
    area = rows(judge("mine", "baseline", heavy, PLAN).content, "auc")["125 GeV"]
    b, s = (table.outputs[table.of(REFERENCE, NULL) & (table.cond[:, 0] == k), 0] for k in (1, 0))
    u, v = (np.where(x > 0, 4.0, 1.0) for x in (b, s))
    expected = (u[:, None] * v * (s > b[:, None])).sum() / (u.sum() * v.sum())
    assert area["value"] == pytest.approx(expected, rel=1e-6)


def test_outputs_that_are_not_finite_name_output_and_event(toy: Any) -> None:
    table = toy(30, 0, names=["score", "other"])
    x = table.outputs.astype(np.float32)
    cond = np.column_stack([table.cond, table.part]).astype(np.float32)
    good = read_predictions(MemorySource(make_events(table.schema, x, cond, 0)))
    assert np.array_equal(good.part, table.part)
    assert good.names == ["score", "other"]
    x[7, 1] = np.nan
    with pytest.raises(FacsimError, match="the output 'other' of event 7 is not finite"):
        read_predictions(MemorySource(make_events(table.schema, x, cond, 0)))
    plain = Schema("table", (Feature("x"),), (Feature("mass"),))
    with pytest.raises(FacsimError, match="holds no predictions"):
        read_predictions(MemorySource(make_events(plain, x[:, :1], cond[:, :1], 0)))


def test_weights_count_in_comparisons_too(toy: Any) -> None:
    table = toy(500, 200, {125.0: [1.0, 0.5]}, {}, ["a", "b"])
    table = replace(table, weight=np.random.default_rng(1).uniform(0.1, 3, len(table.part)))
    ours, theirs = (judge("x", "baseline", replace(table, outputs=table.outputs[:, [k, 1 - k]]), PLAN) for k in (0, 1))
    areas = [rows(found.content, "auc")["125 GeV"]["value"] for found in (ours, theirs)]
    assert compare(ours, theirs)["125 GeV"][0] == pytest.approx(areas[0] - areas[1], abs=1e-6)


def test_weights_count_in_differences_and_in_the_choice(toy: Any) -> None:
    """Weights of signal that favour one score, and of changed background that undo what tells it apart."""
    table = toy(300, 100, {125.0: [1.0, 0.0]}, {"blended": [1.0, 0.0], "thinned": [0.0, 0.4]}, ["a", "b"])
    weight = np.where(table.cond[:, 1] > 0, np.where(table.outputs[:, 0] > 1, 5.0, 1.0), table.weight)
    heavy = replace(table, weight=weight)
    both = [
        judge(name, "baseline", replace(heavy, outputs=heavy.outputs[:, [k, 1 - k]]), PLAN)
        for k, name in enumerate("ab")
    ]
    areas = [rows(each.content, "auc")["125 GeV"]["value"] for each in both]
    assert compare(*both)["125 GeV"][0] == pytest.approx(areas[0] - areas[1], abs=1e-6)

    of_kind = table.of("blended")
    light = replace(table, weight=np.where(of_kind & (table.outputs[:, 0] > 0), 1e-3, 1.0))
    merit = {row["name"]: row["changed"] for row in judge("s", "surrogate", light, PLAN).content["choice"]}
    assert merit["a"]["blended"][0] < 0.5
    plain = {row["name"]: row["changed"] for row in judge("s", "surrogate", table, PLAN).content["choice"]}
    assert plain["a"]["blended"][0] > 0.7


def test_a_student_is_measured_by_its_output_though_another_score_is_chosen(toy: Any) -> None:
    """Changed background lies on both sides, so that the score without a sign is chosen."""
    changed = {"blended": [-3.0], "thinned": [3.0], "exchanged": [-3.0], "scattered": [3.0]}
    table = toy(300, 100, {125.0: [1.0]}, changed)
    student = judge("surrogate", "surrogate", table, PLAN)
    assert student.content["chosen"] == f"score{FREE}"
    teacher = judge("teacher", "baseline", table, PLAN)
    assert [row["spearman"][0] for row in fidelity(teacher, student)] == [1.0] * 2
