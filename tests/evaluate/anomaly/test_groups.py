"""Which events are background, what kinds of signal are called, and in which order they stand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.core.schema import Feature, Schema
from facsim.evaluate.anomaly.groups import BACKGROUND, MOST, group_names, in_order, selected

CONDITIONS = ("is_qcd", "is_suep", "is_svj")
SCHEMA = Schema("table", (Feature("x"),), (*map(Feature, CONDITIONS), Feature("mass", "GeV"), Feature("pile_up")))
COND = np.array(
    [
        [1, 0, 0, 0, 10],
        [0, 1, 0, 125, 20],
        [0, 1, 0, 1000, 30],
        [0, 0, 1, 2100.5, 40],
        [0, 0, 0, 400, 40],
    ],
    dtype=float,
)


def test_flags_name_and_numbers_stand_with_their_unit() -> None:
    names = group_names(SCHEMA, COND, {"is_qcd": 1}, ["is_suep", "is_svj", "mass"])
    assert names.tolist() == [BACKGROUND, "suep 125 GeV", "suep 1000 GeV", "svj 2100.5 GeV", "400 GeV"]
    assert group_names(SCHEMA, COND, {"is_qcd": 1}, ["mass", "is_suep"])[1] == "125 GeV suep"
    assert group_names(SCHEMA, COND, {"is_qcd": 1}, ["is_suep", "is_svj"])[-1] == "signal"
    assert group_names(SCHEMA, COND, {"is_qcd": 1}, []).tolist() == [BACKGROUND, *["signal"] * 4]
    assert group_names(SCHEMA, COND, {"is_qcd": 1, "pile_up": 20}, []).tolist() == ["signal"] * 5


def test_without_a_word_on_background_all_events_are() -> None:
    assert set(group_names(SCHEMA, COND, {}, ["mass"])) == {BACKGROUND}
    assert set(group_names(SCHEMA, COND[:1], {"is_qcd": 1}, ["mass"])) == {BACKGROUND}


def test_all_values_asked_for_must_be_there() -> None:
    assert selected(SCHEMA, COND, {"is_suep": 1}).tolist() == [False, True, True, False, False]
    assert selected(SCHEMA, COND, {"is_suep": 1, "mass": 125}).tolist() == [False, True, False, False, False]
    assert selected(SCHEMA, COND, {}).all()


def test_unknown_conditions_and_too_many_kinds_are_refused() -> None:
    for background, by in (({"is_ttbar": 1}, []), ({"is_qcd": 1}, ["colour"])):
        with pytest.raises(FacsimError, match=r"is_ttbar|colour"):
            group_names(SCHEMA, COND, background, by)
    many = np.zeros((MOST + 1, 5))
    many[:, 3] = np.arange(len(many))
    with pytest.raises(
        FacsimError, match=r"conditions \['mass'\] have 41 different values .* 'evaluate.anomaly.signals'"
    ):
        group_names(SCHEMA, many, {"is_qcd": 1}, ["mass"])
    assert len(set(group_names(SCHEMA, many[1:], {"is_qcd": 1}, ["mass"]))) == MOST


def test_kinds_are_in_the_order_of_words_and_then_of_all_numbers() -> None:
    names = ["svj 900 GeV", "suep 1000 GeV", BACKGROUND, "suep 125 GeV", "suep 1e+06 GeV", "suep -3 GeV"]
    assert in_order(np.array(names)) == [
        "suep -3 GeV", "suep 125 GeV", "suep 1000 GeV", "suep 1e+06 GeV", "svj 900 GeV",
    ]  # fmt: skip
    pairs = [f"125 GeV {length} mm" for length in (1, 5, 10, 100, 1000)]
    assert in_order(np.array(pairs[::-1])) == pairs


@given(st.lists(st.sampled_from([125, 200, 1000, 2100]), min_size=1), st.randoms(use_true_random=False))
def test_the_order_of_events_decides_nothing(masses: list[int], random: np.random.Generator) -> None:
    cond = np.zeros((len(masses), 5))
    cond[:, 3], order = masses, list(range(len(masses)))
    random.shuffle(order)
    names = group_names(SCHEMA, cond, {"is_qcd": 1}, ["mass"])
    assert group_names(SCHEMA, cond[order], {"is_qcd": 1}, ["mass"]).tolist() == names[order].tolist()
    assert in_order(names) == in_order(names[order]) == [f"{mass} GeV" for mass in sorted(set(masses))]


def test_values_are_those_of_single_precision() -> None:
    """What a file holds of 0.1, read as doubles, is not 0.1."""
    schema = Schema("table", (Feature("x"),), (Feature("share"),))
    held = np.array([[0.1], [0.2]], dtype=np.float32)
    for cond in (held, held.astype(np.float64)):
        assert selected(schema, cond, {"share": 0.1}).tolist() == [True, False]
        assert group_names(schema, cond, {"share": 0.1}, ["share"]).tolist() == [BACKGROUND, "0.2"]
