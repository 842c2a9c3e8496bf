"""Export a generative model as one ONNX graph: physical units in and out, noise and condition as named inputs."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.onnx import OnnxExporterError

from facsim.core.errors import FacsimError, MissingExtraError
from facsim.core.store import atomic_path
from facsim.models.base import EventModel, draw_noise

OUTPUT = "events"
TYPICAL = {"MeV": 1e4, "GeV": 10.0}


class SamplerGraph(nn.Module):
    """The sampler with noise as positional inputs, in the order of `noise_spec`."""

    def __init__(self, model: EventModel) -> None:
        super().__init__()
        self.model = model
        self.names = list(model.noise_spec(1))

    def forward(self, condition: Tensor, *noise: Tensor) -> Tensor:
        return self.model.sample(condition, dict(zip(self.names, noise, strict=True)))


def example_inputs(model: EventModel, n: int) -> tuple[Tensor, ...]:
    """Conditions and noise for `n` events: 10 GeV for energies and 1 for others, noise from a fixed seed."""
    typical = [TYPICAL.get(feature.unit, 1.0) for feature in model.schema.conditions]
    condition = torch.tensor(typical).expand(n, -1)
    noise = draw_noise(model.noise_spec(n), torch.Generator().manual_seed(0))
    return condition, *noise.values()


def export_onnx(model: EventModel, path: Path, opset: int = 17) -> list[str]:
    """Write `model` to `path`, atomically, and return the names of the graph's inputs.

    Inputs: `condition` (batch, K), columns and units as in the schema, and the arrays of `noise_spec`, float32.
    Output: `events` (batch, *event_shape), MeV for showers. The batch axis is dynamic.

    Raises:
        MissingExtraError: onnx or onnxscript is not installed.
        FacsimError: the sampler uses what ONNX cannot say.
    """
    try:
        import_module("onnxscript")
    except ImportError:
        raise MissingExtraError("onnx", "onnxscript") from None
    graph = SamplerGraph(model.cpu()).eval()  # torch's exporter puts all back into the mode of the outermost module
    names = ["condition", *graph.names]
    with atomic_path(path) as temporary, _quiet(), torch.no_grad():
        try:
            _trace(graph, names, temporary, opset)
        except (TypeError, OnnxExporterError) as first:  # a torch without this exporter raises the former
            try:
                _dynamo(graph, names, temporary, opset)
            except Exception as second:
                why = " ".join(str(first if isinstance(first, OnnxExporterError) else second).split())[:300]
                raise FacsimError(
                    f"the sampler of {type(model).__name__} cannot be written as an ONNX graph ({why}): use other "
                    "torch functions in it, or switch the export off with --set export=null."
                ) from second
    return names


def _trace(graph: SamplerGraph, names: list[str], path: Path, opset: int) -> None:
    """The TorchScript exporter: the same graph as the newer one after ONNX Runtime's optimiser, twenty times sooner."""
    axes = {name: {0: "batch"} for name in [*names, OUTPUT]}
    torch.onnx.export(
        graph,
        example_inputs(graph.model, 3),
        str(path),
        input_names=names,
        output_names=[OUTPUT],
        dynamic_axes=axes,
        opset_version=opset,
        dynamo=False,
    )


def _dynamo(graph: SamplerGraph, names: list[str], path: Path, opset: int) -> None:
    batch = torch.export.Dim("batch", min=1, max=65536)
    shapes = {"condition": {0: batch}, "noise": tuple({0: batch} for _ in graph.names)}
    program = torch.onnx.export(
        graph,
        example_inputs(graph.model, 3),
        input_names=names,
        output_names=[OUTPUT],
        dynamic_shapes=shapes,
        opset_version=max(opset, 18),
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    program.save(str(path), external_data=False)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's progress lines and deprecation notices off the terminal."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
