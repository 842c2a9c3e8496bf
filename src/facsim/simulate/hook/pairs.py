"""Photons as pairs of electrons: where in the stack they convert, and the two particles that go on from there."""

from __future__ import annotations

import numpy as np

from facsim.core.errors import FacsimError
from facsim.physics.conversion import MEAN_FREE_PATH, conversion_depth, length_at, pair_energies
from facsim.physics.materials import find_material
from facsim.simulate.detector import Detector
from facsim.simulate.hook.records import Records, make_records


def shiftable(detector: Detector) -> bool:
    """Whether a shower that starts deeper looks like one from the face, moved by whole layers of the read-out: one
    repeated group of materials whose radiation length is known, and layers all alike and no thicker than the free path
    of photons."""
    alike = detector.readout.layers is None and (detector.block is not None or len(detector.stack or ()) == 1)
    try:
        depth = sum(thickness / x0 for thickness, x0 in _slabs(detector))
    except FacsimError:
        return False
    return alike and depth * detector.readout.depth / detector.depth <= MEAN_FREE_PATH


def _slabs(detector: Detector) -> list[tuple[float, float]]:
    """Thickness and radiation length of every slab, mm.

    Raises:
        FacsimError: the radiation length of one is not known.
    """
    return [(slab.thickness, find_material(slab.material).x0) for _, slab in detector.slabs()]


def convert(photons: Records, detector: Detector, rng: np.random.Generator) -> Records:
    """Electron and positron of every photon at their point of conversion, shape (2 M,), the two of a pair side by side.

    Their energies add up to the photon's less two electron masses, and they keep its direction. Photons that would
    convert behind the calorimeter leave no pair.
    """
    if not len(photons):
        return photons
    thickness, x0 = zip(*_slabs(detector), strict=True)
    u = rng.random((len(photons), 2))
    along = photons["direction"][:, 2]
    z = length_at(conversion_depth(u[:, 0]) * along, thickness, x0)
    inside = np.isfinite(z)
    photons, z, along = photons[inside], z[inside], along[inside]
    place = photons["position"] + (z / along)[:, None] * photons["direction"]
    energies = pair_energies(photons["energy"], u[inside, 1])
    twice = [np.repeat(values, 2, axis=0) for values in (photons["event"], place, photons["direction"])]
    return make_records(twice[0], np.tile([11, -11], len(photons)), energies.ravel(), twice[1], twice[2])
