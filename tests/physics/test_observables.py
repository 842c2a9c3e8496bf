"""The table of observables and its bins."""

from __future__ import annotations

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.geometry import regular_cylinder
from facsim.physics.calo import shower_observables
from facsim.physics.geometries import GEOMETRIES
from facsim.physics.observables import OBSERVABLES, challenge_cell_bins, plot_bins, strict_bins

SMALL = regular_cylinder("small", "electron", 4, 3, 2, 10.0, 0.0)


@pytest.fixture(scope="module")
def obs() -> dict[str, np.ndarray]:
    cells = np.random.default_rng(0).gamma(1.0, 1.0, (20, 24))
    cells[0, :6] = 0.0
    cells[1] = 0.0
    return shower_observables(cells, np.full(20, 30.0), SMALL)


@pytest.mark.parametrize("name", sorted(OBSERVABLES))
def test_values_have_the_declared_shape(name: str, obs: dict[str, np.ndarray]) -> None:
    line = OBSERVABLES[name]
    values = line.values(obs, SMALL)
    assert values.shape == {"shower": (20,), "layer": (20, 4), "ring": (20, 2)}[line.per]
    assert np.isfinite(values).all()
    index = None if line.per == "shower" else 1
    column = line.column(obs, SMALL, index)
    np.testing.assert_array_equal(column, values if index is None else values[:, 1])
    assert column.dtype == np.float64
    with pytest.raises(FacsimError, match=f"'{name}' is one value per {line.per}"):
        line.column(obs, SMALL, 0 if index is None else None)


def test_absent_marks_empty_layers_and_empty_showers(obs: dict[str, np.ndarray]) -> None:
    assert np.flatnonzero(OBSERVABLES["ec_x"].absent(obs, 0)).tolist() == [0, 1]
    assert np.flatnonzero(OBSERVABLES["ec_x"].absent(obs, 1)).tolist() == [1]
    assert np.flatnonzero(OBSERVABLES["e_ratio"].absent(obs)).tolist() == [1]
    assert np.flatnonzero(OBSERVABLES["ring_share"].absent(obs, 1)).tolist() == [1]


def test_depth_hits_and_shares_of_a_known_shower() -> None:
    cells = np.zeros((1, 24))
    cells[0, [0, 6, 19]] = [1.0, 1.0, 2.0]
    seen = shower_observables(cells, np.array([4.0]), SMALL)
    value = {name: line.values(seen, SMALL) for name, line in OBSERVABLES.items()}
    assert value["hits"].tolist() == [3.0]
    assert value["depth"][0] == pytest.approx((0 + 1 + 6) / 4)
    assert value["depth_width"][0] == pytest.approx(np.sqrt((0 + 1 + 18) / 4 - (7 / 4) ** 2))
    np.testing.assert_allclose(value["layer_share"], [[0.25, 0.25, 0.0, 0.5]])
    np.testing.assert_allclose(value["ring_share"], [[0.5, 0.5]])


def edges(name: str, geometry: str, layer: int | None = None) -> tuple[float, float, int]:
    reference = np.array([0.5, 200.0])
    bins = OBSERVABLES[name].challenge_bins(GEOMETRIES[geometry], layer, reference)
    assert bins is not None
    return bins[0], bins[-1], len(bins) - 1


def test_challenge_bins_are_the_scorers() -> None:
    assert edges("e_ratio", "ds2-electrons") == (0.5, 1.5, 100)
    assert edges("sparsity", "ds3-electrons", 0) == (0.0, 1.0, 20)
    for ds in ("ds2-electrons", "ds3-electrons"):
        assert edges("ec_x", ds, 3) == (-30.0, 30.0, 100)
        assert edges("width_y", ds, 3) == (0.0, 30.0, 100)
        assert edges("ec_r", ds, 3) == (0.0, 42.0, 100)
        assert edges("width_r", ds, 3) == (0.0, 20.0, 100)
    # position 4 is ATLAS sampling 12 in both particles of data set 1, position 6 is sampling 14 for pions
    assert edges("ec_y", "ds1-pions", 4) == (-500.0, 500.0, 100)
    assert edges("width_x", "ds1-pions", 4) == (0.0, 400.0, 100)
    assert edges("ec_y", "ds1-pions", 1) == (-100.0, 100.0, 100)
    assert edges("width_x", "ds1-photons", 2) == (0.0, 100.0, 100)
    assert edges("ec_r", "ds1-photons", 4) == (0.0, 1500.0, 100)
    assert edges("width_r", "ds1-pions", 6) == (0.0, 1500.0, 100)
    assert edges("width_r", "ds1-pions", 0) == (0.0, 500.0, 100)


def test_challenge_energy_bins_are_logarithmic_from_threshold_to_the_largest() -> None:
    geometry = GEOMETRIES["ds2-electrons"]
    bins = OBSERVABLES["e_layer"].challenge_bins(geometry, 0, np.array([0.0, 700.0]))
    assert bins is not None
    np.testing.assert_allclose(bins, np.logspace(np.log10(geometry.threshold), np.log10(700.0), 40))
    assert OBSERVABLES["e_layer"].challenge_bins(geometry, 0, np.zeros(4)) is None
    cells = challenge_cell_bins(geometry, 80.0)
    assert cells is not None
    assert len(cells) == 50
    assert challenge_cell_bins(geometry, 0.0) is None
    assert OBSERVABLES["hits"].challenge_bins(geometry, None, np.ones(3)) is None


def test_own_detector_scales_the_range_with_its_radius() -> None:
    bins = OBSERVABLES["ec_x"].challenge_bins(regular_cylinder("wide", "electron", 3, 4, 10, 8.37, 0.1), 0, np.ones(2))
    assert bins is not None
    assert bins[-1] == pytest.approx(60.0)


def test_x_and_y_exist_only_where_there_are_sectors() -> None:
    assert OBSERVABLES["ec_x"].layers(GEOMETRIES["ds1-photons"]) == [1, 2]
    assert OBSERVABLES["width_y"].layers(GEOMETRIES["ds1-pions"]) == [1, 2, 4, 5]
    assert OBSERVABLES["ec_r"].layers(GEOMETRIES["ds1-photons"]) == [0, 1, 2, 3, 4]


def test_strict_bins_hold_equal_parts_of_the_reference() -> None:
    reference = np.random.default_rng(1).lognormal(size=3000)
    bins = strict_bins(reference)
    counts = np.histogram(reference, bins)[0]
    assert len(counts) == 30
    assert counts.sum() == 3000
    assert counts.min() >= 99
    assert counts.max() <= 101


def test_strict_bins_of_repeated_constant_and_no_values() -> None:
    few = strict_bins(np.repeat([0.0, 0.25, 1.0], 50))
    assert (np.diff(few) > 0).all()
    for sample in (np.full(9, 3.0), np.zeros(9), np.array([])):
        bins = strict_bins(sample)
        assert (np.diff(bins) > 0).all()
        assert np.histogram(sample, bins)[0].sum() == len(sample)


@pytest.mark.parametrize("log", [False, True])
def test_plot_bins_cover_the_sample(log: bool) -> None:
    values = np.random.default_rng(2).lognormal(size=2000)
    bins = plot_bins(values, log)
    assert (np.diff(bins) > 0).all()
    assert np.histogram(values, bins)[0].sum() >= 0.995 * len(values)
    for odd in (np.zeros(3), np.array([]), np.full(3, 2.0)):
        assert (np.diff(plot_bins(odd, log)) > 0).all()
