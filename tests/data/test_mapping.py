"""Users' own files: dense arrays in any order, lists of hits, tables; HDF5 and ROOT; typos named by their place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.core.events import Events, EventSource
from facsim.core.geometry import CylinderGeometry, Layer, regular_cylinder
from facsim.core.sources import read_labels
from facsim.data import open_events
from facsim.data.cells import cell_order
from facsim.data.geometry import write_geometry

SMALL = regular_cylinder("small", "electron", 3, 4, 2, 5.0, 0.1)
RAGGED = CylinderGeometry(
    "ragged", "pion", (Layer(0, (0, 1, 2, 3), 1), Layer(2, (0, 1, 2), 4), Layer(12, (0, 5), 3)), 1.0
)
INLINE = "{name: small, particle: electron, n_layers: 3, n_alpha: 4, n_r: 2, dr_mm: 5, threshold_MeV: 0.1}"
AXES = {"layer": 3, "alpha": 4, "r": 2}


def truth(geometry: CylinderGeometry = SMALL, n: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Cells (n, V) in facsim's order and incident energies (n,), MeV."""
    rng = np.random.default_rng(3)
    cells = rng.exponential(100.0, (n, geometry.n_cells)) * (rng.random((n, geometry.n_cells)) < 0.5)
    return cells.astype(np.float32), rng.uniform(1e3, 5e4, n)


def save(tmp_path: Path, text: str, **arrays: Any) -> EventSource:
    """Write arrays to an HDF5 file (`__` in a name stands for a folder) and open it with the mapping `text`."""
    with h5py.File(tmp_path / "user.h5", "w") as handle:
        for name, array in arrays.items():
            handle[name.replace("__", "/")] = array
    (tmp_path / "map.yaml").write_text(text)
    return open_events(tmp_path / "user.h5", mapping=tmp_path / "map.yaml")


def whole(source: EventSource) -> Events:
    return source.read(0, len(source))


@pytest.mark.parametrize("order", [("layer", "alpha", "r"), ("r", "alpha", "layer"), ("alpha", "layer", "r")])
@pytest.mark.parametrize("flat", [True, False])
def test_dense_arrays_in_any_order(tmp_path: Path, order: tuple[str, str, str], flat: bool) -> None:
    cells, energy = truth()
    axes = ("layer", "alpha", "r")
    theirs = cells.reshape(-1, 3, 4, 2).transpose(0, *(1 + axes.index(name) for name in order)) / 1e3
    text = f"""
incident_energy: {{key: E, unit: TeV}}
cells: {{key: sim/cells, unit: GeV, order: [{", ".join(order)}]}}
geometry: {INLINE}
"""
    events = whole(save(tmp_path, text, E=energy / 1e6, sim__cells=theirs.reshape(6, -1) if flat else theirs))
    np.testing.assert_allclose(events.cells, cells, rtol=1e-6)
    np.testing.assert_allclose(events.condition("incident_energy"), energy)
    assert events.x.dtype == np.float32
    assert events.schema.geometry == SMALL


@given(st.permutations(["layer", "alpha", "r"]))
def test_cell_order_is_a_permutation_that_undoes_a_transposition(order: list[Any]) -> None:
    numbers = np.arange(SMALL.n_cells).reshape(3, 4, 2)
    theirs = numbers.transpose([("layer", "alpha", "r").index(name) for name in order]).ravel()
    np.testing.assert_array_equal(cell_order(SMALL, order), theirs)


def test_order_inside_layers_of_different_shape() -> None:
    order = cell_order(RAGGED, ["layer", "r", "alpha"])
    expected = np.concatenate([[0, 1, 2], 3 + np.arange(8).reshape(4, 2).T.ravel(), [11, 12, 13]])
    np.testing.assert_array_equal(order, expected)
    with pytest.raises(FacsimError, match="layer must be the slowest axis, not 'r'"):
        cell_order(RAGGED, ["r", "alpha", "layer"])


def lists(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hit cells as event, cell and energy, every deposit split in two hits and shuffled inside its event."""
    event, cell = np.nonzero(cells)
    energy = cells[event, cell]
    event, cell, energy = np.tile(event, 2), np.tile(cell, 2), np.concatenate([0.25 * energy, 0.75 * energy])
    place = np.lexsort((np.random.default_rng(0).random(len(event)), event))
    return event[place], cell[place], energy[place]


def vlen(values: np.ndarray, counts: np.ndarray, dtype: str) -> np.ndarray:
    out = np.empty(len(counts), dtype=h5py.vlen_dtype(np.dtype(dtype)))
    for i, part in enumerate(np.split(values, np.cumsum(counts)[:-1])):
        out[i] = part.astype(dtype)
    return out


def padded(values: np.ndarray, counts: np.ndarray, fill: float) -> np.ndarray:
    out = np.full((len(counts), counts.max() + 1), fill, dtype=values.dtype)
    out[np.arange(out.shape[1]) < counts[:, None]] = values
    return out


@pytest.mark.parametrize("layout", ["vlen", "flat", "padded"])
@pytest.mark.parametrize("geometry", [SMALL, RAGGED])
@pytest.mark.parametrize("indices", [True, False])
def test_lists_of_hits(tmp_path: Path, layout: str, geometry: CylinderGeometry, indices: bool) -> None:
    cells, energy = truth(geometry)
    cells[2] = 0
    event, cell, deposit = lists(cells)
    counts = np.bincount(event, minlength=len(cells))
    write_geometry(tmp_path / "g.json", geometry)
    ids = {"id": cell}
    if indices:
        layer = np.array([la.id for la in geometry.layers])[geometry.layer_index[cell]]
        ids = {"z": layer, "phi": geometry.sector_index[cell], "rho": geometry.ring_index[cell]}
    convert: dict[str, Callable[[np.ndarray, str], Any]] = {
        "vlen": lambda values, dtype: vlen(values, counts, dtype),
        "flat": lambda values, dtype: values.astype(dtype),
        "padded": lambda values, dtype: padded(values, counts, -1 if dtype == "i4" else 9.9),
    }
    arrays = {name: convert[layout](values, "i4") for name, values in ids.items()}
    arrays["edep"] = convert[layout](deposit * 1e3, "f4")
    number = "{layer: z, alpha: phi, r: rho}" if indices else "id"
    text = f"""
incident_energy: {{key: E, unit: MeV}}
cells: {{id: {number}, energy: edep, unit: keV{", counts: n" if layout == "flat" else ""}}}
geometry: g.json
"""
    source = save(tmp_path, text, E=energy, n=counts, **arrays)
    np.testing.assert_allclose(whole(source).cells, cells, rtol=1e-5)
    np.testing.assert_allclose(source.read(2, 5).cells, cells[2:5], rtol=1e-5)


def test_cells_counted_from_one_in_another_order_and_scaled(tmp_path: Path) -> None:
    cells, energy = truth()
    theirs = np.argsort(cell_order(SMALL, ["r", "alpha", "layer"]))
    event, cell, deposit = lists(cells)
    counts = np.bincount(event, minlength=6)
    text = f"""
incident_energy: {{key: E, unit: MeV}}
cells: {{id: id, energy: e, unit: MeV, first: 1, order: [r, alpha, layer], scale: 4}}
geometry: {INLINE}
"""
    ids = padded(theirs[cell] + 1, counts, 0)
    events = whole(save(tmp_path, text, E=energy, id=ids, e=padded(deposit / 4, counts, 7.0)))
    np.testing.assert_allclose(events.cells, cells, rtol=1e-5)


def test_conditions_ids_and_weights(tmp_path: Path) -> None:
    cells, energy = truth()
    text = f"""
incident_energy: {{key: truth, column: 1, unit: GeV}}
cells: {{key: c, unit: MeV}}
geometry: {INLINE}
conditions:
  - {{name: theta, key: angle, unit: deg}}
  - {{name: x, key: hits:x, unit: cm}}
event_id: number
group_id: group
weight: w
"""
    hits = np.zeros(6, dtype=[("x", "f4"), ("y", "f4")])
    hits["x"] = np.arange(6)
    source = save(
        tmp_path, text, truth=np.stack([np.zeros(6), energy / 1e3], axis=1), c=cells, angle=np.full(6, 90.0), hits=hits,
        number=np.arange(6) + 100, group=np.array([7, 7, 8, 8, 9, 9], dtype=np.uint16), w=np.array([1, -1, 1, 1, 1, 2]),
    )  # fmt: skip
    events = whole(source)
    np.testing.assert_allclose(events.condition("incident_energy"), energy)
    np.testing.assert_allclose(events.condition("theta"), np.pi / 2)
    np.testing.assert_allclose(events.condition("x"), 10.0 * np.arange(6))
    assert [(f.name, f.unit) for f in events.schema.conditions] == [
        ("incident_energy", "MeV"), ("theta", "rad"), ("x", "mm")
    ]  # fmt: skip
    assert events.event_id.tolist() == list(range(100, 106))
    assert events.group_id.tolist() == [7, 7, 8, 8, 9, 9]
    assert events.weight is not None
    assert events.weight.tolist() == [1, -1, 1, 1, 1, 2]
    assert read_labels(source).group_id.tolist() == [7, 7, 8, 8, 9, 9]


TABLE = """
representation: table
columns:
  - {name: pt, key: jets:pt, unit: GeV}
  - {name: mass, key: features, column: 1, unit: GeV}
conditions:
  - {name: n_vertices, key: nPV}
"""


def test_tables(tmp_path: Path) -> None:
    jets = np.zeros(4, dtype=[("pt", "f8")])
    jets["pt"] = [10, 20, 30, 40]
    source = save(tmp_path, TABLE, jets=jets, features=np.arange(8.0).reshape(4, 2), nPV=np.arange(4))
    events = source.read(1, 3)
    np.testing.assert_allclose(events.x, [[20e3, 3e3], [30e3, 5e3]])
    assert [(f.name, f.unit) for f in events.schema.features] == [("pt", "MeV"), ("mass", "MeV")]
    assert events.schema.representation == "table"
    assert events.condition("n_vertices").tolist() == [1, 2]


GRID = f"""
incident_energy: {{key: E, unit: MeV}}
cells: {{key: c, unit: MeV}}
geometry: {INLINE}
"""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (GRID.replace("cells:", "cell:"), r"'cell': unknown key; did you mean 'cells'\?"),
        (
            GRID.replace("key: c,", "key: c, ordr: [r, alpha, layer],"),
            r"'cells.ordr': unknown key; did you mean 'order'",
        ),
        (GRID.replace("key: E, unit: MeV", "key: E"), "'incident_energy.unit': this key is missing"),
        (GRID.replace("key: E, unit: MeV", "key: E, unit: mev"), "'incident_energy.unit': unknown unit 'mev'"),
        (GRID.replace("key: c, unit: MeV", "key: c, unit: mm"), "'cells.unit': expected a unit of energy"),
        (GRID.replace("key: c,", "id: c,"), "'cells': give either 'key' .* or both 'id' and 'energy'"),
        (GRID.replace("key: c,", "key: c, order: [r, r, layer],"), "'order' must name layer, alpha and r once each"),
        (GRID.replace("key: c,", "key: c, scale: 0,"), "'cells.scale': input should be greater than 0"),
        (GRID.replace("key: c,", "id: {layer: a, alfa: b, r: c}, energy: e,"), r"unknown key; did you mean 'alpha'"),
        (GRID + "columns: [{name: a, key: b}]", "'columns' are for tables"),
        (GRID + "conditions: [{name: a, key: b}, {name: a, key: c}]", "'conditions': the name 'a' is taken"),
        (GRID + "conditions: [{key: b}]", "'conditions.0.name': this key is missing"),
        ("representation: table", "a table needs 'columns'"),
        ("incident_energy: {key: E, unit: MeV}", "showers need 'incident_energy' and 'cells'"),
        (GRID.replace(f"geometry: {INLINE}", ""), "needs a 'geometry' for the cells"),
        (GRID.replace(INLINE, "ds7"), "no built-in geometry 'ds7'"),
        (GRID.replace("n_r: 2", "nr: 2"), "unknown key 'nr' in a geometry"),
        ("cells: [", "is not valid YAML"),
        ("just text", "must be a mapping of keys to values"),
    ],
)
def test_mapping_mistakes_are_named_by_their_place(tmp_path: Path, text: str, sentence: str) -> None:
    cells, energy = truth()
    with pytest.raises(FacsimError, match=sentence) as caught:
        save(tmp_path, text, E=energy, c=cells)
    assert "\n" not in str(caught.value)


def test_missing_mapping_file(tmp_path: Path) -> None:
    with pytest.raises(FacsimError, match=r"cannot read the mapping file .* No such file"):
        open_events(tmp_path / "user.h5", mapping=tmp_path / "none.yaml")


LISTS = GRID.replace("{key: c, unit", "{id: i, energy: e, unit")
CELLS, ENERGY = truth()
IDS = np.zeros((6, 2), dtype=np.int32)


@pytest.mark.parametrize(
    ("text", "arrays", "sentence"),
    [
        (GRID, {"c": CELLS}, r"has no data set 'E'; it has \['c'\]"),
        (GRID, {"E": ENERGY, "c": CELLS[:5]}, r"different lengths: {'E': 6, 'c': 5}"),
        (GRID, {"E": ENERGY, "c": CELLS[:, :23]}, r"shape \(6, 23\): .* needs \(events, 24\) or \(events, 3, 4, 2\)"),
        (GRID, {"E": np.ones((6, 2)), "c": CELLS}, "'E' in .* has 2 columns: say which with 'column'"),
        (GRID.replace("key: E", "key: E, column: 3"), {"E": np.ones((6, 2)), "c": CELLS}, "has 2 columns, no column 3"),
        (GRID.replace("key: E", "key: 'E:a'"), {"E": ENERGY, "c": CELLS}, "'E' in .* has no field 'a'"),
        (GRID, {"E": np.full(6, b"x"), "c": CELLS}, "'E' in .* holds |S1, not numbers"),
        (GRID, {"E": ENERGY, "c": vlen(ENERGY, np.ones(6, int), "f4")}, "holds lists of varying length: map them"),
        (GRID, {"E": vlen(ENERGY, np.ones(6, int), "f4"), "c": CELLS}, "'E' in .* holds lists: expected one number"),
        (GRID + "group_id: g", {"E": ENERGY, "c": CELLS, "g": ENERGY}, "'g' in .* must hold one whole number"),
        (LISTS, {"E": ENERGY, "i": IDS + 24, "e": IDS}, "event 0 of .* has a hit at i=24, which is no cell"),
        (LISTS, {"E": ENERGY, "i": IDS + 0.5, "e": IDS}, "'i' in .* must hold whole numbers"),
        (LISTS, {"E": ENERGY, "i": IDS[:, :1], "e": IDS}, r"\['i', 'e'\] in .* must be lists with as many entries"),
        (
            LISTS.replace("energy: e,", "energy: e, counts: n,"),
            {"E": ENERGY, "n": np.ones(6, int), "i": np.zeros(7), "e": np.zeros(7)},
            "'i' in .* has not the 6 entries that 'n' adds up to",
        ),
    ],
)  # fmt: skip
def test_files_that_do_not_fit_the_mapping(
    tmp_path: Path, text: str, arrays: dict[str, np.ndarray], sentence: str
) -> None:
    with pytest.raises(FacsimError, match=sentence) as caught:
        whole(save(tmp_path, text, **arrays))
    assert "user.h5" in str(caught.value)


def test_hit_outside_is_named_with_its_event_and_indices(tmp_path: Path) -> None:
    text = GRID.replace("{key: c, unit", "{id: {layer: l, alpha: a, r: r}, energy: e, unit")
    bad = IDS.copy()
    bad[4, 1] = 2
    source = save(tmp_path, text, E=ENERGY, l=IDS, a=IDS, r=bad, e=IDS)
    with pytest.raises(FacsimError, match=r"event 4 of .* has a hit at l=0, a=0, r=2, which is no cell"):
        source.read(3, 6)


@given(
    hits=st.lists(st.lists(st.tuples(st.integers(0, 23), st.integers(1, 1000)), max_size=8), min_size=1, max_size=6),
    bounds=st.tuples(st.integers(0, 6), st.integers(0, 6)),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
def test_lists_add_up_whatever_they_hold(
    tmp_path: Path, hits: list[list[tuple[int, int]]], bounds: tuple[int, int]
) -> None:
    n = len(hits)
    expected = np.zeros((n, 24))
    for event, shower in enumerate(hits):
        for cell, energy in shower:
            expected[event, cell] += energy
    counts = np.array([len(shower) for shower in hits])
    flat = np.array([hit for shower in hits for hit in shower], dtype=np.int64).reshape(-1, 2)
    text = LISTS.replace("energy: e,", "energy: e, counts: n,")
    source = save(tmp_path, text, E=np.ones(n), n=counts, i=flat[:, 0], e=flat[:, 1])
    low, high = sorted(min(b, n) for b in bounds)
    np.testing.assert_allclose(source.read(low, high).cells, expected[low:high])
