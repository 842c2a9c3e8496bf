"""The fast path: caught particles of many events at once become showers in the read-outs of their events."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.rng import generator
from facsim.pipeline.geant4_model import HookModel
from facsim.simulate.detector import Detector
from facsim.simulate.hook.guard import PHOTONS, REASONS, SHOWERS
from facsim.simulate.hook.pairs import convert
from facsim.simulate.hook.placement import Placement
from facsim.simulate.hook.records import Records


class Stopwatch:
    """CPU time of this process by what it went to, ms."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = defaultdict(float)

    @contextmanager
    def on(self, what: str) -> Iterator[None]:
        """Count what is done inside as `what`."""
        begin = time.process_time()
        yield
        self.ms[what] += 1000.0 * (time.process_time() - begin)


@dataclass
class Fates:
    """What became of particles: numbers and energy in MeV by fate."""

    number: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    energy: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, fate: str, records: Records) -> None:
        self.number[fate] += len(records)
        self.energy[fate] += float(records["energy"].sum())


@dataclass(frozen=True)
class Block:
    """Consecutive events: `cells` (n, V) in MeV of what the surrogate took, and the records that it did not take."""

    cells: NDArray[np.float32]
    left: Records


class FastPath:
    """Turns caught particles into showers with one surrogate.

    Args:
        model: the surrogate. detector: the calorimeter. seed: of conversions, showers and placement.
    """

    def __init__(self, model: HookModel, detector: Detector, seed: int) -> None:
        self._model, self._detector, self._seed = model, detector, seed
        self._placement = Placement(detector.readout, model.geometry)
        self.geometry, self.fates = model.geometry, Fates()

    def block(self, records: Records, first: int, events: int, watch: Stopwatch) -> Block:
        """What the surrogate makes of the records of `events` events from `first` on."""
        rng = generator(self._seed, "geant4 demo", "fast", first)
        with watch.on("guard"):
            showers, left = self._sorted(records, rng)
        cells = np.zeros((events, self.geometry.n_cells), dtype=np.float32)
        if len(showers):
            with watch.on("surrogate"):
                cond = np.ascontiguousarray(showers["energy"])[:, None]
                made: NDArray[Any] = self._model.sampler.sample(cond, rng)[..., 0]
            with watch.on("placement"):
                self._placement.add(cells, showers["event"] - first, made, showers, rng)
        return Block(cells, left)

    def _sorted(self, records: Records, rng: np.random.Generator) -> tuple[Records, Records]:
        """Electrons for the surrogate, those of converted photons among them, and what goes back to Geant4."""
        found = self._model.guard.sort(records)
        for fate, some in found.items():
            self.fates.add(fate, some)
        pairs = convert(found[PHOTONS], self._detector, rng)
        enough, allowed = self._model.guard.in_range(pairs["energy"])
        self.fates.add("pair", pairs[enough & allowed])
        self.fates.add("pair_out", pairs[~(enough & allowed)])
        showers = np.concatenate([found[SHOWERS], pairs[enough & allowed]])
        left = np.concatenate([*(found[reason] for reason in REASONS), pairs[~(enough & allowed)]])
        return showers[np.argsort(showers["event"], kind="stable")], left[np.argsort(left["event"], kind="stable")]
