"""Quality against the number of training showers, from scratch and from a trained model.

OMP_NUM_THREADS=1 python benchmarks/training_size.py truth.h5 ... --sizes 1000 10000 [--start RUN] [--test 2000]

`benchmarks/par04-thicker.yaml` is the detector of the table in RESULTS.md that starts from the shipped surrogate.
The last 2 x TEST showers judge (truth against truth too), a random SIZE of the others train the default `two-stage`.
AUC on high-level and low-level features (`facsim-c2st-1`), one training each, seed 1. With --start each size is also
trained from a model of the same shape, with a fifth of the steps and of the learning rate.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from facsim.core.events import EventSource
from facsim.core.rng import generator
from facsim.core.sources import ConcatSource, MemorySource, SubsetSource
from facsim.data import open_events
from facsim.evaluate.measures import classifiers
from facsim.evaluate.sample import take_sample
from facsim.models.base import EventModel
from facsim.models.checkpoint import load_model
from facsim.models.sampling import TorchSampler
from facsim.models.shipped import load_shipped, shipped_names
from facsim.models.two_stage import TwoStageOptions, TwoStageShower
from facsim.train.loop import Trainer
from facsim.train.settings import TrainSettings

STEPS = {"layer-marginals": 500, "layer-flow": 3000, "pattern-marginals": 500, "pattern-flow": 250}
RATIO_STEPS = 600
SEED = 1


def auc(reference: EventSource, candidate: EventSource) -> str:
    """AUCs of two samples with errors, as cells of a table."""
    a, b = (take_sample(source, SEED, 3000) for source in (reference, candidate))
    found = classifiers(a, b, SEED)
    return " | ".join(f"{found[name].auc:.3f} ± {found[name].error:.3f}" for name in ("auc_high", "auc_cells"))


def trained(source: EventSource, options: dict[str, object], start: str | None) -> EventModel:
    """A model after the training of this benchmark."""
    share = 1.0 if start is None else 0.2
    chosen = TwoStageOptions.model_validate(options)
    steps = {phase: round(share * STEPS.get(phase, RATIO_STEPS)) for phase in TwoStageShower.phases_of(chosen)}
    if chosen.pattern_method.options.get("steps") == 0:  # the prior alone is sampled
        steps["pattern-flow"] = 0
    fit = min(len(source), 16_000)
    settings = TrainSettings(steps=steps, lr=share * 3e-3, fit_events=fit, start=start, device="cpu", threads=1)
    with tempfile.TemporaryDirectory() as folder:
        return Trainer("two-stage", options, source, None, Path(folder), SEED, settings).run()


def rows(source: EventSource, sizes: list[int], test: int, start: str | None) -> Iterator[str]:
    """Rows of the table, as they are done."""
    n = len(source)
    reference, null = (MemorySource(source.read(n - (k + 1) * test, n - k * test)) for k in range(2))
    yield f"| truth | | {auc(reference, null)} | |"
    options: dict[str, object] = {}
    if start is not None:
        base = load_shipped(start) if start in shipped_names() else load_model(Path(start) / "models" / "surrogate")
        options = base.options.model_dump()
        yield f"| 0 | as trained | {_judged(base, reference, null)} | |"
    for size in sizes:
        chosen = generator(SEED, "chosen").permutation(n - 2 * test)[:size]
        part = SubsetSource(source, np.sort(chosen))
        for origin in (None, start) if start is not None else (None,):
            begin = time.process_time()
            model = trained(part, options, origin)
            seconds = time.process_time() - begin
            name = "scratch" if origin is None else "start"
            yield f"| {size} | {name} | {_judged(model, reference, null)} | {seconds:.0f} |"


def _judged(model: EventModel, reference: MemorySource, null: MemorySource) -> str:
    events = null.read(0, len(null))
    x = TorchSampler(model).sample(events.cond, generator(SEED, "sample"))
    return auc(reference, MemorySource(type(events)(events.schema, x, events.cond, events.event_id, events.group_id)))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--sizes", nargs="+", type=int, default=[1000, 3000, 10_000])
    parser.add_argument("--test", type=int, default=2000)
    parser.add_argument("--start")
    given = parser.parse_args()
    torch.set_num_threads(1)
    opened = [open_events(path) for path in given.files]
    source = opened[0] if len(opened) == 1 else ConcatSource(opened)
    print("| training showers | weights | AUC, high level | AUC, cells | CPU s |\n|---|---|---|---|---|")
    for row in rows(source, given.sizes, given.test, given.start):
        print(row, flush=True)


if __name__ == "__main__":
    main()
