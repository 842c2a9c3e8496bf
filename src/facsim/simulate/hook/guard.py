"""Which caught particles a surrogate may take: the range guard, and why all others go back to Geant4."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facsim.core.ranges import bounds, single
from facsim.simulate.hook.records import Records

SHOWERS, PHOTONS, REASONS = "electrons", "photons", ("kind", "low", "high", "angle")
ELECTRONS, PHOTON = (11, -11), 22
MAX_TILT = 0.1
"""rad to the normal of the face: a surrogate of perpendicular particles serves up to there."""
FACE = 1e-3
"""mm from the face within which a particle enters through it."""
WHY = {
    "kind": "of a kind that the surrogate does not take",
    "low": "below the range of training",
    "high": "above the range of training",
    "angle": "too steep, or not through the face",
}
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Guard:
    """Range and domain of a surrogate of electrons that hit the face perpendicularly.

    Args:
        low, high: least and greatest kinetic energy of training, MeV; those a little beyond are taken (`core.ranges`).
        photons: whether photons may be turned into electrons (`pairs`).
    """

    low: float
    high: float
    photons: bool = True

    def in_range(self, energy: NDArray[np.float64]) -> tuple[Mask, Mask]:
        """Which energies (N,) are not too low, and which are not too high."""
        low, high = bounds(self.low, self.high)
        return single(energy) >= low, single(energy) <= high

    def sort(self, records: Records) -> dict[str, Records]:
        """The records by what becomes of them: `electrons`, `photons`, or one of `REASONS` for full simulation.

        A photon is taken from twice the least energy on, where its pair can be in range.
        """
        energy, pid = records["energy"], records["pid"]
        enough, allowed = self.in_range(energy)
        electron, photon = np.isin(pid, ELECTRONS), (pid == PHOTON) & self.photons
        straight = (records["direction"][:, 2] >= np.cos(MAX_TILT)) & (np.abs(records["position"][:, 2]) < FACE)
        low = np.where(photon, energy < 2 * self.low, ~enough)
        high = electron & ~allowed
        found, left = {}, np.ones(len(records), dtype=bool)
        masks = {"kind": ~(electron | photon), "low": low, "high": high, "angle": ~straight}
        for reason in REASONS:
            found[reason] = records[left & masks[reason]]
            left &= ~masks[reason]
        return {SHOWERS: records[left & electron], PHOTONS: records[left & photon], **found}
