"""The gun: distributions by closed form, prefixes that do not change, conditions that vary."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from facsim.core.errors import FacsimError
from facsim.simulate.gun import PDG, Energy, Spread, draw_table
from facsim.simulate.showers import ShowerSimulation

BASE: dict[str, Any] = {"detector": "par04-w-si", "energy": 10, "events": 10}


def settings(**changes: Any) -> ShowerSimulation:
    return ShowerSimulation.parse(BASE | changes)


def test_energies_follow_their_distribution() -> None:
    n = 20000
    log = settings(energy={"log_uniform": [1, 50]}, events=n).table(1)[:, 0]
    assert stats.kstest(np.log(log / 1000) / np.log(50), "uniform").pvalue > 1e-3
    flat = settings(energy={"uniform": [1, 50]}, events=n).table(1)[:, 0]
    assert stats.kstest((flat / 1000 - 1) / 49, "uniform").pvalue > 1e-3
    assert np.all(settings(energy=10).table(1)[:, 0] == 10000.0)
    assert settings(energy={"listed": [1, 2, 5]}, events=7).table(3)[:, 0].tolist() == [
        1e3,
        2e3,
        5e3,
        1e3,
        2e3,
        5e3,
        1e3,
    ]


def test_more_events_begin_with_the_same_events() -> None:
    changes: dict[str, Any] = {"energy": {"log_uniform": [1, 50]}, "angle": {"theta": {"uniform": [0, 0.4]}}}
    few, many = settings(events=10, **changes).table(5), settings(events=1000, **changes).table(5)
    np.testing.assert_array_equal(few, many[:10])
    assert not np.array_equal(few, settings(events=10, **changes).table(6))


def test_particles_take_turns_with_every_energy() -> None:
    table = settings(particle=["e-", "gamma"], energy={"listed": [1, 2]}, events=8).table(1)
    assert table[:, 5].tolist() == [11, 11, 22, 22, 11, 11, 22, 22]
    assert table[:, 0].tolist() == [1e3, 2e3] * 4


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, ["incident_energy"]),
        ({"angle": {"theta": 0.0, "phi": 1.0}}, ["incident_energy"]),
        ({"angle": {"theta": 0.2, "phi": 1.0}}, ["incident_energy", "theta"]),
        ({"angle": {"theta": {"uniform": [0, 0.3]}}}, ["incident_energy", "theta"]),
        ({"position": {"x": {"uniform": [-2, 2]}, "y": {"uniform": [-2, 2]}}}, ["incident_energy", "x", "y"]),
        ({"particle": ["e-", "e+"]}, ["incident_energy", "pdg"]),
    ],
)
def test_what_varies_or_breaks_the_symmetry_is_a_condition(changes: dict[str, Any], names: list[str]) -> None:
    schema = settings(**changes).shower_schema()
    assert [feature.name for feature in schema.conditions] == names


@pytest.mark.parametrize(
    ("particle", "name"), [("e+", "electron"), ("gamma", "photon"), ("pi-", "pion"), ("mu+", "muon")]
)
def test_the_geometry_names_the_particle_as_the_challenge_does(particle: str, name: str) -> None:
    geometry = settings(particle=particle).shower_schema().geometry
    assert geometry is not None
    assert geometry.particle == name
    assert settings(particle=particle).table(0)[0, 5] == PDG[particle]


@given(st.floats(-5, 5), st.floats(0.01, 5), st.floats(0, 1))
def test_a_spread_stays_in_its_bounds(low: float, width: float, u: float) -> None:
    spread = Spread.model_validate({"uniform": [low, low + width]})
    value = float(spread.draw(np.array([u]))[0])
    assert low - 1e-12 <= value <= low + width + 1e-12


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"energy": {"uniform": [5, 1]}}, "goes up, not from 5.0 to 1.0 GeV"),
        ({"energy": {"fixed": 1, "uniform": [1, 2]}}, "exactly one of"),
        ({"energy": {}}, "exactly one of"),
        ({"energy": -1}, "'energy.fixed' is -1"),
        ({"energy": {"log_uniform": [0, 1]}}, "'energy.log_uniform.0' is 0"),
        ({"energy": {"lst": [0, 1]}}, "unknown key 'energy.lst'"),
        ({"energy": {"unifrom": [0, 1]}}, "unknown key 'energy.unifrom', did you mean uniform"),
        (
            {"energy": "ten"},
            "expected a number or one of the keys fixed, uniform, log_uniform, listed, not 'ten'",
        ),
        ({"energy": True}, "expected a number"),
        ({"detector": 3}, "'detector' is 3: input should be a mapping of keys to values"),
        ({"particle": "tau"}, "'particle.0' is 'tau'"),
        ({"particle": []}, r"'particle' is \[\]"),
        ({"angle": {"theta": 1.5}}, "theta lies between 0 and 1.2 rad"),
        ({"angle": {"theta": {"uniform": [0.2, 0.1]}}}, "goes up"),
        ({"position": {"x": 600}}, "position.x lies outside the front face"),
        ({"events": 0}, "'events' is 0"),
        ({"workers": 0}, "'workers' is 0"),
        ({"angle": {"thet": 3}}, "unknown key 'angle.thet', did you mean theta"),
        ({"evnts": 3}, "unknown key 'evnts', did you mean events"),
        ({"detector": "nowhere"}, "unknown detector 'nowhere'"),
        ({"detector": {"name": "x"}}, "the key 'detector.readout' is missing"),
    ],
)
def test_wrong_settings_are_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(FacsimError, match=sentence) as caught:
        settings(**changes)
    assert "\n" not in str(caught.value)


def test_settings_survive_their_own_description() -> None:
    original = settings(particle=["e-", "pi-"], angle={"theta": {"uniform": [0, 0.1]}}, energy={"listed": [1, 2]})
    assert ShowerSimulation.parse(original.model_dump(mode="json")) == original


def test_the_table_has_one_row_per_event() -> None:
    one = Spread(fixed=1.0)
    from facsim.simulate.gun import Angle, Position  # noqa: PLC0415

    table = draw_table(["mu-"], Energy(fixed=2.0), Angle(theta=Spread(fixed=0.3)), Position(x=one, y=one), 3, 9)
    np.testing.assert_array_equal(table, [[2000.0, 0.3, 0.0, 1.0, 1.0, 13.0]] * 3)
