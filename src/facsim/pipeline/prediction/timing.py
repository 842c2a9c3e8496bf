"""timing: the latency of one event, by the exported graph and by torch, on one thread."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from facsim.core.store import write_json
from facsim.evaluate.latency import latency
from facsim.evaluate.timing import hardware
from facsim.export.check import open_session
from facsim.models.checkpoint import count_parameters, load_predictor
from facsim.pipeline.truth import open_splits
from facsim.run import Run

FORMAT = "facsim-latency-1"
EVENTS = 200


def timing(run: Run) -> None:
    """Write `scores/timing.json`: the distribution of the time of calls with one event."""
    source = open_splits(run)["null"]
    x = np.asarray(source.read(0, min(EVENTS, len(source))).x, dtype=np.float32)
    events = [x[k : k + 1] for k in range(len(x))]
    seconds = 10 * run.config.timing.seconds
    found: dict[str, dict[str, Any]] = {}
    with run.reporter.progress("timing") as advance:
        if run.config.model is not None:
            advance(0.0, "torch")
            found["torch"] = _torch(run, events, seconds)
            if run.config.export is not None:
                advance(0.5, "ONNX Runtime")
                session = open_session(run.onnx)
                name = session.get_inputs()[0].name
                found["onnxruntime"] = latency(lambda one: session.run(None, {name: one}), events, seconds=seconds)
                found["onnxruntime"]["bytes"] = run.onnx.stat().st_size
        advance(1.0, "")
    write_json(run.timing, {"format": FORMAT, "hardware": hardware(), "rows": [], "latency": found})
    for name, row in found.items():
        run.reporter.say(f"  {name}: median {row['median_ms']:.3g} ms, 99.9 % {row['p999_ms']:.3g} ms")


def _torch(run: Run, events: list[NDArray[np.float32]], seconds: float) -> dict[str, Any]:
    model = load_predictor(run.model())
    cond = torch.zeros(1, len(model.schema.conditions))
    before = torch.get_num_threads()
    torch.set_num_threads(1)

    def call(one: NDArray[np.float32]) -> Any:
        with torch.inference_mode():
            return model.predict(torch.from_numpy(one), cond)

    try:
        return {**latency(call, events, seconds=seconds), "parameters": count_parameters(model)}
    finally:
        torch.set_num_threads(before)
