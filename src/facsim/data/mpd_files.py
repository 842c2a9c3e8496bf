"""The two layouts of MPD's TPC responses, read and checked: see `data.mpd_tpc`."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.physics.tpc import check_rows
from facsim.physics.tpc_window import CONDITIONS, ROW

ARRAYS = ("params", "offsets", "pad", "time_bucket", "amplitude")
HEAD = b"params:"
NUMBERS = (2, 3, 4, 6)
"""How many parameters a response may have."""


class Hits(NamedTuple):
    """Responses of one file: parameters (N, K), and hits end to end."""

    params: NDArray[np.float64]
    offsets: NDArray[np.int64]
    pad: NDArray[np.int64]
    time: NDArray[np.int64]
    amplitude: NDArray[np.float64]


def read_hits(path: Path) -> Hits:
    """The responses of a file.

    Raises:
        FacsimError: a missing, damaged or wrong file.
    """
    return _checked(_read_archive(path) if _is_archive(path) else _read_text(path), path)


def is_mpd(path: Path) -> bool:
    """Whether a file is one of MPD's responses: an archive with some of its arrays, or text that begins as it does."""
    if not path.is_file():
        return False
    if not _is_archive(path):
        with path.open("rb") as handle:
            return handle.read(len(HEAD)) == HEAD
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.removesuffix(".npy") for name in archive.namelist()}
    except (OSError, zipfile.BadZipFile):
        return False
    return len(names & set(ARRAYS)) >= 2


def _is_archive(path: Path) -> bool:
    if not path.is_file():
        raise FacsimError(f"'{path}' does not exist or is not a file.")
    with path.open("rb") as handle:
        return handle.read(2) == b"PK"


def _read_archive(path: Path) -> Hits:
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as archive:
            missing = [name for name in ARRAYS if name not in archive]
            if missing:
                raise FacsimError(f"'{path}' lacks the arrays {missing}; it has {sorted(archive)}.")
            params, offsets, pad, time, amplitude = (np.asarray(archive[name]) for name in ARRAYS)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise FacsimError(f"'{path}' is damaged and cannot be read: {error}.") from None
    for name, values in zip(ARRAYS, (params, offsets, pad, time, amplitude), strict=True):
        wanted = 2 if name == "params" else 1
        if values.ndim != wanted or values.dtype.kind not in "fiu":
            raise FacsimError(
                f"'{name}' in '{path}' has the shape {values.shape} of {values.dtype}: expected numbers in {wanted} "
                f"dimension(s)."
            )
    ends, pads, times = (each.astype(np.int64) for each in (offsets, pad, time))
    return Hits(params.astype(np.float64), ends, pads, times, amplitude.astype(np.float64))


def _read_text(path: Path) -> Hits:
    """Parse the text, two lines a response."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except UnicodeDecodeError:
        raise FacsimError(f"'{path}' is neither an archive nor the text of TPC responses.") from None
    while lines and not lines[-1].strip() and (len(lines) % 2 or not lines[-2].strip()):
        lines.pop()
    if len(lines) % 2:
        raise FacsimError(f"'{path}' ends inside a response: {len(lines)} lines are no pairs of parameters and hits.")
    params, hits = [], []
    for number in range(0, len(lines), 2):
        head, body = lines[number].split(), lines[number + 1].split()
        if not head or head[0] != HEAD.decode():
            raise FacsimError(f"line {number + 1} of '{path}' should begin with 'params:'.")
        try:
            params.append([float(word) for word in head[1:]])
            values = np.array([float(word) for word in body])
        except ValueError as error:
            raise FacsimError(
                f"response {number // 2} of '{path}' holds something that is no number: {error}."
            ) from None
        if len(values) % 3:
            raise FacsimError(f"the hits of response {number // 2} of '{path}' are no triples: {len(values)} numbers.")
        if len(params[-1]) != len(params[0]):
            raise FacsimError(
                f"response {number // 2} of '{path}' has {len(params[-1])} parameters and the first {len(params[0])}."
            )
        hits.append(values.reshape(-1, 3))
    joined = np.concatenate(hits) if hits else np.zeros((0, 3))
    offsets = np.cumsum([0, *(len(each) for each in hits)])
    whole = np.floor(np.nan_to_num(joined[:, :2])).astype(np.int64)
    return Hits(np.asarray(params, dtype=np.float64), offsets, whole[:, 0], whole[:, 1], joined[:, 2])


def _checked(hits: Hits, path: Path) -> Hits:
    """The hits, where they make responses."""
    n, width = hits.params.shape if hits.params.ndim == 2 else (0, 0)
    if not n:
        raise FacsimError(f"'{path}' holds no TPC responses.")
    if width not in NUMBERS:
        known = ", ".join(feature.name for feature in CONDITIONS)
        raise FacsimError(f"'{path}' has {width} parameters a response: expected the first {NUMBERS} of ({known}).")
    lengths = {len(hits.pad), len(hits.time), len(hits.amplitude)}
    ends = hits.offsets
    if (
        len(lengths) != 1
        or len(ends) != n + 1
        or ends[0] != 0
        or {int(ends[-1])} != lengths
        or (np.diff(ends) < 0).any()
    ):
        raise FacsimError(
            f"the arrays of '{path}' do not fit: {n} responses, {len(ends)} offsets up to {ends[-1:].tolist()}, and "
            f"hits {sorted(lengths)}."
        )
    wrong = np.flatnonzero(~np.isfinite(hits.params).all(axis=1))
    if len(wrong):
        raise FacsimError(f"a parameter of response {wrong[0]} of '{path}' is not a finite number.")
    if not (np.isfinite(hits.amplitude) & (hits.amplitude >= 0)).all():
        raise FacsimError(f"'{path}' has amplitudes that are negative or no numbers.")
    if width > ROW:
        check_rows(hits.params[:, ROW])
    return hits
