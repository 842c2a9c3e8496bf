"""Are metrics honest about truth against truth? Many pairs of samples of one distribution.

    python benchmarks/metric_calibration.py [--pairs 200] [--events 1000] [--features 10] [--json FILE]

For every metric: the mean over pairs and its error (unbiased metrics must average to 0), how often 0, or for those with
a floor their mean, lies within one quoted error (68 % if errors are right), and, for smaller samples, whether
permutation p-values are uniform (Kolmogorov-Smirnov). Features are correlated, skewed and heavy-tailed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import kstest

from facsim.core.rng import generator
from facsim.metrics.energy import energy_distance
from facsim.metrics.frechet import fpd
from facsim.metrics.kernel import kpd
from facsim.metrics.testing import permutation_test
from facsim.metrics.wasserstein import sliced_wasserstein

METRICS: dict[str, Callable[..., tuple[float, float]]] = {
    "fpd": fpd,
    "kpd": kpd,
    "energy": energy_distance,
    "sliced_w1": sliced_wasserstein,
}
WITH_FLOOR = ("sliced_w1",)
TESTED = ("fpd", "kpd")
PERMUTATIONS = 59
TEST_EVENTS = 150


def draw(n: int, features: int, rng: np.random.Generator) -> np.ndarray:
    """Correlated features, half of them exponentials of normal numbers."""
    mixing = np.linalg.cholesky(0.5 + 0.5 * np.eye(features))
    x = rng.standard_normal((n, features)) @ mixing.T
    x[:, ::2] = np.exp(0.5 * x[:, ::2])
    return x


def calibrate(name: str, pairs: int, events: int, features: int, seed: int) -> dict[str, Any]:
    """Mean, coverage and p-values of one metric."""
    rng = generator(seed, "calibration", name)
    function = METRICS[name]
    found = np.array([function(draw(events, features, rng), draw(events, features, rng), seed=k) for k in range(pairs)])
    values, errors = found.T
    expected = values.mean() if name in WITH_FLOOR else 0.0
    row: dict[str, Any] = {
        "mean": values.mean(),
        "mean_error": values.std(ddof=1) / np.sqrt(pairs),
        "coverage": np.mean(np.abs(values - expected) < errors),
        "error_over_spread": errors.mean() / values.std(ddof=1),
    }
    if name in TESTED:
        p = [
            permutation_test(
                lambda x, y: function(x, y)[0],
                draw(TEST_EVENTS, features, rng),
                draw(TEST_EVENTS, features, rng),
                permutations=PERMUTATIONS,
                seed=k,
            ).p_value
            for k in range(pairs)
        ]
        row["p_uniform"] = kstest(p, "uniform").pvalue
    return {key: float(value) for key, value in row.items()}


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description="calibration of metrics on truth against truth")
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--events", type=int, default=1000)
    parser.add_argument("--features", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    print("| metric | mean / its error | coverage of one error | error / spread | p-values uniform (KS p) |")
    print("|---|---|---|---|---|")
    rows = {}
    for name in METRICS:
        row = rows[name] = calibrate(name, arguments.pairs, arguments.events, arguments.features, arguments.seed)
        p = f"{row['p_uniform']:.2f}" if "p_uniform" in row else ""
        centre = f"{row['mean'] / row['mean_error']:+.1f}" if name not in WITH_FLOOR else "has a floor"
        print(f"| {name} | {centre} | {row['coverage']:.2f} | {row['error_over_spread']:.2f} | {p} |", flush=True)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(rows, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
