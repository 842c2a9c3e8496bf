"""Write prdc.json: precision, recall, density and coverage of small samples as the package prdc computes them.

Run it in an environment of its own: pip install prdc scikit-learn numpy; python tests/golden/make_prdc.py
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

SIZES = {"alike": (60, 60, 3), "wider": (80, 50, 3), "one mode": (70, 70, 5), "far": (40, 60, 2)}
"""Case: events of the real sample, of the generated one, features."""


def samples(case: str) -> tuple[Any, Any]:
    """Real and generated features; uniform numbers of a seed, multiples of 1/1024 so that squares are exact."""
    n, m, d = SIZES[case]
    rng = np.random.default_rng([20250103, list(SIZES).index(case)])
    real, made = (rng.random((size, d)) + rng.random((size, d)) - 1.0 for size in (n, m))
    if case == "wider":
        made *= 1.7
    if case == "one mode":
        real[::2] += 2.0
    if case == "far":
        made += 0.75
    return np.round(real * 1024) / 1024, np.round(made * 1024) / 1024


def main() -> None:
    """Write the file beside this script."""
    from prdc import compute_prdc  # noqa: PLC0415

    golden: dict[str, Any] = {"source": f"prdc {version('prdc')}, scikit-learn {version('scikit-learn')}"}
    for case in SIZES:
        real, made = samples(case)
        golden[case] = {
            str(k): {key: float(value) for key, value in compute_prdc(real, made, nearest_k=k).items()} for k in (3, 5)
        }
    path = Path(__file__).with_name("prdc.json")
    path.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
