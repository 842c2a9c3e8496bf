"""JetNet's HDF5 files (arXiv 2106.11535; Zenodo 6975118 with 30 particles a jet, 6975117 with 150), read by range."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import Array, Events, make_events
from facsim.core.schema import Feature, Schema
from facsim.core.sources import check_range
from facsim.core.store import atomic_path, open_hdf5

PARTICLES, JETS = "particle_features", "jet_features"
PARTICLE_FEATURES = (Feature("etarel"), Feature("phirel", "rad"), Feature("ptrel"))
JET_FEATURES = (Feature("pt", "GeV"), Feature("eta"), Feature("mass", "GeV"), Feature("num_particles"))


class JetNetReader:
    """`EventSource` over a JetNet file: clouds (N, P, 3) with a mask (N, P).

    The point features are eta and phi relative to the jet and pT over the jet's; the conditions are the jet's pT, eta,
    mass (GeV) and number of particles where the file has them, and none otherwise. Nothing is loaded before `read`.

    Raises:
        FacsimError: a missing or damaged file, missing data sets, or wrong shapes.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        with open_hdf5(self.path) as handle:
            shape = _shape(handle, PARTICLES)
            if len(shape) != 3 or shape[2] != 4 or 0 in shape:
                raise FacsimError(
                    f"'{path}' is no JetNet file: '{PARTICLES}' has shape {shape}, not (jets, particles, 4)."
                )
            self._length = shape[0]
            of_jets = _shape(handle, JETS) if JETS in handle else None
            if of_jets not in (None, (shape[0], len(JET_FEATURES))):
                raise FacsimError(f"'{path}': '{JETS}' has shape {of_jets}, not ({shape[0]}, {len(JET_FEATURES)}).")
        conditions = () if of_jets is None else JET_FEATURES
        self._schema = Schema("cloud", PARTICLE_FEATURES, conditions, points=shape[1])

    @property
    def schema(self) -> Schema:
        return self._schema

    def __len__(self) -> int:
        return self._length

    def read(self, start: int, stop: int) -> Events:
        """Jets `start` to `stop` (exclusive); masked particles are 0.

        Raises:
            FacsimError: a range outside the file, or a mask of other values than 0 and 1.
        """
        check_range(start, stop, len(self))
        with open_hdf5(self.path) as handle:
            particles = np.asarray(handle[PARTICLES][start:stop], dtype=np.float32)
            cond = np.zeros((len(particles), 0))
            if self._schema.conditions:
                cond = np.asarray(handle[JETS][start:stop], dtype=np.float64)
        present = particles[:, :, 3] == 1
        if not np.all(present | (particles[:, :, 3] == 0)):
            raise FacsimError(f"'{self.path}': the last of the particle features is a mask and holds 0 and 1 only.")
        x = np.where(present[:, :, None], particles[:, :, :3], np.float32(0))
        return make_events(self._schema, x, cond, start, mask=present)


def is_jets(schema: Schema) -> bool:
    """Whether events are jets in JetNet's coordinates."""
    return schema.representation == "cloud" and schema.features == PARTICLE_FEATURES


def write_jetnet(path: Path, particles: NDArray[np.float32], jets: Array | None = None) -> None:
    """Write jets (N, P, 4), columns etarel, phirel, ptrel, mask, and optionally their features (N, 4), atomically."""
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as handle:
        handle.create_dataset(PARTICLES, data=particles, compression="gzip", shuffle=True)
        if jets is not None:
            handle.create_dataset(JETS, data=jets)


def _shape(handle: h5py.File, name: str) -> tuple[int, ...]:
    item = handle.get(name)
    if not isinstance(item, h5py.Dataset):
        raise FacsimError(f"'{handle.filename}' lacks the data set '{name}'; it has {sorted(handle)}.")
    return tuple(int(size) for size in item.shape)
