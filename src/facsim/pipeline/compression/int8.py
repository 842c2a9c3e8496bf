"""int8-dynamic and int8-static: graphs whose layers multiply 8-bit whole numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from facsim.core.rng import generator
from facsim.export.int8 import quantise_sampler
from facsim.models.base import EventModel
from facsim.models.sampling import draw_noise
from facsim.pipeline.compression.job import Job, Options

AT_ONCE = 64


class Int8Options(Options):
    """Options of 8-bit graphs: one scale for each output of a layer, and 7 bits for processors without VNNI."""

    per_channel: bool = Field(True, description="a scale for each output of a layer in place of one")
    reduce_range: bool = Field(False, description="weights of 7 bits, for processors without VNNI")


class StaticOptions(Int8Options):
    """The same with fixed ranges of what layers read."""

    events: int = Field(512, ge=1, description="training conditions, with noise, from which ranges are taken")


def int8_dynamic(job: Job, options: Int8Options) -> None:
    """Weights of layers have 8 bits; what a layer reads gets 8 bits with a range that is found in each call."""
    _quantised(job, options, None)


def int8_static(job: Job, options: StaticOptions) -> None:
    """Weights of layers have 8 bits; what a layer reads gets 8 bits with a range fixed on samples."""
    model = job.start()
    _quantised(job, options, _examples(job, model, options.events))


def _quantised(job: Job, options: Int8Options, examples: Iterator[Mapping[str, NDArray[Any]]] | None) -> None:
    model = job.start()
    weights = [layer.weight.detach().numpy() for layer in job.layers(model).values()]  # type: ignore[operator]
    plain = job.plain_graph(model)
    how = options.model_dump(include={"per_channel", "reduce_range"})
    try:
        job.facts["products"] = quantise_sampler(plain, job.place.onnx, weights, examples, **how)
    finally:
        plain.unlink(missing_ok=True)


def _examples(job: Job, model: EventModel, n: int) -> Iterator[Mapping[str, NDArray[Any]]]:
    cond, rng = job.conditions(n, "calibration"), generator(job.seed, "compress", "calibration", "noise")
    for first in range(0, len(cond), AT_ONCE):
        part = cond[first : first + AT_ONCE]
        yield {"condition": np.asarray(part), **draw_noise(model, len(part), rng)}


def without_graph(model: EventModel) -> str | None:
    """Why there is no graph of `model`."""
    methods = [module for module in model.modules() if hasattr(module, "exports")]
    return None if all(method.exports for method in methods) else "its sampler is too long for a graph"
