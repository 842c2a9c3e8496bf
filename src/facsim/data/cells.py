"""Cell energies of users' files brought to facsim's numbering: radius fastest, then the angle, then the layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.events import Array
from facsim.core.geometry import CylinderGeometry, Geometry, IntArray
from facsim.data.columns import Ragged
from facsim.data.mapping import Axis, CellIndices, Cells

Columns = Mapping[str, Array | Ragged]
OWN_ORDER = ("layer", "alpha", "r")


def cell_order(geometry: Geometry, order: Sequence[Axis]) -> IntArray:
    """facsim's number of each cell as the file counts them: shape (V,).

    Args:
        geometry: the read-out.
        order: the file's axes, slowest first.

    Raises:
        FacsimError: layers of different shapes whose cells are not kept together, or an order of axes for a read-out
            that is no cylinder: its cells stand in the file as in the geometry.
    """
    if not isinstance(geometry, CylinderGeometry):
        if tuple(order) != OWN_ORDER:
            raise FacsimError(f"'{geometry.name}' is no cylinder, so its cells have no 'order' of {list(order)}.")
        return np.arange(geometry.n_cells)
    if geometry.shape is None and order[0] != "layer":
        raise FacsimError(
            f"the layers of '{geometry.name}' differ in shape, so the layer must be the slowest axis, not '{order[0]}'."
        )
    axes = {"layer": geometry.layer_index, "alpha": geometry.sector_index, "r": geometry.ring_index}
    return np.lexsort([axes[name] for name in reversed(order)]).astype(np.int64)


def dense_cells(values: Array | Ragged, cells: Cells, geometry: Geometry, where: str) -> Array:
    """Cells (N, V) float32, MeV, from an array (N, V) or (N, a, b, c) with the axes of `cells.order`.

    Raises:
        FacsimError: another shape than the geometry's.
    """
    if isinstance(values, Ragged):
        raise FacsimError(f"'{cells.key}' in {where} holds lists of varying length: map them with 'id' and 'energy'.")
    expected: list[tuple[int, ...]] = [(geometry.n_cells,)]
    if geometry.shape is not None:
        sizes = dict(zip(("layer", "alpha", "r"), geometry.shape, strict=True))
        expected.append(tuple(sizes[name] for name in cells.order))
    if values.shape[1:] not in expected:
        shapes = " or ".join(str(("events", *shape)).replace("'", "") for shape in expected)
        raise FacsimError(
            f"'{cells.key}' in {where} has shape {values.shape}: the geometry '{geometry.name}' with the order "
            f"{list(cells.order)} needs {shapes}."
        )
    out = np.empty((len(values), geometry.n_cells), dtype=np.float32)
    out[:, cell_order(geometry, cells.order)] = values.reshape(out.shape)
    out *= np.float32(cells.factor)
    return out


def listed_cells(data: Columns, cells: Cells, geometry: Geometry, n: int, first_event: int, where: str) -> Array:
    """Cells (N, V) float32, MeV, from lists of hits; hits in one cell are added.

    Lists are of varying length, or padded to arrays (N, P) with cell numbers below `cells.first`.

    Raises:
        FacsimError: lists of different lengths, or cells that the geometry does not have.
    """
    indices = isinstance(cells.id, CellIndices)
    names = [cells.id.layer, cells.id.alpha, cells.id.r] if isinstance(cells.id, CellIndices) else [str(cells.id)]
    event, columns = _hits(
        [data[name] for name in (*names, str(cells.energy))], cells.first, [*names, str(cells.energy)], where
    )
    places = [_whole(column, name, where) for column, name in zip(columns, names, strict=False)]
    number = _from_indices(places, cells.first, geometry) if indices else _from_ids(places[0], cells, geometry)
    for hit in np.flatnonzero(number < 0)[:1]:
        given = ", ".join(f"{name}={place[hit]}" for name, place in zip(names, places, strict=True))
        raise FacsimError(
            f"event {first_event + int(event[hit])} of {where} has a hit at {given}, "
            f"which is no cell of '{geometry.name}' ({geometry.n_cells} cells; cells counted from {cells.first})."
        )
    out = np.zeros((n, geometry.n_cells), dtype=np.float32)
    np.add.at(out, (event, number), (columns[-1] * cells.factor).astype(np.float32))
    return out


def _hits(
    columns: Sequence[Array | Ragged], first: int, names: Sequence[str], where: str
) -> tuple[IntArray, list[Array]]:
    """The event of each hit (M,) and the hits' columns, each (M,)."""
    ragged = [column for column in columns if isinstance(column, Ragged)]
    arrays = [column for column in columns if not isinstance(column, Ragged)]
    if not arrays and all(np.array_equal(column.counts, ragged[0].counts) for column in ragged):
        counts = ragged[0].counts
        return np.repeat(np.arange(len(counts)), counts), [column.values for column in ragged]
    if not ragged and all(array.ndim == 2 and array.shape == arrays[0].shape for array in arrays):
        real = np.all([array >= first for array in arrays[:-1]], axis=0)
        return np.nonzero(real)[0].astype(np.int64), [array[real] for array in arrays]
    raise FacsimError(f"{list(names)} in {where} must be lists with as many entries as one another in every event.")


def _whole(values: Array, name: str, where: str) -> IntArray:
    if not np.all(np.rint(values) == values):
        raise FacsimError(f"'{name}' in {where} must hold whole numbers: it numbers cells.")
    return values.astype(np.int64)


def _from_ids(ids: IntArray, cells: Cells, geometry: Geometry) -> IntArray:
    """facsim's number of each hit's cell, -1 where there is no such cell."""
    position = ids - cells.first
    inside = (position >= 0) & (position < geometry.n_cells)
    return np.where(inside, cell_order(geometry, cells.order)[np.where(inside, position, 0)], -1)


def _from_indices(places: Sequence[IntArray], first: int, geometry: Geometry) -> IntArray:
    """As `_from_ids`, from layer id, sector and ring."""
    if not isinstance(geometry, CylinderGeometry):
        raise FacsimError(f"'{geometry.name}' is no cylinder: number its cells by one 'id', not by layer, alpha and r.")
    layer, sector, ring = (place - first for place in places)
    ids = np.array([la.id for la in geometry.layers])
    known = np.argsort(ids)
    found = known[np.minimum(np.searchsorted(ids, layer, sorter=known), len(ids) - 1)]
    n_r = np.array([la.n_r for la in geometry.layers])[found]
    n_alpha = np.array([la.n_alpha for la in geometry.layers])[found]
    inside = (ids[found] == layer) & (sector >= 0) & (sector < n_alpha) & (ring >= 0) & (ring < n_r)
    return np.where(inside, geometry.offsets[found] + sector * n_r + ring, -1)
