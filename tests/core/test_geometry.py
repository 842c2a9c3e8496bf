"""Cylinder geometry: numbering, centres and sums against closed forms."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.core.geometry import CylinderGeometry, Layer, regular_cylinder

EDGES = st.lists(st.floats(0, 1e4, allow_subnormal=False), min_size=2, max_size=6, unique=True).map(
    lambda edges: tuple(sorted(edges))
)
GEOMETRIES = st.lists(st.tuples(EDGES, st.integers(1, 7)), min_size=1, max_size=5).map(
    lambda layers: CylinderGeometry("g", "photon", tuple(Layer(3 * i, e, a) for i, (e, a) in enumerate(layers)), 0.5)
)


@given(GEOMETRIES)
def test_numbering_is_radius_then_angle_then_layer(geometry: CylinderGeometry) -> None:
    number = 0
    for index, layer in enumerate(geometry.layers):
        assert geometry.offsets[index] == number
        for sector in range(layer.n_alpha):
            for ring in range(layer.n_r):
                place = (geometry.layer_index[number], geometry.sector_index[number], geometry.ring_index[number])
                assert place == (index, sector, ring)
                number += 1
    assert geometry.n_cells == geometry.offsets[-1] == number


@given(GEOMETRIES)
def test_centres_lie_in_their_cells(geometry: CylinderGeometry) -> None:
    for cell in range(geometry.n_cells):
        layer = geometry.layers[geometry.layer_index[cell]]
        ring, sector = geometry.ring_index[cell], geometry.sector_index[cell]
        assert geometry.r[cell] == pytest.approx((layer.r_edges[ring] + layer.r_edges[ring + 1]) / 2)
        assert geometry.alpha[cell] == pytest.approx(-np.pi + (sector + 0.5) * 2 * np.pi / layer.n_alpha)
    np.testing.assert_allclose(np.hypot(geometry.x, geometry.y), geometry.r, rtol=1e-12)


@given(GEOMETRIES, st.integers(0, 3))
def test_layer_sums_equal_sums_over_slices(geometry: CylinderGeometry, n: int) -> None:
    cells = np.random.default_rng(0).random((n, geometry.n_cells))
    expected = [cells[:, a:b].sum(axis=1) for a, b in zip(geometry.offsets[:-1], geometry.offsets[1:], strict=True)]
    np.testing.assert_allclose(geometry.layer_sum(cells), np.stack(expected, axis=1))


@given(GEOMETRIES)
def test_json_round_trip(geometry: CylinderGeometry) -> None:
    assert CylinderGeometry.from_dict(json.loads(json.dumps(geometry.to_dict()))) == geometry


def test_shape_of_equal_and_of_different_layers() -> None:
    assert regular_cylinder("g", "electron", 3, 4, 2, 1.5, 0.0).shape == (3, 4, 2)
    assert CylinderGeometry("g", "pion", (Layer(0, (0, 1), 1), Layer(1, (0, 1), 2))).shape is None


@pytest.mark.parametrize(
    "layers",
    [
        (Layer(0, (0.0, 1.0), 0),),
        (Layer(0, (0.0,), 1),),
        (Layer(0, (0.0, 2.0, 1.0), 1),),
        (Layer(0, (0.0, 1.0, 1.0), 1),),
        (Layer(0, (-1.0, 1.0), 1),),
        (Layer(0, (0.0, float("nan")), 1),),
    ],
)
def test_impossible_layers_are_named(layers: tuple[Layer, ...]) -> None:
    with pytest.raises(FacsimError, match="layer 0 of geometry 'g' needs increasing ring edges"):
        CylinderGeometry("g", "photon", layers)


def test_no_layers_and_missing_keys() -> None:
    with pytest.raises(FacsimError, match="geometry 'g' has no layer"):
        CylinderGeometry("g", "photon", ())
    with pytest.raises(FacsimError, match="a geometry needs the key 'threshold_MeV'"):
        CylinderGeometry.from_dict({"name": "g", "particle": "pion", "layers": []})
