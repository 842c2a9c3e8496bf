"""Latency of single calls, as a trigger feels it: the whole distribution, of candidates that are called in turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError

Call = Callable[[int], Any]
"""Does the work for the event of that number."""


@dataclass(frozen=True)
class Latency:
    """Wall time of calls, ms.

    Attributes:
        median, p99, p999: quantiles; the last is the largest but one of a thousand `calls`, so make more of them.
        cpu: median processor time of this process, which a busy machine does not lengthen by waiting.
        calls: how many.
    """

    median: float
    p99: float
    p999: float
    cpu: float
    calls: int


def measure_latency(calls: Mapping[str, Call], n: int, *, warm_up: int = 20) -> dict[str, NDArray[np.float64]]:
    """Call each of `calls` `n` times after `warm_up` ones, in turns: wall and processor time, ms, (n, 2) by name.

    In turns a busy machine touches all alike, and none finds its data in the cache from the call before.

    Raises:
        FacsimError: `n` is less than 1.
    """
    if n < 1:
        raise FacsimError(f"latency is measured of at least 1 call, not {n}.")
    times = {name: np.empty((n, 2)) for name in calls}
    for index in range(-warm_up, n):
        for name, call in calls.items():
            wall, cpu = time.perf_counter(), time.process_time()
            call(index % n)
            if index >= 0:
                times[name][index] = time.perf_counter() - wall, time.process_time() - cpu
    return {name: 1e3 * each for name, each in times.items()}


def latency_of(times: NDArray[np.float64]) -> Latency:
    """The numbers that say most of the times (n, 2) of one candidate."""
    median, p99, p999 = (float(value) for value in np.quantile(times[:, 0], (0.5, 0.99, 0.999)))
    return Latency(median, p99, p999, float(np.median(times[:, 1])), len(times))
