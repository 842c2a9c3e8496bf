"""ROOT trees through a mapping file, as written by uproot: numbers, fixed-size arrays, vectors."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facsim.core.errors import FacsimError, MissingExtraError
from facsim.core.events import concatenate
from facsim.core.geometry import regular_cylinder
from facsim.data import open_events

uproot = pytest.importorskip("uproot")
ak = pytest.importorskip("awkward")

SMALL = regular_cylinder("small", "electron", 3, 4, 2, 5.0, 0.1)
INLINE = "{name: small, particle: electron, n_layers: 3, n_alpha: 4, n_r: 2, dr_mm: 5, threshold_MeV: 0.1}"
N = 50


@pytest.fixture
def cells() -> np.ndarray:
    rng = np.random.default_rng(3)
    return (rng.exponential(100.0, (N, 24)) * (rng.random((N, 24)) < 0.3)).astype(np.float32)


@pytest.fixture
def energy() -> np.ndarray:
    return np.linspace(1.0, 50.0, N)


@pytest.fixture(params=["TTree", "RNTuple"])
def root_file(request: pytest.FixtureRequest, tmp_path: Path, cells: np.ndarray, energy: np.ndarray) -> Path:
    path = tmp_path / "user.root"
    event, cell = np.nonzero(cells)
    counts = np.bincount(event, minlength=N)
    lists = {
        "z": SMALL.layer_index[cell].astype(np.int32),
        "phi": SMALL.sector_index[cell].astype(np.int32),
        "rho": SMALL.ring_index[cell].astype(np.int32),
        "e": cells[event, cell].astype(np.float64),
    }
    tree = {
        "EnergyMC": energy,
        "dense": cells / 1e3,
        **{f"hits_{name}": ak.unflatten(values, counts) for name, values in lists.items()},
        "run": (np.arange(N) // 10).astype(np.int32),
    }
    with uproot.recreate(path) as file:
        if request.param == "TTree":
            file.mktree("events", {name: ak.type(ak.Array(values)).content for name, values in tree.items()})
            file["events"].extend(tree)
        else:
            file.mkrntuple("events", tree)
    return path


def open_mapped(path: Path, text: str) -> Any:
    (path.parent / "map.yaml").write_text(text)
    return open_events(path, mapping=path.parent / "map.yaml")


DENSE = f"""
incident_energy: {{key: EnergyMC, unit: GeV}}
cells: {{key: dense, unit: GeV}}
geometry: {INLINE}
group_id: run
"""
LISTS = DENSE.replace(
    "{key: dense, unit: GeV}", "{id: {layer: hits_z, alpha: hits_phi, r: hits_rho}, energy: hits_e, unit: MeV}"
)


@pytest.mark.parametrize("text", [DENSE, LISTS])
def test_showers(root_file: Path, cells: np.ndarray, energy: np.ndarray, text: str) -> None:
    source = open_mapped(root_file, text)
    assert len(source) == N
    events = concatenate([source.read(0, 17), source.read(17, 17), source.read(17, N)])
    np.testing.assert_allclose(events.cells, cells, rtol=1e-5)
    np.testing.assert_allclose(events.condition("incident_energy"), energy * 1e3)
    assert events.group_id.tolist() == (np.arange(N) // 10).tolist()
    assert events.schema.geometry == SMALL


def test_table(root_file: Path, energy: np.ndarray) -> None:
    source = open_mapped(
        root_file, "representation: table\ntree: events\ncolumns: [{name: E, key: EnergyMC, unit: GeV}]"
    )
    np.testing.assert_allclose(source.read(3, 9).x[:, 0], energy[3:9] * 1e3)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (DENSE + "tree: ntuple", r"has no tree 'ntuple'; it has \['events'\]"),
        (DENSE.replace("key: dense", "key: cells"), r"tree 'events' of .* has no branch 'cells'; it has .*'EnergyMC'"),
        (DENSE.replace("key: dense", "key: hits_e"), "holds lists of varying length"),
        (DENSE.replace("key: EnergyMC", "key: hits_e"), "holds lists: expected one number per event"),
    ],
)
def test_trees_that_do_not_fit(root_file: Path, text: str, sentence: str) -> None:
    with pytest.raises(FacsimError, match=sentence):
        open_mapped(root_file, text).read(0, N)


def test_two_trees_need_a_name(root_file: Path) -> None:
    with uproot.update(root_file) as file:
        file.mktree("more", {"a": "int64"})
    with pytest.raises(FacsimError, match=r"has the trees \['events', 'more'\]: say which with 'tree'"):
        open_mapped(root_file, DENSE)
    assert len(open_mapped(root_file, DENSE + "tree: events")) == N


@pytest.mark.parametrize("keep", [0, 50, 400])
def test_truncated_file(root_file: Path, keep: int) -> None:
    root_file.write_bytes(root_file.read_bytes()[:keep])
    with pytest.raises(FacsimError, match="is not a readable ROOT file") as caught:
        open_mapped(root_file, DENSE)
    assert "\n" not in str(caught.value)


def test_file_cut_in_its_middle_is_told_at_the_latest_when_read(root_file: Path) -> None:
    data = root_file.read_bytes()
    root_file.write_bytes(data[: len(data) // 2])
    with pytest.raises(FacsimError, match="is not a readable ROOT file"):
        open_mapped(root_file, LISTS).read(0, N)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FacsimError, match="does not exist"):
        open_mapped(tmp_path / "none.root", DENSE)


def test_without_uproot_the_extra_is_named(root_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "uproot":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError, match=r"pip install 'facsim\[root\]'"):
        open_mapped(root_file, DENSE)
