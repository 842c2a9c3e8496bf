"""Geant4 showers through calzone: geometry, one event at a time, deposits into read-out cells.

Only worker processes import calzone: a fatal Geant4 error aborts the process, and physics is frozen by a process's
first run.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core import rng
from facsim.core.errors import MissingExtraError
from facsim.core.geometry import FloatArray
from facsim.simulate.detector import Detector
from facsim.simulate.g4data import WORLD, find_official

CM = 10.0
GAP = 1.0
WARM_UP_MEV = 1.0


def geant4_available() -> bool:
    """Whether Geant4 can run here: its wheel (calzone, Linux on x86-64) is installed and there are data for it,
    official ones or the packages with the tables of the miniature."""
    if find_spec("calzone") is None:
        return False
    return all(find_spec(name) is not None for name in ("yamc", "xraydb")) or find_official() is not None


def world_definition(detector: Detector) -> dict[str, Any]:
    """The detector as calzone's geometry: boxes in vacuum, front face at z = 0, lengths in cm."""
    width, depth = detector.size / CM, detector.depth / CM
    margin = 2 * (width + depth)
    world: dict[str, Any] = {"box": [width + margin, width + margin, 2 * (depth + margin)], "material": WORLD}
    for i, (z, slab) in enumerate(detector.slabs()):
        box: dict[str, Any] = {
            "box": [width, width, slab.thickness / CM],
            "material": slab.material,
            "position": [0.0, 0.0, (z + slab.thickness / 2) / CM],
        }
        world[f"L{i}"] = box | ({"role": "record_deposits"} if slab.active else {})
    return {"World": world}


def direction(theta: float, phi: float) -> FloatArray:
    """Unit vector at polar angle `theta` to the z axis, shape (3,)."""
    return np.array([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])


def particle_frame(theta: float, phi: float) -> FloatArray:
    """Rotation by `theta` that turns the particle's direction onto the z axis and nothing else, shape (3, 3).

    At theta = 0 it is the unit matrix whatever phi is.
    """
    c, s = np.cos(phi), np.sin(phi)
    around = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
    ct, st = np.cos(theta), np.sin(theta)
    tilt = np.array([[ct, 0.0, -st], [0.0, 1.0, 0.0], [st, 0.0, ct]])
    return np.asarray(around.T @ tilt @ around)


@dataclass(frozen=True)
class Deposits:
    """Energy deposits of one event: steps from `start` to `end`, mm, shape (n, 3), with `energy` in MeV, shape (n,)."""

    start: FloatArray
    end: FloatArray
    energy: FloatArray


def collect_deposits(sampled: dict[str, Any]) -> Deposits:
    """Deposits of all active volumes from calzone's records (cm); a deposit at a point is a step of no length."""
    starts, ends, energies = [], [], []
    for volume in sampled.values():
        for records, first, last in ((volume.line, "start", "end"), (volume.point, "position", "position")):
            if len(records):
                starts.append(records[first])
                ends.append(records[last])
                energies.append(records["value"])
    if not energies:
        return Deposits(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0))
    return Deposits(CM * np.concatenate(starts), CM * np.concatenate(ends), np.concatenate(energies))


def split_steps(deposits: Deposits, longest: float) -> tuple[FloatArray, FloatArray]:
    """Points (m, 3) and energies (m,): each step cut in equal parts no longer than `longest` mm, at their middles."""
    length = np.linalg.norm(deposits.end - deposits.start, axis=1)
    parts = np.maximum(np.ceil(length / longest), 1.0).astype(np.int64)
    step = np.repeat(np.arange(len(parts)), parts)
    within = np.arange(len(step)) - np.repeat(np.cumsum(parts) - parts, parts)
    fraction = ((within + 0.5) / parts[step])[:, None]
    points = deposits.start[step] * (1 - fraction) + deposits.end[step] * fraction
    return points, (deposits.energy / parts)[step]


def bin_shower(deposits: Deposits, detector: Detector, row: FloatArray) -> NDArray[np.float32]:
    """Cells of one shower, MeV, shape (n_cells,), for the gun's row (energy, theta, phi, x, y, pdg).

    Divided by the sampling fraction; cells below the threshold are zero.
    """
    readout = detector.readout
    points, energies = split_steps(deposits, 0.5 * min(readout.depth, readout.width))
    if readout.turned:
        _, theta, phi, x, y, _ = row
        points = (points - np.array([x, y, 0.0])) @ particle_frame(theta, phi).T
    index = readout.cell_index(points)
    cells = np.bincount(index + 1, weights=energies, minlength=readout.n_cells + 1)[1:] / detector.sampling_fraction
    cells[cells < detector.threshold] = 0.0
    return cells.astype(np.float32)


def event_seed(seed: int, event: int) -> int:
    """Geant4's seed of one event: 127 random bits, and odd, because calzone's seeds 2k and 2k + 1 are one stream."""
    high, low = rng.seed_sequence(seed, "geant4", "event", event).generate_state(2, np.uint64)
    return ((int(high) << 64) | int(low)) | 1


class Geant4:
    """One detector in this process. Construct it once per process: Geant4's physics cannot be changed afterwards.

    Raises:
        MissingExtraError: calzone is not installed.
    """

    def __init__(self, detector: Detector, hadrons: bool) -> None:
        try:
            import calzone  # noqa: PLC0415
        except ImportError:
            raise MissingExtraError("geant4", "calzone") from None
        self.version = str(calzone.GEANT4_VERSION)
        self.detector = detector
        self._particles = calzone.particles
        self._simulation = calzone.Simulation(calzone.Geometry(world_definition(detector)))
        physics = detector.physics
        self._simulation.physics = calzone.Physics(
            em_model=physics.em, had_model=physics.hadronic_model(hadrons), default_cut=detector.cut / CM
        )
        self._simulation.sample_deposits = "detailed"
        self._run(np.array([WARM_UP_MEV, 0.0, 0.0, 0.0, 0.0, 22.0]), 1)

    def _run(self, row: FloatArray, seed: int) -> Any:
        energy, theta, phi, x, y, pdg = row
        along = direction(theta, phi)
        start = np.array([x, y, 0.0]) - GAP * along
        self._simulation.random.seed = seed
        particle = self._particles(1, pid=int(pdg), energy=energy, position=tuple(start / CM), direction=tuple(along))
        return self._simulation.run(particle).deposits

    def shower(self, row: FloatArray, seed: int) -> tuple[NDArray[np.float32], float]:
        """One shower, cells in MeV (n_cells,), and the CPU time it took, ms.

        The result depends on `row` (energy in MeV, theta, phi, x, y, pdg) and the odd `seed` alone, not on what
        this process simulated before.
        """
        begin = time.process_time()
        cells = bin_shower(collect_deposits(self._run(row, seed)), self.detector, row)
        return cells, 1000.0 * (time.process_time() - begin)
