"""Read-outs of free cells: places, rings, equality, JSON, and what makes none."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facsim.core.cell_geometry import CellGeometry, cell_layer, geometry_from_dict
from facsim.core.errors import FacsimError
from facsim.core.geometry import Geometry, regular_cylinder
from facsim.core.schema import Schema, calorimeter_schema

PLACES = st.lists(st.tuples(st.floats(-99, 99), st.floats(-99, 99)), min_size=1, max_size=6)


def geometry(layers: list[list[tuple[float, float]]]) -> CellGeometry:
    made = tuple(cell_layer(2 * i + 1, *np.array(places).T) for i, places in enumerate(layers))
    return CellGeometry("hex", "photon", made, (0.0, 10.0, 50.0, 150.0), 0.01)


@given(st.lists(PLACES, min_size=1, max_size=4))
def test_cells_keep_their_places_layer_by_layer(layers: list[list[tuple[float, float]]]) -> None:
    found = geometry(layers)
    flat = np.array([place for places in layers for place in places])
    np.testing.assert_array_equal(np.stack([found.x, found.y], axis=1), flat)
    assert found.n_cells == len(flat)
    assert found.layer_index.tolist() == [i for i, places in enumerate(layers) for _ in places]
    np.testing.assert_allclose(found.r * np.cos(found.alpha), found.x, atol=1e-9)
    edges = np.array(found.r_edges)
    assert np.all((edges[found.ring_index] <= found.r) & (found.r <= edges[found.ring_index + 1]))
    assert found.n_rings.tolist() == [3] * len(layers)
    assert found.shape is None


@given(st.lists(PLACES, min_size=1, max_size=4))
def test_json_round_trip_and_hash(layers: list[list[tuple[float, float]]]) -> None:
    found = geometry(layers)
    again = geometry_from_dict(json.loads(json.dumps(found.to_dict())))
    assert again == found
    assert hash(again) == hash(found)
    assert again.same_cells(found)


def test_equality_sees_every_number() -> None:
    base = geometry([[(0, 0), (1, 2)], [(3, 4)]])
    moved = geometry([[(0, 0), (1, 2.5)], [(3, 4)]])
    assert base != moved
    assert not base.same_cells(moved)
    assert base.same_cells(geometry([[(0, 0), (1, 2.0005)], [(3, 4)]]))
    assert not base.same_cells(geometry([[(0, 0)], [(1, 2), (3, 4)]]))
    assert base != replace(base, threshold=0.02)
    assert base != replace(base, name="other")
    assert base != replace(base, r_edges=(0.0, 6.0))
    assert base.same_cells(replace(base, name="other", threshold=1.0))
    assert base != "hex"


def test_kinds_of_geometry_are_told_apart() -> None:
    cylinder: Geometry = regular_cylinder("g", "electron", 2, 4, 2, 1.5, 0.0)
    assert geometry_from_dict(cylinder.to_dict()) == cylinder
    assert not cylinder.same_cells(geometry([[(0, 0)]]))
    assert not geometry([[(0, 0)]]).same_cells(cylinder)


def test_x_and_y_need_two_cells() -> None:
    assert geometry([[(0, 0)], [(1, 2), (3, 4)]]).plane_layers == [1]


def test_free_cells_are_not_axial() -> None:
    assert calorimeter_schema(regular_cylinder("g", "electron", 2, 4, 2, 1.5, 0.0)).is_axial
    schema = calorimeter_schema(geometry([[(0, 0), (1, 2)]]))
    assert not schema.is_axial
    assert Schema.from_dict(json.loads(json.dumps(schema.to_dict()))) == schema


@pytest.mark.parametrize(
    ("x", "y", "edges", "message"),
    [
        ([], [], (0, 1), "layer 1 of geometry 'g' needs as many x as y"),
        ([1.0], [1.0, 2.0], (0, 9), "needs as many x as y"),
        ([np.nan], [1.0], (0, 9), "at places that are no number"),
        ([3.0], [4.0], (0, 4.9), r"edges \(mm\) that hold all cells, which lie 5 to 5 mm from the axis"),
        ([3.0], [4.0], (5.1, 6), "need increasing edges"),
        ([3.0], [4.0], (0, 9, 9), "need increasing edges"),
        ([3.0], [4.0], (9,), "need increasing edges"),
    ],
)
def test_impossible_cells_are_told(x: list[float], y: list[float], edges: tuple[float, ...], message: str) -> None:
    with pytest.raises(FacsimError, match=message):
        CellGeometry("g", "", (cell_layer(1, x, y),), edges)


def test_missing_keys_are_named() -> None:
    with pytest.raises(FacsimError, match="geometry 'g' has no layer"):
        CellGeometry("g", "", (), (0, 1))
    data = geometry([[(0, 0)]]).to_dict()
    del data["layers"][0]["y_mm"]
    with pytest.raises(FacsimError, match="needs the key 'y_mm'"):
        geometry_from_dict(data)
