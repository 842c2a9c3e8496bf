"""Quality and time of a two-stage surrogate against the number of candidates that one shower is kept of.

OMP_NUM_THREADS=1 python benchmarks/candidates.py RUN --candidates 1 2 4 8 16 32 [--layers 4 4 4 4 8 16] [--geant4 60]

RUN is a run directory whose model was trained with candidates; --layers gives those of its first stage. Showers drawn
at the conditions of the run's second truth sample are judged by its first: AUC on high-level features and on cells
(`facsim-c2st-1`, 5000 of each), pooled and in the worst quartile of incident energy. Times are of one thread, on the
machine as it is, by torch and by ONNX Runtime; with --geant4 those of Geant4 too, for so many electrons in
`par04-w-si` of the same energies.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
import yaml
from numpy.typing import NDArray

from facsim.config import RunConfig
from facsim.core.events import EventSource, make_events
from facsim.core.rng import generator
from facsim.core.sources import MemorySource
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

COLUMNS = (
    *("AUC, high level", "worst quartile", "AUC, cells", "worst quartile"),
    *("ms: torch, 1", "torch, 100", "ONNX Runtime, 1", "ONNX Runtime, 100"),
)
SEED, JUDGED, BATCH = 1, 5000, 250
PLAN = TimingPlan(batches=(1, 100), threads=(1,), repeats=5, seconds=1.0)


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
    parser.add_argument("--candidates", nargs="+", type=int, default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--layers", nargs="+", type=int)
    parser.add_argument("--geant4", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    run = Run(given.run, RunConfig.model_validate(yaml.safe_load((given.run / "config.yaml").read_text())))
    splits = open_splits(run)
    reference, null = (MemorySource(splits[name].read(0, len(splits[name]))) for name in ("reference", "null"))
    sample, cond = take_sample(reference, SEED, JUDGED), null.read(0, len(null)).cond
    print("| candidates: layers, cells | " + " | ".join(COLUMNS) + " |\n" + "|---" * (len(COLUMNS) + 1) + "|")
    print(f"| truth | {quality(sample, null)} | | | | |", flush=True)
    for layers, cells in zip(given.layers or [None] * len(given.candidates), given.candidates, strict=True):
        own = {} if layers is None else {"layer_candidates": layers}
        model = load_model(run.model(), candidates=cells, **own)
        name = f"{model.options.layer_candidates}, {cells}"
        print(f"| {name} | {quality(sample, drawn(model, null))} | {times(model, cond)} |", flush=True)
    if given.geant4:
        settings = ShowerSimulation.parse({"detector": "par04-w-si", "energy": 10, "events": given.geant4})
        energies = np.quantile(cond, np.linspace(0, 1, given.geant4), axis=0)
        print(f"| Geant4 | | | | | {time_geant4(settings, energies, SEED).mean():.1f} | | | |")


if __name__ == "__main__":
    main()
