"""What the metrics cost with many events: processor time and peak memory, each in a process of its own.

    OMP_NUM_THREADS=1 python benchmarks/metrics_cost.py [--only kpd prdc] [--small]

Goals: the exact MMD of 50 000 against 50 000 events of 36 features in at most 3 s, precision, recall, density and
coverage of 100 000 against 100 000 events of 30 features in at most 2 GB. `--small` takes a tenth of the events.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import time

import numpy as np

from facsim.metrics.energy import energy_distance
from facsim.metrics.frechet import fpd
from facsim.metrics.kernel import kpd
from facsim.metrics.neighbours import prdc
from facsim.metrics.prd import prd_auc
from facsim.metrics.wasserstein import sliced_wasserstein

CASES = {
    "kpd": (kpd, 50_000, 36),
    "fpd": (fpd, 50_000, 36),
    "sliced_w1": (sliced_wasserstein, 50_000, 36),
    "prd_auc": (prd_auc, 50_000, 36),
    "energy": (energy_distance, 50_000, 36),
    "prdc": (prdc, 100_000, 30),
}


def measure(name: str, share: float) -> tuple[str, int, int, float, float, float]:
    """Name, events, features, processor seconds, wall seconds, peak memory in GB."""
    function, events, features = CASES[name]
    events = int(events * share)
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(events, features)), rng.normal(size=(events, features))
    begin, wall = time.process_time(), time.perf_counter()
    function(x, y)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return name, events, features, time.process_time() - begin, time.perf_counter() - wall, peak


def main() -> None:
    """Print one line a metric."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=sorted(CASES), default=list(CASES))
    parser.add_argument("--small", action="store_true")
    given = parser.parse_args()
    print(f"{os.environ.get('OMP_NUM_THREADS', 'all')} thread(s), numpy {np.__version__}")
    print("| metric | events a sample | features | processor time, s | wall, s | peak memory, GB |")
    print("|---|---|---|---|---|---|")
    context = multiprocessing.get_context("spawn")
    for name in given.only:
        with context.Pool(1) as pool:
            row = pool.apply(measure, (name, 0.1 if given.small else 1.0))
        print("| {} | {} | {} | {:.2f} | {:.2f} | {:.2f} |".format(*row), flush=True)


if __name__ == "__main__":
    main()
