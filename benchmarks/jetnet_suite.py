"""How long JetNet's whole suite of metrics takes, beside the package jetnet 0.2.5 where an interpreter has it.

OMP_NUM_THREADS=1 python benchmarks/jetnet_suite.py [--jets 50000] [--particles 30] [--peer-python PATH]

Both sides get the same synthetic jets, one thread, jetnet's default settings and the same seeds; the table gives
processor seconds and how far the values lie apart. tests/golden/make_jetnet.py says how to install jetnet. Fewer jets
than 50 000 are a trial: batches and sample sizes shrink alike.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from facsim.evaluate.jet_measures import JetSample
from facsim.metrics.bootstrap_w1 import bootstrap_w1
from facsim.metrics.clouds import coverage_mmd
from facsim.metrics.frechet import fpd
from facsim.metrics.kernel import kpd
from facsim.metrics.protocols import JETNET
from facsim.physics.jets import W1EFP_COLUMNS

SEED = 42
FULL = 50_000
Found = dict[str, dict[str, Any]]


def sample(n: int, particles: int, seed: int, width: float) -> np.ndarray:
    """Jets (n, particles, 3): Gaussian angles, exponential pT relative to the jet, five to `particles` of them."""
    rng = np.random.default_rng(seed)
    pt = np.sort(rng.exponential(size=(n, particles)), axis=1)[:, ::-1]
    angles = width * rng.normal(size=(n, particles, 2))
    real = np.arange(particles) < rng.integers(5, particles + 1, size=(n, 1))
    pt = np.where(real, pt, 0.0)
    jets = np.concatenate([angles, (pt / pt.sum(axis=1, keepdims=True))[:, :, None]], axis=2)
    return np.where(real[:, :, None], jets, 0.0)


def facsim_suite(x: np.ndarray, y: np.ndarray, options: Mapping[str, Any]) -> Found:
    """Value and processor seconds of every step."""
    found: Found = {}

    def step(name: str, function: Callable[[], Any]) -> Any:
        begin = time.process_time()
        value = function()
        found[name] = {"cpu": time.process_time() - begin, "value": [float(np.mean(part)) for part in value]}
        return value

    def draw(*samples: Any) -> tuple[np.ndarray, np.ndarray]:
        values = bootstrap_w1(*samples, **options["w1"], seed=SEED)
        return values.mean(axis=0), values.std(axis=0)

    def w1p() -> tuple[np.ndarray, np.ndarray]:
        (parts_a, counts_a), (parts_b, counts_b) = a.constituents(JETNET), b.constituents(JETNET)
        return draw(parts_a, parts_b, counts_a, counts_b)

    def cloud() -> tuple[float, float]:
        result = coverage_mmd(x, y, JETNET, **options["cloud"], seed=SEED)
        return result.coverage, result.mmd

    def polynomials() -> tuple[np.ndarray, np.ndarray]:
        return a.efps, b.efps

    columns = list(W1EFP_COLUMNS)
    a, b = JetSample(x), JetSample(y)
    efps = step("efps", polynomials)
    step("fpd", lambda: fpd(*efps, JETNET, seed=SEED, **options["fpd"]))
    step("kpd", lambda: kpd(*efps, JETNET, seed=SEED, **options["kpd"]))
    step("w1m", lambda: draw(*(s.features["mass"][:, None] for s in (a, b))))
    step("w1p", w1p)
    step("w1efp", lambda: draw(*(values[:, columns] for values in efps)))
    if options["cloud"]["num_batches"]:
        step("coverage, mmd", cloud)
    return found


def peer_suite(python: str, x: np.ndarray, y: np.ndarray, options: Mapping[str, Any]) -> Found:
    """The same by jetnet, in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "reference.npy", x)
        np.save(folder / "candidate.npy", y)
        (folder / "options.json").write_text(json.dumps(dict(options)), encoding="utf-8")
        one_thread = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
        script = str(Path(__file__).with_name("jetnet_peer.py"))
        subprocess.run([python, script, name], check=True, env={**os.environ, **one_thread})
        found: Found = json.loads((folder / "peer.json").read_text(encoding="utf-8"))
        return found


def suite_options(jets: int, cloud: bool) -> dict[str, Any]:
    """jetnet's defaults for 50 000 jets, smaller in proportion for fewer."""
    share = min(1.0, jets / FULL)
    return {
        "seed": SEED,
        "fpd": {"min_samples": int(20_000 * share), "max_samples": int(50_000 * share)},
        "kpd": {"num_batches": 10, "batch_size": int(5_000 * share)},
        "w1": {"num_eval_samples": int(50_000 * share), "num_batches": 5},
        "cloud": {"num_eval_samples": max(20, int(100 * share)), "num_batches": 10 if cloud else 0},
    }


def table(ours: Found, peer: Found) -> list[str]:
    """A line for each step, then the sums."""
    head = f"{'step':<16}{'facsim, s':>11}"
    beside = f"{'jetnet, s':>12}{'ratio':>8}{'value':>16}{'relative difference':>22}"
    lines = [head + (beside if peer else f"{'value':>16}")]
    for name, step in ours.items():
        line = f"{name:<16}{step['cpu']:>11.2f}"
        if peer:
            other = peer[name]
            value, apart = step["value"][0], abs(step["value"][0] / other["value"][0] - 1)
            line += f"{other['cpu']:>12.2f}{other['cpu'] / step['cpu']:>8.1f}{value:>16.6g}{apart:>22.1e}"
        else:
            line += f"{step['value'][0]:>16.6g}"
        lines.append(line)
    for label, names in (("without clouds", [n for n in ours if "mmd" not in n]), ("everything", list(ours))):
        total = sum(ours[name]["cpu"] for name in names)
        line = f"{label:<16}{total:>11.2f}"
        if peer:
            other = sum(peer[name]["cpu"] for name in names)
            line += f"{other:>12.2f}{other / total:>8.1f}"
        lines.append(line)
    return lines


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jets", type=int, default=FULL)
    parser.add_argument("--particles", type=int, default=30)
    parser.add_argument("--peer-python", help="an interpreter with jetnet 0.2.5")
    parser.add_argument("--without-cloud", action="store_true", help="leave out coverage and MMD")
    given = parser.parse_args()
    x = sample(given.jets, given.particles, 1, 0.1)
    y = sample(given.jets, given.particles, 2, 0.1005)
    options = suite_options(given.jets, not given.without_cloud)
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    print(
        f"{given.jets} against as many jets of {given.particles} particles, numpy {np.__version__}, threads: {threads}"
    )
    ours = facsim_suite(x, y, options)
    peer = peer_suite(given.peer_python, x, y, options) if given.peer_python else {}
    print("\n".join(table(ours, peer)))


if __name__ == "__main__":
    main()
