"""Truth of the task `jets-reco`: jets of Pythia's particles, and the same jets as a parametric detector shows them.

An event is a pair: the generator jet, an anti-kT jet of all visible particles, is given; the constituents of the
reconstructed jet within half a radius of it are the answer, relative to the generator jet's axis and pT.
"""

from __future__ import annotations

import time
from importlib.util import find_spec
from typing import Annotated, Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from facsim.core.errors import FacsimError, MissingExtraError
from facsim.core.geometry import FloatArray, IntArray
from facsim.core.rng import generator
from facsim.core.schema import Feature, Schema, given_conditions
from facsim.physics.detector import respond
from facsim.physics.detector_settings import Detector
from facsim.physics.jet_calibration import JetCalibration
from facsim.physics.jet_schema import PARTICLE_FEATURES, relative
from facsim.physics.particles import Particles
from facsim.simulate.jet_clustering import Jets, cluster
from facsim.simulate.pythia_events import EVENTS_AT_ONCE, Pythia
from facsim.simulate.truth import Drawn
from facsim.simulate.truth_processes import ProcessSimulation

CONDITIONS = (Feature("gen_pt", "GeV"), Feature("gen_eta"))
EVENTS_WITHOUT_JETS = 5000
LARGEST_SEED = 2**62
LEAST_RECO_PT = 3.0
TIMED_EVENTS = 200
DIJETS = (
    "HardQCD:all = on",
    "PhaseSpace:pTHatMin = 25",
    "PhaseSpace:pTHatMax = 2000",
    "PhaseSpace:bias2Selection = on",
    "PhaseSpace:bias2SelectionPow = 4.5",
)
"""Pairs of jets, nearly as many at every ln pT: the bias multiplies the cross section by (pT / 10 GeV)^4.5."""
CALIBRATION = JetCalibration(
    (0.8, 1.5, 2.0, 2.5),
    (
        (1.02793, 0.02192, 0.01699, -0.00549),
        (1.02221, 0.02206, 0.0146, -0.00362),
        (1.05398, 0.02191, 0.01104, -0.00348),
        (1.08791, 0.03368, -0.00883, -0.01335),
    ),
    (21.7, 1531.6),
)
"""Of the default detector, by `python benchmarks/detector_check.py calibrate --events 5000`."""


class Pairs(NamedTuple):
    """Matched jets (M) of both kinds, the particles they are made of, and the generator jets without partner."""

    generated: Jets
    reconstructed: Jets
    particles: Particles
    seen: Particles
    unmatched: int


class JetRecoSimulation(ProcessSimulation):
    """Pairs of generator jets and reconstructed jets.

    Args:
        pythia: settings of Pythia that make the events; weights of biased events are dropped on purpose.
        jet_pt: range of the generator jets' pT, GeV.
        largest_eta: of the generator jets.
        leading: how many of the hardest generator jets of an event are looked at.
        radius: of both kinds of anti-kT jets; partners are nearer than half of it.
        given: how many of the hardest constituents of the generator jet are given.
        constituents: how many of the hardest constituents of the reconstructed jet are kept.
        detector: the parametric detector.
        calibration: factors of reconstructed jets' pT, put on all their constituents. The default is that of the
            default detector; with another one there is none unless it is given.
        chunk: each one starts Pythia anew, which costs half a second.
    """

    simulator: ClassVar[str] = "parametric detector"
    noun: ClassVar[str] = "jets"

    chunk: Annotated[int, Field(ge=1)] = 1000
    pythia: Annotated[tuple[str, ...], Field(min_length=1)] = DIJETS
    jet_pt: tuple[float, float] = (30.0, 1500.0)
    largest_eta: Annotated[float, Field(gt=0)] = 2.5
    leading: Annotated[int, Field(ge=1)] = 3
    radius: Annotated[float, Field(gt=0, lt=3)] = 0.4
    given: Annotated[int, Field(ge=1)] = 50
    constituents: Annotated[int, Field(ge=1)] = 50
    detector: Detector = Detector()
    calibration: JetCalibration | None = CALIBRATION

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not 0 < self.jet_pt[0] < self.jet_pt[1]:
            raise ValueError(f"jet_pt: the range must be positive and increase, not {self.jet_pt}")
        return self

    def schema_of(self) -> Schema:
        points = given_conditions(self.given, PARTICLE_FEATURES, "gen")
        return Schema("cloud", PARTICLE_FEATURES, (*CONDITIONS, *points), points=self.constituents, given=self.given)

    def generate(self, n: int, rng: np.random.Generator) -> Drawn:
        """`n` pairs of jets. Those of one event are a group.

        Raises:
            FacsimError: Pythia does not start, or makes no jets in the window.
            MissingExtraError: Pythia or FastJet is not installed.
        """
        seed = int(rng.integers(LARGEST_SEED))
        pythia, smearing = Pythia(self.pythia, seed), generator(seed, "detector")
        clouds, conditions, events, done, seen, barren = [], [], [], 0, 0, 0
        while done < n:
            size = min(EVENTS_AT_ONCE, n - done)
            pairs = self.pairs(pythia.next(size), smearing)
            cloud, cond = self.arrays(pairs)
            clouds.append(cloud)
            conditions.append(cond)
            events.append(pairs.generated.event + seen)
            done, seen, barren = done + len(cond), seen + size, 0 if len(cond) else barren + size
            if barren >= EVENTS_WITHOUT_JETS:
                low, high = self.jet_pt
                raise FacsimError(
                    f"{barren} events of Pythia had no jet of {low:g} to {high:g} GeV below |eta| = "
                    f"{self.largest_eta:g}: see that the settings 'pythia' fit to 'jet_pt'."
                )
        x, event = np.concatenate(clouds)[:n], np.concatenate(events)[:n]
        group = np.searchsorted(event, event).astype(np.int64)
        return Drawn(x, np.concatenate(conditions)[:n], mask=x[:, :, 2] > 0, group=group)

    def pairs(self, particles: Particles, rng: np.random.Generator) -> Pairs:
        """Generator jets in the window that have a reconstructed partner, and the partners."""
        jets = cluster(particles, radius=self.radius, least_pt=self.jet_pt[0], leading=self.leading)
        pt, eta, _ = jets.axis.T
        jets = jets[(pt > self.jet_pt[0]) & (pt < self.jet_pt[1]) & (np.abs(eta) < self.largest_eta)]
        seen = respond(particles, self.detector, rng).particles
        found = cluster(seen, radius=self.radius, least_pt=LEAST_RECO_PT)
        mine, partner = matched(jets, found, self.radius / 2)
        return Pairs(jets[mine], found[partner], particles, seen, len(jets) - len(mine))

    def arrays(self, pairs: Pairs) -> tuple[FloatArray, FloatArray]:
        """Constituents (M, constituents, 3) of reconstructed jets, and conditions (M, 2 + 3 given)."""
        axis = pairs.generated.axis
        points = relative(pairs.generated.constituents(pairs.particles), axis, self.given)
        cloud = relative(pairs.reconstructed.constituents(pairs.seen), axis, self.constituents)
        if self.own_calibration is not None:
            pt, eta, _ = pairs.reconstructed.axis.T
            cloud[:, :, 2] *= self.own_calibration.factor(pt, eta)[:, None]
        return cloud, np.column_stack([axis[:, :2], points.reshape(len(axis), 3 * self.given)])

    @property
    def own_calibration(self) -> JetCalibration | None:
        """The calibration, unless it is that of the default detector and the detector is another."""
        return None if self.calibration == CALIBRATION and self.detector != Detector() else self.calibration

    def time(self, cond: NDArray[Any], seed: int) -> FloatArray | None:
        """Time of detector and clustering, per pair, without Pythia's; the same at all conditions."""
        if self.missing() is not None:
            return None
        particles, rng = Pythia(self.pythia, seed).next(TIMED_EVENTS), generator(seed, "timing")
        self.pairs(particles, rng)
        begin = time.thread_time()
        pairs = self.pairs(particles, rng)
        spent = time.thread_time() - begin
        return np.full(len(cond), 1000 * spent / max(len(pairs.generated), 1))

    def missing(self) -> MissingExtraError | None:
        absent = [name for name in ("pythia8mc", "fastjet", "awkward") if find_spec(name) is None]
        return MissingExtraError("jets", absent[0]) if absent else None


def matched(jets: Jets, others: Jets, distance: float) -> tuple[IntArray, IntArray]:
    """Places of jets and of others of the same event that are nearest to each other, and nearer than `distance`."""
    low, high = (np.searchsorted(others.event, jets.event, side) for side in ("left", "right"))
    first = np.repeat(np.arange(len(jets)), high - low)
    second = np.arange(len(first)) - np.repeat(np.cumsum(high - low) - high, high - low)
    a, b = jets.axis[first], others.axis[second]
    turn = (a[:, 2] - b[:, 2] + np.pi) % (2 * np.pi) - np.pi
    apart = np.hypot(a[:, 1] - b[:, 1], turn)
    near = apart < distance
    first, second, apart = first[near], second[near], apart[near]
    order = np.argsort(apart, kind="stable")
    best = np.intersect1d(
        order[np.unique(first[order], return_index=True)[1]], order[np.unique(second[order], return_index=True)[1]]
    )
    return first[best], second[best]
