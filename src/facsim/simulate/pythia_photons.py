"""Photons and electrons of proton collisions of Pythia 8 that reach a forward calorimeter.

Collisions at 13.6 TeV with their decays; no material: photons do not convert and electrons do not radiate on the way.
The magnet bends electrons (`physics.ecal_event.at_face`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError, MissingExtraError
from facsim.core.rng import integer_seed
from facsim.physics.ecal_event import Particles, accepted, at_face
from facsim.physics.ecal_map import CellMap

ENERGY = 13_600.0
EVENTS_AT_ONCE = 50
LARGEST_SEED = 900_000_000
LONGEST_RECORD = 1 << 20
SEEN = (22, 11)
PION = 111

COLLISIONS: dict[str, tuple[str, ...]] = {
    "minimum-bias": ("SoftQCD:nonDiffractive = on",),
    "charm": ("HardQCD:hardccbar = on", "PhaseSpace:pTHatMin = 3"),
    "beauty": ("HardQCD:hardbbbar = on", "PhaseSpace:pTHatMin = 3"),
}
"""Kind of collision to the settings of Pythia that make it; a new kind is a line."""


def pythia_photons(
    n: int,
    place: CellMap,
    energy: tuple[float, float],
    kind: str = "minimum-bias",
    seed: int = 1,
    slope: float = np.inf,
    progress: Callable[[float], None] | None = None,
) -> tuple[Particles, NDArray[np.int64]]:
    """Photons, electrons and positrons of `n` collisions that hit a cell of `place`.

    The same arguments give the same particles.

    Args:
        n: number of collisions.
        place: the calorimeter.
        energy: range of energies that are kept, MeV.
        kind: a key of `COLLISIONS`.
        seed: of Pythia's random numbers.
        slope: largest of the slopes dx/dz, dy/dz that are kept.
        progress: called with the fraction done.

    Returns:
        The particles, by collision, and (N,) a number of the neutral pion that each comes from, -1 for another origin.

    Raises:
        FacsimError: an unknown kind, no collisions asked for, or a Pythia that does not start.
        MissingExtraError: Pythia is not installed.
    """
    if kind not in COLLISIONS:
        raise FacsimError(f"there are no collisions '{kind}': expected one of {', '.join(COLLISIONS)}.")
    if n < 1:
        raise FacsimError(f"at least one collision has to be simulated, not {n}.")
    pythia = _started(kind, seed)
    parts, pions = [], []
    for first in range(0, n, EVENTS_AT_ONCE):
        count = min(EVENTS_AT_ONCE, n - first)
        particles, pion = _at_face(pythia.nextBatch(count).prt, first, place)
        kept = accepted(particles, place, energy, slope)
        parts.append(particles[kept])
        pions.append(pion[kept])
        if progress is not None:
            progress((first + count) / n)
    columns = [
        np.concatenate([getattr(part, name) for part in parts]) for name in ("event", "pdg", "momentum", "point")
    ]
    return Particles(*columns), np.concatenate(pions)


def _started(kind: str, seed: int) -> Any:
    try:
        import awkward  # noqa: F401, PLC0415  optional, for Pythia's records
        import pythia8mc  # noqa: PLC0415  optional
    except ImportError as error:
        raise MissingExtraError("jets", str(error.name)) from None
    pythia = pythia8mc.Pythia("", False)
    own_seed = 1 + integer_seed(seed, "pythia", kind) % (LARGEST_SEED - 1)
    fixed = ("Print:quiet = on", f"Beams:eCM = {ENERGY}", "Random:setSeed = on", f"Random:seed = {own_seed}")
    for line in (*fixed, *COLLISIONS[kind]):
        pythia.readString(line)
    if not pythia.init():
        raise FacsimError(
            "Pythia does not start: let PYTHIA8DATA name its folder share/Pythia8/xmldoc, or reinstall it."
        )
    return pythia


def _at_face(record: Any, first: int, place: CellMap) -> tuple[Particles, NDArray[np.int64]]:
    """Final photons and electrons that fly forward, and the pions they come from; Pythia's units are GeV and mm."""
    import awkward as ak  # noqa: PLC0415  optional

    seen = (record.status > 0) & (record.p.pz > 0) & ((abs(record.id) == SEEN[1]) | (record.id == SEEN[0]))
    z = ak.fill_none(record.vProd.pz, 0.0)
    seen = seen & (z < place.z)
    mother = record.mother1[seen]
    from_pion = ak.to_numpy(ak.flatten(record.id[mother] == PION))
    event = np.repeat(np.arange(len(record)), ak.to_numpy(ak.sum(seen, axis=1)))

    def column(values: Any, scale: float = 1.0) -> NDArray[np.float64]:
        return np.asarray(ak.to_numpy(ak.flatten(ak.fill_none(values[seen], 0.0))), dtype=np.float64) * scale

    momentum = np.stack([column(record.p[axis], 1e3) for axis in ("px", "py", "pz")], axis=1)
    vertex = np.stack([column(record.vProd[axis]) for axis in ("px", "py", "pz")], axis=1)
    pdg = column(record.id).astype(np.int64)
    pion = np.where(from_pion, (first + event) * LONGEST_RECORD + ak.to_numpy(ak.flatten(mother)), -1)
    return at_face(first + event, pdg, momentum, vertex, place), pion
