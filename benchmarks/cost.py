"""What a billion electron showers would cost, from rates measured here: the shipped model, Geant4, and the files.

    OMP_NUM_THREADS=1 python benchmarks/cost.py [--showers 500] [--candidates 1 2 8 32] [--geant4 60] [--json FILE]

Rates are processor time of one thread, so that other work on the machine matters little; the spread is over batches.
Everything else is multiplication, with the assumptions that are printed. docs/cost.md discusses it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import facsim
from facsim.core.events import Events
from facsim.core.showerfile import write_showers
from facsim.simulate.geant4 import geant4_available
from facsim.simulate.showers import ShowerSimulation, time_geant4

BILLION = 1e9
MS_PER_HOUR = 3.6e6
MODEL, DETECTOR = "par04", "par04-w-si"
LOW, HIGH = 1.0, 50.0
BATCH = 100
ENERGIES = (1.0, 10.0, 50.0)
"""GeV, at which Geant4 is timed beside the whole range."""


@dataclass(frozen=True)
class Rate:
    """Processor time a shower, ms, its standard error, and how many showers it is of."""

    what: str
    ms: float
    error: float
    showers: int

    @property
    def core_hours(self) -> float:
        """Of a billion showers."""
        return BILLION * self.ms / MS_PER_HOUR


def energies(n: int) -> NDArray[np.float64]:
    """MeV: the middles of `n` equal parts of the log-uniform range, in an order that each batch has all of them."""
    parts = (np.arange(n) + 0.5) / n
    mixed = np.argsort(np.modf(np.arange(n) * (math.sqrt(5) - 1) / 2)[0])
    return 1e3 * LOW * (HIGH / LOW) ** parts[mixed]


def timed(what: str, work: Callable[[NDArray[np.float64]], object], cond: NDArray[np.float64]) -> Rate:
    """Processor time of `work` in batches of `cond`, after one that does not count."""
    batches = [cond[first : first + BATCH] for first in range(0, len(cond), BATCH)]
    work(batches[0])
    times = []
    for batch in batches:
        begin = time.process_time()
        work(batch)
        times.append(1e3 * (time.process_time() - begin) / len(batch))
    error = float(np.std(times, ddof=1) / math.sqrt(len(times))) if len(times) > 1 else math.nan
    return Rate(what, float(np.mean(times)), error, len(cond))


def sampling(candidates: list[int], showers: int, device: str) -> list[Rate]:
    """The shipped model at each number of candidates of the pattern."""
    rates = []
    for number in candidates:
        sampler = facsim.load(MODEL, candidates=number, device=device)
        name = f"{MODEL}, {number} candidate{'s' * (number > 1)}, {device}"
        if device == "cpu":
            rates.append(timed(name, sampler.events, energies(showers)))
        else:
            rates.append(_on_gpu(name, sampler.events, energies(showers)))
    return rates


def _on_gpu(what: str, work: Callable[[NDArray[np.float64]], object], cond: NDArray[np.float64]) -> Rate:
    """Wall-clock time of one large batch, five times: events come back as arrays, so the GPU has finished."""
    work(cond)
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        work(cond)
        times.append(1e3 * (time.perf_counter() - begin) / len(cond))
    return Rate(what, float(np.mean(times)), float(np.std(times, ddof=1) / math.sqrt(5)), len(cond))


def geant4(events: int, seed: int) -> list[Rate]:
    """Geant4 at single energies and over the range of the shipped model."""
    settings = ShowerSimulation.parse({"detector": DETECTOR, "energy": {"log_uniform": [LOW, HIGH]}, "events": events})
    samples = {f"Geant4, {energy:g} GeV": np.full((events // 3, 1), 1e3 * energy) for energy in ENERGIES}
    samples[f"Geant4, {LOW:g} to {HIGH:g} GeV"] = energies(events)[:, None]
    rates = []
    for name, cond in samples.items():
        ms = time_geant4(settings, cond, seed)
        rates.append(Rate(name, float(ms.mean()), float(ms.std(ddof=1) / math.sqrt(len(ms))), len(ms)))
    return rates


def files(showers: int) -> tuple[list[Rate], float, float]:
    """Writing and reading of a file of showers, and bytes of a shower in it and in memory."""
    events = facsim.load(MODEL).events(energies(showers))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "showers.h5"

        def write(part: Events) -> float:
            begin = time.process_time()
            write_showers(path, [part])
            return 1e3 * (time.process_time() - begin) / len(part)

        written = [write(events) for _ in range(3)]
        size = path.stat().st_size / showers
        read = []
        for _ in range(3):
            begin = time.process_time()
            facsim.open_events(path).read(0, showers)
            read.append(1e3 * (time.process_time() - begin) / showers)
    rates = [
        Rate(what, float(np.mean(times)), float(np.std(times, ddof=1) / math.sqrt(3)), showers)
        for what, times in (("write, HDF5 with gzip", written), ("read it", read))
    ]
    return rates, size, events.cells[0].nbytes


def show(rates: list[Rate], stored: float, raw: float) -> None:
    """Print the table."""
    print(f"{'what':<32} {'ms a shower':>18} {'showers':>8} {'hours for 1e9':>14}")
    for rate in rates:
        print(f"{rate.what:<32} {rate.ms:>9.3g} ± {rate.error:<6.2g} {rate.showers:>8} {rate.core_hours:>14,.0f}")
    print(f"bytes a shower: {stored:,.0f} on disk, {raw:,.0f} in memory")
    print(f"a billion: {stored * BILLION / 1e12:.2f} TB on disk, {raw * BILLION / 1e12:.1f} TB if not compressed")


def main() -> None:
    """Measure, multiply, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--showers", type=int, default=500, help="for each rate of the surrogate, and in the file")
    parser.add_argument("--candidates", type=int, nargs="+", default=[1, 2, 8, 32])
    parser.add_argument("--geant4", type=int, default=60, help="showers over the whole range; a third at each energy")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else math.nan
    print(f"one thread, batches of {BATCH}, energies log-uniform in {LOW:g} to {HIGH:g} GeV, load {load:.1f}")
    rates = sampling(arguments.candidates, arguments.showers, "cpu")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform != "darwin" else 1e9)
    print(f"largest memory of the process so far: {memory:.2f} GB")
    if torch.cuda.is_available():
        rates += sampling(arguments.candidates, arguments.showers, "cuda")
    else:
        print("no GPU here: not measured")
    if geant4_available():
        rates += geant4(arguments.geant4, arguments.seed)
    else:
        print("no Geant4 here: not measured")
    disk, stored, raw = files(arguments.showers)
    show([*rates, *disk], stored, raw)
    if arguments.json:
        found = [{**asdict(rate), "core_hours_for_1e9": rate.core_hours} for rate in [*rates, *disk]]
        arguments.json.write_text(
            json.dumps({"rates": found, "bytes_on_disk": stored, "bytes_in_memory": raw}, indent=2)
        )


if __name__ == "__main__":
    main()
