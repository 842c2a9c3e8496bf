"""How long the 36 energy flow polynomials of a jet take, beside the package EnergyFlow where it is installed.

OMP_NUM_THREADS=1 python benchmarks/efps.py [--jets 20000] [--peer-jets 2000] [--particles 30] [--repeats 5]

EnergyFlow needs an environment of its own (pip install energyflow "numpy<2"), with facsim's src on PYTHONPATH. All
times are processor times of one thread; the peer computes the first jets of the same sample.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from facsim.physics.jet_substructure import subjettiness
from facsim.physics.jets import d2, efps


def sample(n: int, particles: int) -> np.ndarray:
    """Jets (n, particles, 3) of Gaussian eta, phi and exponential pT, all particles real."""
    rng = np.random.default_rng(0)
    angles = 0.2 * rng.normal(size=(n, particles, 2))
    return np.concatenate([angles, rng.exponential(size=(n, particles, 1))], axis=2)


def measure(function: Callable[[], object], jets: int, repeats: int) -> float:
    """Median processor time of a jet, microseconds; the first call is left out."""
    function()
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        function()
        times.append(time.process_time() - begin)
    return 1e6 * statistics.median(times) / jets


def optional(name: str) -> Any:
    """The package, None where it is not installed."""
    return import_module(name) if find_spec(name) else None


def measure_peer(jets: np.ndarray, repeats: int) -> float | None:
    """EnergyFlow's time of a jet, microseconds, after a check that both give the same numbers; None without it."""
    energyflow = optional("energyflow")
    if energyflow is None:
        return None
    efpset = energyflow.EFPSet("d<=4", measure="hadr", beta=1, normed=False, coords="ptyphim")
    events = [jet[:, [2, 0, 1]] for jet in jets]
    np.testing.assert_allclose(efps(jets), efpset.batch_compute(events, n_jobs=1), rtol=1e-11)
    return measure(lambda: efpset.batch_compute(events, n_jobs=1), len(jets), repeats)


def torch_times(jets: np.ndarray, repeats: int) -> dict[str, float]:
    """The same with tensors, where torch is installed."""
    torch = optional("torch")
    if torch is None:
        return {}
    torch.set_num_threads(1)
    kinds = {"float64": torch.float64, "float32": torch.float32}
    tensors = {name: torch.from_numpy(jets).to(kind) for name, kind in kinds.items()}
    return {f"efps, torch {name}": measure(lambda x=x: efps(x), len(jets), repeats) for name, x in tensors.items()}


def main() -> None:
    """Print a line for each function."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, default in (("--jets", 20_000), ("--peer-jets", 2000), ("--particles", 30), ("--repeats", 5)):
        parser.add_argument(option, type=int, default=default)
    given = parser.parse_args()
    jets = sample(given.jets, given.particles)
    short = jets.astype(np.float32)
    print(f"{given.jets} jets of {given.particles} particles, numpy {np.__version__}, {threads()} thread(s), us/jet")
    times = {
        "efps, numpy float64": measure(lambda: efps(jets), len(jets), given.repeats),
        "efps, numpy float32": measure(lambda: efps(short), len(jets), given.repeats),
        **torch_times(jets, given.repeats),
        "d2, numpy float64": measure(lambda: d2(jets), len(jets), given.repeats),
        "tau_1..3, numpy float64": measure(lambda: subjettiness(jets), len(jets), given.repeats),
    }
    peer = measure_peer(jets[: given.peer_jets], given.repeats)
    for name, value in times.items():
        ratio = f"{peer / value:8.1f} times EnergyFlow's speed" if peer and name.startswith("efps") else ""
        print(f"{name:<26}{value:9.1f}{ratio}")
    print(f"{'EnergyFlow':<26}{peer:9.1f}" if peer else "EnergyFlow: skipped, it is not installed")


def threads() -> str:
    """The number of threads asked for."""
    return os.environ.get("OMP_NUM_THREADS", "all")


if __name__ == "__main__":
    main()
