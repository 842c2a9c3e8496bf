"""Compare an exported graph with the model it came from, at several batch sizes, on the same noise or events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from facsim.core.errors import FacsimError, MissingExtraError
from facsim.core.events import Events
from facsim.core.rng import generator
from facsim.export.guard import check_graph
from facsim.export.onnx import SCORES, PredictorGraph
from facsim.models.base import EventModel
from facsim.models.predictor import Predictor
from facsim.models.sampling import draw_noise


def open_session(path: Path, threads: int = 1, card: Mapping[str, Any] | None = None) -> Any:
    """ONNX Runtime session on the CPU with `threads` threads; the file is looked through before (`export.guard`).

    Raises:
        MissingExtraError: onnx or onnxruntime is not installed.
        FacsimError: the file is refused, or not the one of the `card` that is given.
    """
    check_graph(path, card)
    try:
        onnxruntime = import_module("onnxruntime")
    except ImportError:
        raise MissingExtraError("onnx", "onnxruntime") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.load_model_format", "ONNX")  # what was looked through
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # a class of its own for each kind of failure
        words = " ".join(str(error).split())[:200]
        raise FacsimError(f"ONNX Runtime {onnxruntime.__version__} cannot open '{path}' ({words}).") from error


def check_export(
    model: EventModel, path: Path, cond: NDArray[Any], seed: int, batches: Sequence[int] = (1, 7, 64)
) -> dict[str, Any]:
    """Run `path` and `model` on the same conditions (N, K) and noise; return what the check file holds.

    For showers the graphs are compared cell by cell. A hit whose rank ties with the next one to the last float32 digit
    may go to either cell, so the comparison is of the fraction of cells that agree within 1e-3 of the layer scale
    (must be at least 0.999) and of total energies (must agree to 1e-4).

    Raises:
        FacsimError: the two disagree.
    """
    session = open_session(path)
    rows = []
    for batch in batches:
        conditions = np.resize(cond, (batch, cond.shape[1])).astype(np.float32)
        noise = draw_noise(model, batch, generator(seed, "export-check", batch))
        exported = session.run(None, {"condition": conditions, **noise})[0]
        with torch.inference_mode():
            tensors = {name: torch.from_numpy(array) for name, array in noise.items()}
            expected = model.sample(torch.from_numpy(conditions), tensors).numpy()
        rows.append({"batch": batch, **_compare(exported, expected)})
    agree = min(row["fraction_of_cells_equal"] for row in rows)
    total = max(row["max_relative_difference_of_totals"] for row in rows)
    result = {"format": "facsim-check-1", "passed": agree >= 0.999 and total <= 1e-4, "batches": rows, "seed": seed}
    if not result["passed"]:
        raise _disagrees(path, f"{100 * agree:.3f} % of cells equal, totals differ by up to {total:.2g}")
    return result


def graph_inputs(names: Sequence[str], events: Events) -> dict[str, NDArray[Any]]:
    """What a predictor's graph with inputs called `names` is given of `events`."""
    arrays = {"events": events.x.astype(np.float32), "mask": events.mask, "condition": events.cond.astype(np.float32)}
    return {name: np.asarray(arrays[name]) for name in names}


def check_predictor(
    model: Predictor, path: Path, events: Events, batches: Sequence[int] = (1, 7, 64)
) -> dict[str, Any]:
    """Run `path` and `model` on the same `events`, over and over where there are few; return what the check file holds.

    Scores must agree within 1e-3 of their own size plus the mean size of their column.

    Raises:
        FacsimError: the two disagree.
    """
    session = open_session(path)
    arrays = {**graph_inputs(PredictorGraph(model).names, events), "condition": events.cond.astype(np.float32)}
    rows = []
    for batch in batches:
        index = np.arange(batch) % len(events)
        given = {name: array[index] for name, array in arrays.items()}
        exported = session.run([SCORES], {name: given[name] for name in PredictorGraph(model).names})[0]
        with torch.inference_mode():
            tensors = {name: torch.from_numpy(array) for name, array in given.items()}
            expected = model.predict(tensors["events"], tensors["condition"], tensors.get("mask")).numpy()
        if exported.shape != expected.shape:
            raise _disagrees(path, f"its scores are {exported.shape}, not {expected.shape}")
        size = np.abs(expected) + np.abs(expected).mean(0) + 1e-12
        difference = float((np.abs(exported.astype(np.float64) - expected) / size).max())
        rows.append({"batch": batch, "max_relative_difference": difference})
    worst = max(row["max_relative_difference"] for row in rows)
    if not worst <= 1e-3:
        raise _disagrees(path, f"scores differ by up to {worst:.2g} of their size")
    return {"format": "facsim-check-1", "passed": True, "batches": rows}


def _disagrees(path: Path, how: str) -> FacsimError:
    return FacsimError(
        f"the exported graph '{path}' disagrees with the model: {how}; please report this with the versions shown by "
        "'facsim info'."
    )


def _compare(exported: NDArray[np.float32], expected: NDArray[np.float32]) -> dict[str, float]:
    if exported.shape != expected.shape:
        raise FacsimError(f"the exported graph gives shape {exported.shape} instead of {expected.shape}.")
    difference = np.abs(exported.astype(np.float64) - expected)
    scale = np.abs(expected).max(axis=tuple(range(1, expected.ndim)), keepdims=True) + 1e-12
    sums = [a.reshape(len(a), -1).sum(1, dtype=np.float64) for a in (exported, expected)]
    size = np.abs(expected).reshape(len(expected), -1).sum(1, dtype=np.float64) + 1e-12
    return {
        "fraction_of_cells_equal": float(np.mean(difference <= 1e-3 * scale)),
        "max_relative_difference_of_cells": float((difference / scale).max()),
        "max_relative_difference_of_totals": float((np.abs(sums[0] - sums[1]) / size).max()),
    }
