"""The truth simulation of the task `jets`: form, seeds, workers, interruptions, kinds, pile-up, bad settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from facsim.core.errors import FacsimError
from facsim.core.events import Events
from facsim.core.store import StoreReader
from facsim.physics.jets import jet_features
from facsim.simulate import find_simulation
from facsim.simulate.jets import JetSimulation

pytest.importorskip("pythia8mc")
pytest.importorskip("fastjet")


def simulated(path: Path, seed: int = 4, **settings: Any) -> Events:
    JetSimulation(**{"workers": 1, **settings}).simulate(path, seed)
    source = StoreReader(path)
    return source.read(0, len(source))


@pytest.fixture(scope="module")
def tops(tmp_path_factory: pytest.TempPathFactory) -> Events:
    return simulated(tmp_path_factory.mktemp("jets") / "t.h5", events=40, kinds=["t"], chunk=20)


def test_it_is_the_simulation_of_its_task() -> None:
    assert find_simulation("jets") is JetSimulation


def test_jets_are_clouds_relative_to_their_axis(tops: Events) -> None:
    assert tops.x.shape == (40, 30, 3)
    assert [feature.name for feature in tops.schema.conditions] == ["pt", "eta"]
    assert tops.mask is not None
    np.testing.assert_array_equal(tops.mask, tops.x[:, :, 2] > 0)
    assert np.all(tops.x[~tops.mask] == 0)
    assert np.all(np.diff(tops.x[:, :, 2], axis=1) <= 0)
    assert np.all(np.hypot(tops.x[..., 0], tops.x[..., 1]) < 1.6)
    assert np.all((tops.cond[:, 0] > 800) & (tops.cond[:, 0] < 1600) & (np.abs(tops.cond[:, 1]) < 2.5))


def test_jets_of_one_collision_are_a_group(tops: Events) -> None:
    numbers, counts = np.unique(tops.group_id, return_counts=True)
    assert counts.max() == 2
    assert len(numbers) < 30
    for number in numbers[counts == 2]:
        first, second = np.flatnonzero(tops.group_id == number)
        assert second == first + 1
        assert tops.cond[first, 0] >= tops.cond[second, 0]
    # groups begin with their first jet, in both chunks
    assert tops.event_id[numbers].tolist() == numbers.tolist()
    assert (numbers >= 20).any()


def test_workers_and_interruptions_do_not_change_the_jets(tmp_path: Path, tops: Events) -> None:
    again = simulated(tmp_path / "two.h5", events=40, kinds=["t"], chunk=20, workers=2)
    np.testing.assert_array_equal(again.x, tops.x)
    np.testing.assert_array_equal(again.group_id, tops.group_id)

    def stop(progress: Any) -> None:
        if progress.done < 40:
            raise KeyboardInterrupt

    settings = JetSimulation(events=40, kinds=["t"], chunk=20, workers=1)
    with pytest.raises(KeyboardInterrupt):
        settings.simulate(tmp_path / "cut.h5", 4, stop)
    report = settings.simulate(tmp_path / "cut.h5", 4)
    assert report.reused == 20
    assert report.cpu_seconds > 0
    np.testing.assert_array_equal(StoreReader(tmp_path / "cut.h5").read(0, 40).x, tops.x)
    assert settings.simulate(tmp_path / "cut.h5", 4).reused == 40


def test_several_kinds_are_conditions_and_differ(tmp_path: Path) -> None:
    own = {"processes": {"own": ["HardQCD:gg2bbbar = on"]}, "pythia": ["PhaseSpace:pTHatMin = 950"]}
    jets = simulated(tmp_path / "x.h5", events=90, kinds=["g", "w", "own"], constituents=150, **own)
    assert [feature.name for feature in jets.schema.conditions] == ["pt", "eta", "is_g", "is_w", "is_own"]
    np.testing.assert_array_equal(jets.cond[:, 2:], np.tile(np.eye(3), (30, 1)))
    mass = jets.cond[:, 0] * jet_features(jets.x.astype(np.float64))["mass"]
    assert np.median(mass[1::3]) == pytest.approx(88, abs=9)
    assert (jets.x[:, :, 2].sum(axis=1) > 0.95).all()
    assert jets.mask is not None
    assert np.median(jets.mask[0::3].sum(axis=1)) > 1.2 * np.median(jets.mask[1::3].sum(axis=1))


def test_time_is_taken_for_each_kind() -> None:
    settings = JetSimulation(events=1, kinds=["g", "z"])
    cond = np.array([[1000, 0, 1, 0], [1000, 0, 0, 1], [1000, 0, 1, 0.0]])
    spent = settings.time(cond, 1)
    assert spent is not None
    assert spent[0] == spent[2] != spent[1]
    assert ((spent > 0.5) & (spent < 200)).all()


@pytest.mark.slow
def test_pile_up_makes_jets_heavier(tmp_path: Path) -> None:
    mass = []
    for pile_up in (0, 20):
        settings = JetSimulation(events=1, kinds=["w"], constituents=300, pile_up=pile_up)
        drawn = settings.generate(30, np.random.default_rng(1))
        mass.append(np.median(drawn.cond[:, 0] * jet_features(drawn.x)["mass"]))
    # of the order of 1 GeV of pT per unit area and collision, in an area of 2
    assert mass[0] + 5 < mass[1] < mass[0] + 80


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kinds": ["muon"]}, "no jets 'muon': expected g, q, t, w, z"),
        ({"kinds": ["a/b"], "processes": {"a/b": ("HardQCD:all = on",)}}, "of letters, digits"),
        ({"kinds": []}, "at least 1 item"),
        ({"kinds": ["g", "g"]}, "each may be named once"),
        ({"jet_pt": (900, 800)}, "jet_pt: the range must be positive and increase"),
        ({"radius": 0}, "radius"),
        ({"pile_up": -1}, "pile_up"),
    ],
)
def test_settings_that_cannot_be(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        JetSimulation(events=10, **values)


def test_what_pythia_refuses_is_told_by_the_worker(tmp_path: Path) -> None:
    with pytest.raises(FacsimError, match="does not know the setting 'Tune:tune = 1'"):
        simulated(tmp_path / "x.h5", events=10, pythia=["Tune:tune = 1"])


def test_a_window_without_jets_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facsim.simulate.jets.EVENTS_WITHOUT_JETS", 20)
    with pytest.raises(FacsimError, match="there is no z jet of 3000 to 4000 GeV in 20 events"):
        JetSimulation(events=10, kinds=["z"], jet_pt=(3000, 4000)).generate(20, np.random.default_rng(1))
