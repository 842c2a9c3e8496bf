"""sparse and narrow: the smallest weights held at zero, or hidden units taken out, and tuned."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import nn

from facsim.models.base import EventModel
from facsim.models.checkpoint import count_parameters
from facsim.models.hidden_units import hidden_layers
from facsim.models.pruning import kept_weights, left_of, take_out_units
from facsim.pipeline.compression.job import Job, TunedOptions

SEEN = 512
"""Training conditions at which hidden units are watched."""


class SparseOptions(TunedOptions):
    """Options of `sparse`."""

    share: float = Field(0.8, ge=0, lt=1, description="of the weights of each layer that are zero")
    together: bool = Field(False, description="the share is of the weights of all layers together")


class NarrowOptions(TunedOptions):
    """Options of `narrow`."""

    share: float = Field(0.5, ge=0, lt=1, description="of the units of each hidden layer that are taken out")


def sparse(job: Job, options: SparseOptions) -> None:
    """The smallest weights of the layers become zero and stay so while the others are tuned."""
    model = job.start()
    kept = kept_weights(job.layers(model), options.share, together=options.together)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name in kept:
                parameter.mul_(kept[name])
    model = job.trained(model, job.steps_of(model, options.tune), options.rate, kept)
    weights, zeros = sum(mask.numel() for mask in kept.values()), sum(int((~mask).sum()) for mask in kept.values())
    job.facts.update({"weights": weights, "zeros": zeros, "left": left_of(model)})
    job.keep(model)


def narrow(job: Job, options: NarrowOptions) -> None:
    """Hidden units that matter least are taken out of their layers, which become smaller, and the rest is tuned."""
    model = job.start()
    before = count_parameters(model)
    changed = take_out_units(model, options.share, torch.from_numpy(job.conditions(SEEN, "units")))
    model = job.trained(model, job.steps_of(model, options.tune), options.rate)
    job.facts.update({"layers": len(changed), "numbers": [before, count_parameters(model)]})
    job.keep(model)


def without_units(model: EventModel) -> str | None:
    """Why no hidden units of `model` can be taken out."""
    if hidden_layers(model):
        return None
    return "it has no dense hidden layers that dense layers alone read, such as those of the networks 'mlp' and " + (
        "'residual-mlp'"
    )


def without_layers(model: EventModel) -> str | None:
    """Why there is nothing to set to zero."""
    return None if any(isinstance(module, nn.Linear) for module in model.modules()) else "it has no dense layers"
