"""Truth of the task `dark-showers`: images of dark showers and of their background in a detector like CMS.

Pythia makes the collisions, others are laid over them, and the parametric detector shows tracks of the primary vertex
and cells of both calorimeters. Events whose jets have a scalar sum of pT above a cut are kept, as a trigger would.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from facsim.core.errors import FacsimError, MissingExtraError
from facsim.core.geometry import FloatArray, IntArray
from facsim.core.rng import generator, integer_seed
from facsim.core.schema import Schema
from facsim.physics.dark_detector import DARK_DETECTOR
from facsim.physics.dark_schema import PROCESSES, dark_schema, raster
from facsim.physics.detector import Response, respond
from facsim.physics.detector_images import images
from facsim.physics.detector_settings import Detector
from facsim.physics.particles import Particles, invisible, merged
from facsim.simulate.dark_processes import ENERGY, SAFE, DarkSector, Process, process, settings, veto
from facsim.simulate.pile_up import library, overlay
from facsim.simulate.pythia_events import EVENTS_AT_ONCE, Pythia
from facsim.simulate.scalar_ht import scalar_ht
from facsim.simulate.showers_chunks import Chunk
from facsim.simulate.suep import DarkMesons, with_showers
from facsim.simulate.truth import Drawn
from facsim.simulate.truth_processes import ProcessSimulation

EVENTS_WITHOUT_ANY = 20_000
LEAST_AT_ONCE = 10
TIMED_EVENTS = 20
LEPTONS_AND_HADRONS = (11, 13, 211)
Share = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Kept(NamedTuple):
    """Events (N) that passed the cut: images (N, V, 3), conditions (N, 7) and weights (N,)."""

    x: NDArray[np.float32]
    cond: FloatArray
    weight: FloatArray


class DarkShowerSimulation(ProcessSimulation):
    """Images of tracker, ECAL and HCAL.

    Args:
        processes: shares of the events by process, in any unit: `qcd`, `suep-<mass>` of 125 to 1000 GeV, `svj-<mass>`.
            Events lie in the file process by process.
        least_ht: events whose jets' scalar sum of pT is smaller are not kept, GeV.
        weights: whether QCD events get weights that undo the bias of Pythia to large pT; without them all count alike,
            as in the published images. The weight is 1 at pT = 200 GeV, and of all other events.
        mesons: dark mesons of SUEP and their decays. sector: what Z' decay to in semi-visible jets.
        pile_up: mean number of collisions laid over an event.
        library: how many of those are made; they are drawn again and again and turned by any angle.
        unresolved: share of them that lie too near to the primary vertex to be told apart, so that their tracks stay.
        down: sums of so many by so many pixels; 5 for the published 72 x 58, 1 for all 360 x 286.
        detector: the parametric detector.
        chunk: each one starts Pythia anew, which costs half a second; each worker makes the library once, which costs
            ten.
    """

    simulator: ClassVar[str] = "Pythia and a parametric detector"

    chunk: Annotated[int, Field(ge=1)] = 500
    processes: Annotated[dict[str, Share], Field(min_length=1)] = Field(default_factory=lambda: {"qcd": 1.0})
    least_ht: Annotated[float, Field(ge=0)] = 500.0
    weights: bool = True
    mesons: DarkMesons = DarkMesons()
    sector: DarkSector = DarkSector()
    pile_up: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 45.0
    library: Annotated[int, Field(ge=1)] = 3000
    unresolved: Annotated[float, Field(ge=0, le=1)] = 0.001
    down: Literal[1, 5] = 5
    detector: Detector = DARK_DETECTOR

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in self.processes:
            try:
                process(name)
            except ValueError as error:
                raise ValueError(f"processes: {error}") from None
        return self

    def schema_of(self) -> Schema:
        return dark_schema(self.down)

    def counts(self) -> dict[str, int]:
        """Number of events of each process: whole ones, the largest remainders rounded up."""
        share = np.array(list(self.processes.values()))
        exact = self.events * share / share.sum()
        number = np.floor(exact).astype(np.int64)
        number[np.argsort(number - exact, kind="stable")[: self.events - int(number.sum())]] += 1
        return dict(zip(self.processes, number.tolist(), strict=True))

    def spans(self) -> list[tuple[int, int]]:
        found, first = [], 0
        for number in self.counts().values():
            stop = first + number
            found += [(low, min(low + self.chunk, stop)) for low in range(first, stop, self.chunk)]
            first = stop
        return found

    def make(self, part: Chunk, seed: int) -> Drawn:
        ends = np.cumsum(list(self.counts().values()))
        name = list(self.processes)[int(np.searchsorted(ends, part.first, side="right"))]
        return self._drawn(name, part.stop - part.first, generator(seed, "truth", part.first), seed)

    def generate(self, n: int, rng: np.random.Generator) -> Drawn:
        """`n` events of the first process."""
        return self._drawn(next(iter(self.processes)), n, rng, 0)

    def summary(self, notes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Share of each process's collisions that pass the cut."""
        tried, passed = (dict.fromkeys(self.processes, 0) for _ in range(2))
        for note in notes:
            tried[note["process"]] += note["tried"]
            passed[note["process"]] += note["passed"]
        return {"efficiency": {name: passed[name] / tried[name] for name in tried if tried[name]}}

    def _drawn(self, name: str, n: int, rng: np.random.Generator, seed: int) -> Drawn:
        """`n` events of a process.

        Raises:
            FacsimError: Pythia does not start, or hardly any event passes the cut.
            MissingExtraError: Pythia or FastJet is not installed.
        """
        kind = process(name)
        hard = Pythia(settings(kind, self.sector), int(rng.integers(2**62)), veto(kind, self.least_ht))
        kept: list[Kept] = []
        done, seen = 0, 0
        while done < n:
            size = min(EVENTS_AT_ONCE, LEAST_AT_ONCE + 2 * (n - done))
            particles, weight = hard.weighted(size)
            kept.append(self.select(kind, particles, weight, rng, seed))
            done, seen = done + len(kept[-1].x), seen + size
            if seen >= EVENTS_WITHOUT_ANY and not done:
                raise FacsimError(
                    f"none of {seen} events of '{name}' has HT > {self.least_ht:g} GeV: lower 'least_ht'."
                )
        x, cond, weights = (np.concatenate(columns)[:n] for columns in zip(*kept, strict=True))
        weights = weights if self.weights and kind.kind == "qcd" else np.ones(n)
        notes = {"process": name, "tried": hard.tried, "passed": done}
        return Drawn(x, cond, weight=weights, notes=notes)

    def select(
        self, kind: Process, particles: Particles, weight: FloatArray, rng: np.random.Generator, seed: int
    ) -> Kept:
        """Those of some events that pass the cut. The scalars of SUEP are among the particles."""
        if kind.kind == "suep":
            particles = with_showers(particles, self.mesons, rng)
        particles, weight = self._promising(particles, weight)
        number, response, primary = self.respond(particles, rng, seed)
        charged = np.isin(np.abs(response.particles.pdg), LEPTONS_AND_HADRONS)
        charged[charged] = ~primary
        ht = scalar_ht(response.particles[~charged])
        passed = np.flatnonzero(ht > self.least_ht)
        image = images(response, self.detector, raster(self.down), primary)[passed]
        inside = raster(self.down).pixel(*response.outer.T) >= 0
        tracks = np.bincount(response.tracks.event[inside & primary], minlength=particles.events)
        one_hot = np.tile([float(kind.kind == known) for known in PROCESSES], (len(passed), 1))
        cond = np.column_stack([np.full(len(passed), kind.mass), one_hot, tracks[passed], ht[passed], number[passed]])
        return Kept(image.reshape(len(passed), np.prod(image.shape[1:3]), image.shape[3]), cond, weight[passed])

    def _promising(self, particles: Particles, weight: FloatArray) -> tuple[Particles, FloatArray]:
        """Visible particles that may reach the calorimeters, of the events that can pass the cut."""
        near = particles[(np.abs(particles.eta) < self.largest_eta) & ~invisible(particles.pdg)]
        enough = np.bincount(near.event, near.pt, near.events) > SAFE * self.least_ht
        kept = near[enough[near.event]]
        event = (np.cumsum(enough) - 1)[kept.event].astype(np.int64)
        return Particles(int(enough.sum()), event, kept.pdg, kept.momentum), weight[enough]

    def respond(
        self, particles: Particles, rng: np.random.Generator, seed: int
    ) -> tuple[IntArray, Response, NDArray[np.bool_]]:
        """Numbers of collisions laid over each event, the detector's response to all, and which tracks (T,) are of the
        primary vertex as far as it can be told."""
        number = rng.poisson(self.pile_up, particles.events).astype(np.int64)
        parts, stays = [particles], [np.ones(len(particles), dtype=bool)]
        if number.any():
            source = library(self.library, ENERGY, self.largest_eta, integer_seed(seed, "pile-up"))
            over = overlay(source, number, rng)
            parts.append(over.particles)
            stays.append((rng.random(int(number.sum())) < self.unresolved)[over.collision])
        order = np.argsort(np.concatenate([part.event for part in parts]), kind="stable")  # as `merged` does
        response = respond(merged(particles.events, parts), self.detector, rng)
        return number, response, np.concatenate(stays)[order][response.source]

    @property
    def largest_eta(self) -> float:
        """End of the calorimeters; the field takes nothing from beyond it to them."""
        return max(part.regions[-1].eta for part in (self.detector.ecal, self.detector.hcal))

    def time(self, cond: NDArray[Any], seed: int) -> FloatArray | None:
        """Time of a whole event of the first process, Pythia's included; the same at all conditions."""
        if self.missing() is not None:
            return None
        rng = generator(seed, "timing")
        self.generate(1, rng)
        begin = time.thread_time()
        self.generate(TIMED_EVENTS, rng)
        return np.full(len(cond), 1000 * (time.thread_time() - begin) / TIMED_EVENTS)

    def missing(self) -> MissingExtraError | None:
        absent = [name for name in ("pythia8mc", "fastjet", "awkward") if find_spec(name) is None]
        return MissingExtraError("jets", absent[0]) if absent else None
