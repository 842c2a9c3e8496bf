"""Fixed-step solvers of dx/dt = v(x, t) from t = 0 to 1: plain functions that unroll into one graph."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

Velocity = Callable[[Tensor, float], Tensor]
Solver = Callable[[Velocity, Tensor, int], Tensor]


def euler(velocity: Velocity, x: Tensor, steps: int) -> Tensor:
    """Explicit Euler steps at the middle of each interval's time; one evaluation a step."""
    h = 1.0 / steps
    for k in range(steps):
        x = x + h * velocity(x, (k + 0.5) * h)
    return x


def heun(velocity: Velocity, x: Tensor, steps: int) -> Tensor:
    """Heun's second-order method; two evaluations a step."""
    h = 1.0 / steps
    for k in range(steps):
        first = velocity(x, k * h)
        x = x + 0.5 * h * (first + velocity(x + h * first, (k + 1) * h))
    return x


def midpoint(velocity: Velocity, x: Tensor, steps: int) -> Tensor:
    """The explicit midpoint rule, second order; two evaluations a step."""
    h = 1.0 / steps
    for k in range(steps):
        x = x + h * velocity(x + 0.5 * h * velocity(x, k * h), (k + 0.5) * h)
    return x


SOLVERS: dict[str, Solver] = {"euler": euler, "heun": heun, "midpoint": midpoint}
