"""Readers and writers of the formats that people have, checks of what is in them, and splits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from facsim.core.errors import FacsimError
from facsim.core.events import EventSource
from facsim.core.showerfile import ENERGIES, SHOWERS
from facsim.core.sources import ConcatSource
from facsim.core.store import FORMAT, StoreReader, open_hdf5
from facsim.data import calogan, hgcal, lemurs, showerdata
from facsim.data.calochallenge import CaloChallengeReader
from facsim.data.calogan import CaloGANReader
from facsim.data.cloud_cells import CloudsInCells
from facsim.data.conditions import with_conditions
from facsim.data.dark_npz import DarkReader, is_dark_npz
from facsim.data.ecal_npz import ECALReader, is_ecal_npz
from facsim.data.geometry import GeometryLike, load_geometry
from facsim.data.hgcal import HGCalReader
from facsim.data.jetnet import PARTICLES, JetNetReader
from facsim.data.lemurs import LEMURSReader
from facsim.data.mpd_tpc import MPDReader, is_mpd
from facsim.data.quark_gluon import QuarkGluonReader, is_quark_gluon
from facsim.data.root_jets import root_jets
from facsim.data.showerdata import ShowerCloudReader
from facsim.data.text_columns import SUFFIXES
from facsim.data.top_tagging import TopTaggingReader

__all__ = ["FORMATS", "OTHER_FORMATS", "open_events"]

Opener = Callable[[Path, GeometryLike | None], EventSource]
FORMATS: dict[str, tuple[frozenset[str], Opener]] = {
    "CMS HGCal": (frozenset({hgcal.INFO}), HGCalReader),
    "LEMURS": (frozenset({lemurs.ENERGY[0], lemurs.THETA[0], lemurs.PHI[0]}), LEMURSReader),
    "showerdata": (
        frozenset({showerdata.COUNTS, showerdata.DIRECTIONS}),
        lambda path, geometry: _on_cells(ShowerCloudReader(path), geometry),
    ),
    "CaloGAN": (frozenset({*calogan.LAYERS, calogan.OVERFLOW}), CaloGANReader),
    "CaloChallenge": (frozenset({ENERGIES, SHOWERS}), CaloChallengeReader),
    "JetNet": (frozenset({PARTICLES}), lambda path, geometry: _check_geometry(JetNetReader(path), geometry, path)),
    "top tagging": (
        frozenset({"table"}),
        lambda path, geometry: _check_geometry(TopTaggingReader(path), geometry, path),
    ),
}
"""Formats by name: data sets, any of which at the top of a file tells it, and what opens it. The first that fits is
taken; a file that lacks the others is refused by its reader, which says what is missing."""
OTHER_FORMATS: dict[str, tuple[Callable[[Path], bool], Opener]] = {
    "ECAL images": (is_ecal_npz, ECALReader),
    "MPD TPC": (is_mpd, MPDReader),
    "dark showers": (is_dark_npz, lambda path, geometry: _check_geometry(DarkReader(path), geometry, path)),
    "quark and gluon jets": (
        is_quark_gluon,
        lambda path, geometry: _check_geometry(QuarkGluonReader(path), geometry, path),
    ),
}
"""Formats that are no HDF5, by name: what recognises a file, and what opens it."""


def open_events(
    path: str | Path | Sequence[str | Path],
    *,
    geometry: GeometryLike | None = None,
    mapping: str | Path | None = None,
    conditions: Sequence[str] | None = None,
    whole_table: bool = False,
) -> EventSource:
    """Open a file of events, or several as one, without loading it.

    Args:
        path: HDF5 in one of the layouts of `FORMATS`, facsim's own store, a file of `OTHER_FORMATS`, or with `mapping`
            any HDF5, ROOT, CSV or TSV file; a sequence is read as one source.
        geometry: the read-out, when the file does not say it: a built-in name (`ds2-electrons`), the path of a
            binning XML or geometry JSON, or a geometry. Point clouds of showers are put into its cells.
        mapping: YAML file that says where the file keeps what, see `facsim.data.mapping`, or the name of one that ships
            (`lhcb-rich`).
        conditions: which of the events' conditions are kept, in this order; None for all. `type` is the kind of jets,
            as columns `is_g` and so on, by the names of the files (`g.hdf5`, `t.hdf5`) where these do not say it. Given
            points always stay.
        whole_table: take a text file without a mapping as a table of all its columns.

    Returns:
        A source that reads by range.

    Raises:
        FacsimError: the file is missing, damaged or of an unknown layout, given twice, or does not fit the geometry.
    """
    paths = [Path(path)] if isinstance(path, str | Path) else [Path(one) for one in path]
    places = [one.resolve() for one in paths]
    twice = [one for one, place in zip(paths, places, strict=True) if places.count(place) > 1]
    if twice:
        raise FacsimError(f"the file '{twice[0]}' is given twice: its events would be counted twice.")
    sources = [_open(one, geometry, mapping, whole_table) for one in paths]
    if conditions is not None:
        sources = with_conditions(paths, sources, conditions)
    return sources[0] if isinstance(path, str | Path) else ConcatSource(sources)


def _open(path: Path, geometry: GeometryLike | None, mapping: str | Path | None, whole_table: bool) -> EventSource:
    """One file, all its conditions."""
    if mapping is not None:
        from facsim.data.mapped import open_mapped  # noqa: PLC0415  (pydantic and yaml are slow to import)

        return open_mapped(path, Path(mapping), geometry)
    if path.suffix.lower() == ".root":
        jets = root_jets(path)
        if jets is not None:
            return _check_geometry(jets, geometry, path)
        raise FacsimError(f"'{path}' is a ROOT file: say which branches hold the events with a mapping file.")
    for recognised, opener in OTHER_FORMATS.values():
        if recognised(path):
            return opener(path, geometry)
    if path.suffix.lower() in SUFFIXES and whole_table:
        from facsim.data.mapped import open_columns  # noqa: PLC0415  (as above)

        return open_columns(path)
    if path.suffix.lower() in SUFFIXES:
        raise FacsimError(f"'{path}' is a text file: say which columns hold the events with a mapping file.")
    with open_hdf5(path) as handle:
        native, keys = handle.attrs.get("format") == FORMAT, sorted(handle)
    if native:
        return _check_geometry(StoreReader(path), geometry, path)
    for known, opener in FORMATS.values():
        if known & set(keys):
            return opener(path, geometry)
    raise FacsimError(
        f"'{path}' is no file of a layout that facsim knows ({', '.join(FORMATS)}, or its own store); "
        f"it has {keys}: describe its layout with a mapping file."
    )


def _check_geometry(source: EventSource, geometry: GeometryLike | None, path: Path) -> EventSource:
    stored = source.schema.geometry
    wanted = None if geometry is None else load_geometry(geometry)
    if wanted is not None and (stored is None or not stored.same_cells(wanted)):
        raise FacsimError(f"'{path}' says itself what its geometry is, and it is not '{wanted.name}'.")
    return source


def _on_cells(source: EventSource, geometry: GeometryLike | None) -> EventSource:
    """Point clouds as they are, or in the cells of `geometry`."""
    return source if geometry is None else CloudsInCells(source, load_geometry(geometry))
