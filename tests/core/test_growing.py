"""Files that grow on a disk that may be full: a sentence, an intact old file, and an interpreter that lives on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import facsim
from facsim.core.growing import Disk, GrowingFile, chunk_rows

LIMIT = """
import gc, resource, signal, sys
from pathlib import Path
import numpy as np
from facsim.core.errors import FacsimError
from facsim.core.events import make_events
from facsim.core.geometry import regular_cylinder
from facsim.core.growing import Disk, GrowingFile
from facsim.core.schema import calorimeter_schema
from facsim.core.showerfile import append_showers, open_showers, write_showers
from facsim.core.store import write_store

folder = Path(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
geometry = regular_cylinder("g", "electron", 10, 10, 10, 1.0, 0.0)
rng = np.random.default_rng(0)
events = make_events(calorimeter_schema(geometry), rng.random((300, 1000, 1), dtype=np.float32), np.ones((300, 1)))
"""
WRITING = """
for write in (write_showers, write_store):
    for step in (300, 30):
        try:
            write(folder / "out.h5", (events[i:i + step] for i in range(0, 300, step)))
        except FacsimError as error:
            print(error)
        gc.collect()
print("alive", sorted(path.name for path in folder.iterdir()))
"""
APPENDING = """
write_showers(folder / "grow.h5", [events[:20]])
try:
    with open_showers(folder / "grow.h5", "a") as handle:
        for i in range(20, 300, 5):
            append_showers(handle, events[i:i + 5])
except OSError as error:
    print(error.strerror)
gc.collect()
print("alive")
"""
REMEMBERING = """
disk, model = Disk(folder / "raw", "w"), bytearray(400_000)
for _ in range(300):
    place, size = int(rng.integers(0, 390_000)), int(rng.integers(1, 10_000))
    disk.seek(place)
    if rng.random() < 0.5:
        model[place:place + size] = data = rng.bytes(size)
        disk.write(data)
    else:
        assert disk.read(size) == bytes(model[place:place + size])
print(disk.error.strerror)
disk.close()
"""


def run(code: str, folder: Path) -> list[str]:
    pytest.importorskip("resource")
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", LIMIT + code, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(Path(facsim.__file__).parents[1])},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_disk_that_fills_up_leaves_the_old_file_and_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "out.h5").write_text("old")
    *sentences, last = run(WRITING, tmp_path)
    assert len(sentences) == 4
    assert all(sentence.endswith("out.h5': File too large.") for sentence in sentences)
    assert last == "alive ['out.h5']"
    assert (tmp_path / "out.h5").read_text() == "old"


def test_appending_to_a_disk_that_fills_up(tmp_path: Path) -> None:
    assert run(APPENDING, tmp_path) == ["File too large", "alive"]


def test_what_cannot_be_written_can_still_be_read(tmp_path: Path) -> None:
    assert run(REMEMBERING, tmp_path) == ["File too large"]


@given(
    st.lists(st.tuples(st.integers(0, 300), st.binary(min_size=1, max_size=80)), max_size=12),
    st.lists(st.tuples(st.integers(0, 300), st.integers(1, 80)), max_size=6),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
def test_disk_is_a_file(tmp_path: Path, writes: list[tuple[int, bytes]], reads: list[tuple[int, int]]) -> None:
    disk, model = Disk(tmp_path / "raw", "w"), bytearray(400)
    for place, data in writes:
        disk.seek(place)
        assert disk.write(data) == len(data)
        assert disk.tell() == place + len(data)
        model[place : place + len(data)] = data
    for place, size in reads:
        disk.seek(place)
        assert disk.read(size) == bytes(model[place : place + size])
    size = max((place + len(data) for place, data in writes), default=0)
    assert disk.seek(0, os.SEEK_END) == size
    disk.close()
    assert (tmp_path / "raw").read_bytes() == bytes(model[:size])


@pytest.mark.parametrize("step", [1, 7, 100])
def test_plain_h5py_reads_what_was_appended(tmp_path: Path, step: int) -> None:
    rows = np.random.default_rng(0).random((100, 30))
    path = tmp_path / "grow.h5"
    for half in (rows[:50], rows[50:]):
        with GrowingFile(path, "a") as handle:
            for i in range(0, len(half), step):
                handle.append("group/x", half[i : i + step])
    with h5py.File(path) as handle:
        np.testing.assert_array_equal(handle["group/x"][:], rows)
        assert handle["group/x"].chunks == (4096, 30)


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        GrowingFile(tmp_path / "none" / "x.h5", "w")


def test_a_file_that_is_not_hdf5_is_not_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    path.write_text("text")
    with pytest.raises(OSError, match="file signature not found"):
        GrowingFile(path, "a")
    assert path.read_text() == "text"


@pytest.mark.parametrize(
    ("row_bytes", "most", "rows"),
    [
        (4 * 368, 256, 256),
        (4 * 6480, 256, 128),
        (4 * 40500, 256, 64),
        (8, 4096, 4096),
        (0, 4096, 4096),
        (12 * 360 * 286, 4096, 8),
        (10**9, 256, 1),
    ],
)
def test_chunk_rows(row_bytes: int, most: int, rows: int) -> None:
    assert chunk_rows(row_bytes, most) == rows
