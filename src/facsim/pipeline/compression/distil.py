"""distil: a smaller network learns from the trained one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field

from facsim.core.errors import FacsimError
from facsim.core.events import EventSource
from facsim.core.rng import integer_seed
from facsim.core.sources import read_labels
from facsim.core.store import write_store
from facsim.data import open_events
from facsim.models.base import Batch, EventModel
from facsim.models.checkpoint import build_model, count_parameters
from facsim.models.probability_flow import ProbabilityFlow
from facsim.models.sampling import TorchSampler
from facsim.models.smaller import begin_as, methods_of, phases_with, smaller_options
from facsim.pipeline.compression.job import Job, TunedOptions
from facsim.pipeline.sample import Target, batches

TEACHER = "teacher"


class DistilOptions(TunedOptions):
    """Options of `distil`."""

    tune: float = Field(1.0, gt=0, description="optimiser steps, as a share of those of the training")
    width: float = Field(0.5, gt=0, le=1, description="of the student's networks, as a share of the teacher's")
    network: dict[str, Any] | None = Field(None, description="the student's network, in place of a narrower one")
    of: Literal["auto", "velocity", "samples"] = Field(
        "auto", description="what is learnt: the teacher's velocities, or its samples; velocities where there are some"
    )


def distil(job: Job, options: DistilOptions) -> None:
    """A smaller network learns the trained one's velocities at true events, or from its samples; all else is copied."""
    teacher, name = job.start(), job.run.config.surrogate.name
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(integer_seed(job.seed, "compress", "student"))
        student = build_model(name, teacher.schema, smaller_options(teacher, options.width, options.network))
    assert isinstance(student, EventModel)
    new = begin_as(student, teacher)
    phases = phases_with(student, new)
    steps = {phase: n for phase, n in job.steps_of(student, options.tune).items() if phase in phases}
    job.facts.update({"numbers": [count_parameters(teacher), count_parameters(student)], "phases": list(steps)})
    if options.of == "velocity" and (why := without_velocity(teacher)):
        raise FacsimError(f"'distil' with of=velocity does not fit this model, {why}: choose --set of=samples.")
    if options.of == "samples" or (options.of == "auto" and without_velocity(teacher)):
        path = job.place.dir / "teacher.h5"
        student = job.trained(student, steps, options.rate, source=_samples(job, teacher, path))
        path.unlink(missing_ok=True)
        job.facts["of"] = "samples"
    else:
        with following(student, teacher):
            student = job.trained(student, steps, options.rate)
        job.facts["of"] = "velocity"
    job.keep(student)


def _samples(job: Job, teacher: EventModel, path: Path) -> EventSource:
    """Events of the teacher at the conditions of the training events, in a file."""
    train = job.splits["train"]
    if not path.is_file():  # of an interrupted call
        labels = read_labels(train)
        seed, batch = integer_seed(job.seed, "compress", TEACHER), job.run.config.sample.batch_size
        target = Target(labels.cond, train.schema, batch, seed, labels.weight)
        with job.run.reporter.progress("samples of the teacher") as advance:
            write_store(path, batches(TEACHER, TorchSampler(teacher), target, advance))
    return open_events(path)


@contextmanager
def following(student: EventModel, teacher: EventModel) -> Iterator[None]:
    """Meanwhile the loss of each method of `student` that solves an equation is its distance from the teacher's."""
    leaders, methods = methods_of(teacher), methods_of(student)
    changed = [(methods[name], leader) for name, leader in leaders.items() if isinstance(leader, ProbabilityFlow)]
    for method, leader in changed:
        assert isinstance(method, ProbabilityFlow)
        setattr(method, "losses", _losses(method, leader))  # noqa: B010  mypy forbids assigning methods
    try:
        yield
    finally:
        for method, _ in changed:
            method.__dict__.pop("losses", None)


def _losses(method: ProbabilityFlow, leader: ProbabilityFlow) -> Any:
    def losses(batch: Batch, turn: str, generator: Any = None) -> dict[str, Any]:
        return {"velocity": method.follow(leader, batch, generator)}

    return losses


def without_velocity(model: EventModel) -> str | None:
    """Why the student cannot follow velocities."""
    methods = methods_of(model)
    if methods and all(isinstance(method, ProbabilityFlow) for method in methods.values()):
        return None
    return "not all of its methods solve an equation ('flow-matching', 'diffusion')"


def without_method(model: EventModel) -> str | None:
    """Why `model` has no networks that an option makes smaller."""
    return None if methods_of(model) else "it is not built of methods, as 'single-stage' and 'two-stage' are"
