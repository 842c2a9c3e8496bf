"""Files are whole or absent, round trips are exact, and broken files are told in one sentence."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.core.events import Events, chunks, concatenate, make_events
from facsim.core.schema import Feature, Schema
from facsim.core.store import StoreReader, atomic_path, read_json, write_error, write_json, write_store

SCHEMA = Schema("table", (Feature("pt", "MeV"),), (Feature("incident_energy", "MeV"),), provenance={"seed": 3})


def table(n: int, first: int = 0) -> Events:
    rng = np.random.default_rng(first)
    return make_events(SCHEMA, rng.random((n, 1)), rng.random((n, 1)), first_id=first, target=rng.random((n, 2)))


@given(sizes=st.lists(st.integers(1, 400), min_size=1, max_size=4), step=st.integers(1, 500))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)
def test_round_trip(tmp_path: Path, sizes: list[int], step: int) -> None:
    path = tmp_path / "events.h5"
    batches = [table(n, 1000 * i) for i, n in enumerate(sizes)]
    assert write_store(path, batches) == sum(sizes)
    reader = StoreReader(path)
    assert reader.schema == SCHEMA
    assert reader.schema.provenance == {"seed": 3}
    back, truth = concatenate(list(chunks(reader, step))), concatenate(batches)
    for name in ("x", "cond", "event_id", "group_id", "target"):
        np.testing.assert_array_equal(getattr(back, name), getattr(truth, name))
    assert back.weight is None
    labels = reader.labels()
    np.testing.assert_array_equal(labels.cond, truth.cond)
    np.testing.assert_array_equal(labels.event_id, truth.event_id)


def failing() -> Iterator[Events]:
    yield table(3)
    raise KeyboardInterrupt


def test_interrupted_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "events.h5"
    write_store(path, [table(5)])
    with pytest.raises(KeyboardInterrupt):
        write_store(path, failing())
    assert len(StoreReader(path)) == 5
    assert os.listdir(tmp_path) == ["events.h5"]  # noqa: PTH208


def test_no_events_leave_no_file(tmp_path: Path) -> None:
    with pytest.raises(FacsimError, match="no events to write"):
        write_store(tmp_path / "events.h5", [])
    assert list(tmp_path.iterdir()) == []


def fill_the_disk(path: Path) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_full_disk_is_told(tmp_path: Path) -> None:
    with pytest.raises(FacsimError, match=r"the disk is full: '.*out.h5' was not written"):
        fill_the_disk(tmp_path / "out.h5")
    assert list(tmp_path.iterdir()) == []


def test_real_full_device_is_told() -> None:
    """/dev/full refuses every write, as a full disk does."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(OSError, match="No space left") as caught:
        Path("/dev/full").write_text("x" * 100)
    assert "the disk is full" in str(write_error(Path("out.h5"), caught.value))


def test_unwritable_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FacsimError, match="cannot write"), atomic_path(tmp_path / "file" / "out.h5"):
        pass


def test_json_round_trip_and_nan(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.json"
    write_json(path, {"x": [1, 2.5, None]})
    assert read_json(path) == {"x": [1, 2.5, None]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"x": float("nan")})
    assert read_json(path) == {"x": [1, 2.5, None]}


def test_broken_json(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    with pytest.raises(FacsimError, match="does not exist"):
        read_json(path)
    path.write_text('{"x":\n 1,}')
    with pytest.raises(FacsimError, match=r"not valid JSON \(line 2\)"):
        read_json(path)
    for content in (b"\xff\xfe\x00\x01", b"9" * 5000, b"[" * 100_000):
        path.write_bytes(content)
        with pytest.raises(FacsimError, match=r"b\.json' is not valid JSON: "):
            read_json(path)
    with pytest.raises(FacsimError, match=f"cannot read '{tmp_path}': Is a directory"):
        read_json(tmp_path)


def write(path: Path) -> Path:
    write_store(path, [table(2000)])
    return path


def truncate(path: Path) -> None:
    with path.open("r+b") as handle:
        handle.truncate(path.stat().st_size // 2)


def drop_ids(path: Path) -> None:
    with h5py.File(path, "a") as handle:
        del handle["event_id"]


def shorten(path: Path) -> None:
    with h5py.File(path, "a") as handle:
        handle["cond"].resize(1999, axis=0)


def break_schema(path: Path) -> None:
    with h5py.File(path, "a") as handle:
        handle.attrs["schema"] = json.dumps({"representation": "grid"})


def other_format(path: Path) -> None:
    with h5py.File(path, "a") as handle:
        handle.attrs["format"] = "facsim-events-99"


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (truncate, "is not a readable HDF5 file"),
        (lambda path: path.write_text("text"), "is not a readable HDF5 file"),
        (Path.unlink, "does not exist"),
        (drop_ids, r"lacks the data sets \['event_id'\]"),
        (shorten, "disagree in length"),
        (break_schema, "a schema needs the key 'geometry'"),
        (other_format, "is not a facsim event store"),
    ],
)
def test_broken_stores(tmp_path: Path, damage: object, sentence: str) -> None:
    path = write(tmp_path / "events.h5")
    assert callable(damage)
    damage(path)
    with pytest.raises(FacsimError, match=sentence):
        StoreReader(path)


def test_damage_inside_a_chunk_is_told_when_it_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "events.h5")
    with h5py.File(path) as handle:
        chunk = handle["x"].id.get_chunk_info(0)
    with path.open("r+b") as handle:
        handle.seek(chunk.byte_offset)
        handle.write(b"\xff" * chunk.size)
    reader = StoreReader(path)
    with pytest.raises(FacsimError, match="is damaged and cannot be read"):
        list(chunks(reader, 500))


def test_events_without_conditions(tmp_path: Path) -> None:
    events = make_events(Schema("table", SCHEMA.features), np.ones((5, 1)), np.zeros((5, 0)))
    write_store(tmp_path / "e.h5", [events, events])
    reader = StoreReader(tmp_path / "e.h5")
    assert reader.read(2, 6).cond.shape == (4, 0)
    assert reader.labels().cond.shape == (10, 0)
