"""Export a model as one ONNX graph: physical units in and out.

Generative models have noise and condition as named inputs, predictors the events.
"""

from __future__ import annotations

import contextlib
import io
import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.onnx import OnnxExporterError

from facsim.core.errors import FacsimError, MissingExtraError
from facsim.core.schema import Schema
from facsim.core.store import atomic_path
from facsim.models.base import EventModel, draw_noise
from facsim.models.predictor import Predictor

OUTPUT = "events"
SCORES = "scores"
TYPICAL = {"MeV": 1e4, "GeV": 10.0}


class SamplerGraph(nn.Module):
    """The sampler with conditions and noise as positional inputs, in the order of `noise_spec`."""

    def __init__(self, model: EventModel) -> None:
        super().__init__()
        self.model = model
        self.names = list(model.noise_spec(1))

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.model.sample(inputs[0], dict(zip(self.names, inputs[1:], strict=True)))


class PredictorGraph(nn.Module):
    """A predictor with positional inputs, in the order of `names`."""

    def __init__(self, model: Predictor) -> None:
        super().__init__()
        self.model = model
        cloud = model.schema.representation == "cloud"
        self.names = ["events", *(["mask"] if cloud else []), *(["condition"] if model.conditional else [])]

    def forward(self, *inputs: Tensor) -> Tensor:
        given = dict(zip(self.names, inputs, strict=True))
        x = given["events"]
        cond = given.get("condition", x.new_zeros(x.shape[0], len(self.model.schema.conditions)))
        return self.model.predict(x, cond, given.get("mask"))


def example_inputs(model: EventModel, n: int) -> tuple[Tensor, ...]:
    """Conditions and noise for `n` events: 10 GeV for energies and 1 for others, noise from a fixed seed."""
    noise = draw_noise(model.noise_spec(n), torch.Generator().manual_seed(0))
    return _typical(model.schema, n), *noise.values()


def example_events(model: Predictor, n: int) -> tuple[Tensor, ...]:
    """Events (every other number of which is 1, the rest 0), a mask and conditions, as far as the graph takes them."""
    schema = model.schema
    if schema.geometry is not None:
        shape: tuple[int, ...] = (schema.geometry.n_cells, len(schema.features))
    else:
        cloud = schema.representation == "cloud"
        shape = (schema.points or 1, len(schema.features)) if cloud else (len(schema.features),)
    x = (torch.arange(n * math.prod(shape)) % 2).float().reshape(n, *shape)
    mask = torch.ones(n, shape[0], dtype=torch.bool)
    given = {"events": x, "mask": mask, "condition": _typical(schema, n)}
    return tuple(given[name] for name in PredictorGraph(model).names)


def _typical(schema: Schema, n: int) -> Tensor:
    return torch.tensor([TYPICAL.get(feature.unit, 1.0) for feature in schema.conditions]).expand(n, -1)


def export_onnx(model: EventModel, path: Path, opset: int = 17) -> list[str]:
    """Write `model` to `path`, atomically, and return the names of the graph's inputs.

    Inputs: `condition` (batch, K), columns and units as in the schema, and the arrays of `noise_spec`, float32.
    Output: `events` (batch, *event_shape), MeV for showers. The batch axis is dynamic.

    Raises:
        MissingExtraError: onnx or onnxscript is not installed.
        FacsimError: the sampler uses what ONNX cannot say.
    """
    graph = SamplerGraph(model.cpu())
    names = ["condition", *graph.names]
    _write(graph, f"sampler of {type(model).__name__}", names, example_inputs(model, 3), OUTPUT, path, opset)
    return names


def export_predictor(model: Predictor, path: Path, opset: int = 17) -> list[str]:
    """Write `model` to `path`, atomically, and return the names of the graph's inputs.

    Inputs: `events` in the shape and units of `Events.x`, float32; of clouds `mask` (batch, P), bool; `condition`
    (batch, K) where the model reads conditions. Output: `scores` (batch, D), the columns `outputs`. The batch axis is
    dynamic.

    Raises:
        MissingExtraError: onnx or onnxscript is not installed.
        FacsimError: the predictor uses what ONNX cannot say.
    """
    graph = PredictorGraph(model.cpu())
    _write(graph, f"predictor {type(model).__name__}", graph.names, example_events(model, 3), SCORES, path, opset)
    return graph.names


def _write(
    graph: nn.Module,
    what: str,
    names: Sequence[str],
    inputs: tuple[Tensor, ...],
    output: str,
    path: Path,
    opset: int,
) -> None:
    """Write `graph`, called `what` in messages, with the inputs' `names` and the `output`'s, first axes dynamic."""
    try:
        import_module("onnxscript")
    except ImportError:
        raise MissingExtraError("onnx", "onnxscript") from None
    graph.eval()  # torch's exporter puts all back into the mode of the outermost module
    with atomic_path(path) as temporary, _quiet(), torch.no_grad():
        try:
            _trace(graph, names, inputs, output, temporary, opset)
        except (TypeError, OnnxExporterError) as first:  # a torch without this exporter raises the former
            try:
                _dynamo(graph, names, inputs, output, temporary, opset)
            except Exception as second:
                why = " ".join(str(first if isinstance(first, OnnxExporterError) else second).split())[:300]
                raise FacsimError(
                    f"the {what} cannot be written as an ONNX graph ({why}): use other torch functions in it, or "
                    "switch the export off with --set export=null."
                ) from second


def _trace(
    graph: nn.Module, names: Sequence[str], inputs: tuple[Tensor, ...], output: str, path: Path, opset: int
) -> None:
    """The TorchScript exporter: the same graph as the newer one after ONNX Runtime's optimiser, twenty times sooner."""
    torch.onnx.export(
        graph,
        inputs,
        str(path),
        input_names=list(names),
        output_names=[output],
        dynamic_axes={name: {0: "batch"} for name in [*names, output]},
        opset_version=opset,
        dynamo=False,
    )


def _dynamo(
    graph: nn.Module, names: Sequence[str], inputs: tuple[Tensor, ...], output: str, path: Path, opset: int
) -> None:
    batch = torch.export.Dim("batch", min=1, max=65536)
    program = torch.onnx.export(
        graph,
        inputs,
        input_names=list(names),
        output_names=[output],
        dynamic_shapes={"inputs": tuple({0: batch} for _ in names)},
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
