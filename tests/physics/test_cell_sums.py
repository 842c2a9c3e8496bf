"""Observables of free cells: those of a cylinder whose cells are given one by one, and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from facsim.core.cell_geometry import CellGeometry, cell_layer
from facsim.core.geometry import CylinderGeometry, regular_cylinder
from facsim.physics.calo import high_level_features, high_level_names, shower_observables
from facsim.physics.observables import OBSERVABLES


def as_cells(cylinder: CylinderGeometry) -> CellGeometry:
    """The same cells, each by its centre."""
    layers = tuple(
        cell_layer(layer.id, cylinder.x[first:last], cylinder.y[first:last])
        for layer, first, last in zip(cylinder.layers, cylinder.offsets[:-1], cylinder.offsets[1:], strict=True)
    )
    assert cylinder.ring_edges is not None
    return CellGeometry("cells", cylinder.particle, layers, tuple(cylinder.ring_edges), cylinder.threshold)


def test_a_cylinder_given_cell_by_cell_has_the_same_observables() -> None:
    cylinder = regular_cylinder("g", "photon", 5, 8, 4, 10.0, 0.5)
    cells = as_cells(cylinder)
    rng = np.random.default_rng(1)
    showers = rng.exponential(1.0, (30, cylinder.n_cells)) * (rng.random((30, cylinder.n_cells)) < 0.4)
    showers[3] = 0
    showers[4, :32] = 0
    energy = rng.uniform(100, 200, 30)
    a, b = (shower_observables(showers, energy, geometry) for geometry in (cylinder, cells))
    assert a.keys() == b.keys()
    for key, values in a.items():
        np.testing.assert_allclose(values, b[key], rtol=1e-6, atol=1e-6, err_msg=key)
    assert high_level_names(cylinder) == high_level_names(cells)
    np.testing.assert_allclose(
        high_level_features(a, energy, cylinder), high_level_features(b, energy, cells), rtol=1e-6, atol=1e-6
    )
    for observable in OBSERVABLES.values():
        assert observable.layers(cylinder) == observable.layers(cells)


def test_centre_and_width_of_two_cells() -> None:
    geometry = CellGeometry(
        "pair", "", (cell_layer(0, [3.0, -1.0], [0.0, 4.0]), cell_layer(7, [5.0], [0.0])), (0.0, 3.5, 9.0), 0.0
    )
    found = shower_observables(np.array([[3.0, 1.0, 2.0]]), np.array([12.0]), geometry)
    assert found["ec_x"][0] == pytest.approx([2.0, 0.0])
    assert found["ec_y"][0] == pytest.approx([1.0, 0.0])
    assert found["width_x"][0] == pytest.approx([np.sqrt(3.0), 0.0])
    assert found["width_y"][0] == pytest.approx([np.sqrt(3.0), 0.0])
    assert found["ec_r"][0] == pytest.approx([(9 + np.sqrt(17)) / 4, 5.0])
    assert found["e_ring"][0] == pytest.approx([3.0, 3.0])
    assert found["e_ratio"][0] == pytest.approx(0.5)
    assert found["sparsity"][0] == pytest.approx([0.0, 0.0])
