"""Public images of dark showers and their background (arXiv 2306.12955), archives of Luca96/dark-autoencoders.

`images` (N, 72, 58, 3) by azimuth, pseudorapidity and channel, or (N, 72, 58, 1), their sum, in GeV; `labels` (N,): 0
for QCD, 1 for SUEP, 2 for semi-visible jets; `masses` (N,): codes of the mediators' masses, or GeV; `n_tracks` (N, 1).
Codes of SUEP differ between files of three channels and of one. Labels and masses that are absent are taken from the
file's name, such as `suep_gensim_h400_...` or `svj_2100_...`; a name that contradicts them is refused.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import Array, Events, Labels, make_events
from facsim.core.schema import Schema
from facsim.core.sources import check_range
from facsim.data.datasets import numbered
from facsim.data.npz_stream import NpzRows, names_of
from facsim.physics.dark_schema import CONDITIONS, FEATURES, PROCESSES, TOTAL, dark_geometry, dark_schema

IMAGES, LABELS, MASSES, TRACKS = "images", "labels", "masses", "n_tracks"
NAME = re.compile(r"(qcd)|(suep)\D*?_h(\d+)|(svj)_(\d+)")
MASS_OF_CODE: dict[tuple[str, int], dict[int, float]] = {
    ("qcd", 3): {0: 0.0},
    ("qcd", 1): {0: 0.0},
    ("suep", 3): dict(zip(range(1, 7), (125.0, 200.0, 300.0, 400.0, 700.0, 1000.0), strict=True)),
    ("suep", 1): dict(zip(range(1, 5), (125.0, 400.0, 700.0, 1000.0), strict=True)),
    ("svj", 3): {5: 2100.0, 6: 3100.0, 7: 4100.0},
    ("svj", 1): {5: 2100.0, 6: 3100.0, 7: 4100.0},
}
"""Mass in GeV by process, number of channels and code."""
LEAST_MASS = 100.0
"""Numbers from here on are masses in GeV, no codes."""
LOOKED_AT = 200
"""Images by which the order of the channels is told."""
LOW, LEAST_PIXELS = 0.05, 200
LEAST_SUM = 50.0
"""GeV in all pixels, on average, below which images are not in GeV: events have jets of 500 GeV."""


def is_dark_npz(path: Path) -> bool:
    """Whether a file is an archive with `images` and what else these files have, or a name like theirs."""
    if path.suffix.lower() != ".npz" or not path.is_file():
        return False
    names = names_of(path)
    return IMAGES in names and bool(names & {LABELS, MASSES, TRACKS} or NAME.search(path.stem.lower()))


class DarkReader:
    """`EventSource` of images (N, 4176, 3) or (N, 4176, 1) in GeV, conditions `mass` GeV, `is_qcd`, `is_suep`, `is_svj`
    and where the file has it `n_tracks`. Read forward in one pass; memory holds what is asked for.

    Raises:
        FacsimError: a missing or damaged file, images of another size, channels in another order or not in GeV, unknown
            labels or masses, or a name that contradicts them.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        names = names_of(self.path)
        self._images = NpzRows(self.path, IMAGES)
        shape, wanted = self._images.shape, dark_geometry().image
        if len(shape) != 4 or shape[1:3] != wanted or shape[3] not in (1, len(FEATURES)) or not shape[0]:
            raise FacsimError(
                f"'{IMAGES}' in '{path}' has the shape {shape}: expected (N, {wanted[0]}, {wanted[1]}, 3) or "
                f"(N, {wanted[0]}, {wanted[1]}, 1), events, azimuth, pseudorapidity and channel, one event or more."
            )
        if self._images.dtype.kind not in "fiu":
            raise FacsimError(f"'{IMAGES}' in '{path}' holds {self._images.dtype}: expected numbers.")
        labels, masses, tracks = (self._column(name) if name in names else None for name in (LABELS, MASSES, TRACKS))
        known = _by_name(self.path)
        process = self._processes(labels, known)
        columns = [self._masses(masses, process, known), *(process == k for k in range(len(PROCESSES)))]
        conditions = CONDITIONS[: len(columns)]
        if tracks is not None:
            columns, conditions = [*columns, tracks], CONDITIONS[: len(columns) + 1]
        self._cond = np.column_stack(columns).astype(np.float64)
        features = FEATURES if shape[3] > 1 else TOTAL
        self._schema = dark_schema(features=features, conditions=conditions, provenance={"file": self.path.name})
        self._check_channels()

    @property
    def schema(self) -> Schema:
        return self._schema

    def __len__(self) -> int:
        return int(self._images.shape[0])

    def read(self, start: int, stop: int) -> Events:
        """Images `start` to `stop` (exclusive).

        Raises:
            FacsimError: a range outside the file, numbers that are not finite or negative, or an image without any.
        """
        check_range(start, stop, len(self))
        _, rows, columns, channels = self._images.shape
        x = self._images.read(start, stop).reshape(stop - start, rows * columns, channels)
        x = x.astype(np.float32, copy=False)
        least = x.min(axis=(1, 2), initial=0.0)
        for what, bad in (
            ("has a pixel that is not a finite number", ~np.isfinite(x).all(axis=(1, 2))),
            ("has a pixel of negative energy", least < 0),
            ("is empty, all its pixels are zero", ~x.any(axis=(1, 2))),
        ):
            if bad.any():
                raise FacsimError(
                    f"image {start + int(np.argmax(bad))} of '{self.path}' {what}: leave such events out."
                )
        return make_events(self._schema, x, self._cond[start:stop], start)

    def labels(self) -> Labels:
        """Conditions and ids of all images, read without them."""
        return numbered(self._cond)

    def _column(self, name: str) -> Array:
        rows, n = NpzRows(self.path, name), len(self)
        if rows.shape not in ((n,), (n, 1)) or rows.dtype.kind not in "fiu":
            raise FacsimError(
                f"'{name}' in '{self.path}' has the shape {rows.shape} of {rows.dtype}: expected ({n},) numbers, one "
                f"for each image."
            )
        values = rows.read(0, n).reshape(n).astype(np.float64)
        bad = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
        if len(bad):
            raise FacsimError(f"'{name}' of image {bad[0]} of '{self.path}' is {values[bad[0]]}, no number from 0 on.")
        return values

    def _processes(self, labels: Array | None, known: tuple[str, float] | None) -> NDArray[np.int64]:
        """Place in `PROCESSES` of each image's process."""
        if labels is None:
            if known is None:
                raise FacsimError(
                    f"'{self.path}' has no '{LABELS}', and its name tells no process: call it 'qcd_...', "
                    f"'suep_h<mass>_...' or 'svj_<mass>_...', or add '{LABELS}' of 0, 1 or 2."
                )
            return np.full(len(self), PROCESSES.index(known[0]), dtype=np.int64)
        if not np.isin(labels, range(len(PROCESSES))).all():
            raise FacsimError(
                f"'{LABELS}' in '{self.path}' holds {np.unique(labels)[:5]}: expected 0 (QCD), 1 (SUEP) or 2 (SVJ)."
            )
        process = labels.astype(np.int64)
        if known is not None and (process != PROCESSES.index(known[0])).any():
            raise FacsimError(
                f"'{self.path}' is called one of '{known[0]}', and its '{LABELS}' say otherwise: rename it."
            )
        return process

    def _masses(self, masses: Array | None, process: NDArray[np.int64], known: tuple[str, float] | None) -> Array:
        """Mass of each image's mediator, GeV."""
        if masses is None:
            if known is None and (process > 0).any():
                raise FacsimError(f"'{self.path}' has no '{MASSES}', and its name tells none: add them, in GeV.")
            return np.full(len(self), 0.0 if known is None else known[1])
        found = masses.copy()
        for number, name in enumerate(PROCESSES):
            of_code = MASS_OF_CODE[name, self._images.shape[3]]
            mine = (process == number) & (masses < LEAST_MASS)
            unknown = mine & ~np.isin(masses, list(of_code))
            if unknown.any():
                raise FacsimError(
                    f"'{MASSES}' in '{self.path}' holds {masses[unknown][0]:g} for '{name}': expected a code of "
                    f"{of_code} or a mass in GeV."
                )
            found[mine] = [of_code[int(code)] for code in masses[mine]]
        if known is not None and (found != known[1]).any():
            raise FacsimError(
                f"'{self.path}' is called one of {known[1]:g} GeV, and its '{MASSES}' mean {np.unique(found)[:5]} GeV: "
                f"rename it, or give masses in GeV."
            )
        return found

    def _check_channels(self) -> None:
        """Tell the order of channels, and whether they are in GeV, by the first images: soft tracks are seen below a
        GeV, single cells only above their thresholds, which the HCAL has highest."""
        x = self._images.read(0, min(LOOKED_AT, len(self))).astype(np.float64)
        if not 0 < x.sum() < np.inf:
            return  # refused by `read`, which knows the image
        if x.sum() / len(x) < LEAST_SUM:
            raise FacsimError(
                f"the pixels of an image of '{self.path}' add up to {x.sum() / len(x):.3g} on average: expected GeV, "
                f"and not images that were normalised."
            )
        channels = [part[part > 0] for part in np.moveaxis(x, 3, 0)]
        if len(channels) == 1 or min(len(part) for part in channels) < LEAST_PIXELS:
            return
        low = [float(np.quantile(part, LOW)) for part in channels]
        if not low[0] < low[1] < low[2]:
            raise FacsimError(
                f"the channels of '{self.path}' are not tracker, ECAL, HCAL: {1 - LOW:.0%} of their pixels are above "
                f"{', '.join(f'{value:.2f}' for value in low)} GeV, which should increase; put them into that order."
            )


def _by_name(path: Path) -> tuple[str, float] | None:
    """Process and mass in GeV that a file's name tells."""
    found = NAME.search(path.stem.lower())
    if found is None:
        return None
    if found[1]:
        return "qcd", 0.0
    return (found[2], float(found[3])) if found[2] else (found[4], float(found[5]))
