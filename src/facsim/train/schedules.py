"""Learning-rate schedules: the factor on the peak rate at a fraction of a phase."""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[float, float], float]
"""(fraction of the phase done, fraction of the phase that warms up) -> factor."""


def one_cycle(fraction: float, warmup: float) -> float:
    """A linear rise over the warm-up, then half a cosine to zero."""
    return fraction / warmup if fraction < warmup else _half_cosine((fraction - warmup) / (1 - warmup))


def cosine(fraction: float, warmup: float) -> float:
    """Half a cosine to zero from the first step on."""
    return _half_cosine(fraction)


def constant(fraction: float, warmup: float) -> float:
    """A linear rise over the warm-up, then the peak rate to the end."""
    return fraction / warmup if fraction < warmup else 1.0


def _half_cosine(fraction: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * fraction))


SCHEDULES: dict[str, Schedule] = {"one-cycle": one_cycle, "cosine": cosine, "constant": constant}
