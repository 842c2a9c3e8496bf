"""JetNet's HDF5 files (arXiv 2106.11535; Zenodo 6975118 with 30 particles a jet, 6975117 with 150), read by range."""

from __future__ import annotations

import re
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import Array, Events, EventSource, chunks, make_events
from facsim.core.growing import GrowingFile
from facsim.core.schema import Feature, Schema
from facsim.core.sources import check_range
from facsim.core.store import atomic_path, open_hdf5
from facsim.data.jet_checks import check_jets, check_layout, hardest_first
from facsim.physics.jet_schema import KIND, PARTICLE_FEATURES, is_jets, kinds_of
from facsim.physics.jets import jet_features

__all__ = ["JET_FEATURES", "PARTICLE_FEATURES", "JetNetReader", "is_jets", "kind_of_file", "write_jetnet"]

PARTICLES, JETS = "particle_features", "jet_features"
JET_FEATURES = (Feature("pt", "GeV"), Feature("eta"), Feature("mass", "GeV"), Feature("num_particles"))
ROWS = 5000
PROBED = 1000


class JetNetReader:
    """`EventSource` over a JetNet file: clouds (N, P, 3) with a mask (N, P).

    The point features are eta and phi relative to the jet and pT over the jet's; the conditions are the jet's pT, eta,
    mass (GeV) and number of particles where the file has them, and none otherwise. Nothing is loaded before `read`.
    Particles that are not in order of pT are put in order.

    Raises:
        FacsimError: a missing or damaged file, missing data sets, wrong shapes, or columns in another order, which the
            ranges of the first jets tell.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        with open_hdf5(self.path) as handle:
            shape = _shape(handle, PARTICLES)
            if len(shape) != 3 or shape[2] != 4 or 0 in shape:
                swapped = "; are its axes swapped?" if sorted(shape)[:1] == [4] else "."
                raise FacsimError(
                    f"'{path}' is no JetNet file: '{PARTICLES}' has shape {shape}, not (jets, particles, 4){swapped}"
                )
            self._length = shape[0]
            of_jets = _shape(handle, JETS) if JETS in handle else None
            if of_jets not in (None, (shape[0], len(JET_FEATURES))):
                raise FacsimError(f"'{path}': '{JETS}' has shape {of_jets}, not ({shape[0]}, {len(JET_FEATURES)}).")
            features = None if of_jets is None else np.asarray(handle[JETS][:PROBED], dtype=np.float64)
            check_layout(np.asarray(handle[PARTICLES][:PROBED], dtype=np.float64), features, str(path))
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
            FacsimError: a range outside the file, a mask of other values than 0 and 1, NaN, jets without particles, or
                the same particle twice in a jet.
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
        x, present = hardest_first(x, present)
        check_jets(x, present, str(self.path), start)
        return make_events(self._schema, x, cond, start, mask=present)


def kind_of_file(path: Path, schema: Schema) -> str:
    """The kind of the jets in a file: as its simulation says, else by its name, `g` of `g.hdf5`, `g150.hdf5`, `a-g.h5`

    Raises:
        FacsimError: the name says none.
    """
    if len(known := kinds_of(schema)) == 1:
        return known[0]
    found = re.fullmatch(r"(?:.*[-_.])?([A-Za-z]+?)(?:30|150)?", path.stem)
    if found is None:
        raise FacsimError(
            f"'{path}': which kind of jets it holds is read from its name, as in g.hdf5 or top150.hdf5; rename it."
        )
    return found[1]


def write_jetnet(path: Path, particles: NDArray[np.float32], jets: Array | None = None) -> None:
    """Write jets (N, P, 4), columns etarel, phirel, ptrel, mask, and optionally their features (N, 4), atomically."""
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as handle:
        handle.create_dataset(PARTICLES, data=particles, compression="gzip", shuffle=True)
        if jets is not None:
            handle.create_dataset(JETS, data=jets)


def export_jetnet(source: EventSource, folder: Path) -> list[Path]:
    """Write jets into JetNet's files `<kind>.hdf5` in `folder`.

    Mass (GeV) and number of particles are those of the constituents that the source has.

    Raises:
        FacsimError: the events are no jets with pT and eta, or a kind has none.
    """
    if not is_jets(source.schema):
        raise FacsimError("JetNet's files hold jets: constituents with etarel, phirel and ptrel.")
    kinds, paths = kinds_of(source.schema), []
    columns = {feature.name for feature in source.schema.conditions}
    for kind in kinds or [kind_of_file(folder / "jets.hdf5", source.schema)]:
        path = folder / f"{kind}.hdf5"
        with atomic_path(path) as temporary, GrowingFile(temporary, "w") as handle:
            for batch in chunks(source, ROWS):
                chosen = batch[batch.condition(KIND + kind) > 0.5] if KIND + kind in columns else batch
                if not len(chosen):
                    continue
                particles, features = _as_jetnet(chosen)
                handle.append(PARTICLES, particles)
                handle.append(JETS, features)
            if PARTICLES not in handle:
                raise FacsimError(f"there are no jets '{kind}' among the {len(source)}: simulate more of them.")
        paths.append(path)
    return paths


def _as_jetnet(events: Events) -> tuple[Array, Array]:
    """JetNet's two arrays."""
    real = events.x[:, :, 2] > 0 if events.mask is None else events.mask
    pt = events.condition("pt")
    mass = pt * jet_features(events.x.astype(np.float64))["mass"]
    features = np.column_stack([pt, events.condition("eta"), mass, real.sum(axis=1)])
    particles = np.concatenate([events.x, real[:, :, None]], axis=2).astype(np.float32)
    return particles, features.astype(np.float32)


def _shape(handle: h5py.File, name: str) -> tuple[int, ...]:
    item = handle.get(name)
    if not isinstance(item, h5py.Dataset):
        raise FacsimError(f"'{handle.filename}' lacks the data set '{name}'; it has {sorted(handle)}.")
    return tuple(int(size) for size in item.shape)
