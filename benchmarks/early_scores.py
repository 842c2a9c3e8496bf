"""What the scores of early stopping see with few validation events, on the showers that ship with facsim.

    OMP_NUM_THREADS=1 python benchmarks/early_scores.py [--repeats 16] [--scale 1.03]

The 400 showers are divided at random in halves A and B, `repeats` times. B against A is what a perfect model scores; B
with every cell energy scaled is a known error. Early stopping compares scores of models at the same conditions with the
same truth, so what counts is the difference between the two in standard deviations over the divisions.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np

from facsim.core.rng import generator
from facsim.data import open_events
from facsim.evaluate.early import EARLY_SCORES, EarlySample
from facsim.simulate.sample import sample_path


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description="sensitivity of the scores of early stopping")
    parser.add_argument("--repeats", type=int, default=16)
    parser.add_argument("--scale", type=float, default=1.03)
    arguments = parser.parse_args()
    showers = open_events(sample_path()).read(0, 400)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in EARLY_SCORES}
    for repeat in range(arguments.repeats):
        order = generator(1, "halves", repeat).permutation(len(showers))
        a, b = showers[order[:200]], showers[order[200:]]
        scaled = replace(b, x=(b.x * arguments.scale).astype(b.x.dtype))
        truth, perfect, wrong = (EarlySample.of(events) for events in (a, b, scaled))
        for name, score in EARLY_SCORES.items():
            found[name].append((score(truth, perfect, 1), score(truth, wrong, 1)))
    print(f"200 against 200 showers, {arguments.repeats} divisions, cells x {arguments.scale}")
    print("| score | perfect | scaled | difference, standard deviations |")
    print("|---|---|---|---|")
    for name, pairs in found.items():
        perfect, wrong = np.array(pairs).T
        gap = wrong - perfect
        told = [f"{v.mean():.4g} ± {v.std(ddof=1):.2g}" for v in (perfect, wrong)]
        print(f"| {name} | {' | '.join(told)} | {gap.mean() / gap.std(ddof=1):.1f} |")


if __name__ == "__main__":
    main()
