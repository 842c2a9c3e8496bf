"""Jets of particles with FastJet, many events at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import MissingExtraError
from facsim.core.geometry import FloatArray, IntArray
from facsim.physics.particles import Particles

RADIUS = 0.8


@dataclass(frozen=True)
class Jets:
    """Jets of events.

    Attributes:
        event: (J,) the event of each jet, in increasing order; within an event the hardest jet is first.
        momentum: (J, 4) px, py, pz and energy, sums over the constituents, GeV.
        particle: (J, P) the constituents' places in the particles that were clustered, -1 where there are no more.
    """

    event: IntArray
    momentum: FloatArray
    particle: IntArray

    def __len__(self) -> int:
        return len(self.event)

    def __getitem__(self, index: Any) -> Jets:
        return Jets(self.event[index], self.momentum[index], self.particle[index])

    @property
    def axis(self) -> FloatArray:
        """(J, 3) pT (GeV), pseudorapidity and azimuth (rad)."""
        x, y, z, _ = self.momentum.T
        pt = np.hypot(x, y)
        return np.column_stack([pt, np.arcsinh(z / pt), np.arctan2(y, x)])

    @property
    def mass(self) -> FloatArray:
        """(J,) invariant mass of all constituents, GeV."""
        square = self.momentum[:, 3] ** 2 - (self.momentum[:, :3] ** 2).sum(axis=1)
        return np.asarray(np.sqrt(np.maximum(square, 0.0)))

    @property
    def multiplicity(self) -> IntArray:
        """(J,) number of constituents."""
        return np.asarray((self.particle >= 0).sum(axis=1), dtype=np.int64)

    def constituents(self, particles: Particles) -> FloatArray:
        """(J, P, 4) momenta of the constituents, GeV, zeros as padding."""
        found = particles.momentum[np.maximum(self.particle, 0)]
        return np.asarray(np.where((self.particle >= 0)[..., None], found, 0.0))


def cluster(particles: Particles, *, radius: float = RADIUS, least_pt: float, leading: int | None = None) -> Jets:
    """Anti-kT jets (arXiv 0802.1189; FastJet, arXiv 1111.6097) with the sum of four-momenta, in each event.

    Args:
        particles: of many events.
        radius: of the jets.
        least_pt: jets below are left out, GeV.
        leading: how many of an event's hardest jets are kept; None for all.

    Raises:
        MissingExtraError: FastJet is not installed.
    """
    try:
        import awkward as ak  # noqa: PLC0415  comes with fastjet
        import fastjet  # noqa: PLC0415  optional
    except ImportError as error:
        raise MissingExtraError("jets", str(error.name)) from None
    # The banner would be written on stdout, into the results of --json.
    fastjet._swig.ClusterSequence.set_fastjet_banner_stream(None)
    starts = particles.starts
    counts = np.diff(starts)
    filled = np.flatnonzero(counts)
    if not len(filled):
        return Jets(np.empty(0, np.int64), np.empty((0, 4)), np.empty((0, 0), np.int64))
    columns = dict(zip(("px", "py", "pz", "E"), particles.momentum.T, strict=True))
    nested = ak.zip({name: ak.unflatten(value, counts[filled]) for name, value in columns.items()})
    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, radius)
    found = fastjet.ClusterSequence(ak.with_name(nested, "Momentum4D"), definition).constituent_index(min_pt=least_pt)
    event = np.repeat(filled, ak.to_numpy(ak.num(found, axis=1))).astype(np.int64)
    sizes = ak.to_numpy(ak.num(ak.flatten(found, axis=1), axis=1)).astype(np.int64)
    place = ak.to_numpy(ak.flatten(found, axis=None)).astype(np.int64)
    return _ordered(particles, event, sizes, place + np.repeat(starts[event], sizes), leading)


def _ordered(
    particles: Particles, event: IntArray, sizes: IntArray, place: NDArray[np.int64], leading: int | None
) -> Jets:
    """Jets from the sizes and the constituents of each, one after the other."""
    jet = np.repeat(np.arange(len(sizes)), sizes)
    within = np.arange(len(place)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    padded = np.full((len(sizes), int(sizes.max(initial=0))), -1, dtype=np.int64)
    padded[jet, within] = place
    momentum = np.stack([np.bincount(jet, p[place], len(sizes)) for p in particles.momentum.T], axis=1)
    order = np.lexsort((-np.hypot(momentum[:, 0], momentum[:, 1]), event))
    jets = Jets(event[order], np.asarray(momentum[order], dtype=np.float64), padded[order])
    if leading is None:
        return jets
    rank = np.arange(len(jets)) - np.searchsorted(jets.event, jets.event)
    return jets[rank < leading]
