"""few-steps and distil-steps: fewer evaluations of the network for each event."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from facsim.core.errors import FacsimError
from facsim.models.base import EventModel
from facsim.models.checkpoint import build_model
from facsim.models.fewer_steps import begin_students, distilled_options, steps_of, with_fewer
from facsim.models.probability_flow import ProbabilityFlow
from facsim.models.smaller import METHOD_OPTIONS, methods_of
from facsim.pipeline.compression.job import Job, Options, TunedOptions

DISTILLATION = "distillation"
"""The phase of a student."""
STAGES = {"method": "", "layer_method": "layer-", "pattern_method": "pattern-"}
"""What names of phases of a model begin with, by the attribute that is their method."""


class FewStepsOptions(Options):
    """Options of `few-steps`."""

    steps: int | None = Field(None, ge=1, description="of the solver; by default half as many, of each stage")
    layer_steps: int | None = Field(
        None, ge=1, description="the same of the first of two stages, if not as of the second"
    )


class DistilStepsOptions(TunedOptions):
    """Options of `distil-steps`."""

    tune: float = Field(0.5, gt=0, description="optimiser steps, as a share of those of the training")
    steps: int = Field(1, ge=1, le=64, description="evaluations of the student")
    kind: Literal["mean-velocity", "consistency"] = Field("mean-velocity", description="of the student (`distilled`)")
    levels: int = Field(32, ge=2, description="steps of the teacher, of which each target takes one")


def few_steps(job: Job, options: FewStepsOptions) -> None:
    """The solver makes fewer steps; nothing is trained."""
    model = job.start()
    before = steps_of(model)
    given = {name: options.layer_steps if name == "layer_method" else None for name in before}
    wanted = {name: given[name] or options.steps or max(1, steps // 2) for name, steps in before.items()}
    if options.layer_steps is not None and "layer_method" not in before:
        raise FacsimError("'layer_steps' is of models of two stages whose first one has steps: leave it out.")
    job.facts["steps"] = {METHOD_OPTIONS[name]: [steps, wanted[name]] for name, steps in before.items()}
    job.keep(job.start(**with_fewer(model, wanted)))


def distil_steps(job: Job, options: DistilStepsOptions) -> None:
    """A student of the same network learns to jump along the trained one's flow, in one step or a few."""
    teacher, name = job.start(), job.run.config.surrogate.name
    if teacher.compressed:
        raise FacsimError("'distil-steps' begins with the network that the options build: leave out 'after'.")
    kind = distilled_options(teacher, options.kind, options.steps, options.levels)
    student = build_model(name, teacher.schema, kind)
    assert isinstance(student, EventModel)
    begin_students(student, teacher)
    long = job.steps_of(teacher, options.tune)
    # a student is trained as long as its teacher was, times the share
    each = {
        f"{STAGES[place]}{DISTILLATION}": sum(long[f"{STAGES[place]}{phase}"] for phase in method.phases)
        for place, method in methods_of(teacher).items()
        if isinstance(method, ProbabilityFlow)
    }
    job.facts["steps of the solver"] = {
        METHOD_OPTIONS[place]: [n, options.steps] for place, n in steps_of(teacher).items()
    }
    job.keep(job.trained(student, each, options.rate))


def without_steps(model: EventModel) -> str | None:
    """Why `model` cannot make fewer steps."""
    found = steps_of(model)
    if not found:
        return "its methods make no steps ('flow-matching', 'diffusion' and 'distilled' do)"
    return None if max(found.values()) > 1 else "it makes a single step"


def without_flow(model: EventModel) -> str | None:
    """Why there is no flow to jump along."""
    if any(isinstance(method, ProbabilityFlow) for method in methods_of(model).values()):
        return None
    return "none of its methods solves an equation ('flow-matching', 'diffusion')"
