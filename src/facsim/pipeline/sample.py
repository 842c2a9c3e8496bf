"""sample: events of the surrogate and of every baseline at the conditions of the truth sample B."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from facsim.core.events import Events, EventSource, make_events
from facsim.core.image import ImageGeometry
from facsim.core.rng import generator, integer_seed
from facsim.core.schema import Schema
from facsim.core.showerfile import write_showers
from facsim.core.sources import read_labels
from facsim.core.store import write_store
from facsim.models.checkpoint import load_model
from facsim.models.sampling import TorchSampler, generated_events
from facsim.pipeline.truth import open_splits
from facsim.run import SURROGATE, Advance, Run
from facsim.simulate.baselines import Baseline, find_baseline


class Samples(Protocol):
    """A model that is sampled: by torch, or by its graph."""

    def sample(self, cond: NDArray[Any], rng: np.random.Generator) -> NDArray[np.float32]:
        """Events (N, *event_shape) at the conditions (N, K)."""
        ...


Sampler = Samples | Baseline


@dataclass(frozen=True)
class Target:
    """What to sample and where to: conditions (N, K), schema of the events, events at a time, seed, and the weights
    (N,) of the truth events that the conditions are of: a weight says what an event's condition counts."""

    cond: NDArray[Any]
    schema: Schema
    batch_size: int
    seed: int
    weight: NDArray[Any] | None = None


def sample(run: Run) -> None:
    """Write `samples/<name>.h5` of surrogate and baselines, and `samples/steps/<n>.h5` for the curve."""
    splits = open_splits(run)
    target = target_of(run, splits["null"])
    for name, path, sampler in _all_samplers(run, splits["train"]):
        with run.reporter.progress(name) as advance:
            write_samples(path, name, sampler, target, advance)
    remove_others(run)


def target_of(run: Run, null: EventSource) -> Target:
    """What is sampled: the conditions of the truth sample B."""
    labels = read_labels(null)
    return Target(labels.cond, null.schema, run.config.sample.batch_size, run.config.seed, labels.weight)


def write_samples(path: Path, name: str, sampler: Sampler, target: Target, advance: Advance) -> None:
    """Write events of `sampler`, whose noise follows from `name`, to `path`."""
    schema = target.schema
    # images have no incident energy and no place in the challenge's files
    showers = schema.representation == "grid" and not isinstance(schema.geometry, ImageGeometry)
    write = write_showers if showers else write_store
    write(path, batches(name, sampler, target, advance))


def load_surrogate(run: Run, steps: int | None = None) -> TorchSampler:
    """The trained surrogate, with its own or another number of sampler steps."""
    return TorchSampler(load_model(run.model(), **({} if steps is None else {"steps": steps})))


def fit_baseline(run: Run, name: str, train: EventSource) -> Baseline:
    """The baseline `name` of the configuration, fitted to the training events."""
    options = next(baseline.options for baseline in run.config.baselines if baseline.name == name)
    return find_baseline(name).fit(train, integer_seed(run.config.seed, "baseline", name), **options)


def _all_samplers(run: Run, train: EventSource) -> Iterator[tuple[str, Path, Sampler]]:
    if run.config.model is not None:
        yield SURROGATE, run.samples(SURROGATE), load_surrogate(run)
    for steps in run.steps:
        yield f"{SURROGATE}, {steps} steps", run.step_samples(steps), load_surrogate(run, steps)
    for baseline in run.config.baselines:
        yield baseline.name, run.samples(baseline.name), fit_baseline(run, baseline.name, train)


def batches(name: str, sampler: Sampler, target: Target, advance: Advance) -> Iterator[Events]:
    """Events at the conditions of `target`, a batch at a time; the generator's name is in the provenance."""
    schema = replace(target.schema, provenance={"generator": name, "seed": target.seed})
    rng = generator(target.seed, "sample", name)
    for first in range(0, len(target.cond), target.batch_size):
        rows = slice(first, first + target.batch_size)
        cond, weight = target.cond[rows], None if target.weight is None else target.weight[rows]
        if isinstance(sampler, Baseline):
            made = sampler.sample(cond, rng)
            whole = schema if made.mask is None else replace(schema, points=made.x.shape[1])
            events = make_events(whole, made.x, cond, first, made.group_id, mask=made.mask)
        else:
            events = generated_events(schema, sampler.sample(cond, rng), cond, first)
        yield replace(events, weight=weight)
        advance((first + len(cond)) / len(target.cond), f"{first + len(cond)} events")


def remove_others(run: Run) -> None:
    """Remove samples of an earlier configuration, which would be judged with the present ones."""
    wanted = {*(run.samples(name) for name in run.names), *(run.step_samples(steps) for steps in run.steps)}
    for path in (run.dir / "samples").rglob("*.h5"):
        if path not in wanted:
            path.unlink()
