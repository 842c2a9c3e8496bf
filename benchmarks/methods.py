"""How close methods come to distributions known in closed form, on one CPU thread.

OMP_NUM_THREADS=1 python benchmarks/methods.py [--rows gan vae] [--targets ring cells] [--events 10000] [--seed 0]

A row is a method with its options and its training; targets are those of `facsim.evaluate.targets`, learned from fresh
draws. KPD (strict, with the p-value of a permutation test) and the mean W1 over the features, in standard deviations,
compare as many generated events as true ones; null is W1 of truth against truth. Seconds are of the CPU, for training.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from facsim.core.errors import FacsimError
from facsim.evaluate.targets import TARGETS, Target, distance, learn
from facsim.models.choices import Choice
from facsim.models.methods import METHODS, build_method

TABLE = {"name": "residual-mlp", "width": 64, "depth": 2}
NETWORKS: dict[str, dict[str, Any]] = {
    "table": TABLE,
    "grid": {"name": "layer-transformer", "width": 32, "depth": 2},
    "cloud": {"name": "epic", "width": 48, "latent": 12},
}


@dataclass(frozen=True)
class Row:
    """A method, its options, and its training: optimiser steps of each phase, events of a batch, learning rate."""

    method: str
    options: dict[str, Any] = field(default_factory=dict)
    steps: int = 2000
    size: int = 256
    lr: float = 2e-3


ROWS: dict[str, Row] = {
    "gan": Row("gan", steps=4000),
    "gan-least-squares": Row("gan", {"loss": "least-squares"}, steps=4000),
    "gan-hinge": Row("gan", {"loss": "hinge"}, steps=4000),
    "gan-relativistic": Row("gan", {"loss": "relativistic"}, steps=4000),
    "gan-wasserstein": Row("gan", {"loss": "wasserstein", "critic_steps": 3}, steps=4000, lr=1e-3),
    "gan-cramer": Row("gan", {"loss": "cramer", "critic_steps": 2}, steps=4000),
    "gan-energy": Row("gan", {"loss": "energy"}),
    "vae": Row("vae"),
    "vae-flow-prior": Row("vae", {"prior": "flow-matching"}),
    "vq": Row("vq", {"codes": 2}),
    "flow": Row("flow", {"layers": 6}),
    "flow-matching": Row("flow-matching", {"steps": 16, "solver": "heun"}),
    "diffusion": Row("diffusion"),
    "distilled-consistency": Row("distilled", {"kind": "consistency"}),
    "distilled-mean-velocity": Row("distilled"),
}


def measured(names: list[str], targets: list[str], events: int, seed: int) -> Iterator[str]:
    """Rows of the table, as they are done."""
    for target in targets:
        for name in names:
            row, truth = ROWS[name], TARGETS[target]
            if truth.space.representation in METHODS[row.method].representations:
                yield f"| {target} | {name} | {_measure(row, truth, events, seed)} |"


def _measure(row: Row, target: Target, events: int, seed: int) -> str:
    torch.manual_seed(seed)
    network = NETWORKS[target.space.representation]
    method = build_method(Choice(name=row.method, **{"network": network, **row.options}), target.space, target.n_cond)
    begin = time.process_time()
    learn(method, target, row.steps, row.size, row.lr, seed)
    seconds = time.process_time() - begin
    try:
        d = distance(method, target, events, seed + 1)
    except FacsimError as error:
        return f"{error} | | | | {seconds:.0f}"
    return f"{d.kpd:.4f} ± {d.error:.4f} | {d.p_value:.3f} | {d.w1:.3f} | {d.null:.3f} | {seconds:.0f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--targets", nargs="+", default=list(TARGETS), choices=list(TARGETS))
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{arguments.events} events, seed {arguments.seed}\n")
    print("| target | row | KPD | p | W1 | null | CPU s |\n|---|---|---|---|---|---|---|")
    for line in measured(arguments.rows, arguments.targets, arguments.events, arguments.seed):
        print(line, flush=True)


if __name__ == "__main__":
    main()
