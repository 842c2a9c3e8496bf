"""Truth of the task `jets`: anti-kT jets of Pythia's collisions, as constituents relative to their jet.

The defaults are JetNet's recipe (arXiv 2106.11535) as far as Pythia alone can follow it: partons of 1 TeV within 1 %,
the Monash tune with its underlying event, anti-kT jets of R = 0.8, 0.8 to 1.6 TeV, no detector. JetNet's hard processes
are those of MadGraph. The moments of its real jets that come with the package jetnet fit R = 0.4 and not 0.8
(benchmarks/RESULTS.md): to compare with JetNet itself, set `radius: 0.4`.
"""

from __future__ import annotations

import re
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from facsim.core.errors import FacsimError, MissingExtraError
from facsim.core.geometry import FloatArray
from facsim.core.rng import integer_seed
from facsim.core.schema import Schema
from facsim.physics.jet_schema import JET_CONDITIONS, jet_schema, relative
from facsim.physics.particles import Particles
from facsim.simulate.hepmc import HepMCEvents
from facsim.simulate.jet_clustering import RADIUS, Jets, cluster
from facsim.simulate.pythia_events import EVENTS_AT_ONCE, HARD, MINIMUM_BIAS, Collisions
from facsim.simulate.truth import Drawn
from facsim.simulate.truth_processes import ProcessSimulation

Range = tuple[float, float]
EVENTS_WITHOUT_JETS = 5000
TIMED_JETS = 200
LARGEST_SEED = 2**62


class JetSimulation(ProcessSimulation):
    """Jets of one or several kinds, equally many of each.

    Args:
        kinds: names in `pythia_events.HARD` (g, q, t, w, z) or in `processes`.
        processes: further kinds: name to the lines of Pythia's settings that make them.
        pythia: lines that follow those of every kind, such as another tune or beam energy.
        constituents: how many of the hardest constituents are kept.
        radius: of the anti-kT jets.
        jet_pt: range of the jets' pT, GeV.
        largest_eta: of the jets.
        leading: how many of the hardest jets of a collision are looked at.
        pile_up: mean number of inelastic collisions laid over each; nothing of them is subtracted.
        pile_up_pythia: Pythia's lines for those.
        hepmc: text file of HepMC whose events are taken in place of Pythia's, in one process; `kinds` then only names
            what they are.
        jetnet: `facsim simulate` writes JetNet's HDF5 beside the truth, a file per kind.
        chunk: each one starts Pythia anew, which costs half a second per kind (with pile-up 6 s).
    """

    simulator: ClassVar[str] = "Pythia and FastJet"
    undetermining: ClassVar[frozenset[str]] = frozenset({"workers", "jetnet"})
    noun: ClassVar[str] = "jets"

    chunk: Annotated[int, Field(ge=1)] = 1000
    kinds: Annotated[tuple[str, ...], Field(min_length=1)] = ("g",)
    processes: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    pythia: tuple[str, ...] = ()
    constituents: Annotated[int, Field(ge=1)] = 30
    radius: Annotated[float, Field(gt=0, lt=3)] = RADIUS
    jet_pt: Range = (800.0, 1600.0)
    largest_eta: Annotated[float, Field(gt=0)] = 2.5
    leading: Annotated[int, Field(ge=1)] = 2
    pile_up: Annotated[float, Field(ge=0, le=1000)] = 0.0
    pile_up_pythia: Annotated[tuple[str, ...], Field(min_length=1)] = MINIMUM_BIAS
    hepmc: Path | None = None
    jetnet: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        known = {**HARD, **self.processes}
        odd = [kind for kind in self.kinds if not re.fullmatch(r"[A-Za-z0-9_-]+", kind)]
        if odd:
            raise ValueError(f"kinds: a name, also of a file, is of letters, digits, _ and -, not '{odd[0]}'")
        unknown = [kind for kind in self.kinds if kind not in known]
        if self.hepmc is not None and len(self.kinds) > 1:
            raise ValueError(f"kinds: the events of a HepMC file are of one kind, not {list(self.kinds)}")
        if unknown and self.hepmc is None:
            raise ValueError(
                f"kinds: there are no jets '{unknown[0]}': expected {', '.join(known)}, or lines in 'processes'"
            )
        if len(set(self.kinds)) != len(self.kinds):
            raise ValueError(f"kinds: each may be named once, not {list(self.kinds)}")
        if not 0 < self.jet_pt[0] < self.jet_pt[1]:
            raise ValueError(f"jet_pt: the range must be positive and increase, not {self.jet_pt}")
        return self

    def inputs(self) -> dict[str, Any]:
        if self.hepmc is None:
            return {}
        try:
            found = self.hepmc.stat()
        except OSError as error:
            raise FacsimError(f"cannot read the HepMC file '{self.hepmc}': {error.strerror}.") from None
        return {"hepmc": [found.st_size, found.st_mtime_ns]}

    @property
    def chunk_events(self) -> int:
        return self.chunk if self.hepmc is None else self.events

    def schema_of(self) -> Schema:
        return jet_schema(self.kinds, self.constituents)

    def generate(self, n: int, rng: np.random.Generator) -> Drawn:
        """`n` jets, the kinds in turn. Jets of one collision are a group.

        Raises:
            FacsimError: Pythia does not start, or makes no jets in the window.
            MissingExtraError: Pythia or FastJet is not installed.
        """
        seed, step = int(rng.integers(LARGEST_SEED)), len(self.kinds)
        x = np.zeros((n, self.constituents, 3))
        cond, group = np.zeros((n, len(self.schema_of().conditions))), np.zeros(n, dtype=np.int64)
        for i, kind in enumerate(self.kinds):
            place = np.arange(i, n, step)
            if not len(place):
                continue
            x[place], axis, event = self._jets(kind, len(place), seed)
            cond[place, : len(JET_CONDITIONS)] = axis[:, : len(JET_CONDITIONS)]
            if step > 1:
                cond[place, len(JET_CONDITIONS) + i] = 1.0
            group[place] = place[np.searchsorted(event, event)]
        return Drawn(x, cond, mask=x[:, :, 2] > 0, group=group)

    def time(self, cond: NDArray[Any], seed: int) -> FloatArray | None:
        if self.missing() is not None or self.hepmc is not None:
            return None
        spent = {}
        for kind in self.kinds:
            source = self.collisions(kind, seed)
            self.take(source, kind, 2)
            begin = time.thread_time()
            made = len(self.take(source, kind, min(max(len(cond), 2), TIMED_JETS))[0])
            spent[kind] = 1000 * (time.thread_time() - begin) / made
        each = np.array([spent[kind] for kind in self.kinds])
        if len(self.kinds) == 1:
            return np.full(len(cond), each[0])
        return np.asarray(each[np.argmax(cond[:, len(JET_CONDITIONS) :], axis=1)])

    def missing(self) -> MissingExtraError | None:
        needed = ("fastjet", "awkward", *(("pythia8mc",) if self.hepmc is None or self.pile_up else ()))
        absent = [name for name in needed if find_spec(name) is None]
        return MissingExtraError("jets", absent[0]) if absent else None

    def collisions(self, kind: str, seed: int) -> Collisions:
        """What gives the collisions that jets of `kind` come from."""
        lines = (*{**HARD, **self.processes}.get(kind, ()), *self.pythia)
        hard = lines if self.hepmc is None else HepMCEvents(self.hepmc)
        return Collisions(hard, integer_seed(seed, kind), pile_up=self.pile_up, pile_up_lines=self.pile_up_pythia)

    def _jets(self, kind: str, n: int, seed: int) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
        return self.take(self.collisions(kind, seed), kind, n)

    def take(self, source: Collisions, kind: str, n: int) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
        """The next `n` jets of `source`: constituents (n, P, 3), axes (n, 3), and the number of the collision (n,).

        Raises:
            FacsimError: there are none in the window, or the file ends.
        """
        clouds, axes, events, done, barren, seen = [], [], [], 0, 0, 0
        while done < n:
            # no more collisions than the jets still wanted need
            size = min(EVENTS_AT_ONCE, -(-(n - done) // self.leading))
            particles = source.next(size)
            if not particles.events:
                raise FacsimError(
                    f"'{self.hepmc}' holds {seen} events with {done} jets in the window, and {n} are wanted."
                )
            jets = self._in_window(self._clustered(particles))
            axis = jets.axis
            clouds.append(relative(jets.constituents(particles), axis, self.constituents))
            axes.append(axis)
            events.append(jets.event + seen)
            done, seen = done + len(jets), seen + particles.events
            barren = 0 if len(jets) else barren + particles.events
            if barren >= EVENTS_WITHOUT_JETS:
                low, high = self.jet_pt
                raise FacsimError(f"there is no {kind} jet of {low:g} to {high:g} GeV in {barren} events.")
        return np.concatenate(clouds)[:n], np.concatenate(axes)[:n], np.concatenate(events)[:n]

    def _in_window(self, jets: Jets) -> Jets:
        pt, eta, _ = jets.axis.T
        return jets[(pt > self.jet_pt[0]) & (pt < self.jet_pt[1]) & (np.abs(eta) < self.largest_eta)]

    def _clustered(self, particles: Particles) -> Jets:
        return cluster(particles, radius=self.radius, least_pt=self.jet_pt[0], leading=self.leading)
