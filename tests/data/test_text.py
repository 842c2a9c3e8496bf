"""CSV and TSV tables through a mapping, and the shipped mapping of LHCb's tables; broken files named by their line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.events import concatenate
from facsim.data import open_events
from facsim.data.checks import check_events
from facsim.data.mapping import READY, find_mapping, read_mapping
from facsim.data.text_columns import TextColumns
from facsim.simulate.rich import FEATURES

MAPPING = "representation: table\ncolumns:\n  - {name: a, key: a}\nconditions:\n  - {name: p, key: p, unit: GeV}\n"
LHCB = ("RichDLLe", "RichDLLmu", "RichDLLk", "RichDLLp", "RichDLLbt", "Brunel_P", "Brunel_ETA", "nTracks_Brunel")


def write(path: Path, columns: dict[str, Any], delimiter: str = ",", end: str = "\n") -> Path:
    rows = [delimiter.join(columns), *(delimiter.join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    path.write_bytes((end.join(rows) + end).encode())
    return path


def lhcb_table(n: int = 2500) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    table: dict[str, Any] = {"": np.arange(n), "probe_sWeight": rng.normal(0.6, 0.5, n)}
    table |= {name: rng.normal(0, 10, n) for name in LHCB[:5]}
    return table | {"Brunel_P": rng.uniform(3e3, 1e5, n), "Brunel_ETA": rng.uniform(2, 5, n)} | {
        "nTracks_Brunel": rng.integers(20, 400, n), "probe_name": ["K+"] * n
    }  # fmt: skip


@pytest.mark.parametrize("delimiter", ["\t", ",", ";", " "])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_any_range_of_any_delimiter(tmp_path: Path, delimiter: str, end: str) -> None:
    values = np.random.default_rng(2).normal(size=(3210, 2))
    path = write(tmp_path / "t.csv", {"p": values[:, 0], "other": ["x"] * 3210, "a": values[:, 1]}, delimiter, end)
    (tmp_path / "map.yaml").write_text(MAPPING)
    source = open_events(path, mapping=tmp_path / "map.yaml")
    assert len(source) == 3210
    for start, stop in ((0, 3210), (0, 0), (999, 1001), (1000, 2000), (3209, 3210), (1500, 3200)):
        events = source.read(start, stop)
        assert np.array_equal(events.x[:, 0], values[start:stop, 1])
        assert events.cond[:, 0] == pytest.approx(1e3 * values[start:stop, 0])
        assert np.array_equal(events.event_id, np.arange(start, stop))


def test_lhcb_names_by_the_shipped_mapping(tmp_path: Path) -> None:
    table = lhcb_table()
    source = open_events(write(tmp_path / "k_+_up_2016_.csv", table, "\t"), mapping="lhcb-rich")
    assert source.schema.features == FEATURES
    assert [(f.name, f.unit) for f in source.schema.conditions] == [("P", "MeV"), ("eta", ""), ("nTracks", "")]
    events = concatenate([source.read(0, 1200), source.read(1200, 2500)])
    assert np.array_equal(events.x, np.column_stack([table[name] for name in LHCB[:5]]))
    assert np.array_equal(events.cond, np.column_stack([table[name] for name in LHCB[5:]]))
    assert np.array_equal(events.weight, table["probe_sWeight"])
    assert (events.weight < 0).any()
    assert check_events(source, "k").events == 2500


def test_lhcb_names_in_root(tmp_path: Path) -> None:
    uproot = pytest.importorskip("uproot")
    table = {name: column for name, column in lhcb_table(300).items() if name and name != "probe_name"}
    with uproot.recreate(tmp_path / "k.root") as file:
        file.mktree("DecayTree", {name: column.dtype for name, column in table.items()})
        file["DecayTree"].extend(table)
    events = open_events(tmp_path / "k.root", mapping="lhcb-rich").read(0, 300)
    assert np.array_equal(events.condition("P"), table["Brunel_P"])
    assert np.array_equal(events.weight, table["probe_sWeight"])
    del table["Brunel_ETA"], table["RichDLLbt"]
    with uproot.recreate(tmp_path / "less.root") as file:
        file.mktree("DecayTree", {name: column.dtype for name, column in table.items()})
        file["DecayTree"].extend(table)
    with pytest.raises(FacsimError, match=r"no branch 'RichDLLbt', 'Brunel_ETA'; it has .*'nTracks_Brunel'"):
        open_events(tmp_path / "less.root", mapping="lhcb-rich")


def test_whole_numbers_can_be_ids(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", {"a": [0.5, 1.5], "p": [1, 2], "run": [7, 2**40 + 1]})
    (tmp_path / "map.yaml").write_text(MAPPING + "group_id: run\n")
    assert open_events(path, mapping=tmp_path / "map.yaml").read(0, 2).group_id.tolist() == [7, 2**40 + 1]


def test_a_last_line_without_an_end_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b'\xef\xbb\xbf"a",p\n1,2\n3,4')
    columns = TextColumns(path, ["a", "p"])
    assert len(columns) == 2
    assert np.asarray(columns.read(1, 2)["a"]).tolist() == [3]
    path.write_text("a,p\n")
    assert len(TextColumns(path, ["a"])) == 0


def test_missing_columns_are_named_with_what_is_there(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", {"a": [1.0], "b": [2.0]})
    with pytest.raises(FacsimError, match=r"no column 'c', 'd'; it has 'a', 'b'"):
        TextColumns(path, ["a", "c", "d"])


@pytest.mark.parametrize("broken", ["x,1", "", "1", "1,nope"])
def test_a_broken_row_is_named_by_its_line(tmp_path: Path, broken: str) -> None:
    rows = ["1,2"] * 1500
    rows[1234] = broken
    (tmp_path / "t.csv").write_text("a,p\n" + "\n".join(rows) + "\n")
    columns = TextColumns(tmp_path / "t.csv", ["a", "p"])
    assert len(np.asarray(columns.read(0, 1234)["a"])) == 1234
    with pytest.raises(FacsimError, match=r"line 1236 of .* cannot be read"):
        columns.read(1000, 1500)


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    with pytest.raises(FacsimError, match="does not exist"):
        TextColumns(path, ["a"])
    path.write_text("1,2\n3,4\n")
    with pytest.raises(FacsimError, match="must name the columns"):
        TextColumns(path, ["a"])
    path.write_bytes(b"\x1f\x8b\x08\x00rest")
    with pytest.raises(FacsimError, match="not text"):
        TextColumns(path, ["a"])
    with pytest.raises(FacsimError, match="with a mapping file"):
        open_events(path)
    (tmp_path / "map.yaml").write_text(
        "incident_energy: {key: e, unit: GeV}\ncells: {key: c, unit: GeV}\ngeometry: ds2-electrons\n"
    )
    with pytest.raises(FacsimError, match="can hold a table only"):
        open_events(path, mapping=tmp_path / "map.yaml")


def test_weights_that_cancel_are_refused(tmp_path: Path) -> None:
    table = lhcb_table(200)
    table["probe_sWeight"] = np.where(np.arange(200) % 2, 1.0, -1.0)
    source = open_events(write(tmp_path / "k.tsv", table, "\t"), mapping="lhcb-rich")
    with pytest.raises(FacsimError, match=r"add up to 0, about zero"):
        check_events(source, "k")


def test_mappings_that_ship(tmp_path: Path) -> None:
    names = sorted(path.stem for path in READY.glob("*.yaml"))
    assert names == ["lhcb-rich"]
    for name in names:
        assert read_mapping(find_mapping(name)).columns
    with pytest.raises(FacsimError, match=r"expected one of \['lhcb-rich'\]"):
        find_mapping("lhcb-muon")
