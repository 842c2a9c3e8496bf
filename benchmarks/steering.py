"""Showers with and without steering by their asymmetry: distances of all quantities, over several seeds.

OMP_NUM_THREADS=1 python benchmarks/steering.py [--seeds 3] [--steps 1500] [--events 12000] [--judged 4000]
    [--method energy|wasserstein|vae|flow-matching] [--how loss regressor] [--weight 3] [--cells inner]

Truth is the shower parametrisation of the task `ecal`, the same for all. A method is trained without and with steering
(`model.steer: {metric: ecal-asymmetry}`), from the same weights and on the same batches for each seed. What is compared
is the KS distance of every quantity of the task from a second truth sample, and the AUC of classifiers on quantities
and on cells. `change` is with minus without over its error, from the seeds' spread and the distances' own errors;
positive is worse. The null is truth against truth.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facsim import metrics
from facsim.core.events import Events, make_events
from facsim.core.rng import generator
from facsim.core.sources import MemorySource
from facsim.evaluate.ecal_physics import ECALPhysics
from facsim.metrics.classifier import classifier_test
from facsim.models.sampling import TorchSampler
from facsim.simulate.ecal import ECALSimulation
from facsim.train.loop import Trainer
from facsim.train.settings import TrainSettings

NETWORK = {"name": "mlp", "widths": [64, 96, 96], "activation": "silu"}
METHODS: dict[str, dict[str, Any]] = {
    "energy": {"name": "gan", "loss": "energy", "latent": 24, "noise": "latent", "network": NETWORK},
    "wasserstein": {
        "name": "gan",
        "loss": "wasserstein",
        "gradient_penalty": 10.0,
        "critic_steps": 5,
        "latent": 24,
        "noise": "latent",
        "network": NETWORK,
        "critic": {"channels": 8, "width": 48},
    },
    "vae": {"name": "vae", "latent": 16, "network": NETWORK, "encoder": {"channels": 8, "width": 48}},
    "flow-matching": {"name": "flow-matching", "prior": "gaussian", "steps": 2, "network": NETWORK},
}
TARGETS = ("ks/longitudinal_asymmetry", "ks/transverse_asymmetry")
PHYSICS = ECALPhysics()


def truth(cells: str, n: int, seed: int, part: str) -> Events:
    """`n` showers."""
    simulation = ECALSimulation(events=n, cells=cells)
    parts = [simulation.generate(min(1000, n - first), generator(seed, part, first)) for first in range(0, n, 1000)]
    x, cond = (np.concatenate([getattr(drawn, name) for drawn in parts]) for name in ("x", "cond"))
    return make_events(simulation.schema_of(), x, cond)


def distances(reference: Events, sample: Events, seed: int) -> dict[str, tuple[float, float]]:
    """KS distances of the quantities and AUCs, with errors."""
    a, b = PHYSICS.observe(reference), PHYSICS.observe(sample)
    found = {}
    for k, quantity in enumerate(PHYSICS.quantities):
        score = metrics.ks(a[:, k], b[:, k])
        found[f"ks/{quantity.name}"] = score.value, math.sqrt(0.5 / len(a) + 0.5 / len(b)) * 0.5
    conditions = [PHYSICS.conditions(events.cond) for events in (reference, sample)]
    for name, values in (("quantities", (a, b)), ("cells", (PHYSICS.pixels(reference), PHYSICS.pixels(sample)))):
        seen = [np.hstack([c, v]) for c, v in zip(conditions, values, strict=True)]
        test = classifier_test(*seen, seed, conditions=conditions[0].shape[1])
        found[f"auc/{name}"] = test.auc, test.error
    return found


def trained(events: Events, options: dict[str, Any], seed: int, given: argparse.Namespace) -> tuple[Any, float]:
    """The model, and the processor seconds that its training took."""
    settings = TrainSettings(steps=given.steps, batch_size=given.batch, lr=given.lr, device="cpu")
    begin = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer("single-stage", options, MemorySource(events), None, Path(folder), seed, settings)
        return trainer.run(), time.process_time() - begin


def report(found: dict[str, list[dict[str, tuple[float, float]]]], null: dict[str, tuple[float, float]]) -> None:
    """Print the table."""
    names = list(found)
    others = names[1:]
    print("| | null | " + " | ".join(f"{name} | change" if name in others else name for name in names) + " |")
    print("|---" * (2 + len(names) + len(others)) + "|")
    for key in null:
        cells = [f"{null[key][0]:.4f}"]
        base = np.array([one[key][0] for one in found[names[0]]])
        for name in names:
            values = np.array([one[key][0] for one in found[name]])
            cells.append(f"{values.mean():.4f} ± {values.std(ddof=1) / math.sqrt(len(values)):.4f}")
            if name in others:
                own = math.hypot(*(np.mean([one[key][1] for one in found[n]]) for n in (names[0], name)))
                difference = values - base
                error = math.hypot(difference.std(ddof=1), own) / math.sqrt(len(values))
                cells.append(f"{difference.mean() / error:+.1f} sigma, x {values.mean() / base.mean():.2f}")
        print(f"| {key} | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    """Train, judge and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--events", type=int, default=12_000)
    parser.add_argument("--judged", type=int, default=4000)
    parser.add_argument("--method", choices=sorted(METHODS), default="energy")
    parser.add_argument("--how", nargs="+", default=["loss", "regressor"])
    parser.add_argument("--weight", type=float, default=3.0)
    parser.add_argument("--cells", default="inner")
    parser.add_argument("--metric", default="ecal-asymmetry")
    given = parser.parse_args()
    torch.set_num_threads(1)
    train, reference, null = (
        truth(given.cells, n, 1, part)
        for n, part in ((given.events, "train"), (given.judged, "reference"), (given.judged, "null"))
    )
    found: dict[str, list[dict[str, tuple[float, float]]]] = {}
    seconds: dict[str, list[float]] = {}
    for how in ("without", *given.how):
        for seed in range(1, given.seeds + 1):
            steer = {"metric": given.metric, "how": how, "weight": given.weight}
            options = {"method": METHODS[given.method], **({} if how == "without" else {"steer": steer})}
            model, spent = trained(train, options, seed, given)
            x = TorchSampler(model).sample(null.cond, generator(seed, "sample"))
            sample = make_events(null.schema, x, null.cond)
            found.setdefault(how, []).append(distances(reference, sample, seed))
            seconds.setdefault(how, []).append(spent)
            told = ", ".join(f"{key} {found[how][-1][key][0]:.3f}" for key in (*TARGETS, "auc/quantities"))
            print(f"{how}, seed {seed}, {spent:.0f} s: {told}", flush=True)
    spent = ", ".join(f"{how} {np.mean(values):.0f} s" for how, values in seconds.items())
    print(f"\n{given.method}, {given.steps} steps, {given.seeds} seeds, weight {given.weight:g}; training: {spent}\n")
    report(found, distances(reference, null, 1))


if __name__ == "__main__":
    main()
