"""timing: the latency of one event, by torch, the exported graph and its variants, and C, on one thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from facsim.core.events import Events
from facsim.core.store import read_json, write_json
from facsim.evaluate.latency import Call, latency_of, measure_latency
from facsim.evaluate.timing import hardware
from facsim.export.c_check_predictor import LIBRARY, compile_predictor
from facsim.export.c_predictor import predictor_facts
from facsim.export.card import sha256
from facsim.export.check import graph_inputs, open_session
from facsim.export.onnx import PredictorGraph
from facsim.models import Predictor
from facsim.models.checkpoint import count_parameters, load_predictor
from facsim.pipeline.truth import open_splits
from facsim.run import Run

FORMAT = "facsim-latency-1"
EVENTS = 200
LEVELS = np.concatenate([np.linspace(0.0, 0.9, 19), 1 - np.geomspace(0.09, 1e-4, 25)])
MOST_CALLS, FEWEST_CALLS = 5000, 200


def timing(run: Run) -> None:
    """Write `scores/timing.json`: the distribution of the time of calls with one event, of engines in turns."""
    source = open_splits(run)["null"]
    events = source.read(0, min(EVENTS, len(source)))
    found: dict[str, dict[str, Any]] = {}
    with run.reporter.progress("timing") as advance:
        if run.config.model is not None:
            advance(0.0, "one event at a time")
            found = _measured(run, events)
        advance(1.0, "")
    write_json(run.timing, {"format": FORMAT, "hardware": hardware(), "rows": [], "latency": found})
    for name, row in found.items():
        run.reporter.say(f"  {name}: median {row['median_ms']:.3g} ms, 99.9 % {row['p999_ms']:.3g} ms")


def _measured(run: Run, events: Events) -> dict[str, dict[str, Any]]:
    """Latencies by engine, on one thread."""
    model = load_predictor(run.model())
    names = PredictorGraph(model).names
    each = [graph_inputs(names, events[k : k + 1]) for k in range(len(events))]
    calls: dict[str, Call] = {"torch": _by_torch(model, events)}
    facts: dict[str, dict[str, Any]] = {"torch": {"parameters": count_parameters(model)}}
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        try:
            if run.config.export is not None:
                variants = {f"onnxruntime {name}": path for name, path in run.variants.items()}
                for name, path in {"onnxruntime": run.onnx, **variants}.items():
                    calls[name] = _by_graph(path, each)
                    facts[name] = {"bytes": path.stat().st_size}
                if run.config.export.c:
                    calls["C"], facts["C"] = _by_c(run, each, Path(folder))
            spent = sum(float(times[:, 0].sum()) for times in measure_latency(calls, 20).values()) / 20
            n = int(np.clip(1e4 * run.config.timing.seconds / spent, FEWEST_CALLS, MOST_CALLS))
            return {name: {**_row(times), **facts[name]} for name, times in measure_latency(calls, n).items()}
        finally:
            torch.set_num_threads(before)


def _by_torch(model: Predictor, events: Events) -> Call:
    x, cond = (torch.from_numpy(np.asarray(a, dtype=np.float32)) for a in (events.x, events.cond))
    mask = None if events.mask is None else torch.from_numpy(events.mask)

    def call(k: int) -> Any:
        one = slice(k % len(x), k % len(x) + 1)
        with torch.inference_mode():
            return model.predict(x[one], cond[one], None if mask is None else mask[one])

    return call


def _by_graph(path: Path, each: Sequence[Mapping[str, NDArray[Any]]]) -> Call:
    session = open_session(path)
    return lambda k: session.run(None, each[k % len(each)])


def _by_c(run: Run, each: Sequence[Mapping[str, NDArray[Any]]], folder: Path) -> tuple[Call, dict[str, Any]]:
    """The exported C, compiled anew, called as a host does: with arrays that lie ready."""
    source = run.c_files[0]
    facts = predictor_facts(read_json(run.card), source.stem, sha256(run.card))
    compiled = compile_predictor(source, facts, folder)[0]
    ready = [compiled.prepared(given) for given in each]
    return lambda k: ready[k % len(ready)](), {"bytes": (folder / LIBRARY).stat().st_size}


def _row(times: NDArray[np.float64]) -> dict[str, Any]:
    found = latency_of(times)
    known = LEVELS[(1 - LEVELS) * len(times) >= 1]
    return {
        "median_ms": found.median,
        "p99_ms": found.p99,
        "p999_ms": found.p999,
        "calls": found.calls,
        "levels": known.tolist(),
        "quantiles_ms": np.quantile(times[:, 0], known).tolist(),
    }
