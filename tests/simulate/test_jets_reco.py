"""Pairs of generator jets and reconstructed jets: their coordinates, their groups, what an ideal detector gives."""

import numpy as np
import pytest
from pydantic import ValidationError

from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.core.store import StoreReader
from facsim.physics.detector_settings import Calorimeter, Detector, Efficiency, Region, Tracker
from facsim.physics.jet_calibration import JetCalibration
from facsim.simulate import find_simulation
from facsim.simulate.jet_clustering import Jets
from facsim.simulate.jets_reco import CALIBRATION, DIJETS, JetRecoSimulation, matched
from facsim.simulate.pythia_events import Pythia

pytest.importorskip("pythia8mc")
pytest.importorskip("fastjet")

ALWAYS = Efficiency((9.0,), (0.0,), ((1.0,),))
FINE = Calorimeter((Region(6.0, 600, 640, 0.0, 0.0, 0.0, 0.0),))
IDEAL = Detector(
    Tracker(0.0, hadrons=ALWAYS, electrons=ALWAYS, muons=ALWAYS, constant=(0.0,) * 3, slope=(0.0,) * 3, angle=0.0),
    FINE, FINE, compensation=1.0, crossing=0.0, showering=0.0, merge=False,
)  # fmt: skip


@pytest.fixture(scope="module")
def particles():
    return Pythia(DIJETS, 5).next(60)


@pytest.fixture(scope="module")
def drawn():
    return JetRecoSimulation(events=1).generate(100, generator(5, "jets"))


def test_pairs_have_the_shape_of_the_schema(drawn):
    schema = JetRecoSimulation(events=1).schema_of()
    assert drawn.x.shape == (100, 50, 3)
    assert drawn.cond.shape == (100, len(schema.conditions)) == (100, 152)
    assert [f.name for f in schema.conditions[:5]] == ["gen_pt", "gen_eta", "gen0_etarel", "gen0_phirel", "gen0_ptrel"]
    assert schema.given == 50
    assert (drawn.mask == (drawn.x[:, :, 2] > 0)).all()


def test_given_points_sum_to_the_generator_jet(drawn):
    pt, points = drawn.cond[:, 0], drawn.cond[:, 2:].reshape(100, 50, 3)
    assert (np.diff(points[:, :, 2], axis=1) <= 0).all()
    few = points[:, -1, 2] == 0
    assert few.sum() > 60
    x, y = ((points[:, :, 2] * f(points[:, :, 1])).sum(axis=1) for f in (np.cos, np.sin))
    assert x[few] == pytest.approx(1.0, abs=1e-6)
    assert y[few] == pytest.approx(0.0, abs=1e-6)
    assert ((pt > 30) & (pt < 1500)).all()


def test_reconstructed_jets_lie_on_their_generator_jets(drawn):
    ptrel, angle = drawn.x[:, :, 2], np.hypot(drawn.x[:, :, 0], drawn.x[:, :, 1])
    assert angle[drawn.mask].max() < 0.7
    assert 0.9 < ptrel.sum(axis=1).mean() < 1.1
    assert (np.diff(ptrel, axis=1) <= 0).all()


def test_jets_of_an_event_are_a_group(drawn):
    starts = np.flatnonzero(drawn.group == np.arange(100))
    assert 20 < len(starts) < 90
    assert (np.diff(drawn.group) >= 0).all()


def test_an_ideal_detector_gives_the_jet_back(particles):
    settings = JetRecoSimulation(events=1, detector=IDEAL)
    pairs = settings.pairs(particles, generator(6, "ideal"))
    x, cond = settings.arrays(pairs)
    points = cond[:, 2:].reshape(len(x), 50, 3)
    off = np.abs(x[:, :, 2].sum(axis=1) / points[:, :, 2].sum(axis=1) - 1)
    assert len(x) > 60
    assert pairs.unmatched <= 2
    # masses of kaons and protons are taken for pions', and jets at the edge of another one change with the least
    assert np.median(off) < 0.01
    assert np.quantile(off, 0.9) < 0.04


def test_calibration_belongs_to_its_detector(particles):
    assert JetRecoSimulation(events=1).own_calibration is not None
    assert JetRecoSimulation(events=1, detector={"excess": 2.0}).own_calibration is None
    own = JetCalibration((2.5,), ((2.0, 0.0, 0.0, 0.0),), (10.0, 1000.0))
    assert JetRecoSimulation(events=1, detector={"excess": 2.0}, calibration=own).own_calibration == own
    raw, twice = (
        settings.arrays(settings.pairs(particles, generator(1)))[0]
        for settings in (JetRecoSimulation(events=1, calibration=None), JetRecoSimulation(events=1, calibration=own))
    )
    assert twice[:, :, 2] == pytest.approx(2 * raw[:, :, 2])


def test_settings_survive_json_and_the_default_response_is_calibrated():
    settings = JetRecoSimulation(events=1, detector={"tracker": {"field": 2.0}})
    again = JetRecoSimulation.model_validate(settings.model_dump(mode="json"))
    assert again == settings
    assert again.detector.tracker.field == 2.0
    assert again.detector.hcal == Detector().hcal
    assert CALIBRATION.factor(np.array([100.0]), np.array([0.0]))[0] > 1.0


def test_the_simulation_writes_a_store_that_does_not_depend_on_workers(tmp_path):
    made = []
    for workers in (1, 2):
        settings = find_simulation("jets-reco")(events=12, chunk=6, workers=workers)
        settings.simulate(tmp_path / f"{workers}.h5", seed=3)
        made.append(StoreReader(tmp_path / f"{workers}.h5").read(0, 12))
    assert np.array_equal(made[0].x, made[1].x)
    assert made[0].schema.given == 50


def test_matching_takes_the_nearest_of_the_same_event_once():
    def jets(event, eta, phi):
        eta, phi = np.array(eta), np.array(phi)
        momentum = np.column_stack([np.cos(phi), np.sin(phi), np.sinh(eta), np.cosh(eta)])
        return Jets(np.array(event), momentum, np.zeros((len(eta), 1), int))

    true = jets([0, 0, 1, 2], [0.0, 0.15, 1.0, 0.0], [3.1, 3.1, 0.0, 0.0])
    seen = jets([0, 0, 1], [0.1, 2.0, 1.05], [-3.1, 0.0, 0.0])
    mine, partner = matched(true, seen, 0.2)
    # both of event 0 are near the same partner: the nearer one takes it, across phi = pi
    assert mine.tolist() == [1, 2]
    assert partner.tolist() == [0, 2]


def test_settings_that_make_no_jets(monkeypatch):
    monkeypatch.setattr("facsim.simulate.jets_reco.EVENTS_WITHOUT_JETS", 20)
    soft = ("HardQCD:all = on", "PhaseSpace:pTHatMin = 30")
    with pytest.raises(FacsimError, match="had no jet of 1400 to 1500 GeV"):
        JetRecoSimulation(events=1, pythia=soft, jet_pt=(1400, 1500)).generate(20, generator(1))
    with pytest.raises(ValidationError, match="jet_pt"):
        JetRecoSimulation(events=1, jet_pt=(100, 50))
