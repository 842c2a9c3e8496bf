"""Images of dark showers: processes, what is kept of them, and that neither workers nor chunks change the events."""

import json

import numpy as np
import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from facsim.cli import app
from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.core.store import StoreReader
from facsim.data import open_events
from facsim.physics.dark_schema import CONDITIONS, as_images, dark_schema, is_dark
from facsim.physics.particles import Particles
from facsim.simulate import find_simulation
from facsim.simulate.dark_processes import DarkSector, Process, process, settings
from facsim.simulate.dark_showers import DarkShowerSimulation
from facsim.simulate.pile_up import overlay
from facsim.simulate.pythia_events import Pythia, Veto
from facsim.simulate.scalar_ht import density, scalar_ht
from facsim.simulate.suep import DAUGHTERS, DarkMesons, with_showers

pytest.importorskip("pythia8mc")
pytest.importorskip("fastjet")

FAST = {"library": 20, "pile_up": 3.0, "chunk": 4}
ALONE = {"pile_up": 0.0, "chunk": 4}
"""Without pile-up, for which Pythia starts in seconds."""


def conditions(cond):
    return dict(zip([c.name for c in CONDITIONS], cond.T, strict=True))


@pytest.fixture(scope="module")
def drawn():
    simulation = DarkShowerSimulation(events=40, **FAST)
    return simulation.generate(40, generator(1, "dark"))


def test_images_have_the_shape_of_the_schema_and_pass_the_cut(drawn):
    assert drawn.x.shape == (40, 72 * 58, 3)
    assert (drawn.x >= 0).all()
    assert drawn.x.any(axis=1).all()
    found = conditions(drawn.cond)
    assert (found["ht"] > 500).all()
    assert (found["is_qcd"] == 1).all()
    assert (found["mass"] == 0).all()
    assert 1 < found["pile_up"].mean() < 5
    # each track lies in a pixel, few in the same one
    tracks = (drawn.x[..., 0] > 0).sum(axis=1)
    assert (tracks <= found["n_tracks"]).all()
    assert tracks.sum() > 0.7 * found["n_tracks"].sum()


def test_weights_undo_the_bias(drawn):
    # by ten times in pT they fall by 10^4.5
    assert (drawn.weight > 0).all()
    assert (drawn.weight <= 1).all()
    ht = drawn.cond[:, 5]
    slope = np.polyfit(np.log(ht), np.log(drawn.weight), 1)[0]
    assert -6.5 < slope < -2.5
    flat = DarkShowerSimulation(events=4, weights=False, **ALONE).generate(4, generator(1, "dark"))
    assert (flat.weight == 1).all()


def test_weighted_events_have_the_spectrum_of_unbiased_ones():
    def spectrum(lines):
        particles, weight = Pythia(lines, 1).weighted(400)
        total = np.bincount(particles.event, particles.pt, 400)
        # shares of events by transverse energy, and their errors
        hard = np.stack([total > limit for limit in (700, 850, 1000)])
        share = (hard * weight).sum(axis=1) / weight.sum()
        error = np.sqrt((((hard - share[:, None]) * weight) ** 2).sum(axis=1)) / weight.sum()
        return share, error, hard.mean(axis=1)

    lines = settings(process("qcd"), DarkSector())
    biased, error, raw = spectrum(lines)
    free, other, _ = spectrum([line for line in lines if "bias" not in line])
    assert (raw > free + 0.2).all()
    assert (np.abs(biased - free) < 4 * np.hypot(error, other)).all()


def test_the_file_does_not_depend_on_workers_and_lies_process_by_process(tmp_path):
    made, processes = [], {"qcd": 1, "suep-700": 2, "svj-2100": 1}
    assert DarkShowerSimulation(events=10, processes=processes).counts() == {"qcd": 3, "suep-700": 5, "svj-2100": 2}
    for workers in (1, 2):
        settings = find_simulation("dark-showers")(events=8, workers=workers, processes=processes, **FAST)
        assert settings.spans() == [(0, 2), (2, 6), (6, 8)]
        settings.simulate(tmp_path / f"{workers}.h5", seed=3)
        made.append(StoreReader(tmp_path / f"{workers}.h5"))
    one, two = (source.read(0, 8) for source in made)
    assert np.array_equal(one.x, two.x)
    assert np.array_equal(one.cond, two.cond)
    found = conditions(one.cond)
    assert found["is_suep"].tolist() == [0] * 2 + [1] * 4 + [0] * 2
    assert found["mass"].tolist() == [0] * 2 + [700] * 4 + [2100] * 2
    efficiency = made[0].schema.provenance["efficiency"]
    assert set(efficiency) == {"qcd", "suep-700", "svj-2100"}
    assert 0.02 < efficiency["suep-700"] < 0.6 < efficiency["svj-2100"] <= 1
    assert is_dark(made[0].schema)


def test_full_images(tmp_path):
    settings = DarkShowerSimulation(events=2, down=1, workers=1, **ALONE)
    settings.simulate(tmp_path / "full.h5", 1)
    source = open_events(tmp_path / "full.h5")
    assert source.schema.geometry.image == (360, 286)
    assert source.read(0, 1).x.shape == (1, 360 * 286, 3)
    assert (tmp_path / "full.h5").stat().st_size < 100_000


def test_from_the_command_line(tmp_path):
    config = tmp_path / "dark.yaml"
    config.write_text(
        "task: dark-showers\nseed: 1\n"
        "simulate: {events: 3, workers: 1, pile_up: 0, processes: {qcd: 2, suep-1000: 1}}\n"
    )
    done = CliRunner().invoke(app, ["simulate", str(config), "--out", str(tmp_path / "run"), "--json"])
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)
    source = open_events(tmp_path / "run" / "truth.h5")
    assert len(source) == 3
    assert source.schema.conditions == dark_schema().conditions
    assert as_images(source.read(0, 3).x).shape == (3, 72, 58, 3)
    config.write_text(config.read_text().replace("suep-1000", "suep-50"))
    done = CliRunner().invoke(app, ["simulate", str(config), "--out", str(tmp_path / "other")])
    assert done.exit_code == 1
    assert "'suep-50' needs a mass of 125 to 1000 GeV" in done.stderr


@pytest.mark.parametrize(
    ("processes", "message"),
    [
        ({"qcs": 1}, "unknown process 'qcs'"),
        ({"svj-20": 1}, "needs a mass of"),
        ({"qcd": 0}, "greater than 0"),
        ({}, "1"),
    ],
)
def test_processes_that_are_none(processes, message):
    with pytest.raises(ValidationError, match=message):
        DarkShowerSimulation(events=1, processes=processes)


def test_settings_survive_json():
    settings = DarkShowerSimulation(events=1, processes={"svj-3100": 2.0}, mesons={"temperature": 3.0})
    assert DarkShowerSimulation.model_validate(settings.model_dump(mode="json")) == settings
    assert settings.mesons.temperature == 3.0


def test_a_cut_that_nothing_passes(monkeypatch):
    monkeypatch.setattr("facsim.simulate.dark_showers.EVENTS_WITHOUT_ANY", 100)
    with pytest.raises(FacsimError, match="lower 'least_ht'"):
        DarkShowerSimulation(events=1, least_ht=12_000, **ALONE).generate(1, generator(1))


def test_scalars_become_leptons_and_pions_of_the_same_momentum():
    scalar = np.array([[30.0, -20.0, 100.0, np.sqrt(300**2 + 30**2 + 20**2 + 100**2)]])
    momentum = np.concatenate([[[1.0, 0.0, 0.0, 1.0]], scalar, scalar])
    sent = Particles(2, np.array([0, 0, 1]), np.array([22, 25, 25]), momentum)
    found = with_showers(sent, DarkMesons(), generator(1, "suep"))
    assert set(np.abs(found.pdg)) == {22, *(pdg for pdg, _ in DAUGHTERS.values())}
    for event, more in ((0, momentum[0]), (1, 0.0)):
        total = found.momentum[found.event == event].sum(axis=0)
        assert total - more == pytest.approx(scalar[0], abs=1e-9 * 300)
    assert found.charge.sum() == pytest.approx(0)
    pairs = found.momentum[1:].reshape(-1, 2, 4).sum(axis=1)
    mass = np.sqrt(pairs[:, 3] ** 2 - (pairs[:, :3] ** 2).sum(axis=1))
    assert mass == pytest.approx(0.7, abs=1e-6)


def test_dark_photons_decay_as_often_as_they_should():
    momentum = np.tile([0.0, 0.0, 0.0, 500.0], (200, 1))
    sent = Particles(200, np.arange(200), np.full(200, 25), momentum)
    pdg = np.abs(with_showers(sent, DarkMesons(), generator(2, "suep")).pdg)
    n = len(pdg) / 2
    for name, share in DarkMesons().decays.items():
        got = (pdg == DAUGHTERS[name][0]).mean()
        assert abs(got - share) < 4 * np.sqrt(share * (1 - share) / n)


@pytest.mark.parametrize(
    "wrong",
    [
        {"decays": {"ee": 0.5}},
        {"decays": {"xx": 1.0}},
        {"decays": {}},
        {"temperature": 0},
        {"photon": 1.5},
        {"photon": 0.2},
    ],
)
def test_dark_mesons_that_cannot_be(wrong):
    with pytest.raises(FacsimError):
        DarkMesons(**wrong)


def test_the_dark_sector_is_invisible_in_part():
    with pytest.raises(FacsimError, match="a dark sector needs"):
        DarkSector(invisible=1.0)
    shares = []
    for invisible in (0.0, 0.5):
        lines = settings(Process("svj", 2100.0), DarkSector(invisible=invisible))
        found = Pythia(lines, 1).next(20, visible=False)
        dark = np.isin(np.abs(found.pdg), (51, 53))
        shares.append(found.pt[dark].sum() / 20)
        assert not np.isin(np.abs(Pythia(lines, 1).next(3).pdg), (12, 51, 53)).any()
    assert shares[0] == 0
    assert shares[1] > 200


def test_a_veto_ends_events_without_energy():
    lines = settings(process("suep-125"), DarkSector())
    pythia = Pythia(lines, 1, Veto(20.0, 350.0))
    found = pythia.next(20)
    assert pythia.tried > 60
    assert np.bincount(found.event, found.pt, 20).min() > 150
    free = Pythia(lines, 1)
    free.next(20)
    assert free.tried == 20


def test_pile_up_is_turned_and_not_changed():
    momentum = np.array([[1.0, 0.0, 2.0, 3.0], [0.0, 2.0, -1.0, 4.0], [3.0, 4.0, 0.0, 6.0]])
    source = Particles(3, np.array([0, 0, 2]), np.array([211, 22, -211]), momentum)
    found = overlay(source, np.array([2, 0, 40]), generator(1, "over"))
    assert found.particles.events == 3
    assert set(found.particles.event) <= {0, 2}
    assert set(np.round(found.particles.pt, 9)) <= {1.0, 2.0, 5.0}
    assert np.ptp(found.particles.phi) > 3
    counts = np.bincount(found.collision)
    assert set(counts) <= {0, 1, 2}


def test_scalar_ht_of_known_jets():
    def beam(pt, eta, phi):
        pt, eta, phi = np.array(pt), np.array(eta), np.array(phi)
        return np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), pt * np.cosh(eta)], axis=1)

    two = beam([100.0, 60.0, 10.0, 30.0], [0.0, 1.0, -1.0, 2.7], [0.0, 3.0, 1.0, 2.0])
    alone = Particles(2, np.zeros(4, np.int64), np.full(4, 22), two)
    assert scalar_ht(alone) == pytest.approx([190.0, 0.0])
    # an even carpet: 1 GeV on each of 30 cells of 1 x pi/3
    eta, phi = (grid.ravel() for grid in np.meshgrid(np.arange(5) - 2.0, (np.arange(6) + 0.5) * np.pi / 3 - np.pi))
    both = Particles(1, np.zeros(34, np.int64), np.full(34, 22), np.concatenate([two, beam(np.ones(30), eta, phi)]))
    rho = 1 / (np.pi / 3)
    assert density(both) == pytest.approx([rho])
    assert scalar_ht(both)[0] == pytest.approx(190 - 2 * rho * np.pi / 4, abs=1.5)
