"""Geant4 with material in front of a calorimeter: whole events, or up to its face, or from there on."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import MissingExtraError
from facsim.simulate.detector import Detector
from facsim.simulate.geant4 import CM, bin_shower, collect_deposits
from facsim.simulate.hook.records import RECORD, Records, make_records
from facsim.simulate.hook.world import front_world, full_world, start

WARM_UP_MEV = 1000.0
BACK = 1e-6
"""mm in front of the face from where a caught particle goes on, so that it enters."""
AXIS = np.zeros(6)
"""The row of the gun for a particle on the axis, perpendicular to the face."""
Cells = NDArray[np.float32]


class HookGeant4:
    """One calorimeter with material in front, in this process. Construct it once per process.

    Args:
        detector: the calorimeter. material: radiation lengths of silicon in front.

    Raises:
        MissingExtraError: calzone is not installed.
    """

    def __init__(self, detector: Detector, material: float) -> None:
        try:
            import calzone  # noqa: PLC0415
        except ImportError:
            raise MissingExtraError("geant4", "calzone") from None
        self.version = str(calzone.GEANT4_VERSION)
        self._bare = detector.model_copy(update={"threshold": 0.0})
        self._start = (0.0, 0.0, start(material) / CM)
        self._particles = calzone.particles
        physics = calzone.Physics(
            em_model=detector.physics.em,
            had_model=detector.physics.hadronic_model(False),
            default_cut=detector.cut / CM,
        )
        worlds = (full_world(detector, material), front_world(detector, material))
        self._full, self._front = (calzone.Simulation(calzone.Geometry(world)) for world in worlds)
        for simulation in (self._full, self._front):
            simulation.physics = physics
        self._full.sample_deposits = "detailed"
        self._front.sample_particles = True
        self.full(WARM_UP_MEV, 11, 1)
        self.front(WARM_UP_MEV, 11, 1)

    def _run(self, simulation: Any, particles: Any, seed: int) -> Any:
        simulation.random.seed = seed
        return simulation.run(particles)

    def _gun(self, energy: float, pid: int) -> Any:
        return self._particles(1, pid=pid, energy=energy, position=self._start, direction=(0.0, 0.0, 1.0))

    def full(self, energy: float, pid: int, seed: int) -> tuple[Cells, float]:
        """One whole event: cells in MeV before the threshold (V,), and the CPU ms of Geant4 without the scoring."""
        begin = time.process_time()
        deposits = self._run(self._full, self._gun(energy, pid), seed).deposits
        spent = 1000.0 * (time.process_time() - begin)
        return bin_shower(collect_deposits(deposits), self._bare, AXIS), spent

    def front(self, energy: float, pid: int, seed: int) -> Records:
        """One event up to the calorimeter: what enters it, with event number 0."""
        caught = self._run(self._front, self._gun(energy, pid), seed).particles.get("World.Calorimeter")
        if caught is None:  # nothing came as far
            return np.zeros(0, dtype=RECORD)
        zero = np.zeros(len(caught), dtype=np.int64)
        return make_records(zero, caught["pid"], caught["energy"], CM * caught["position"], caught["direction"])

    def rest(self, records: Records, seed: int) -> Cells:
        """From the records of one event on: cells in MeV before the threshold, (V,)."""
        particles = self._particles(
            len(records),
            pid=records["pid"],
            energy=records["energy"],
            position=(records["position"] - BACK * records["direction"]) / CM,
            direction=records["direction"],
        )
        return bin_shower(collect_deposits(self._run(self._full, particles, seed).deposits), self._bare, AXIS)
