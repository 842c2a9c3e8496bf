"""A read-out geometry from whatever the user names: a built-in name, a binning XML, a JSON file, or a mapping.

A pickled geometry is refused: reading a pickle runs the code in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from facsim.core.cell_geometry import CellGeometry, geometry_from_dict
from facsim.core.errors import FacsimError
from facsim.core.geometry import CylinderGeometry, Geometry, regular_cylinder
from facsim.core.store import read_json, write_json
from facsim.data.binning import read_binning
from facsim.physics.geometries import GEOMETRIES, find_geometry

GeometryLike = Geometry | str | Path | Mapping[str, Any]
REGULAR_KEYS = frozenset({"name", "particle", "n_layers", "n_alpha", "n_r", "dr_mm", "threshold_MeV"})
FILE_KEYS = frozenset({"file", "particle", "threshold_MeV"})
RAGGED_KEYS = frozenset({"name", "particle", "layers", "threshold_MeV"})
CELL_KEYS = RAGGED_KEYS | {"r_edges_mm"}
PICKLES = (".pkl", ".pickle", ".pck", ".p")


def load_geometry(spec: GeometryLike, folder: Path | None = None) -> Geometry:
    """Geometry that `spec` describes.

    Args:
        spec: a geometry; the name of a built-in one (`ds2-electrons`); the path of a binning `.xml` or of a `.json`
            written by `write_geometry`; or a mapping, which is one of
            `{file: binning.xml, particle: pion, threshold_MeV: 1}`,
            `{name, particle, n_layers, n_alpha, n_r, dr_mm, threshold_MeV}` for equal layers, or
            `{name, particle, threshold_MeV, layers: [{id, r_edges_mm, n_alpha}, ...]}`, or for cells at any place
            `{name, particle, threshold_MeV, r_edges_mm, layers: [{id, x_mm, y_mm}, ...]}`.
        folder: where relative paths start; by default the working directory.

    Raises:
        FacsimError: none of these, a file that cannot be read, or a pickle.
    """
    if isinstance(spec, Geometry):
        return spec
    if isinstance(spec, Mapping):
        return _from_mapping(spec, folder)
    text = str(spec)
    if text in GEOMETRIES:
        return GEOMETRIES[text]
    path = Path(text) if folder is None else folder / text
    if path.suffix.lower() == ".xml":
        return read_binning(path)
    if _is_pickle(path):
        raise FacsimError(
            f"'{path}' is a pickle, which facsim never opens, because reading one runs the code in it: convert it once "
            "to JSON where you trust it, see 'CMS HGCal challenge' in docs/data.md."
        )
    if path.suffix.lower() == ".json":
        return _from_mapping(read_json(path), path.parent)
    try:
        return find_geometry(text)
    except FacsimError as error:
        raise FacsimError(f"{str(error)[:-1]}; or name a .xml or .json file.") from None


def _is_pickle(path: Path) -> bool:
    if path.suffix.lower() in PICKLES:
        return True
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(1) == b"\x80"  # the first opcode of every binary protocol of pickle


def write_geometry(path: Path, geometry: Geometry) -> None:
    """Write `geometry` as JSON, atomically; `load_geometry` reads it."""
    write_json(path, geometry.to_dict())


def _from_mapping(data: Any, folder: Path | None) -> Geometry:
    if not isinstance(data, Mapping):
        raise FacsimError(f"a geometry is a mapping with the keys {sorted(RAGGED_KEYS)}, not {type(data).__name__}.")
    allowed = FILE_KEYS if "file" in data else RAGGED_KEYS if "layers" in data else REGULAR_KEYS
    allowed = CELL_KEYS if "r_edges_mm" in data else allowed
    unknown, missing = set(data) - allowed, allowed - set(data)
    if unknown:
        raise FacsimError(f"unknown key '{min(unknown)}' in a geometry; expected {sorted(allowed)}.")
    if missing and allowed is not FILE_KEYS:
        raise FacsimError(f"a geometry needs the key '{min(missing)}'; it has {sorted(data)}.")
    try:
        if allowed is FILE_KEYS:
            return _from_file(data, folder)
        if "layers" in data:
            return geometry_from_dict(data)
        numbers = (int(data["n_layers"]), int(data["n_alpha"]), int(data["n_r"]))
        sizes = (float(data["dr_mm"]), float(data["threshold_MeV"]))
        return regular_cylinder(str(data["name"]), str(data["particle"]), *numbers, *sizes)
    except (TypeError, ValueError) as error:
        raise FacsimError(f"a geometry holds something that is not a number: {error}.") from None


def _from_file(data: Mapping[str, Any], folder: Path | None) -> Geometry:
    path = Path(data["file"]) if folder is None else folder / data["file"]
    threshold = float(data["threshold_MeV"]) if "threshold_MeV" in data else None
    if path.suffix.lower() == ".xml":
        return read_binning(path, data.get("particle"), threshold=threshold)
    geometry = load_geometry(path)
    assert isinstance(geometry, CylinderGeometry | CellGeometry)
    limit = geometry.threshold if threshold is None else threshold
    return replace(geometry, threshold=limit, particle=str(data.get("particle", geometry.particle)))
