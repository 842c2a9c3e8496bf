"""fp16 and bf16: layers in half precision."""

from __future__ import annotations

import torch
from torch import nn

from facsim.export.half import half_weights
from facsim.models.base import EventModel
from facsim.models.checkpoint import HALF_ABOVE, save_model
from facsim.models.compressed import in_bfloat16, stored_in_half
from facsim.pipeline.compression.job import Job, Options


class HalfOptions(Options):
    """Options of half precision: none."""


def fp16(job: Job, options: HalfOptions) -> None:
    """Layers and other large arrays are kept as float16, in model and graph, and all computes in single precision."""
    model = job.start()
    layers = tuple(f"{name}." for name in job.layers(model))
    names = [
        name
        for name, array in model.state_dict().items()
        if array.dtype == torch.float32 and (array.numel() > HALF_ABOVE or name.startswith(layers))
    ]
    stored_in_half(model, names)
    job.keep(model)
    if job.place.onnx.is_file():
        arrays = model.state_dict()
        half_weights(job.place.onnx, job.place.onnx, [arrays[name].numpy() for name in names])
    job.facts["arrays"] = len(names)


def bf16(job: Job, options: HalfOptions) -> None:
    """Dense layers hold weights in bfloat16 and multiply in it; what lies between them is in single precision."""
    model = job.start()
    names = [name for name, layer in job.layers(model).items() if isinstance(layer, nn.Linear)]
    in_bfloat16(model, names)
    save_model(model, job.run.config.surrogate.name, job.place.model(), lean=True)
    job.facts.update({"layers": len(names), "graph": "none: ONNX Runtime multiplies no bfloat16 on processors"})


def without_layers(model: EventModel) -> str | None:
    """Why layers of `model` cannot be in half precision."""
    dense = any(isinstance(module, nn.Linear) for module in model.modules())
    return None if dense else "it has no dense layers"
