"""Which showers are drawn, and what the maps show."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from facsim.core.geometry import CylinderGeometry, Layer, regular_cylinder
from facsim.report.figures_maps import _ring_means, _wedges, telling_layers
from facsim.report.figures_single import cell_positions
from facsim.report.rundata import load_run
from facsim.report.showers import shower_gallery

RAGGED = CylinderGeometry("ragged", "photon", (Layer(0, (0.0, 5.0, 100.0), 1), Layer(12, (0.0, 2.0, 4.0, 400.0), 4)))


def test_gallery_takes_the_nearest_showers_of_each_file(full_run: Path) -> None:
    gallery = shower_gallery(load_run(full_run))
    assert gallery is not None
    assert list(gallery.cells) == ["reference", "surrogate", "gflash", "library", "bootstrap"]
    for name, path in (("reference", "truth.h5"), ("surrogate", "samples/surrogate.h5")):
        with h5py.File(full_run / path) as handle:
            energies, showers = handle["incident_energies"][:, 0], handle["showers"][:]
        for row, wanted in enumerate(gallery.wanted):
            best = np.abs(np.log(energies / wanted)).argmin()
            assert gallery.energies[name][row] == energies[best]
            np.testing.assert_array_equal(gallery.cells[name][row], showers[best])


def test_truth_is_drawn_at_the_very_energy_of_the_surrogate(full_run: Path) -> None:
    gallery = shower_gallery(load_run(full_run))
    assert gallery is not None
    np.testing.assert_allclose(gallery.energies["reference"], gallery.energies["surrogate"], rtol=0.02)


def test_damaged_shower_file_is_told_and_left_out(full_run: Path, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    shutil.copytree(full_run, run_dir)
    (run_dir / "samples" / "gflash.h5").write_bytes(b"not HDF5 at all")
    run = load_run(run_dir)
    gallery = shower_gallery(run)
    assert gallery is not None
    assert "gflash" not in gallery.cells
    assert any("gflash" in problem for problem in run.problems)


def test_no_shower_files_no_gallery(tmp_path: Path) -> None:
    assert shower_gallery(load_run(tmp_path)) is None


def test_telling_layers_follow_the_energy() -> None:
    geometry = regular_cylinder("g", "electron", 20, 4, 3, 1.0, 0.0)
    mean = np.where(geometry.layer_index == 7, 5.0, 0.0)
    assert telling_layers(geometry, mean) == [7]
    assert telling_layers(geometry, np.ones(geometry.n_cells), 3) == [0, 9, 18]


@pytest.mark.parametrize("geometry", [RAGGED, regular_cylinder("g", "electron", 3, 4, 3, 1.0, 0.0)])
def test_ring_means_of_a_map_that_depends_on_the_ring_alone(geometry: CylinderGeometry) -> None:
    values = geometry.layer_index * 10.0 + geometry.ring_index
    wanted = [10.0 * k + ring for k, layer in enumerate(geometry.layers) for ring in range(layer.n_r)]
    np.testing.assert_allclose(_ring_means(geometry, values), wanted)


@pytest.mark.parametrize("layer", [0, 1])
def test_wedges_tile_the_disc_and_hold_their_cell_centres(layer: int) -> None:
    geometry = regular_cylinder("g", "electron", 2, 8, 4, 2.0, 0.0)
    wedges = _wedges(geometry, layer)
    areas = [0.5 * abs(np.sum(w[:, 0] * np.roll(w[:, 1], 1) - w[:, 1] * np.roll(w[:, 0], 1))) for w in wedges]
    assert sum(areas) == pytest.approx(np.pi, rel=0.02)
    part = slice(geometry.offsets[layer], geometry.offsets[layer + 1])
    for wedge, x, y in zip(wedges, geometry.x[part] / 8, geometry.y[part] / 8, strict=True):
        middle = 0.5 * (wedge.max(axis=0) + wedge.min(axis=0))
        assert np.hypot(*(middle - [x, y])) < 0.2


def test_cells_lie_inside_the_drawn_cylinder() -> None:
    for geometry in (RAGGED, regular_cylinder("g", "electron", 3, 4, 3, 1.0, 0.0)):
        place = cell_positions(geometry)
        assert np.all(np.hypot(place[:, 1], place[:, 2]) < 1)
        assert np.all(np.diff(place[geometry.offsets[:-1], 0]) > 0)
