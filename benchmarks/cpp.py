"""What the C++ loader adds to a call of ONNX Runtime, against Python, and what a second thread brings, at batch 1.

OMP_NUM_THREADS=1 python benchmarks/cpp.py [--rounds 7] [--calls 300] [--events 400] [--seed 1]

Models: the shipped `par04`, and a table of RICH's size (5 conditions, 5 columns) with random weights, which do not
change times. Every event goes through each kind of call in turn; what the loader adds is the median over these pairs,
and its error the spread of the rounds, each of which also times Python's `session.run`, on the same version of the
library, and one and two threads. `same pointers` repeats arrays that the loader knows, `own pointers` gives it new ones
for each event. Calls are timed in processor time of their thread, since a machine that others use interrupts them.
There the gain of a second thread cannot be seen in wall-clock time either; that it takes no more processor time and
hardly ever waits for the first still can.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

import facsim
from facsim.core.rng import generator
from facsim.core.schema import Feature, Schema
from facsim.core.store import write_json
from facsim.evaluate.timing import hardware
from facsim.export.card import make_card
from facsim.export.check import open_session
from facsim.export.cpp_project import runtime_library
from facsim.export.onnx import export_onnx
from facsim.models.base import Batch, EventModel
from facsim.models.checkpoint import build_model
from facsim.models.sampling import draw_noise
from facsim.models.shipped import load

SOURCE = Path(__file__).parent / "cpp" / "calls.cpp"
NETWORK = {"name": "residual-mlp", "width": 64, "depth": 3}
KINDS = ("bare", "same pointers", "own pointers", "generate", "noise")


@dataclass
class Found:
    """Of each round: microseconds of all calls, of Python's, and (wall s, processor s, waits) an event of threads."""

    calls: list[np.ndarray] = field(default_factory=list)
    python: list[float] = field(default_factory=list)
    threads: list[np.ndarray] = field(default_factory=list)


def small_table(seed: int) -> tuple[EventModel, np.ndarray]:
    """A fitted GAN of a table and its conditions."""
    rng = generator(seed, "cpp-benchmark")
    cond = np.stack([rng.uniform(3, 100, 1000), rng.uniform(2, 5, 1000), *rng.random((3, 1000))], 1)
    features = tuple(Feature(f"dll_{name}") for name in ("e", "mu", "k", "p", "bt"))
    conditions = (Feature("P", "GeV"), Feature("eta"), *(Feature(f"c{i}") for i in range(3)))
    model = build_model(
        "single-stage", Schema("table", features, conditions), {"method": {"name": "gan", "network": NETWORK}}
    )
    x = torch.from_numpy(rng.normal(size=(1000, 5)).astype(np.float32))
    batch = Batch(x, torch.from_numpy(cond.astype(np.float32)))
    model.begin_phase(model.phases[0], batch, torch.Generator().manual_seed(seed))
    return model, cond


def program(folder: Path) -> Path:
    """The compiled `calls`."""
    compiler = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
    if compiler is None:
        raise SystemExit("this benchmark needs a C++ compiler")
    facsim.cpp(folder)
    out = folder / "calls"
    command = [
        compiler,
        "-std=c++17",
        "-O3",
        f"-I{folder / 'include'}",
        str(SOURCE),
        "-o",
        str(out),
        "-ldl",
        "-pthread",
    ]
    subprocess.run(command, check=True)
    return out


def called(calls: Path, *words: object) -> np.ndarray:
    env = {**os.environ, "FACSIM_ONNXRUNTIME": str(runtime_library())}
    done = subprocess.run([str(calls), *map(str, words)], check=True, capture_output=True, text=True, env=env)
    return np.array([[float(number) for number in line.split()] for line in done.stdout.splitlines()])


def in_python(graph: Path, model: EventModel, cond: np.ndarray, calls: int, seed: int) -> float:
    """Median processor microseconds of `session.run` at batch 1."""
    session, rng = open_session(graph), generator(seed, "cpp-benchmark", "noise")
    events = [{"condition": c[None].astype(np.float32), **draw_noise(model, 1, rng)} for c in cond[:64]]
    times = []
    for call in range(-20, calls):
        given = events[call % len(events)]
        start = time.thread_time_ns()
        session.run(None, given)
        times.append(1e-3 * (time.thread_time_ns() - start))
    return float(np.median(times[20:]))


def measured(
    calls: Path, graph: Path, card: Path, model: EventModel, cond: np.ndarray, asked: argparse.Namespace
) -> Found:
    found, scale = Found(), 1 if graph.stat().st_size > 1e7 else 10
    for _ in range(asked.rounds):
        found.calls.append(called(calls, "overhead", graph, card, asked.calls * scale))
        found.python.append(in_python(graph, model, cond, asked.calls * scale, asked.seed))
        events = asked.events * scale**2
        found.threads.append(
            np.concatenate([called(calls, "threads", graph, card, events, n) for n in (1, 2)]) / events
        )
    return found


def shown(name: str, found: Found) -> str:
    """Rows of a table: microseconds, median of the rounds and the half-width that holds 68 % of them."""

    def told(values: np.ndarray, digits: int = 1) -> str:
        low, middle, high = np.quantile(values, [0.16, 0.5, 0.84])
        return f"{middle:.{digits}f} ± {(high - low) / 2:.{digits}f}"

    medians = np.array([np.median(call, 0) for call in found.calls])
    added = np.array([np.median(call[:, 1:3] - call[:, :1], 0) for call in found.calls])
    python = np.array(found.python)
    threads = np.array(found.threads)
    speedup, work = threads[:, 0, 0] / threads[:, 1, 0], threads[:, 0, 1] / threads[:, 1, 1]
    return "\n".join(
        [
            *(f"| {name} | {kind} | {told(medians[:, i])} us |" for i, kind in enumerate(KINDS)),
            f"| {name} | Python `session.run` | {told(python)} us |",
            f"| {name} | the loader adds, same pointers | {told(added[:, 0], 2)} us |",
            f"| {name} | the loader adds, own pointers | {told(added[:, 1], 2)} us |",
            f"| {name} | Python adds | {told(python - medians[:, 0])} us |",
            f"| {name} | events of 2 threads over those of 1 | {told(speedup, 2)} |",
            f"| {name} | the same, by processor time | {told(2 * work, 2)} |",
            f"| {name} | waits of 2 threads, 1000 events | {told(1000 * threads[:, 1, 2], 1)} |",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--events", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    with TemporaryDirectory() as name:
        folder = Path(name)
        calls = program(folder)
        table, cond = small_table(asked.seed)
        graph, card = folder / "table.onnx", folder / "table.card.json"
        export_onnx(table, graph, 17)
        write_json(card, make_card(table, "single-stage", graph, cond, [], {}))
        shipped = facsim.export("par04", out=folder / "par04.onnx")
        sampler = load("par04")
        low, high = (sampler.card["training_range"][0][end] for end in ("min", "max"))
        load_before = os.getloadavg()[0]
        rows = [
            shown("table", measured(calls, graph, card, table, cond, asked)),
            shown(
                "par04",
                measured(calls, shipped.graph, shipped.card, sampler.model, np.linspace(low, high, 64)[:, None], asked),
            ),
        ]
    print(
        f"\n{hardware()}, load {load_before:.1f} before and {os.getloadavg()[0]:.1f} after, {asked.rounds} rounds of "
        f"{asked.calls} calls (table 10 times as many), seed {asked.seed}\n\n| model | what | median |\n|---|---|---|"
    )
    print("\n".join(rows))


if __name__ == "__main__":
    main()
