"""How Geant4 simulation scales with workers: wall time of the same showers with 1, 2, ... workers, start-up included.

    python benchmarks/simulate_scaling.py [--events 400] [--energy 5] [--workers 1 2] [--repeats 3] [--json FILE]

The goal is a ratio of at least 1.7 from one to two workers, on a machine with two free processors. The load of the
machine is printed, because on a busy one the ratio means little.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from statistics import median

from facsim.simulate.showers import ShowerSimulation, simulate_showers


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description="scaling of the Geant4 simulation with workers")
    parser.add_argument("--events", type=int, default=400)
    parser.add_argument("--energy", type=float, default=5.0, help="GeV")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    settings = ShowerSimulation.parse(
        {"detector": "par04-w-si", "energy": arguments.energy, "events": arguments.events}
    )
    wall: dict[int, list[float]] = {n: [] for n in arguments.workers}
    cpu: dict[int, list[float]] = {n: [] for n in arguments.workers}
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    for _ in range(arguments.repeats):
        for n in arguments.workers:
            with tempfile.TemporaryDirectory() as folder:
                chosen = settings.model_copy(update={"workers": n})
                report = simulate_showers(chosen, Path(folder) / "showers.h5", seed=1)
            wall[n].append(report.wall_seconds)
            cpu[n].append(report.cpu_seconds)
    print(
        f"{arguments.events} e- of {arguments.energy} GeV, {os.cpu_count()} processors, "
        f"load before the start {load:.1f}"
    )
    print(f"{'workers':>7} {'wall s':>8} {'Geant4 CPU s':>13} {'showers/s':>10} {'times':>6}")
    rows = []
    for n in arguments.workers:
        seconds, ratio = median(wall[n]), median(wall[arguments.workers[0]]) / median(wall[n])
        print(f"{n:>7} {seconds:>8.1f} {median(cpu[n]):>13.1f} {arguments.events / seconds:>10.1f} {ratio:>6.2f}")
        rows.append({"workers": n, "wall_s": wall[n], "cpu_s": cpu[n], "ratio": ratio})
    if arguments.json:
        arguments.json.write_text(json.dumps({"events": arguments.events, "load": load, "rows": rows}))


if __name__ == "__main__":
    main()
