"""Files larger than memory: checks and subsets of a data set 3 file in a fraction of its size."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

import facsim

CELLS = 40_500
CHUNK = 64
ROWS = 64 * CHUNK
DENSE_MB = ROWS * CELLS * 4 / 2**20
LIMIT_MB = 330
READER = """
import sys
from pathlib import Path
import numpy as np
from facsim.core.events import chunks
from facsim.core.sources import SubsetSource, batch_rows
from facsim.data import open_events
from facsim.data.checks import check_events

source = open_events(sys.argv[1])
if sys.argv[2] == "check":
    report = check_events(source)
    total = report.ratio * report.events
else:
    picked = np.sort(np.random.default_rng(0).choice(len(source), len(source) // 4, replace=False))
    subset = SubsetSource(source, picked)
    total = sum(float(batch.cells.sum()) for batch in chunks(subset, batch_rows(subset)))
peak = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")][0]
print(len(source), total, int(peak.split()[1]) / 1024)
"""


@pytest.fixture(scope="module")
def large_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sparse file of 4096 showers of 40 500 cells, all chunks alike so that it is made at once."""
    path = tmp_path_factory.mktemp("large") / "dataset_3.hdf5"
    block = np.zeros((CHUNK, CELLS), dtype=np.float32)
    block[:, ::500] = 1000.0 / 81
    packed = zlib.compress(block.tobytes(), 1)
    with h5py.File(path, "w") as handle:
        handle["incident_energies"] = np.full((ROWS, 1), 1000.0)
        showers = handle.create_dataset(
            "showers", (ROWS, CELLS), dtype="f4", chunks=(CHUNK, CELLS), compression="gzip", compression_opts=1
        )
        for row in range(0, ROWS, CHUNK):
            showers.id.write_direct_chunk((row, 0), packed)
    return path


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from /proc")
@pytest.mark.parametrize(("task", "expected"), [("check", ROWS), ("subset", ROWS // 4 * 1000.0)])
def test_peak_memory(large_file: Path, task: str, expected: float) -> None:
    run = subprocess.run(
        [sys.executable, "-c", READER, str(large_file), task],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(Path(facsim.__file__).parents[1])},
    )
    assert run.returncode == 0, run.stderr
    rows, total, peak = (float(word) for word in run.stdout.split())
    assert rows == ROWS
    assert total == pytest.approx(expected, rel=1e-4)
    assert peak < LIMIT_MB < 0.6 * DENSE_MB
