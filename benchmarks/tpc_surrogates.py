"""Local responses of the TPC: quality and time of generators that were trained for as long.

OMP_NUM_THREADS=1 python benchmarks/tpc_surrogates.py [--seconds 120] [--events 80000] [--judged 4000] [--seed 1]
    [--only NAME ...]

Truth is the digitiser of the task `tpc` with the settings of its recipe. All are trained for the same processor time on
one thread, the phases of a method sharing it, and judged by the task's physics: `facsim-c2st-1` on pixels and on
moments, mean relative deviation of profiles of means and widths (in units of the width where values have either sign),
and microseconds of processor time a response in batches of 10 000, noise included. `gan-2012.04595` is the published
generator, critic steps and penalty; 4.7 million steps are published too, and the budget here is far below.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facsim.core.events import Events, make_events
from facsim.core.rng import generator
from facsim.core.sources import MemorySource
from facsim.evaluate.tpc_physics import TPCPhysics
from facsim.metrics.classifier import classifier_test
from facsim.models.base import EventModel
from facsim.models.checkpoint import build_model
from facsim.models.sampling import TorchSampler
from facsim.simulate.tpc import TPCSimulation
from facsim.train.loop import Trainer
from facsim.train.settings import TrainSettings

ENERGY = {"name": "gan", "loss": "energy", "noise": "latent", "latent": 32, "zeros": "straight"}
PATCHES = {"patches": [[1, 1], [2, 2], [8, 1]], "components": 64}
ANCHOR = {"name": "gan", "loss": "wasserstein", "one_sided": True, "gradient_penalty": 10.0, "critic_steps": 8}
LATENT = {"noise": "latent", "latent": 32}
SMALL = {"name": "mlp", "widths": [96, 96], "activation": "silu"}
WIDE = {"name": "mlp", "widths": [128, 128, 128], "activation": "relu"}
METHODS: dict[str, dict[str, Any]] = {
    "gan-2012.04595": {"cells": "kinked", "method": {**ANCHOR, **LATENT, "network": {"name": "mlp"}}},
    "gan, energy": {"cells": "kinked", "method": {**ENERGY, "network": {"name": "mlp"}}},
    "gan, energy of patches": {"cells": "kinked", "method": {**ENERGY, **PATCHES, "network": {"name": "mlp"}}},
    "gan, energy of patches, wide": {"cells": "kinked", "method": {**ENERGY, **PATCHES, "network": WIDE}},
    "vae": {"method": {"name": "vae", "latent": 24, "prior": "flow-matching", "prior_steps": 2, "network": SMALL}},
    "flow-matching, 4 steps": {"method": {"name": "flow-matching", "prior": "gaussian", "steps": 4, "network": SMALL}},
    "distilled, 1 step": {
        "method": {"name": "distilled", "teacher": {"name": "flow-matching", "prior": "gaussian"}, "network": SMALL}
    },
}
PROFILES = ("mean_pad", "mean_time", "var_pad", "var_time", "cov", "log_sum", "hits")
PHYSICS = TPCPhysics()


def truth(n: int, seed: int, part: str) -> Events:
    """`n` responses."""
    simulation = TPCSimulation(
        crossing_angle=(-60, 60), dip_angle=(-60, 60), drift_length=(0, 309), pt=(0.05, 2.5), events=n
    )
    parts = [simulation.generate(min(2000, n - k), generator(seed, part, k)) for k in range(0, n, 2000)]
    x, cond = (np.concatenate([getattr(drawn, name) for drawn in parts]) for name in ("x", "cond"))
    return make_events(simulation.schema_of(), x.astype(np.float32), cond)


def trained(options: dict[str, Any], events: Events, given: argparse.Namespace) -> tuple[EventModel, int, float]:
    """A model after `given.seconds` of training, its steps, and the processor seconds that they took."""
    phases = build_model("single-stage", events.schema, options).phases
    source, steps = MemorySource(events), given.probe
    for attempt in range(2):
        begin = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            settings = TrainSettings(
                steps={phase: max(1, steps // len(phases)) for phase in phases},
                batch_size=given.batch,
                lr=given.lr,
                device="cpu",
            )
            trainer = Trainer("single-stage", options, source, None, Path(folder), given.seed, settings)
            model = trainer.run()
        spent = time.process_time() - begin
        if attempt == 0:
            steps = int(steps * given.seconds / spent)
    return model, steps, spent


def microseconds(model: EventModel, cond: np.ndarray, repeats: int = 7) -> float:
    """Processor time of one response in a batch, least of some repeats."""
    sampler, rng = TorchSampler(model), np.random.default_rng(0)
    found = []
    for _ in range(repeats):
        begin = time.thread_time()
        sampler.sample(cond, rng)
        found.append(time.thread_time() - begin)
    return 1e6 * min(found) / len(cond)


def scores(reference: Events, sample: Events, seed: int) -> list[str]:
    """Cells of a row."""
    conditions = [PHYSICS.conditions(events.cond) for events in (reference, sample)]
    cells = []
    for values in ([PHYSICS.pixels(e) for e in (reference, sample)], [PHYSICS.observe(e) for e in (reference, sample)]):
        seen = [np.hstack(pair) for pair in zip(conditions, values, strict=True)]
        test = classifier_test(*seen, seed, conditions=conditions[0].shape[1])
        cells.append(f"{test.auc:.3f} ± {test.error:.3f}")
    measured = PHYSICS.measures(reference, sample, seed)
    for kind in ("mean", "width"):
        worst = max(PROFILES, key=lambda name: measured[f"profile_{kind}/{name}"].value)
        cells.append(f"{100 * measured[f'profile_{kind}/{worst}'].value:.1f} % ({worst})")
    return [*cells, f"{100 * measured['occupancy'].value:.2f} %"]


def main() -> None:
    """Train, judge and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--events", type=int, default=80_000)
    parser.add_argument("--judged", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--probe", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=METHODS, default=list(METHODS))
    given = parser.parse_args()
    torch.set_num_threads(1)
    train, reference, null = (
        truth(n, given.seed, part)
        for n, part in ((given.events, "train"), (given.judged, "reference"), (given.judged, "null"))
    )
    places = truth(10_000, given.seed, "timing").cond
    print("| | steps | numbers | AUC pixels | AUC moments | worst profile, mean | width | occupancy | µs |")
    print("|---|---|---|---|---|---|---|---|---|")
    print(f"| truth | | | {' | '.join(scores(reference, null, given.seed))} | |", flush=True)
    for name in given.only:
        options = {"fractions": ["drift_length", "pad_coordinate"], **METHODS[name]}
        model, steps, _ = trained(options, train, given)
        x = TorchSampler(model).sample(null.cond, generator(given.seed, "sample"))
        found = scores(reference, make_events(null.schema, x, null.cond), given.seed)
        numbers = sum(p.numel() for p in model.method.parameters())
        row = [name, str(steps), str(numbers), *found, f"{microseconds(model, places):.1f}"]
        print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
