"""What classifier two-sample tests read on Gaussians whose best AUC is known, and how long they take.

OMP_NUM_THREADS=1 python benchmarks/classifiers.py [--events 2000] [--features 10] [--repeats 3] [--nulls 20]
    [--device cpu] [--challenge] [--grid]

Trees are `facsim-c2st-1`, networks `facsim-c2st-net-1`. `best` is the AUC of the exact likelihood ratio. With --nulls,
truth against truth: mean and spread of (AUC - 0.5) / error, which should be 0 and 1. --challenge adds the challenge's
network (width 2048, double precision, few trainings), --grid a comparison of showers by the network for grids. Times
are wall time and mean little on a busy machine.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from facsim.evaluate.c2st import compare
from facsim.evaluate.c2st_challenge import ChallengeSettings, challenge_test
from facsim.evaluate.crossfit import Plan
from facsim.evaluate.labelled import Sample
from facsim.metrics.auc import stratified_auc
from facsim.metrics.classifier import classifier_test

Array = np.ndarray[Any, Any]
Ratio = Callable[[Array], Array]
Toy = tuple[Callable[[int, np.random.Generator], Array], Ratio]


def shifted(d: int, by: float) -> Toy:
    """The mean of the first feature is off."""

    def draw(n: int, rng: np.random.Generator) -> Array:
        return rng.normal(size=(n, d)) + np.eye(d)[0] * by

    return draw, lambda x: by * x[:, 0]


def correlated(d: int, rho: float) -> Toy:
    """The first two features are correlated, their marginals right."""

    def draw(n: int, rng: np.random.Generator) -> Array:
        x = rng.normal(size=(n, d))
        x[:, 1] = rho * x[:, 0] + (1 - rho**2) ** 0.5 * x[:, 1]
        return x

    def ratio(x: Array) -> Array:
        return 0.5 * x[:, 1] ** 2 - 0.5 * (x[:, 1] - rho * x[:, 0]) ** 2 / (1 - rho**2)

    return draw, ratio


def narrow(d: int, scale: float) -> Toy:
    """Every feature is too narrow by the same factor."""

    def draw(n: int, rng: np.random.Generator) -> Array:
        return scale * rng.normal(size=(n, d))

    return draw, lambda x: -0.5 * (x**2).sum(axis=1) / scale**2 + 0.5 * (x**2).sum(axis=1)


def best_auc(toy: Toy, d: int) -> float:
    rng = np.random.default_rng(0)
    draw, ratio = toy
    return stratified_auc(ratio(rng.normal(size=(200_000, d))), ratio(draw(200_000, rng)))[0]


def judge(
    tests: dict[str, Callable[[Array, Array, int], tuple[float, float]]], toys: dict[str, Toy], args: Any
) -> None:
    head = "".join(f"{name:>30}" for name in tests)
    print(f"{'':24}{'best':>7}{head}   (AUC +- error, seconds)")
    for name, toy in toys.items():
        row = f"{name:24}{best_auc(toy, args.features):7.3f}"
        for test in tests.values():
            values, errors, seconds = [], [], []
            for repeat in range(args.repeats):
                rng = np.random.default_rng(repeat)
                a, b = rng.normal(size=(args.events, args.features)), toy[0](args.events, rng)
                start = time.perf_counter()
                auc, error = test(a, b, repeat)
                seconds.append(time.perf_counter() - start)
                values.append(auc)
                errors.append(error)
            row += f"{np.mean(values):12.3f} +- {np.mean(errors):.3f} {np.median(seconds):7.1f} s"
        print(row, flush=True)


def nulls(tests: dict[str, Callable[[Array, Array, int], tuple[float, float]]], args: Any) -> None:
    for name, test in tests.items():
        pulls = []
        for seed in range(args.nulls):
            rng = np.random.default_rng(1000 + seed)
            auc, error = test(*rng.normal(size=(2, args.events // 4, args.features)), seed)
            pulls.append((auc - 0.5) / error)
        print(f"{name}: {args.nulls} nulls of {args.events // 4} events, pulls {np.mean(pulls):+.2f}, "
              f"spread {np.std(pulls, ddof=1):.2f}", flush=True)  # fmt: skip


def showers(n: int, shared: bool, rng: np.random.Generator) -> Array:
    """Toy showers of 12 x 8 x 5 cells whose lobe points the same way in all layers, or not."""
    angle = 2 * np.pi * rng.uniform(size=(n, 1 if shared else 12, 1))
    lobe = 1 + 0.5 * np.cos(2 * np.pi * np.arange(8) / 8 - angle) + np.zeros((n, 12, 1))
    return lobe[..., None] * np.exp(-np.arange(5) / 1.2) * rng.gamma(2, 0.5, size=(n, 12, 8, 5))


def grids(args: Any) -> None:
    rng, n = np.random.default_rng(0), args.events // 4
    for name, shared in (("equal showers", True), ("layers turned apart", False)):
        samples = [Sample(showers(n, each, rng)) for each in (True, shared)]
        start = time.perf_counter()
        found = compare(*samples, Plan("grid", device=args.device), 1)
        print(f"network for grids, {name}, {n} events: AUC {found.auc:.3f} +- {found.error:.3f}, "
              f"{time.perf_counter() - start:.0f} s", flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("events", 2000), ("features", 10), ("repeats", 3), ("nulls", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--challenge", action="store_true")
    parser.add_argument("--grid", action="store_true")
    args = parser.parse_args()

    def trees(a: Array, b: Array, seed: int) -> tuple[float, float]:
        found = classifier_test(a, b, seed)
        return found.auc, found.error

    def network(a: Array, b: Array, seed: int) -> tuple[float, float]:
        found = compare(Sample(a), Sample(b), Plan(device=args.device), seed)
        return found.auc, found.error

    def challenge(a: Array, b: Array, seed: int) -> tuple[float, float]:
        score = challenge_test(a, b, settings=ChallengeSettings(repeats=1), seed=seed, device=args.device).score
        return score.value, score.error

    tests = {"trees": trees, "network": network}
    d = args.features
    toys = {"shift 0.3": shifted(d, 0.3), "correlation 0.4": correlated(d, 0.4), "all widths x 0.95": narrow(d, 0.95)}
    judge(tests | ({"challenge": challenge} if args.challenge else {}), toys, args)
    if args.nulls:
        nulls(tests, args)
    if args.grid:
        grids(args)


if __name__ == "__main__":
    main()
