"""Events from users' own HDF5, ROOT and text files, as a mapping file describes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.events import Array, Events
from facsim.core.geometry import FloatArray, Geometry, IntArray
from facsim.core.schema import Feature, Schema, calorimeter_schema
from facsim.core.showerfile import INCIDENT
from facsim.core.sources import check_range
from facsim.data.cells import cell_order, dense_cells, listed_cells
from facsim.data.columns import Columns, HDF5Columns, Ragged, RootColumns
from facsim.data.geometry import GeometryLike, load_geometry
from facsim.data.mapping import CellIndices, Cells, EventMapping, NamedQuantity, Quantity, find_mapping, read_mapping
from facsim.data.text_columns import SUFFIXES, TextColumns
from facsim.physics.units import to_base

Values = Mapping[str, Array | Ragged]


def open_mapped(path: Path, mapping: Path, geometry: GeometryLike | None = None) -> MappedSource:
    """Open the user's file `path` as the YAML file `mapping`, or the one that ships under that name, says.

    `geometry` overrides the mapping's.

    Raises:
        FacsimError: see `find_mapping`, `read_mapping`, `load_geometry` and `MappedSource`.
    """
    mapping = find_mapping(mapping)
    spec = read_mapping(mapping)
    chosen = None
    if spec.representation == "grid":
        if geometry is None and spec.geometry is None:
            raise FacsimError(f"the mapping file '{mapping}' needs a 'geometry' for the cells.")
        chosen = load_geometry(geometry) if geometry is not None else load_geometry(spec.geometry or "", mapping.parent)
    return MappedSource(path, spec, chosen)


def open_columns(path: Path) -> MappedSource:
    """A text file as a table of all its columns, without units, conditions or weights.

    Raises:
        FacsimError: see `TextColumns`; a column without a name, or two of one.
    """
    names = TextColumns(path, ()).names
    if len(set(names)) < len(names) or not all(names):
        raise FacsimError(f"the columns of '{path}' need a name each, and different ones: it has {names}.")
    columns = tuple(NamedQuantity(name=name, key=name) for name in names)
    return MappedSource(path, EventMapping(representation="table", columns=columns))


class MappedSource:
    """`EventSource` over a user's HDF5, ROOT or text file.

    Showers come as x (N, V, 1) float32, tables as x (N, F) float64; conditions are (N, K) float64, for showers with
    the incident energy first. Units are MeV, mm, ns, rad.

    Raises:
        FacsimError: keys, shapes, cell numbers or order that do not fit the file or the geometry.
    """

    def __init__(self, path: Path, spec: EventMapping, geometry: Geometry | None = None) -> None:
        self.path = Path(path)
        self._spec = spec
        self._columns = _open(self.path, spec)
        self.block_rows = self._columns.block_rows
        incident = [NamedQuantity(name=INCIDENT, **spec.incident_energy.model_dump())] if spec.incident_energy else []
        self._conditions = [*incident, *spec.conditions]
        conditions = _features(self._conditions)
        provenance = {"file": self.path.name}
        if geometry is None:
            self._schema = Schema("table", _features(spec.columns), conditions, None, provenance)
        else:
            self._schema = calorimeter_schema(geometry, conditions, provenance)
        if geometry is not None and spec.cells is not None:
            cell_order(geometry, spec.cells.order)

    @property
    def schema(self) -> Schema:
        return self._schema

    def __len__(self) -> int:
        return len(self._columns)

    def read(self, start: int, stop: int) -> Events:
        """Events `start` to `stop` (exclusive)."""
        check_range(start, stop, len(self))
        data = self._columns.read(start, stop)
        n = stop - start
        cond = self._stack(data, self._conditions, n)
        event_id = self._ids(data, self._spec.event_id, np.arange(start, stop, dtype=np.int64))
        group_id = self._ids(data, self._spec.group_id, event_id)
        weight = None if self._spec.weight is None else self._numbers(data, Quantity(key=self._spec.weight), n)
        if self._spec.cells is None:
            return Events(self._schema, self._stack(data, self._spec.columns, n), cond, event_id, group_id, weight)
        cells = self._cells(data, self._spec.cells, start, n)
        return Events(self._schema, cells[:, :, None], cond, event_id, group_id, weight)

    def _numbers(self, data: Values, quantity: Quantity, n: int) -> FloatArray:
        """One number per event, in facsim's unit: (N,)."""
        values = data[quantity.key]
        if isinstance(values, Ragged):
            raise FacsimError(f"'{quantity.key}' in '{self.path}' holds lists: expected one number per event.")
        rows = values.reshape(n, -1) if n else np.empty((0, (quantity.column or 0) + 1))
        if quantity.column is None and rows.shape[1] != 1:
            raise FacsimError(
                f"'{quantity.key}' in '{self.path}' has {rows.shape[1]} columns: say which with 'column'."
            )
        column = quantity.column or 0
        if column >= rows.shape[1]:
            raise FacsimError(f"'{quantity.key}' in '{self.path}' has {rows.shape[1]} columns, no column {column}.")
        return rows[:, column].astype(np.float64) * quantity.factor

    def _stack(self, data: Values, quantities: Sequence[NamedQuantity], n: int) -> FloatArray:
        columns = [self._numbers(data, quantity, n) for quantity in quantities]
        return np.stack(columns, axis=1) if columns else np.empty((n, 0))

    def _ids(self, data: Values, key: str | None, default: IntArray) -> IntArray:
        if key is None:
            return default
        ids = data[key]
        if isinstance(ids, Ragged) or ids.size != len(default) or ids.dtype.kind not in "iu":
            raise FacsimError(f"'{key}' in '{self.path}' must hold one whole number per event.")
        return ids.reshape(-1).astype(np.int64)

    def _cells(self, data: Values, cells: Cells, start: int, n: int) -> Array:
        """Cell energies in MeV and facsim's order: (N, V) float32."""
        geometry, where = self._schema.geometry, f"'{self.path}'"
        if geometry is None:
            raise FacsimError(f"cells of {where} cannot be read without a geometry.")
        if cells.key is not None:
            return dense_cells(data[cells.key], cells, geometry, where)
        return listed_cells(data, cells, geometry, n, start, where)


def _features(quantities: Sequence[NamedQuantity]) -> tuple[Feature, ...]:
    return tuple(Feature(quantity.name, to_base(quantity.unit)[1]) for quantity in quantities)


def _keys(spec: EventMapping) -> list[str]:
    """Every key of the file that the mapping uses."""
    quantities = [*([spec.incident_energy] if spec.incident_energy else []), *spec.columns, *spec.conditions]
    keys = [quantity.key for quantity in quantities]
    if spec.cells is not None:
        keys += _cell_keys(spec.cells)
    return keys + [key for key in (spec.event_id, spec.group_id, spec.weight) if key is not None]


def _cell_keys(cells: Cells) -> list[str]:
    if cells.key is not None:
        return [cells.key]
    ids = [cells.id.layer, cells.id.alpha, cells.id.r] if isinstance(cells.id, CellIndices) else [str(cells.id)]
    return [*ids, str(cells.energy)]


def _open(path: Path, spec: EventMapping) -> Columns:
    suffix = path.suffix.lower()
    kind = spec.format or ("root" if suffix == ".root" else "text" if suffix in SUFFIXES else "hdf5")
    if kind == "root":
        return RootColumns(path, _keys(spec), spec.tree)
    if kind == "text":
        if spec.cells is not None:
            raise FacsimError(f"'{path}' is a text file and can hold a table only: say 'representation: table'.")
        return TextColumns(path, _keys(spec), spec.delimiter)
    counts = spec.cells.counts if spec.cells is not None else None
    flat = dict.fromkeys(_cell_keys(spec.cells), counts) if spec.cells is not None and counts is not None else {}
    return HDF5Columns(path, _keys(spec), flat)
