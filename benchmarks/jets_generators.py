"""Published generators of jets at equal compute: scores and time per jet, on one CPU thread.

OMP_NUM_THREADS=1 python benchmarks/jets_generators.py jets.h5 [--rows mpgan epic-fm] [--seconds 600] [--jets 10000]

The file holds true jets of 30 particles (facsim's store or JetNet's HDF5). Its last 2 x `--jets` are two disjoint
samples of truth, A and B; all others are for training. Every row trains for the same CPU seconds: what a step costs is
measured first, and the learning rate falls to zero at the end of them. Jets are generated at the conditions of B and
compared with A, and so is B (null). FPD and W1 of the mass are those of `jetnet-0.2.5`; strict FPD is without bias;
z is the strict W1 of the mass over its null. Microseconds are the least of the repeats at a batch of 1000, the
transform back to jets included. Rows that have `num_particles` among the conditions copy the number, others model it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from facsim.core.events import Events, EventSource
from facsim.core.rng import generator
from facsim.core.sources import SubsetSource
from facsim.data import open_events
from facsim.evaluate.jets import JetOptions, score_jets
from facsim.models.base import EventModel
from facsim.models.checkpoint import count_parameters
from facsim.models.sampling import TorchSampler
from facsim.train.loop import Trainer, TrainProgress
from facsim.train.settings import TrainSettings

Json = dict[str, Any]
PROBE = 6
"""Optimiser steps by which a step's cost is measured."""
BATCH = 1000

LSGAN = {"name": "gan", "loss": "least-squares"}
POINTS = {**LSGAN, "latent": 0, "ordered": True}
FLOW = {"name": "flow-matching", "path": "linear"}


@dataclass(frozen=True)
class Row:
    """A published generator as a configuration of `single-stage`.

    Args:
        method: of the model. source: paper. batch_size, lr: of the paper, but for rates of GANs, which are raised to
            what a thousandth of the published steps can use. transform: of the particles.
    """

    method: Json
    source: str
    batch_size: int = 256
    lr: float = 1e-3
    transform: str = "standard"
    train: Json = field(default_factory=dict)

    @property
    def options(self) -> Json:
        """Options of `single-stage`."""
        return {"transform": self.transform, "method": self.method}


ROWS: dict[str, Row] = {
    "mpgan": Row(
        {**POINTS, "element_noise": 32, "critic_rate": 3.0, "critic": {"name": "mpgan"}, "network": {"name": "mpgan"}},
        "arXiv 2106.11535",
        lr=3e-4,
    ),
    "gapt": Row(
        {**POINTS, "element_noise": 128, "critic_rate": 3.0, "critic": {"name": "gapt"}, "network": {"name": "gapt"}},
        "arXiv 2211.10295",
        lr=3e-4,
    ),
    "igapt": Row(
        {
            **LSGAN,
            "latent": 128,
            "ordered": True,
            "element_noise": 16,
            "critic_rate": 3.0,
            "critic": {"name": "igapt"},
            "network": {"name": "igapt"},
        },
        "arXiv 2312.04757",
        lr=3e-4,
    ),
    "epic-gan": Row(
        {**LSGAN, "latent": 10, "element_noise": 3, "critic": {"name": "epic-gan"}, "network": {"name": "epic-gan"}},
        "arXiv 2301.08128",
        batch_size=128,
        lr=3e-4,
    ),
    "epic-fm": Row(
        {**FLOW, "steps": 100, "solver": "midpoint", "network": {"name": "epic", "depth": 6, "latent": 10}},
        "arXiv 2310.00049",
    ),
    "epic-fm-quantile": Row(
        {**FLOW, "steps": 16, "solver": "midpoint", "network": {"name": "epic", "width": 64}},
        "the same with quantiles, a third of the width and a sixth of the steps",
        lr=3e-3,
        transform="quantile",
    ),
    "epic-distilled": Row(
        {
            "name": "distilled",
            "teacher": {"name": "flow-matching"},
            "network": {"name": "epic", "width": 32, "depth": 4, "latent": 16},
        },
        "mean velocity in one step, arXiv 2505.13447",
        lr=3e-3,
        transform="quantile",
    ),
}
"""Widths, depths and noise are the papers'; critics have the penalty R1 in place of dropout."""


@dataclass(frozen=True)
class Truth:
    """True jets: for training, and two disjoint samples to judge by."""

    train: EventSource
    a: Events
    b: Events


def divided(path: Path, jets: int) -> Truth:
    """The jets of a file.

    Raises:
        FacsimError: it cannot be read, or holds fewer than three times `jets`.
    """
    source = open_events(path)
    n = len(source)
    if n < 3 * jets:
        raise SystemExit(f"'{path}' holds {n} jets, fewer than 3 x {jets}: lower --jets.")
    train = SubsetSource(source, np.arange(n - 2 * jets))
    return Truth(train, source.read(n - 2 * jets, n - jets), source.read(n - jets, n))


def trained(row: Row, truth: Truth, seconds: float, seed: int) -> tuple[EventModel, int, float]:
    """The model of `row` after that many CPU seconds, its optimiser steps and what they took."""
    with tempfile.TemporaryDirectory() as folder:
        times: list[float] = []
        _train(row, truth, Path(folder) / "probe", PROBE, seed, times)
        cost = float(np.mean(np.diff(times)[1:]))
        phases = 2 if row.method["name"] == "distilled" else 1
        steps = max(1, int(seconds / cost / phases))
        begin = time.process_time()
        model = _train(row, truth, Path(folder) / "whole", steps, seed, [])
        return model, phases * steps, time.process_time() - begin


def _train(row: Row, truth: Truth, folder: Path, steps: int, seed: int, times: list[float]) -> EventModel:
    def note(_: TrainProgress) -> None:
        times.append(time.process_time())

    every = 1 if steps == PROBE else 100
    given = {"batch_size": row.batch_size, "lr": row.lr, "steps": steps, "log_every": every, "ema": 0.999, **row.train}
    settings = TrainSettings(checkpoint_seconds=1e9, threads=1, device="cpu", precision="32", **given)
    return Trainer("single-stage", row.options, truth.train, None, folder, seed, settings).run(note)


def sampled(model: EventModel, cond: NDArray[Any], seed: int, repeats: int = 5) -> tuple[NDArray[Any], float]:
    """Jets (N, P, 4) at the conditions, and microseconds of one in a batch of `BATCH`."""
    sampler, rng = TorchSampler(model), generator(seed, "jets")
    parts = [sampler.sample(cond[k : k + BATCH], rng) for k in range(0, len(cond), BATCH)]
    best = float("inf")
    for _ in range(repeats):
        begin = time.perf_counter()
        sampler.sample(cond[:BATCH], rng)
        best = min(best, time.perf_counter() - begin)
    return np.concatenate(parts), 1e6 * best / len(cond[:BATCH])


def judged(truth: Truth, jets: NDArray[Any]) -> dict[str, tuple[float, float]]:
    """Scores and their nulls, by protocol and name."""
    n = len(jets)
    options = JetOptions(w1_samples=n, w1_batches=2, cloud=False, fpd={"min_samples": n // 3, "max_samples": n})
    scores = score_jets(
        truth.a.x, jets[..., :3], null=truth.b.x, reference_mask=truth.a.mask, null_mask=truth.b.mask, options=options
    )
    return {f"{score.protocol}/{score.name}": (score.value, score.null) for score in scores}


def measured(names: list[str], truth: Truth, seconds: float, seed: int) -> Iterator[str]:
    """Rows of the table, as they are done."""
    for name in names:
        row = ROWS[name]
        model, steps, taken = trained(row, truth, seconds, seed)
        jets, time_us = sampled(model, truth.b.cond, seed)
        found = judged(truth, jets)
        cells = [f"{count_parameters(model)}", f"{steps}", f"{taken:.0f}", f"{time_us:.1f}"]
        for key, factor in (("jetnet-0.2.5/fpd", 1e3), ("jetnet-0.2.5/w1m", 1e3), ("strict/fpd", 1.0)):
            cells.append(f"{factor * found[key][0]:.3g} ({factor * found[key][1]:.2g})")
        mass = found["strict/w1/mass"]
        yield f"| {name} | {row.source} | {' | '.join([*cells, f'{mass[0] / mass[1]:.1f}'])} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--seconds", type=float, default=600.0, help="CPU seconds of each training")
    parser.add_argument("--jets", type=int, default=10_000, help="of each sample that is judged")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    truth = divided(given.file, given.jets)
    print(f"{given.file.name}: {len(truth.train)} jets for training, {given.jets} judged, seed {given.seed}; truth "
          "against truth in brackets\n")  # fmt: skip
    head = ["row", "after", "numbers", "steps", "CPU s", "µs/jet", "FPD e3", "W1M e3", "strict FPD", "W1 mass / null"]
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for line in measured(given.rows, truth, given.seconds, given.seed):
        print(line, flush=True)


if __name__ == "__main__":
    main()
