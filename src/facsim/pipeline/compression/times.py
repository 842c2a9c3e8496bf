"""Times of the original and of all compressed models, called in turns in one process on one thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from facsim.core.rng import generator
from facsim.evaluate.latency import Call, measure_latency
from facsim.evaluate.timing import TimedSampler
from facsim.evaluate.timing_worker import make_sample

Json = dict[str, Any]
BATCHES = (1, 100)
SECONDS, SMOKE_SECONDS = 20.0, 0.3
"""For each batch size, of all models together."""
FEWEST, MOST = 7, 1000
SETS = 20
"""Sets of conditions that calls go round."""


@dataclass(frozen=True)
class Timed:
    """What is timed: a folder of weights, a graph, or both; distributions of the graph's noise by name."""

    model: Path | None
    graph: Path | None
    noise: Mapping[str, str]

    def samplers(self) -> dict[str, TimedSampler]:
        """By engine."""
        found = {}
        if self.graph is not None:
            found["onnxruntime"] = TimedSampler("model", "onnxruntime", self.graph, noise=self.noise)
        if self.model is not None:
            found["torch"] = TimedSampler("model", "torch", self.model)
        return found


def times_of(models: Mapping[str, Timed], original: str, cond: NDArray[Any], seed: int, smoke: bool) -> Json:
    """By name and batch size: ms an event of each engine, and of the quicker one how many times the original's takes.

    A call is conditions in, noise drawn, events out. Times are those of the processor, which waiting does not lengthen,
    and medians; `low` and `high` hold 68 % of the calls, and so do those of the ratio, which is taken turn by turn:
    what else the machine does touches both alike.

    Args:
        models: with `original` among them. cond: conditions (N, K) of truth events, from which calls draw.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        samples = {
            (name, engine): make_sample(sampler, 1)
            for name, timed in models.items()
            for engine, sampler in timed.samplers().items()
        }
        found: dict[str, Json] = {name: {} for name in models}
        for batch in BATCHES:
            rng = generator(seed, "compress", "timing", batch)
            asked = [np.asarray(cond[rng.integers(0, len(cond), batch)], np.float64) for _ in range(SETS)]
            calls = {f"{name}\n{engine}": _call(sample, asked, rng) for (name, engine), sample in samples.items()}
            times = _in_turns(calls, SMOKE_SECONDS if smoke else SECONDS)
            each: dict[str, dict[str, NDArray[np.float64]]] = {name: {} for name in models}
            for key, one in times.items():
                name, _, engine = key.partition("\n")
                each[name][engine] = one[:, 1] / batch
            rows = _rows(each, original)
            for name, row in rows.items():
                found[name][str(batch)] = row
        return found
    finally:
        torch.set_num_threads(before)


def _call(sample: Any, asked: Sequence[NDArray[Any]], rng: np.random.Generator) -> Call:
    return lambda k: sample(asked[k % len(asked)], rng)


def _in_turns(calls: Mapping[str, Call], seconds: float) -> dict[str, NDArray[np.float64]]:
    first = measure_latency(calls, 2, warm_up=2)
    spent = sum(float(times[:, 0].mean()) for times in first.values()) / 1e3
    return measure_latency(calls, int(np.clip(seconds / spent, FEWEST, MOST)), warm_up=2)


def _rows(each: Mapping[str, Mapping[str, NDArray[np.float64]]], original: str) -> dict[str, Json]:
    quickest = {name: min(times, key=lambda engine: float(np.median(times[engine]))) for name, times in each.items()}
    base = each[original][quickest[original]]
    found = {}
    for name, times in each.items():
        best = times[quickest[name]]
        ms, ratio = _range(best), _range(base / best)
        found[name] = {
            "engine": quickest[name],
            "ms": ms[0],
            "low": ms[1],
            "high": ms[2],
            "calls": len(best),
            "engines_ms": {engine: float(np.median(one)) for engine, one in times.items()},
            "ratio": ratio[0],
            "ratio_low": ratio[1],
            "ratio_high": ratio[2],
        }
    return found


def _range(values: NDArray[np.float64]) -> tuple[float, float, float]:
    low, middle, high = np.quantile(values, (0.16, 0.5, 0.84))
    return float(middle), float(low), float(high)
