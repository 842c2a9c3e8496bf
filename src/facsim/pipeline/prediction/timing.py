"""timing: the latency of one event, by the exported graph and by torch, on one thread."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from facsim.core.store import write_json
from facsim.evaluate.latency import Call, latency_of, measure_latency
from facsim.evaluate.timing import hardware
from facsim.export.check import open_session
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
    x = np.asarray(source.read(0, min(EVENTS, len(source))).x, dtype=np.float32)
    events = [x[k : k + 1] for k in range(len(x))]
    found: dict[str, dict[str, Any]] = {}
    with run.reporter.progress("timing") as advance:
        if run.config.model is not None:
            advance(0.0, "one event at a time")
            found = _measured(run, events)
        advance(1.0, "")
    write_json(run.timing, {"format": FORMAT, "hardware": hardware(), "rows": [], "latency": found})
    for name, row in found.items():
        run.reporter.say(f"  {name}: median {row['median_ms']:.3g} ms, 99.9 % {row['p999_ms']:.3g} ms")


def _measured(run: Run, events: list[NDArray[np.float32]]) -> dict[str, dict[str, Any]]:
    """Latencies by engine, on one thread."""
    model = load_predictor(run.model())
    cond = torch.zeros(1, len(model.schema.conditions))
    calls: dict[str, Call] = {}
    facts: dict[str, dict[str, Any]] = {"torch": {"parameters": count_parameters(model)}}

    def by_torch(k: int) -> Any:
        with torch.inference_mode():
            return model.predict(torch.from_numpy(events[k % len(events)]), cond)

    calls["torch"] = by_torch
    if run.config.export is not None:
        session = open_session(run.onnx)
        name, *others = (node.name for node in session.get_inputs())
        fixed = dict.fromkeys(others, cond.numpy())
        calls["onnxruntime"] = lambda k: session.run(None, {name: events[k % len(events)], **fixed})
        facts["onnxruntime"] = {"bytes": run.onnx.stat().st_size}
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        spent = sum(float(each[:, 0].sum()) for each in measure_latency(calls, 20).values()) / 20
        n = int(np.clip(1e4 * run.config.timing.seconds / spent, FEWEST_CALLS, MOST_CALLS))
        return {each: {**_row(times), **facts[each]} for each, times in measure_latency(calls, n).items()}
    finally:
        torch.set_num_threads(before)


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
