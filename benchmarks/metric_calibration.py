"""Are metrics honest about truth against truth? Many pairs of samples of one distribution.

    python benchmarks/metric_calibration.py [--pairs 200] [--events 1000] [--features 10] [--jets] [--json FILE]

For every metric: the mean over pairs and its error (unbiased metrics must average to 0), how often 0, or for those with
a floor their mean, lies within one quoted error (68 % if errors are right), and whether the p-values are uniform
(Kolmogorov-Smirnov). Features are correlated, skewed and heavy-tailed; with `--jets` they are the 36 energy flow
polynomials of synthetic jets of 30 particles.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import kstest

from facsim.core.rng import generator
from facsim.metrics.correlation import correlation_distance
from facsim.metrics.energy import energy_distance
from facsim.metrics.frechet import fpd
from facsim.metrics.kernel import kpd
from facsim.metrics.wasserstein import sliced_wasserstein
from facsim.physics.jets import efps

METRICS: dict[str, Callable[..., Any]] = {
    "fpd": fpd,
    "kpd": kpd,
    "energy": energy_distance,
    "correlation": correlation_distance,
    "sliced_w1": sliced_wasserstein,
}
WITH_FLOOR = ("sliced_w1",)
PERMUTATIONS = 199

Sample = Callable[[np.random.Generator], np.ndarray]


def draw(n: int, features: int, rng: np.random.Generator) -> np.ndarray:
    """Correlated features, half of them exponentials of normal numbers."""
    mixing = np.linalg.cholesky(0.5 + 0.5 * np.eye(features))
    x = rng.standard_normal((n, features)) @ mixing.T
    x[:, ::2] = np.exp(0.5 * x[:, ::2])
    return x


def draw_jets(n: int, features: int, rng: np.random.Generator) -> np.ndarray:
    """Energy flow polynomials of jets of 30 particles, exponential pT that sums to 1, Gaussian angles."""
    angles = 0.1 * rng.normal(size=(n, 30, 2))
    pt = rng.exponential(size=(n, 30))
    return efps(np.concatenate([angles, (pt / pt.sum(axis=1, keepdims=True))[..., None]], axis=2))[:, 1 : features + 1]


def calibrate(
    name: str, pairs: int, sample: Callable[[np.random.Generator], np.ndarray], seed: int
) -> dict[str, float]:
    """Mean, coverage and p-values of one metric."""
    rng = generator(seed, "calibration", name)
    function = METRICS[name] if name in WITH_FLOOR else partial(METRICS[name], permutations=PERMUTATIONS)
    found = [function(sample(rng), sample(rng), seed=k) for k in range(pairs)]
    values, errors = np.array([tuple(each) for each in found]).T
    expected = values.mean() if name in WITH_FLOOR else 0.0
    row: dict[str, Any] = {
        "mean": values.mean(),
        "mean_error": values.std(ddof=1) / np.sqrt(pairs),
        "coverage": np.mean(np.abs(values - expected) < errors),
        "error_over_spread": errors.mean() / values.std(ddof=1),
    }
    if name not in WITH_FLOOR:
        row["p_uniform"] = kstest([each.p_value for each in found], "uniform").pvalue
    return {key: float(value) for key, value in row.items()}


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description="calibration of metrics on truth against truth")
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--events", type=int, default=1000)
    parser.add_argument("--features", type=int, default=10)
    parser.add_argument("--jets", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    print("| metric | mean / its error | coverage of one error | error / spread | p-values uniform (KS p) |")
    print("|---|---|---|---|---|")
    rows = {}
    of = (
        partial(draw_jets, arguments.events, 35)
        if arguments.jets
        else partial(draw, arguments.events, arguments.features)
    )
    sample: Callable[[np.random.Generator], np.ndarray] = of
    for name in METRICS:
        row = rows[name] = calibrate(name, arguments.pairs, sample, arguments.seed)
        p = f"{row['p_uniform']:.2f}" if "p_uniform" in row else ""
        centre = f"{row['mean'] / row['mean_error']:+.1f}" if name not in WITH_FLOOR else "has a floor"
        print(f"| {name} | {centre} | {row['coverage']:.2f} | {row['error_over_spread']:.2f} | {p} |", flush=True)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(rows, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
