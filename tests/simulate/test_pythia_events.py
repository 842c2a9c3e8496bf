"""Events of Pythia: conservation of energy and charge, seeds, pile-up."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.simulate.pythia_events import HARD, Pythia, pythia_events

pytest.importorskip("pythia8mc")


def test_all_final_particles_conserve_momentum_and_charge() -> None:
    particles = next(pythia_events(HARD["t"], seed=1, at_once=8, visible=False))
    total = np.add.reduceat(particles.momentum, particles.starts[:-1], axis=0)
    np.testing.assert_allclose(total, np.tile([0, 0, 0, 13_000.0], (8, 1)), atol=1.0)
    np.testing.assert_allclose(np.add.reduceat(particles.charge, particles.starts[:-1]), 2.0)


def test_neutrinos_are_left_out() -> None:
    particles = next(pythia_events(("Top:gg2ttbar = on",), seed=1, at_once=10))
    assert not np.isin(np.abs(particles.pdg), (12, 14, 16)).any()
    assert particles.events == 10
    assert np.all(np.diff(particles.event) >= 0)


def test_seeds_make_events() -> None:
    first, second = islice(pythia_events(HARD["g"], seed=1, at_once=3), 2)
    again = next(pythia_events(HARD["g"], seed=1, at_once=3))
    other = next(pythia_events(HARD["g"], seed=2, at_once=3))
    np.testing.assert_array_equal(again.momentum, first.momentum)
    assert not np.array_equal(again.momentum[:10], second.momentum[:10])
    assert not np.array_equal(again.momentum[:10], other.momentum[:10])


@pytest.mark.slow
def test_pile_up_is_laid_over() -> None:
    plain = next(pythia_events(HARD["q"], seed=1, at_once=20))
    piled = next(pythia_events(HARD["q"], seed=1, at_once=20, pile_up=5.0))
    more = np.diff(piled.starts) - np.diff(plain.starts)
    # an inelastic collision at 13 TeV has of the order of a hundred visible particles
    assert 5 * 50 < more.mean() < 5 * 250
    for i in (0, 19):
        own = piled.momentum[piled.starts[i] :][: plain.starts[i + 1] - plain.starts[i]]
        np.testing.assert_array_equal(own, plain.momentum[plain.starts[i] : plain.starts[i + 1]])


def test_events_that_pythia_gives_up_are_made_anew() -> None:
    """A check of energy and momentum to the last digit, which many events fail."""
    lines = ("HardQCD:all = on", "PhaseSpace:pTHatMin = 50", "PartonLevel:MPI = off", "Check:epTolErr = 1e-14")
    alone = Pythia(lines, 2)._pythia.nextBatch(8).prt
    assert 0 < len(alone) < 8
    found = Pythia(lines, 2).next(8)
    assert found.events == 8
    np.testing.assert_array_equal(np.unique(found.event), np.arange(8))
    np.testing.assert_array_equal(found.momentum, Pythia(lines, 2).next(8).momentum)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("Hard:nothing = on",), "does not know the setting 'Hard:nothing = on'"),
        (("PhaseSpace:pTHatMin = many",), "does not know the setting"),
        ((), "does not start"),
    ],
)
def test_settings_that_cannot_be(lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(FacsimError, match=message):
        Pythia(lines, 1)
