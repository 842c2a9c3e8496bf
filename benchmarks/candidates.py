"""Quality or time of a two-stage surrogate against the number of candidates that one shower is kept of.

OMP_NUM_THREADS=1 python benchmarks/candidates.py RUN --candidates 1 2 4 8 --layers 1 4 4 8 [--times [--geant4 60]]
    [--network 1500]

RUN is a run directory whose model was trained with candidates; --layers gives those of its first stage. 5000 showers
drawn at the conditions of the run's second truth sample are judged by 5000 of its first: AUC on high-level features and
on cells (`facsim-c2st-1`), pooled and in the worst quartile of incident energy. With --times milliseconds a shower
instead, of one thread, by torch and by ONNX Runtime, and of Geant4 in the same run for so many electrons in
`par04-w-si` with energies spread alike. --network adds the AUC of the convolutional network on cells
(`facsim-c2st-net-1`, `grid`) with so many showers of each kind, which takes minutes for each row.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
import yaml
from numpy.typing import NDArray

from facsim.config import run_config
from facsim.core.events import EventSource, make_events
from facsim.core.rng import generator
from facsim.core.sources import MemorySource
from facsim.evaluate.c2st import network_test
from facsim.evaluate.measures import AUCS, WORST, Regions, auc_numbers, classifiers
from facsim.evaluate.sample import ShowerSample, take_sample
from facsim.evaluate.timing import TimedSampler, TimingPlan, time_sampler
from facsim.export.onnx import export_onnx
from facsim.metrics.classifier import PROTOCOL
from facsim.models.base import EventModel
from facsim.models.checkpoint import load_model, save_model
from facsim.models.sampling import TorchSampler
from facsim.pipeline.truth import open_splits
from facsim.run import Run
from facsim.simulate.showers import ShowerSimulation, time_geant4

QUALITY = ("AUC, high level", "worst quartile", "AUC, cells", "worst quartile")
TIMES = ("torch, batch 1", "torch, batch 100", "ONNX Runtime, batch 1", "ONNX Runtime, batch 100")
SEED, JUDGED, BATCH = 1, 5000, 250
PLAN = TimingPlan(batches=(1, 100), threads=(1,), repeats=5, seconds=1.0)


def by_network(reference: EventSource, made: EventSource, events: int) -> str:
    """AUC of the convolutional network with `events` showers of each, and truth's own, as a cell of a table."""
    first = reference.read(0, events)
    null = reference.read(events, 2 * events)
    score = network_test(first, made.read(0, events), network="grid", null=null, seed=SEED).score
    return f"{score.value:.3f} ± {score.error:.3f} (truth {score.null:.3f})"


def quality(reference: ShowerSample, made: EventSource) -> str:
    """AUCs, pooled and worst, as cells of a table."""
    judged = take_sample(made, SEED, JUDGED)
    regions, cells = Regions.quantiles(reference.observations.e_inc, 4), []
    for name, test in classifiers(reference, judged, SEED).items():
        numbers = auc_numbers(name, test, reference, judged, regions)
        found = [numbers[name, PROTOCOL, region] for region in ("all", WORST)]
        cells += [f"{number.value:.3f} ± {number.error:.3f}" for number in found]
    assert len(cells) == 2 * len(AUCS)
    return " | ".join(cells)


def drawn(model: EventModel, like: MemorySource) -> MemorySource:
    """As many showers of `model` as `like` has, at its conditions."""
    cond, rng = like.read(0, len(like)).cond, generator(SEED, "candidates")
    sampler = TorchSampler(model)
    parts = [sampler.sample(cond[first : first + BATCH], rng) for first in range(0, len(cond), BATCH)]
    return MemorySource(make_events(like.schema, np.concatenate(parts), cond))


def times(model: EventModel, cond: NDArray[np.float64]) -> str:
    """Milliseconds a shower by both engines at both batch sizes, as cells of a table."""
    noise = {name: spec.distribution for name, spec in model.noise_spec(1).items()}
    with tempfile.TemporaryDirectory() as folder:
        graph = Path(folder) / "model.onnx"
        save_model(model, "two-stage", Path(folder))
        export_onnx(model, graph)
        samplers = [
            TimedSampler("torch", "torch", Path(folder)),
            TimedSampler("onnx", "onnxruntime", graph, noise=noise),
        ]
        rows = [row for sampler in samplers for row in time_sampler(sampler, cond, plan=PLAN)]
    return " | ".join(f"{row['ms_per_shower']:.2f}" for row in rows)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--candidates", nargs="+", type=int, default=[1, 2, 4, 8])
    parser.add_argument("--layers", nargs="+", type=int, default=[1, 4, 4, 8])
    parser.add_argument("--times", action="store_true")
    parser.add_argument("--geant4", type=int, default=0)
    parser.add_argument("--network", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    run = Run(given.run, run_config(yaml.safe_load((given.run / "config.yaml").read_text())))
    splits = open_splits(run)
    null = MemorySource(splits["null"].read(0, JUDGED))
    cond = null.read(0, len(null)).cond
    columns = TIMES if given.times else QUALITY + ("AUC, network",) * bool(given.network)
    print("| candidates: layers, cells | " + " | ".join(columns) + " |\n" + "|---" * (len(columns) + 1) + "|")
    if not given.times:
        reference = take_sample(splits["reference"], SEED, JUDGED)
        print(f"| truth | {quality(reference, null)} |", flush=True)
    for layers, cells in zip(given.layers, given.candidates, strict=True):
        model = load_model(run.model(), candidates=cells, layer_candidates=layers)
        if given.times:
            row = times(model, cond)
        else:
            made = drawn(model, null)
            row = quality(reference, made)
            if given.network:
                row += f" | {by_network(splits['reference'], made, given.network)}"
        print(f"| {layers}, {cells} | {row} |", flush=True)
    if given.times and given.geant4:
        settings = ShowerSimulation.parse({"detector": "par04-w-si", "energy": 10, "events": given.geant4})
        energies = np.quantile(cond, np.linspace(0, 1, given.geant4), axis=0)
        print(f"Geant4: {time_geant4(settings, energies, SEED).mean():.1f} ms a shower")


if __name__ == "__main__":
    main()
