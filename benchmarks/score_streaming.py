"""Memory and time of `facsim score` on files of data set 3's size: 40 500 cells a shower.

    python benchmarks/score_streaming.py [--showers 50000] [--folder DIR] [--json FILE]

Writes a reference and a generated file of so many toy showers (about 15 % of the cells lit), scores them in a process
of its own and prints that process's peak memory. The goal is at most 1 GB for 50 000 showers. The two files need about
2.4 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from facsim.core.events import Events, make_events
from facsim.core.schema import calorimeter_schema
from facsim.core.showerfile import write_showers
from facsim.data import open_events
from facsim.evaluate.files import score_files
from facsim.physics.geometries import GEOMETRIES

GEOMETRY = GEOMETRIES["ds3-electrons"]
BATCH = 250


def showers(n: int, seed: int) -> Iterator[Events]:
    """Batches of toy showers: gamma-shaped in depth, exponential in radius, exponential cells, most below threshold."""
    rng = np.random.default_rng(seed)
    depth = (GEOMETRY.layer_index + 1) / 6.0
    shape = (depth**2 * np.exp(-depth) * np.exp(-GEOMETRY.r / 8.0) / GEOMETRY.r).astype(np.float32)
    for first in range(0, n, BATCH):
        size = min(BATCH, n - first)
        e_inc = np.exp(rng.uniform(np.log(1e3), np.log(1e6), size))
        lit = rng.random((size, GEOMETRY.n_cells), dtype=np.float32) < 0.15
        cells = np.where(lit, rng.standard_exponential(lit.shape, dtype=np.float32) * shape, 0)
        cells *= (e_inc * rng.normal(0.95, 0.03, size) / cells.sum(axis=1))[:, None].astype(np.float32)
        cells[cells < GEOMETRY.threshold] = 0
        yield make_events(calorimeter_schema(GEOMETRY), cells[..., None], e_inc[:, None], first_id=first)


def score(reference: str, generated: str) -> None:
    """Score two files and print time and peak memory as JSON: what the child process does."""
    start = time.perf_counter()
    card, _ = score_files(open_events(Path(reference)), open_events(Path(generated)), seed=1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    print(json.dumps({"n": card.n, "seconds": time.perf_counter() - start, "peak_rss_MB": peak}))


def main() -> None:
    """Write the files, score them, print one line."""
    parser = argparse.ArgumentParser(description="memory and time of scoring large files")
    parser.add_argument("--showers", type=int, default=50_000)
    parser.add_argument("--folder", type=Path, help="where the files go; by default a temporary folder")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        names = []
        for seed, name in enumerate(("reference", "generated")):
            path = Path(folder) / f"{name}.h5"
            write_showers(path, showers(arguments.showers, seed))
            names.append(str(path))
        disk = sum(Path(name).stat().st_size for name in names) / 2**20
        command = [sys.executable, __file__, "--child", *names]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    found |= {"showers_per_file": arguments.showers, "files_MB": disk}
    print(
        f"{arguments.showers} showers a file, {disk:.0f} MB: {found['seconds']:.0f} s, "
        f"peak memory {found['peak_rss_MB']:.0f} MB"
    )
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        score(*sys.argv[2:4])
    else:
        main()
