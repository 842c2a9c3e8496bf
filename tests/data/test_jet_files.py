"""Jets in the layouts of top tagging, quark and gluon jets, JetClass and NanoAOD, in files written here."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.events import EventSource, chunks, concatenate
from facsim.core.rng import generator
from facsim.data import open_events
from facsim.data.jetclass import JetClassReader
from facsim.data.nanoaod import NanoAODReader
from facsim.data.npz_stream import NpzRows
from facsim.data.quark_gluon import QuarkGluonReader
from facsim.data.top_tagging import TopTaggingReader
from facsim.physics.jet_schema import is_jets

from .jets import momenta

MOMENTA = momenta()


def write_top(path: Path, rows: np.ndarray, label: np.ndarray) -> None:
    """As pandas writes a table: blocks of columns of one type."""
    kind = np.dtype([("index", "<i8"), ("values_block_0", "<f4", (804,)), ("values_block_1", "<i8", (2,))])
    table = np.zeros(len(rows), dtype=kind)
    table["values_block_0"][:, : rows.shape[1] * 4] = rows[..., [3, 0, 1, 2]].reshape(len(rows), -1)
    table["values_block_1"] = np.column_stack([np.zeros(len(rows)), label])
    with h5py.File(path, "w") as handle:
        handle.create_group("table").create_dataset("table", data=table, chunks=(8,))


def broken(value: float) -> np.ndarray:
    """`MOMENTA` with a number that is none."""
    found = MOMENTA.copy()
    found[4, 1, 0] = value
    return found


def check_clouds(source: EventSource, points: int) -> None:
    """The jets of `MOMENTA`, whole and in pieces."""
    events = source.read(0, 20)
    assert is_jets(source.schema)
    assert events.x.shape == (20, points, 3)
    total = MOMENTA.sum(axis=1)
    pt = np.hypot(total[:, 0], total[:, 1])
    np.testing.assert_allclose(events.condition("pt"), pt, rtol=1e-5)
    np.testing.assert_allclose(events.condition("eta"), np.arcsinh(total[:, 2] / pt), atol=1e-5)
    real = MOMENTA[..., 3] > 0
    np.testing.assert_array_equal(events.mask[:, :30], real)
    np.testing.assert_allclose(
        events.x[:, :30, 2], np.hypot(MOMENTA[..., 0], MOMENTA[..., 1]) / pt[:, None], rtol=1e-4, atol=1e-7
    )
    phi = np.arctan2(MOMENTA[..., 1], MOMENTA[..., 0]) - np.arctan2(total[:, 1], total[:, 0])[:, None]
    np.testing.assert_allclose(
        events.x[:, :30, 1][real], np.arctan2(np.sin(phi), np.cos(phi))[real], rtol=1e-3, atol=1e-5
    )
    pieces = concatenate(list(chunks(source, 7)))
    np.testing.assert_array_equal(pieces.x, events.x)
    np.testing.assert_array_equal(pieces.cond, events.cond)


def test_top_tagging(tmp_path: Path) -> None:
    path, label = tmp_path / "train.h5", np.arange(20) % 2
    write_top(path, MOMENTA, label)
    source = open_events(path)
    assert isinstance(source, TopTaggingReader)
    check_clouds(source, 200)
    np.testing.assert_array_equal(source.read(0, 20).condition("is_top"), label)
    np.testing.assert_array_equal(source.read(3, 5).condition("is_qcd"), 1 - label[3:5])
    write_top(path, MOMENTA[..., [3, 1, 2, 0]], label)
    with pytest.raises(FacsimError, match="less energy than momentum: expected columns E, px, py, pz"):
        source.read(0, 20)
    write_top(path, broken(np.nan), label)
    with pytest.raises(FacsimError, match="jet 4 has particles that are not finite"):
        source.read(1, 20)
    write_top(path, MOMENTA, label + 1)
    with pytest.raises(FacsimError, match="the last column is the label"):
        source.read(0, 20)
    with h5py.File(path, "w") as handle:
        handle["table"] = np.zeros(3)
    with pytest.raises(FacsimError, match="has no table 'table/table' of pandas"):
        open_events(path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_quark_gluon(tmp_path: Path, save: object) -> None:
    path = tmp_path / "QG_jets_1.npz"
    pt = np.hypot(MOMENTA[..., 0], MOMENTA[..., 1])
    rapidity = np.arcsinh(MOMENTA[..., 2] / np.where(pt > 0, pt, 1))
    azimuth = np.arctan2(MOMENTA[..., 1], MOMENTA[..., 0]) % (2 * np.pi)
    jets = np.stack([pt, rapidity, azimuth, np.where(pt > 0, 211, 0)], axis=2)
    label = (np.arange(20) % 3 == 0).astype(float)
    save(path, X=jets, y=label)  # type: ignore[operator]
    source = open_events(path)
    assert isinstance(source, QuarkGluonReader)
    check_clouds(source, 150)
    np.testing.assert_array_equal(source.read(0, 20).condition("is_q"), label)
    np.testing.assert_array_equal(source.read(12, 14).x, source.read(0, 20).x[12:14])
    save(path, X=jets[..., [1, 0, 2, 3]], y=label)  # type: ignore[operator]
    with pytest.raises(FacsimError, match="do not look like pT, rapidity, phi"):
        open_events(path).read(0, 20)
    save(path, X=np.where(np.arange(20)[:, None, None] == 3, np.nan, jets), y=label)  # type: ignore[operator]
    with pytest.raises(FacsimError, match="jet 3 has particles that are not finite"):
        open_events(path).read(2, 20)
    save(path, X=jets, y=label[:5])  # type: ignore[operator]
    with pytest.raises(FacsimError, match=r"expected X \(jets, particles, 4\) and y \(jets,\)"):
        open_events(path)
    jets[4] = 0
    save(path, X=jets, y=label)  # type: ignore[operator]
    with pytest.raises(FacsimError, match="jet 4 has no particles"):
        open_events(path).read(0, 20)
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(FacsimError):
        open_events(path)


def write_jetclass(path: Path, labels: np.ndarray, momenta: np.ndarray = MOMENTA) -> None:
    uproot, ak = pytest.importorskip("uproot"), pytest.importorskip("awkward")
    total = MOMENTA.sum(axis=1)
    pt = np.hypot(total[:, 0], total[:, 1])
    counts = (MOMENTA[..., 3] > 0).sum(axis=1)
    flat = momenta[MOMENTA[..., 3] > 0]
    data = {f"part_{name}": ak.unflatten(flat[:, i], counts) for i, name in enumerate(("px", "py", "pz", "energy"))}
    data |= {"jet_pt": pt, "jet_eta": np.arcsinh(total[:, 2] / pt), "jet_phi": np.arctan2(total[:, 1], total[:, 0])}
    with uproot.recreate(path) as file:
        file["tree"] = {**data, "label_QCD": labels, "label_Hbb": 1 - labels}


def test_jetclass(tmp_path: Path) -> None:
    path, labels = tmp_path / "HToBB_120.root", (np.arange(20) % 4 == 0).astype(np.int32)
    write_jetclass(path, labels)
    source = open_events(path)
    assert isinstance(source, JetClassReader)
    check_clouds(source, 128)
    np.testing.assert_array_equal(source.read(0, 20).condition("is_QCD"), labels)
    assert [feature.name for feature in source.schema.conditions] == ["pt", "eta", "is_Hbb", "is_QCD"]
    write_jetclass(path, labels, broken(np.inf))
    with pytest.raises(FacsimError, match="jet 4 has particles that are not finite"):
        open_events(path).read(2, 20)
    write_jetclass(path, labels * 2)
    with pytest.raises(FacsimError, match="must be 1 for each jet and the others 0"):
        open_events(path).read(0, 20)


def test_nanoaod(tmp_path: Path) -> None:
    uproot, ak = pytest.importorskip("uproot"), pytest.importorskip("awkward")
    path = tmp_path / "nano.root"
    match = [[1, -1, 0], [], [-1], [0]]
    gen = {"pt": [[50.0, 60.0], [], [20.0], [70.0, 30.0]], "eta": [[0.1, 0.2], [], [1.0], [2.0, 3.0]]}
    reco = {"pt": [[61.0, 15.0, 49.0], [], [16.0], [72.0]], "eta": [[0.2, 3.0, 0.1], [], [1.1], [2.1]]}
    data = {f"{jet}_{name}": ak.values_astype(ak.Array(values), "float32")
            for jet, columns in (("GenJet", gen), ("Jet", reco)) for name, values in columns.items()}  # fmt: skip
    for jet in ("GenJet", "Jet"):
        data |= {f"{jet}_phi": data[f"{jet}_eta"] * 0.5, f"{jet}_mass": data[f"{jet}_pt"] * 0.1}
    with uproot.recreate(path) as file:
        file["Events"] = {**data, "Jet_genJetIdx": ak.values_astype(ak.Array(match), "int16")}
    source = open_events(path)
    assert isinstance(source, NanoAODReader)
    events = source.read(0, len(source))
    np.testing.assert_allclose(events.x[:, 0], [61, 49, 72])
    np.testing.assert_allclose(events.condition("gen_pt"), [60, 50, 70])
    np.testing.assert_allclose(events.condition("gen_mass"), [6, 5, 7], rtol=1e-6)
    np.testing.assert_array_equal(events.group_id, [0, 0, 3])
    for start, stop in ((0, 1), (1, 3), (2, 3), (1, 1)):
        part = source.read(start, stop)
        np.testing.assert_array_equal(part.x, events.x[start:stop])
        np.testing.assert_array_equal(part.cond, events.cond[start:stop])
        np.testing.assert_array_equal(part.group_id, events.group_id[start:stop])
    with uproot.recreate(path) as file:
        file["Events"] = {**data, "Jet_genJetIdx": ak.values_astype(ak.Array([[2, -1, 0], [], [-1], [0]]), "int16")}
    source = open_events(path)  # the first jet's partner was too soft to be stored
    assert len(source) == 2
    np.testing.assert_allclose(source.read(0, 2).condition("gen_pt"), [50, 70])
    np.testing.assert_allclose(source.read(1, 2).x[:, 0], [72])


def test_real_cms_jets() -> None:
    """Jets of CMS's simulation of pairs of top quarks, where `benchmarks/fetch_cms_samples.py` has put them."""
    folder = Path(os.environ.get("FACSIM_DATA", "")) / "cms-jets"
    files = sorted(folder.glob("nano_tt_v*.root"))
    if not files:
        pytest.skip("needs $FACSIM_DATA/cms-jets, see benchmarks/fetch_cms_samples.py")
    found = [source.read(0, len(source)) for source in map(open_events, files)]
    assert sum(len(events) for events in found) == 2681
    hard = [events[events.condition("gen_pt") > 50] for events in found]
    response = np.concatenate([events.x[:, 0] / events.condition("gen_pt") for events in hard])
    assert response.mean() == pytest.approx(1.015, abs=0.002)
    assert response.std() == pytest.approx(0.171, abs=0.002)


def test_a_damaged_archive_is_told_and_read_on_from_a_known_place(tmp_path: Path) -> None:
    path, rows = tmp_path / "x.npz", generator(1, "archive").normal(size=(5000, 4))
    np.savez_compressed(path, X=rows)
    data = bytearray(path.read_bytes())
    data[60_000:60_040] = bytes(40)
    path.write_bytes(data)
    source = NpzRows(path, "X")
    with pytest.raises(FacsimError, match="is damaged"):
        source.read(0, 5000)
    np.testing.assert_array_equal(source.read(0, 5), rows[:5])
    with pytest.raises(FacsimError, match="is damaged"):
        source.read(1, 5000)
    with pytest.raises(FacsimError, match="is damaged"):
        source.read(4000, 5000)
