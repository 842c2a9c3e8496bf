"""Shower observables against a cell-by-cell computation, closed forms and invariances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.core.events import Events, make_events
from facsim.core.geometry import CylinderGeometry, Layer, regular_cylinder
from facsim.core.schema import Feature, Schema, calorimeter_schema
from facsim.physics import calo

REGULAR = regular_cylinder("small", "electron", 5, 6, 4, 2.5, 0.01)
RAGGED = CylinderGeometry(
    "ragged",
    "photon",
    (
        Layer(0, (0.0, 5.0, 10.0), 1),
        Layer(1, (0.0, 2.0, 4.0, 9.0), 10),
        Layer(2, (0.0, 2.0, 4.0, 9.0), 10),
        Layer(12, (0.0, 100.0, 300.0), 1),
    ),
    1.0,
)
PHOTONS = CylinderGeometry(
    "ds1-photons",
    "photon",
    tuple(
        Layer(i, tuple(float(e) for e in range(n_r + 1)), n_alpha)
        for i, n_r, n_alpha in ((0, 8, 1), (1, 16, 10), (2, 19, 10), (3, 5, 1), (12, 5, 1))
    ),
    1.0,
)
PIONS = CylinderGeometry(
    "ds1-pions",
    "pion",
    tuple(
        Layer(i, tuple(float(e) for e in range(n_r + 1)), n_alpha)
        for i, n_r, n_alpha in ((0, 8, 1), (1, 10, 10), (2, 10, 10), (3, 5, 1), (12, 15, 10), (13, 16, 10), (14, 10, 1))
    ),
    1.0,
)


@dataclass
class Memory:
    """Events in memory as a source."""

    events: Events

    @property
    def schema(self) -> Schema:
        return self.events.schema

    def __len__(self) -> int:
        return len(self.events)

    def read(self, start: int, stop: int) -> Events:
        return self.events[slice(start, stop)]


def showers(geometry: CylinderGeometry, n: int, seed: int = 1, lit: float = 0.4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shape = (n, geometry.n_cells)
    return (rng.lognormal(0.0, 2.0, shape) * (rng.random(shape) < lit)).astype(np.float32)


def source(geometry: CylinderGeometry, n: int, seed: int = 1) -> Memory:
    cells = showers(geometry, n, seed)
    return Memory(make_events(calorimeter_schema(geometry), cells[..., None], np.full((n, 1), 900.0)))


def slow_observables(cells: np.ndarray, geometry: CylinderGeometry, threshold: float) -> dict[str, np.ndarray]:
    """The definitions of section 1.2, one layer after the other, in double precision."""
    kept = np.where(cells < threshold, 0.0, cells).astype(np.float64)
    out: dict[str, list[np.ndarray]] = {key: [] for key in calo.LAYER_KEYS}
    for i in range(geometry.n_layers):
        at = geometry.layer_index == i
        energy = kept[:, at]
        total = energy.sum(axis=1)
        out["e_layer"].append(total)
        out["sparsity"].append(1.0 - (energy > 0).mean(axis=1))
        for axis in "xyr":
            place = getattr(geometry, axis)[at]
            centre = (energy * place).sum(axis=1) / (total + 1e-16)
            square = (energy * place**2).sum(axis=1) / (total + 1e-16)
            used = axis == "r" or geometry.layers[i].n_alpha > 1
            out[f"ec_{axis}"].append(centre * used)
            out[f"width_{axis}"].append(np.sqrt(np.clip(square - centre**2, 0.0, None)) * used)
    return {key: np.stack(value, axis=1) for key, value in out.items()}


@pytest.mark.parametrize("geometry", [REGULAR, RAGGED], ids=["regular", "ragged"])
def test_observables_equal_the_slow_definition(geometry: CylinderGeometry) -> None:
    cells = showers(geometry, 50)
    cells[3] = 0.0
    cells[4, geometry.layer_index == 1] = 0.0
    e_inc = np.linspace(100.0, 200.0, 50)
    got = calo.shower_observables(cells, e_inc, geometry)
    want = slow_observables(cells, geometry, geometry.threshold)
    for key, value in want.items():
        np.testing.assert_allclose(got[key], value, rtol=1e-9, atol=2e-6, err_msg=key)
    np.testing.assert_allclose(got["e_total"], want["e_layer"].sum(axis=1))
    np.testing.assert_allclose(got["e_ratio"], got["e_total"] / e_inc)
    assert got["empty"][3].all()
    assert got["empty"][4, 1]
    np.testing.assert_array_equal(got["empty"], want["e_layer"] == 0)


def test_one_cell_lies_where_it_is_and_has_no_width() -> None:
    for cell in range(0, REGULAR.n_cells, 7):
        cells = np.zeros((1, REGULAR.n_cells), dtype=np.float32)
        cells[0, cell] = 3.0
        obs = calo.shower_observables(cells, np.array([10.0]), REGULAR)
        layer = REGULAR.layer_index[cell]
        for axis in "xyr":
            assert obs[f"ec_{axis}"][0, layer] == pytest.approx(getattr(REGULAR, axis)[cell])
            assert obs[f"width_{axis}"][0, layer] == pytest.approx(0.0, abs=1e-6)
        assert obs["sparsity"][0, layer] == pytest.approx(1 - 1 / 24)
        assert obs["e_ring"][0, REGULAR.ring_index[cell]] == pytest.approx(3.0)


def test_two_opposite_cells_have_the_half_distance_as_width() -> None:
    cells = np.zeros((1, REGULAR.n_cells))
    pair = [c for c in range(24) if REGULAR.ring_index[c] == 3 and REGULAR.sector_index[c] in (1, 4)]
    cells[0, pair] = 5.0
    obs = calo.shower_observables(cells, np.array([10.0]), REGULAR)
    x, y = REGULAR.x[pair], REGULAR.y[pair]
    assert obs["width_x"][0, 0] == pytest.approx(abs(x[0] - x[1]) / 2)
    assert obs["width_y"][0, 0] == pytest.approx(abs(y[0] - y[1]) / 2, abs=1e-6)
    assert obs["width_r"][0, 0] == pytest.approx(0.0, abs=1e-6)


def test_threshold_cuts_below_and_keeps_equal() -> None:
    cells = np.zeros((1, REGULAR.n_cells))
    cells[0, :3] = [0.5, 0.499, 0.0]
    obs = calo.shower_observables(cells, np.array([1.0]), REGULAR, threshold=0.5)
    assert obs["e_total"][0] == 0.5
    assert obs["sparsity"][0, 0] == pytest.approx(23 / 24)


def test_negative_cells_never_count() -> None:
    geometry = regular_cylinder("open", "electron", 2, 3, 2, 1.0, 0.0)
    cells = np.full((1, 12), -1.0)
    cells[0, 4] = 2.0
    obs = calo.shower_observables(cells, np.array([1.0]), geometry)
    assert obs["e_layer"].tolist() == [[2.0, 0.0]]
    assert obs["sparsity"][0].tolist() == [pytest.approx(5 / 6), 1.0]


@settings(max_examples=25, deadline=None)
@given(scale=st.floats(0.01, 100.0), turn=st.integers(0, 5), seed=st.integers(0, 1000))
def test_scaling_energies_and_turning_the_shower(scale: float, turn: int, seed: int) -> None:
    cells = showers(REGULAR, 4, seed).astype(np.float64)
    e_inc = np.full(4, 500.0)
    turned = np.roll(cells.reshape(4, 5, 6, 4), turn, axis=2).reshape(4, -1)
    a = calo.shower_observables(cells, e_inc, REGULAR, threshold=0.0)
    b = calo.shower_observables(scale * turned, scale * e_inc, REGULAR, threshold=0.0)
    np.testing.assert_allclose(b["e_layer"], scale * a["e_layer"])
    for key in ("e_ratio", "ec_r", "width_r", "sparsity"):
        np.testing.assert_allclose(b[key], a[key], atol=1e-7, err_msg=key)
    np.testing.assert_allclose(np.hypot(b["ec_x"], b["ec_y"]), np.hypot(a["ec_x"], a["ec_y"]), atol=1e-9)
    spread = [o["width_x"] ** 2 + o["width_y"] ** 2 for o in (a, b)]
    np.testing.assert_allclose(spread[1], spread[0], atol=1e-9)


@pytest.mark.parametrize(
    ("geometry", "dimension"),
    [
        (PHOTONS, 30),
        (PIONS, 46),
        (regular_cylinder("ds2-electrons", "electron", 45, 16, 9, 4.65, 0.015), 362),
        (regular_cylinder("ds3-electrons", "electron", 45, 50, 18, 2.325, 0.015), 362),
    ],
    ids=["photons", "pions", "ds2", "ds3"],
)
def test_high_level_vector_has_the_challenge_dimension(geometry: CylinderGeometry, dimension: int) -> None:
    cells = showers(geometry, 2)
    obs = calo.shower_observables(cells, np.full(2, 1e3), geometry)
    features = calo.high_level_features(obs, np.full(2, 1e3), geometry)
    names = calo.high_level_names(geometry)
    assert features.shape == (2, dimension)
    assert len(names) == len(set(names)) == dimension


def test_high_level_vector_holds_the_named_columns() -> None:
    cells, e_inc = showers(RAGGED, 3), np.array([10.0, 100.0, 1000.0])
    obs = calo.shower_observables(cells, e_inc, RAGGED)
    column = dict(zip(calo.high_level_names(RAGGED), calo.high_level_features(obs, e_inc, RAGGED).T, strict=True))
    np.testing.assert_allclose(column["e_inc"], [1.0, 2.0, 3.0])
    np.testing.assert_allclose(column["e_layer_12"], np.log10(obs["e_layer"][:, 3] + 1e-8))
    np.testing.assert_allclose(column["ec_y_2"], obs["ec_y"][:, 2] / 100)
    np.testing.assert_allclose(column["width_x_1"], obs["width_x"][:, 1] / 100)
    np.testing.assert_allclose(column["width_r_0"], obs["width_r"][:, 0] / 100)
    np.testing.assert_allclose(column["sparsity_12"], obs["sparsity"][:, 3])
    np.testing.assert_allclose(column["e_total"], np.log10(obs["e_total"] + 1e-8))
    assert "ec_x_0" not in column


def test_correlation_is_pearson_and_defined_for_a_constant_layer() -> None:
    energy = np.random.default_rng(0).gamma(2.0, 1.0, (300, 4))
    energy[:, 1] += energy[:, 0]
    matrix = calo.layer_correlation(energy)
    np.testing.assert_allclose(matrix, np.corrcoef(energy, rowvar=False))
    energy[:, 2] = 7.0
    matrix = calo.layer_correlation(energy)
    assert matrix[2].tolist() == [0.0, 0.0, 1.0, 0.0]


def test_broken_showers_are_refused_in_one_sentence() -> None:
    cells = showers(REGULAR, 4)
    with pytest.raises(FacsimError, match=r"shape \(events, 120\), not \(4, 119\)"):
        calo.shower_observables(cells[:, 1:], np.ones(4), REGULAR)
    with pytest.raises(FacsimError, match="incident energies"):
        calo.shower_observables(cells, np.ones(3), REGULAR)
    with pytest.raises(FacsimError, match="must be positive"):
        calo.shower_observables(cells, np.zeros(4), REGULAR)
    with pytest.raises(FacsimError, match="no showers"):
        calo.shower_observables(cells[:0], np.ones(0), REGULAR)
    for bad in (np.nan, np.inf):
        cells[2, 5] = bad
        with pytest.raises(FacsimError, match="shower 2 of 4"):
            calo.shower_observables(cells, np.ones(4), REGULAR)


def test_integer_cells_are_energies_too() -> None:
    cells = showers(REGULAR, 3).round().astype(np.int32)
    a = calo.shower_observables(cells, np.ones(3), REGULAR)
    b = calo.shower_observables(cells.astype(np.float64), np.ones(3), REGULAR)
    np.testing.assert_array_equal(a["width_x"], b["width_x"])


@pytest.mark.parametrize("chunk", [1, 7, 100])
def test_collect_streams_to_the_same_result(chunk: int) -> None:
    data = source(RAGGED, 40)
    seen = calo.collect(data, chunk=chunk)
    obs = calo.shower_observables(data.events.cells, np.full(40, 900.0), RAGGED)
    for key, value in obs.items():
        np.testing.assert_allclose(seen.obs[key], value, rtol=1e-6, err_msg=key)
    kept = np.where(data.events.cells < 1.0, 0, data.events.cells).astype(np.float64)
    np.testing.assert_allclose(seen.mean_shower, kept.mean(axis=0))
    np.testing.assert_array_equal(seen.cell_counts, np.histogram(kept[kept > 0], np.r_[0, seen.cell_edges, np.inf])[0])
    assert seen.cell_max == kept.max()
    assert seen.features.shape == (40, len(seen.feature_names))
    np.testing.assert_array_equal(seen.event_id, np.arange(40))
    assert seen.correlation.shape == (4, 4)


def test_cell_blocks_deal_showers_in_turn() -> None:
    data = source(REGULAR, 70)
    seen = calo.collect(data, chunk=13)
    lit = (data.events.cells >= REGULAR.threshold).sum(axis=1)
    want = [lit[i :: len(seen.cell_blocks)].sum() for i in range(len(seen.cell_blocks))]
    np.testing.assert_array_equal(seen.cell_blocks.sum(axis=1), want)


def test_own_edges_count_under_and_overflow() -> None:
    data = source(REGULAR, 20)
    edges = np.array([0.5, 0.5000001, 1.0, 2.0, 30.0])
    seen = calo.collect(data, edges=edges, threshold=0.1)
    kept = data.events.cells.astype(np.float64)
    kept = kept[kept >= 0.1]
    assert seen.cell_counts[0] == (kept < 0.5).sum()
    assert seen.cell_counts[-1] == (kept > 30.0).sum()
    np.testing.assert_array_equal(seen.cell_counts[1:-1], np.histogram(kept, edges)[0])
    with pytest.raises(FacsimError, match="increasing positive"):
        calo.collect(data, edges=np.array([1.0, 1.0]))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(1e-6, 1e9), min_size=1, max_size=30), st.floats(1e-3, 1.0))
def test_cell_spectrum_equals_numpy_histogram(values: list[float], threshold: float) -> None:
    edges = calo.cell_edges(threshold)
    cells = np.array([*values, edges[0], edges[3], edges[-1]])
    geometry = regular_cylinder("row", "electron", 1, 1, len(cells), 1.0, 0.0)
    data = Memory(make_events(calorimeter_schema(geometry), cells[None, :, None], np.ones((1, 1))))
    counts = calo.collect(data, edges=edges).cell_counts
    np.testing.assert_array_equal(counts[1:-1], np.histogram(cells, edges)[0])
    assert counts.sum() == len(cells)


def test_select_keeps_the_chosen_events() -> None:
    seen = calo.collect(source(REGULAR, 30))
    part = seen.select(np.arange(30) % 3 == 0)
    assert len(part) == 10
    np.testing.assert_array_equal(part.features, seen.features[::3])
    np.testing.assert_array_equal(part.event_id, np.arange(0, 30, 3))


def test_collect_needs_a_geometry_and_events() -> None:
    table = Schema("grid", (Feature("energy", "MeV"),), (Feature("incident_energy", "MeV"),))
    with pytest.raises(FacsimError, match="geometry"):
        calo.collect(Memory(make_events(table, np.ones((2, 3, 1)), np.ones((2, 1)))))
    with pytest.raises(FacsimError, match="no showers"):
        calo.collect(source(REGULAR, 4), start=4)
