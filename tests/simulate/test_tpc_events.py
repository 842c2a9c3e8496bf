"""Tracks of full TPC events."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from facsim.core.errors import FacsimError
from facsim.physics.tpc import MASSES
from facsim.simulate.tpc_events import PythiaCollisions, TrackGun, TrackSource, _particles

pythia = pytest.mark.skipif(find_spec("pythia8mc") is None, reason="needs pythia8mc (extra 'jets')")


def test_a_gun_shoots_what_it_is_told() -> None:
    drawn = TrackGun(tracks=50, pt=(0.3, 0.4), eta=(-0.5, 0.5), species=("kaon",), vertex_z=2.0).draw(20, seed=3)
    np.testing.assert_array_equal(np.bincount(drawn.event), 50)
    assert 0.3 <= drawn.pt.min() < drawn.pt.max() <= 0.4
    assert np.abs(drawn.tan_lambda).max() <= np.sinh(0.5)
    np.testing.assert_array_equal(drawn.mass, MASSES["kaon"])
    assert len(np.unique(drawn.z)) == 20
    assert np.abs(drawn.charge.mean()) < 0.2


def test_seeds() -> None:
    a, b, c = (TrackGun(tracks=10).draw(2, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a.pt, b.pt)
    assert (a.pt != c.pt).all()


@pythia
def test_collisions_of_pythia() -> None:
    source = PythiaCollisions(overlaid=4)
    a, b = source.draw(3, seed=5), source.draw(3, seed=5)
    np.testing.assert_array_equal(a.phi, b.phi)
    assert set(a.event) == {0, 1, 2}
    assert len(a) > 20
    assert a.pt.min() > 0.05
    assert 0.2 < np.median(a.pt) < 0.6
    # two protons come in: more positive than negative particles go out
    assert a.charge.sum() > 0
    assert set(np.round(a.mass, 3)) <= {round(MASSES[name], 3) for name in MASSES}
    assert len(np.unique(np.round(a.z, 3))) >= 12


@pythia
def test_a_process_that_pythia_does_not_know() -> None:
    with pytest.raises(FacsimError, match="process 'Soft: on'"):
        PythiaCollisions(process="Soft: on").draw(1, seed=1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"source": "gun", "pt": (0, 1)},
        {"source": "gun", "pt": (1, np.inf)},
        {"source": "gun", "eta": (1, -1)},
        {"source": "beam"},
        {"source": "gun", "n": 1},
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(TrackSource).validate_python(wrong)


def test_a_pythia_that_gives_every_collision_up() -> None:
    class Failing:
        """Stands for a process that Pythia starts and never finishes."""

        event: tuple[object, ...] = ()

        def next(self) -> bool:
            return False

    with pytest.raises(FacsimError, match="gave up"):
        _particles(Failing(), 1)
