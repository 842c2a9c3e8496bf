"""Particles of collision events in flat arrays, and the electric charge that a PDG number means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.geometry import FloatArray, IntArray

NEUTRINOS = (12, 14, 16)
DARK_MATTER = (51, 60)
UNSEEN = 1_000_000
NUCLEI = 1_000_000_000
_OTHER_CHARGES = {11: -3, 13: -3, 15: -3, 17: -3, 24: 3, 34: 3, 37: 3}
_LARGEST_HADRON = 10_000_000


@dataclass(frozen=True)
class Particles:
    """Particles of events.

    Attributes:
        events: number of events, those without particles included.
        event: (N,) which event each belongs to, 0 to `events` - 1, in increasing order.
        pdg: (N,) numbers of the Particle Data Group's scheme.
        momentum: (N, 4) px, py, pz and energy, GeV.
    """

    events: int
    event: IntArray
    pdg: IntArray
    momentum: FloatArray

    def __len__(self) -> int:
        return len(self.event)

    def __getitem__(self, index: Any) -> Particles:
        """Some of the particles, of as many events; the index keeps their order."""
        return Particles(self.events, self.event[index], self.pdg[index], self.momentum[index])

    @property
    def charge(self) -> FloatArray:
        """(N,) electric charge, units of e."""
        return charges(self.pdg)

    @property
    def pt(self) -> FloatArray:
        """(N,) transverse momentum, GeV."""
        return np.asarray(np.hypot(self.momentum[:, 0], self.momentum[:, 1]))

    @property
    def eta(self) -> FloatArray:
        """(N,) pseudorapidity; along the beam, infinite."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.arcsinh(self.momentum[:, 2] / self.pt))

    @property
    def phi(self) -> FloatArray:
        """(N,) azimuth, rad."""
        return np.asarray(np.arctan2(self.momentum[:, 1], self.momentum[:, 0]))

    @property
    def starts(self) -> IntArray:
        """(events + 1,) particles `starts[i]` to `starts[i + 1]` are those of event `i`."""
        return np.searchsorted(self.event, np.arange(self.events + 1)).astype(np.int64)


def merged(events: int, parts: Sequence[Particles]) -> Particles:
    """Particles of the same `events` events from several sources, by event and within an event by source."""
    event = np.concatenate([part.event for part in parts])
    order = np.argsort(event, kind="stable")
    pdg = np.concatenate([part.pdg for part in parts])[order]
    return Particles(events, event[order], pdg, np.concatenate([part.momentum for part in parts])[order])


def invisible(pdg: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether particles (...) leave nothing in any detector: neutrinos, dark matter, and those of other models."""
    size = np.abs(np.asarray(pdg, dtype=np.int64))
    dark = (size >= DARK_MATTER[0]) & (size <= DARK_MATTER[1])
    return np.asarray(np.isin(size, NEUTRINOS) | dark | ((size >= UNSEEN) & (size < NUCLEI)))


def charges(pdg: NDArray[Any]) -> FloatArray:
    """Electric charge of particles of the Standard Model, hadrons and nuclei, by the digits of their PDG numbers.

    Source: Review of Particle Physics, Monte Carlo particle numbering scheme. Unknown particles get 0.

    Args:
        pdg: (...) PDG numbers.

    Returns:
        (...) charges, units of e.
    """
    pdg = np.asarray(pdg, dtype=np.int64)
    number, place = np.unique(pdg, return_inverse=True)
    thirds = np.array([_thirds(int(value)) for value in number], dtype=np.float64)
    return np.asarray(thirds[place].reshape(pdg.shape) / 3)


def _thirds(pdg: int) -> int:
    size, sign = abs(pdg), -1 if pdg < 0 else 1
    if size < 100 or size >= _LARGEST_HADRON:
        nucleus = size // 10 % 1000**2 // 1000 if size >= 1_000_000_000 else 0
        return sign * (3 * nucleus or _OTHER_CHARGES.get(size, _quark(size) if size <= 8 else 0))
    first, second, third = (size // 10**digit % 10 for digit in (3, 2, 1))
    if size // 1_000_000 not in (0, 9) or second == 0 or first == third == 0:
        return 0  # of another model, such as supersymmetry, or no hadron
    if first:  # a baryon, or a diquark whose third digit is 0
        return sign * (_quark(first) + _quark(second) + _quark(third))
    # A meson: its number is positive where the heavier quark is of up type, or an antiquark of down type.
    difference = _quark(second) - _quark(third)
    return sign * (difference if second % 2 == 0 else -difference)


def _quark(flavour: int) -> int:
    """Charge in thirds; of no quark 0."""
    return 0 if flavour == 0 else 2 if flavour % 2 == 0 else -1
