"""The section `sweep`: what may be searched, and that values arrive as they are."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from facsim.config import load_config, load_sweep
from facsim.config.sweep import Parameter, corners, settings_of
from facsim.core.errors import FacsimError

RATE = {"log_uniform": [1e-4, 1e-2]}


def config(**sweep: Any) -> dict[str, Any]:
    return {"data": {"files": ["x.h5"]}, "sweep": {"parameters": {"train.lr": RATE}, **sweep}}


def test_it_is_no_part_of_a_run() -> None:
    assert load_config(config()).train.lr == 2e-3
    found = load_sweep(config(), ["sweep.trials=7", "sweep.objective=separation/e_ratio"])
    assert (found.trials, found.objective, found.direction) == (7, "separation/e_ratio", "minimize")
    assert found.parameters["train.lr"].kind == "log_uniform"


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        ({"parameters": {}}, "at least 1 item"),
        ({"parameters": {"train.lr": {"uniform": [2, 1]}}}, "a range rises"),
        ({"parameters": {"train.lr": {"log_uniform": [0, 1]}}}, "a log one from above 0"),
        ({"parameters": {"train.lr": {"choice": []}}}, "at least 1 item"),
        ({"parameters": {"train.lr": {**RATE, "uniform": [0, 1]}}}, "give one of"),
        (
            {"parameters": {"train.lr": {"loguniform": [1, 2]}}},
            r"unknown key 'sweep\.parameters\.train\.lr\.loguniform'",
        ),
        ({"parameters": {"simulate.events": {"integer": [10, 20]}}}, "searches keys of 'model' and 'train'"),
        ({"trial": 3}, r"unknown key 'sweep\.trial'.*did you mean 'sweep\.trials'"),
    ],
)
def test_what_is_refused(sweep: dict[str, Any], message: str) -> None:
    with pytest.raises(FacsimError, match=message):
        load_sweep(config(**sweep))


def test_a_configuration_without_the_section_says_what_to_add() -> None:
    with pytest.raises(FacsimError, match=r"has no section 'sweep': add for example"):
        load_sweep({"data": {"files": ["x.h5"]}})


@given(
    st.one_of(st.booleans(), st.none(), st.integers(), st.floats(allow_nan=False), st.text("ab: #'yesno", min_size=1))
)
def test_values_arrive_as_they_are(value: Any) -> None:
    (text,) = settings_of({"train.lr": value})
    key, _, given_value = text.partition("=")
    assert key == "train.lr"
    assert yaml.safe_load(given_value) == value
    assert type(yaml.safe_load(given_value)) is type(value)


def test_corners_hold_every_choice_and_both_ends() -> None:
    parameters = {
        "a": Parameter(choice=["x", "y", "z"]),
        "b": Parameter(log_uniform=(0.1, 10.0)),
        "c": Parameter(integer=(1, 4)),
    }
    assert corners(parameters) == [
        {"a": "x", "b": 0.1, "c": 1},
        {"a": "y", "b": 10.0, "c": 4},
        {"a": "z", "b": 10.0, "c": 4},
    ]
