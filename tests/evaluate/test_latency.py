"""Latency of calls: quantiles of the calls made, in turns."""

from __future__ import annotations

import time

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.evaluate.latency import latency_of, measure_latency


def test_calls_are_made_in_turns_and_timed_alone() -> None:
    made: list[str] = []

    def short(index: int) -> None:
        made.append(f"short {index}")

    def long(index: int) -> None:
        made.append(f"long {index}")
        time.sleep(0.02)

    times = measure_latency({"short": short, "long": long}, 3, warm_up=1)
    assert made == [f"{name} {index}" for index in (2, 0, 1, 2) for name in ("short", "long")]
    assert times["long"].shape == (3, 2)
    assert times["long"][:, 0].min() >= 20
    assert times["short"][:, 0].min() < 20
    assert times["long"][:, 1].max() < 20  # waiting takes no processor time


def test_quantiles_of_known_times() -> None:
    times = np.stack([np.arange(1.0, 1001.0), np.full(1000, 2.0)], 1)
    found = latency_of(times)
    assert (found.median, found.cpu, found.calls) == (500.5, 2.0, 1000)
    assert found.p99 == pytest.approx(990, abs=0.5)
    assert found.p999 == pytest.approx(999, abs=0.5)


def test_no_calls_are_refused() -> None:
    with pytest.raises(FacsimError, match="at least 1 call, not 0"):
        measure_latency({}, 0)
