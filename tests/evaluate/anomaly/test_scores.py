"""Scores of a predictor's outputs, and which of them is chosen without a look at signal."""

from __future__ import annotations

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.evaluate.anomaly.choice import Merit, merits
from facsim.evaluate.anomaly.scores import FEWEST, FREE, TOGETHER, all_scores
from facsim.metrics.auc import value_auc

RNG = np.random.default_rng(3)
BACKGROUND, EVENTS = RNG.normal(size=(400, 2)), RNG.normal(size=(100, 2))


def test_outputs_stand_as_they_are_and_without_a_sign() -> None:
    found = all_scores(EVENTS, ["a", "b"], BACKGROUND)
    assert list(found) == ["a", "a" + FREE, "b", "b" + FREE, TOGETHER]
    assert np.array_equal(found["b"], EVENTS[:, 1])
    assert all(score.shape == (100,) and np.isfinite(score).all() for score in found.values())


def test_without_a_sign_low_is_as_odd_as_high() -> None:
    symmetric = np.concatenate([BACKGROUND, -BACKGROUND])
    found, mirrored = (all_scores(sign * EVENTS, ["a", "b"], symmetric) for sign in (1, -1))
    assert mirrored["a" + FREE] == pytest.approx(found["a" + FREE], abs=1e-9)
    order = np.argsort(np.abs(EVENTS[:, 0]))
    assert (np.diff(found["a" + FREE][order]) >= -1e-9).all()
    turned = all_scores(-EVENTS, ["a", "b"], -BACKGROUND)
    assert turned["a" + FREE] == pytest.approx(all_scores(EVENTS, ["a", "b"], BACKGROUND)["a" + FREE], abs=1e-9)


def test_what_deviates_in_both_directions_is_seen_without_a_sign_alone() -> None:
    odd = np.concatenate([EVENTS - 4, EVENTS + 4])
    plain, free = (
        value_auc(all_scores(BACKGROUND, ["a", "b"], BACKGROUND)[name], all_scores(odd, ["a", "b"], BACKGROUND)[name])
        for name in ("a", "a" + FREE)
    )
    assert plain[0] == pytest.approx(0.5, abs=0.05)
    assert free[0] > 0.98


def test_outputs_are_combined_where_they_are_several_and_background_is_enough() -> None:
    assert TOGETHER in all_scores(EVENTS, ["a", "b"], BACKGROUND[:FEWEST])
    assert TOGETHER not in all_scores(EVENTS, ["a", "b"], BACKGROUND[: FEWEST - 1])
    assert TOGETHER not in all_scores(EVENTS[:, :1], ["a"], BACKGROUND[:, :1])
    constant = np.column_stack([BACKGROUND[:, 0], np.ones(400)])
    found = all_scores(EVENTS, ["a", "b"], constant)
    assert TOGETHER not in found
    assert np.isfinite(found["b" + FREE]).all()


def test_the_combination_sees_what_no_output_does() -> None:
    """Outputs that agree in background and not in signal."""
    common = RNG.normal(size=(1000, 1)) + 0.1 * RNG.normal(size=(1000, 2))
    odd = RNG.normal(size=(200, 1)) * [1, -1] + 0.1 * RNG.normal(size=(200, 2))
    of = [all_scores(events, ["a", "b"], common[:500], seed=1) for events in (common[500:], odd)]
    area = {name: value_auc(of[0][name], of[1][name])[0] for name in of[0]}
    assert area[TOGETHER] > 0.85
    assert max(area[name] for name in area if name != TOGETHER) < 0.6
    again = all_scores(odd, ["a", "b"], common[:500], seed=1)
    assert np.array_equal(again[TOGETHER], of[1][TOGETHER])


def test_weights_of_background_count() -> None:
    weight = np.where(BACKGROUND[:, 0] > 0, 9.0, 1.0)
    high = np.array([[0.0, 0.0], [1.5, 0.0]])
    plain, weighted = (all_scores(high, ["a", "b"], BACKGROUND, w)["a" + FREE] for w in (None, weight))
    assert weighted[0] > plain[0]
    assert weighted[1] < plain[1]


def test_merits_are_ordered_by_the_mean_over_kinds() -> None:
    background, changed = RNG.normal(size=500), RNG.normal(size=(2, 500))
    scores = {
        "one kind": np.concatenate([background, changed[0] + 3, changed[1]]),
        "both kinds": np.concatenate([background, changed[0] + 2, changed[1] + 2]),
        "wrong way": np.concatenate([background, changed[0] - 2, changed[1] - 2]),
        "nothing": np.zeros(1500),
        "nothing too": np.ones(1500),
    }
    of = np.repeat([0, 1, 2], 500)
    found = merits(scores, of == 0, {"x": of == 1, "y": of == 2, "empty": of == 3})
    assert [merit.name for merit in found] == ["both kinds", "one kind", "nothing", "nothing too", "wrong way"]
    for merit in found:
        assert set(merit.auc) == {"x", "y"}
        assert merit.mean == pytest.approx(np.mean([merit.auc["x"][0], merit.auc["y"][0]]))
    assert found[2].auc == {"x": (0.5, 0.0), "y": (0.5, 0.0)}
    assert Merit("alone", {}).mean == 0.5
    assert [merit.name for merit in merits(scores, of == 0, {})] == list(scores)


def test_background_without_events_is_refused() -> None:
    with pytest.raises(FacsimError, match="reference"):
        merits({"a": np.ones(3)}, np.zeros(3, dtype=bool), {"x": np.ones(3, dtype=bool)})
