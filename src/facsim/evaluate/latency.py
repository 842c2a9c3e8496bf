"""How long one event takes: the distribution of a call's time, as a trigger sees it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVELS = np.concatenate([np.linspace(0.0, 0.9, 19), 1 - np.geomspace(0.09, 1e-4, 25)])
WARM_UP = 20


def latency(
    call: Callable[[NDArray[np.float32]], Any],
    events: Sequence[NDArray[np.float32]],
    *,
    calls: int = 1000,
    seconds: float = 30.0,
) -> dict[str, Any]:
    """Quantiles of the time of one call, ms: `median_ms`, `p99_ms`, `p999_ms`, and a curve.

    A quantile beyond what the number of calls can tell (fewer than one call in ten is above it) is the largest time.

    Args:
        call: what is timed, of one event.
        events: its arguments, taken in turn.
        calls: how many, at most, and `seconds` after which no further ones are made (20 at least).
    """
    for k in range(WARM_UP):
        call(events[k % len(events)])
    times: list[float] = []
    begin = time.perf_counter()
    while len(times) < calls and (time.perf_counter() - begin < seconds or len(times) < WARM_UP):
        event = events[len(times) % len(events)]
        started = time.perf_counter()
        call(event)
        times.append(time.perf_counter() - started)
    found = 1e3 * np.array(times)
    known = LEVELS[(1 - LEVELS) * len(found) >= 1]
    median, p99, p999 = np.quantile(found, [0.5, 0.99, 0.999])
    return {
        "median_ms": float(median),
        "p99_ms": float(p99),
        "p999_ms": float(p999),
        "calls": len(found),
        "levels": known.tolist(),
        "quantiles_ms": np.quantile(found, known).tolist(),
    }
