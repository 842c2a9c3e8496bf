"""Farms: how sampling scales with workers, and what a large sample costs in time, memory and disk.

    python benchmarks/farm.py scaling [MODEL] [--engine local|dask] [--events 20000] [--shard 1000] [--batch 500]
                              [--repeats 3] [--json FILE]
    python benchmarks/farm.py large [MODEL] [--events 100000] [--shard 5000] [--batch 500] [--workers 2]
                              [--folder DIR] [--json FILE]

MODEL is a shipped model, by default par04, or a run directory. `scaling`: the same events with one and two workers in
turn, by both engines or the one that is named; the goal is 1.7 times the rate. `large`: the command `facsim farm
sample` in a process of its own, whose tree is watched; the goal is 1.5 GB at most. Its rate stands beside that of the
same number of processes that only sample, same batch, nothing written, before and after. Needs psutil, which comes with
the extra dask.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

import psutil

RAW_SECONDS = 30.0
INTERVAL = 0.2
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def farm(model: str, out: Path, workers: int, options: list[str]) -> list[str]:
    """The command."""
    words = ["farm", "sample", model, "--out", str(out), "--workers", str(workers), *options, "--json"]
    return [sys.executable, "-m", "facsim", *words]


def made(out: Path) -> tuple[list[dict[str, Any]], float]:
    """Stamps of the shards, and seconds from the begin of the first to the end of the last."""
    paths = sorted((out / "shards").glob("*.stamp.json"))
    stamps = [json.loads(path.read_text()) for path in paths]
    ends = [path.stat().st_mtime for path in paths]
    begin = min(end - stamp["seconds"] for end, stamp in zip(ends, stamps, strict=True))
    return stamps, max(ends) - begin


def scaling(arguments: argparse.Namespace) -> dict[str, Any]:
    """Rates with one and two workers, in turn; prints their ratios."""
    options = ["--events", str(arguments.events), "--shard", str(arguments.shard), "--batch", str(arguments.batch)]
    result: dict[str, Any] = {"model": arguments.model, "options": options, "load": os.getloadavg()[0]}
    for engine in [arguments.engine] if arguments.engine else ["local", "dask"]:
        rates: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
        for _ in range(arguments.repeats):
            for workers, found in rates.items():
                with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
                    out = Path(folder) / "farm"
                    command = farm(arguments.model, out, workers, [*options, "--engine", engine])
                    done = subprocess.run(command, check=True, capture_output=True, text=True)
                    _, inner = made(out)
                    found.append((json.loads(done.stdout)["rate"], arguments.events / inner))
        result[engine] = ratios(rates, engine)
    return result


def ratios(rates: dict[int, list[tuple[float, float]]], engine: str) -> dict[str, Any]:
    """Of the medians, and those of each turn; printed."""
    result: dict[str, Any] = {"rates": rates}
    for i, name in enumerate(("start of workers included", "without it")):
        one, two = (median(pair[i] for pair in rates[n]) for n in (1, 2))
        each = [b[i] / a[i] for a, b in zip(rates[1], rates[2], strict=True)]
        result[name] = {"one": one, "two": two, "ratio": two / one, "ratios": each}
        span = f"{min(each):.2f} to {max(each):.2f}"
        print(f"{engine}, {name}: {one:.4g} and {two:.4g} events/s, ratio {two / one:.2f} ({span})", flush=True)
    return result


class Watch(threading.Thread):
    """Largest resident memory of any process of a tree, and of all of them together; also proportionally shared."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.root, self.over = psutil.Process(pid), threading.Event()
        self.one = self.sum = self.shared = 0.0

    def run(self) -> None:
        """Look several times a second."""
        while not self.over.wait(INTERVAL):
            sizes, shares = [], []
            try:
                for process in (self.root, *self.root.children(recursive=True)):
                    memory = process.memory_full_info()
                    sizes.append(memory.rss / 1e6)
                    shares.append(getattr(memory, "pss", memory.rss) / 1e6)
            except psutil.Error:
                continue
            self.one, self.sum = max(self.one, *sizes), max(self.sum, sum(sizes))
            self.shared = max(self.shared, sum(shares))


RAW = """
import sys, time
import numpy as np, torch
torch.set_num_threads(1)
from pathlib import Path
from facsim.core.rng import generator
from facsim.models.shipped import load
model, batch, seconds, conditions = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
sampler = load(Path(model) if Path(model).is_dir() else model)
rng = generator(1, "raw")
if conditions:
    table = np.load(conditions)[1:, :-1]
else:
    trained = sampler.card["training_range"][0]
    table = np.exp(rng.uniform(np.log(trained["min"]), np.log(trained["max"]), (20000, 1)))
draw = lambda: sampler.sample(table[rng.integers(len(table), size=batch)], rng)
draw()
begin, n = time.perf_counter(), 0
while time.perf_counter() - begin < seconds:
    draw()
    n += batch
print(n / (time.perf_counter() - begin))
"""


def raw(arguments: argparse.Namespace, conditions: Path) -> float:
    """Events per second of processes that only sample, all together."""
    given = str(conditions) if conditions.is_file() else ""
    words = [sys.executable, "-c", RAW, arguments.model, str(arguments.batch), str(RAW_SECONDS), given]
    running = [
        subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, **ONE_THREAD})
        for _ in range(arguments.workers)
    ]
    return sum(float(process.communicate()[0]) for process in running)


def large(arguments: argparse.Namespace) -> dict[str, Any]:
    """Make the sample, watched; prints rates, memory and disk."""
    options = ["--events", str(arguments.events), "--shard", str(arguments.shard), "--batch", str(arguments.batch)]
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        out = Path(folder) / "farm"
        load = os.getloadavg()[0]
        before = raw(arguments, out / "conditions.npy") if not Path(arguments.model).is_dir() else None
        begin = time.perf_counter()
        process = subprocess.Popen(
            farm(arguments.model, out, arguments.workers, options), stdout=subprocess.PIPE, text=True
        )
        watch = Watch(process.pid)
        watch.start()
        text = process.communicate()[0]
        seconds = time.perf_counter() - begin
        watch.over.set()
        found = json.loads(text)
        stamps, inner = made(out)
        after = raw(arguments, out / "conditions.npy")
        events = out / "events.h5"
        plain = sum(stamp["bytes"] for stamp in stamps)
        alone = median(rate for rate in (before, after) if rate is not None)
        spent = sum(stamp["seconds"] for stamp in stamps)
        result = {
            "model": arguments.model,
            "options": options,
            "workers": arguments.workers,
            "load": load,
            "wall_s": seconds,
            "shards_s": found["seconds"],
            "rate": found["rate"],
            "rate_without_start": arguments.events / inner,
            "raw_rates": [before, after],
            "share_of_raw": arguments.events / inner / alone,
            "network_share_of_worker_time": sum(stamp["facts"]["sampling_seconds"] for stamp in stamps) / spent,
            "rest_s": seconds - found["seconds"],
            "peak_rss_MB": {"largest process": watch.one, "sum": watch.sum, "sum, shared pages once": watch.shared},
            "peak_of_workers_MB": found["peak_MB"],
            "shards_MB": plain / 1e6,
            "merged_MB": events.stat().st_size / 1e6,
        }
    print(json.dumps(result, indent=2))
    return result


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description="farms: scaling, and large samples")
    parser.add_argument("what", choices=("scaling", "large"))
    parser.add_argument("model", nargs="?", default="par04")
    parser.add_argument("--engine", choices=("local", "dask"), help="of scaling; by default both")
    parser.add_argument("--events", type=int)
    parser.add_argument("--shard", type=int)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the files go; by default a temporary folder")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    small = arguments.what == "scaling"
    arguments.events = arguments.events or (20_000 if small else 100_000)
    arguments.shard = arguments.shard or (1000 if small else 5000)
    found = (scaling if small else large)(arguments)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
