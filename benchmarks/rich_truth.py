"""The RICH truth beside a public sample, its time per track, and the classifier test with sWeights.

    python benchmarks/rich_truth.py [--tracks 50000] [--tests 10]

In brackets: the toy sample of pidgan's notebooks (250 000 tracks, species in parts that are not said). Its kinematics
are taken as log-normal in P and nTracks and normal in eta, with its quartiles, uncorrelated.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from facsim.core.rng import generator
from facsim.metrics.auc import value_auc
from facsim.metrics.classifier import classifier_test
from facsim.metrics.efficiency import binned_efficiency
from facsim.physics.rich import SPECIES
from facsim.physics.rich_observables import DLLS, MOMENTUM_EDGES, dll_quantities, ties
from facsim.simulate.rich import RichSimulation

PUBLISHED = {
    "P [GeV]": (np.nan, np.nan, 5.97, 10.98, 22.39),
    "eta": (3.36, 0.77, np.nan, np.nan, np.nan),
    "nTracks": (np.nan, np.nan, 116, 164, 228),
    "RichDLLe": (-8.96, 16.1, -12.3, -3.5, -0.18),
    "RichDLLmu": (-1.85, 11.5, -3.8, -0.6, 0.65),
    "RichDLLk": (-3.6, 28.8, -16.8, 1.75, 14.2),
    "RichDLLp": (-3.6, 28.0, -18.4, 1.7, 15.2),
}
"""Mean, standard deviation, quartiles."""


def quantiles(tracks: int, seed: int) -> None:
    simulation = RichSimulation(events=tracks, species=("mu", "pi", "k", "p"))
    begin = time.process_time()
    drawn = simulation.generate(tracks, generator(seed, "mixed"))
    spent = 1e6 * (time.process_time() - begin) / tracks
    print(f"\n{tracks} muons, pions, kaons and protons in equal parts: {spent:.1f} us of one core a track")
    print("\nCalibration channels (public sample):\n")
    table(drawn.cond, drawn.x)
    rng = generator(seed, "published")
    cond = np.array(drawn.cond)
    cond[:, 0] = np.clip(rng.lognormal(np.log(10.98e3), np.log(22.39 / 5.97) / 1.349, tracks), 2e3, 200e3)
    cond[:, 1] = np.clip(rng.normal(3.36, 0.77, tracks), 2.0, 5.0)
    cond[:, 2] = np.clip(rng.lognormal(np.log(164), np.log(228 / 116) / 1.349, tracks), 10, 1000)
    print("\nAt the public sample's kinematics (public sample):\n")
    table(cond, simulation.respond(cond, rng))


def table(cond: np.ndarray, x: np.ndarray) -> None:
    columns = {"P [GeV]": cond[:, 0] / 1e3, "eta": cond[:, 1], "nTracks": cond[:, 2]}
    columns |= dict(zip(DLLS[:4], x.T[:4], strict=True))
    print("| | mean | sd | 25 % | 50 % | 75 % |\n|---|---|---|---|---|---|")
    for name, values in columns.items():
        own = (values.mean(), values.std(), *np.quantile(values, [0.25, 0.5, 0.75]))
        cells = [f"{ours:.4g} ({theirs:.4g})" for ours, theirs in zip(own, PUBLISHED[name], strict=True)]
        print(f"| {name} | " + " | ".join(cell.replace(" (nan)", "") for cell in cells) + " |")


def species(tracks: int, seed: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    found = {}
    print("\n| species | us a track | DLLk = DLLp | DLLp = DLLbt |\n|---|---|---|---|")
    for name in SPECIES:
        begin = time.process_time()
        drawn = RichSimulation(events=tracks, species=(name,)).generate(tracks, generator(seed, name))
        spent = 1e6 * (time.process_time() - begin) / tracks
        shares = [100 * ties(drawn.x, *pair).mean() for pair in (("k", "p"), ("p", "bt"))]
        print(f"| {name} | {spent:.1f} | {shares[0]:.1f} % | {shares[1]:.1f} % |")
        found[name] = (drawn.cond, drawn.x)
    return found


def identification(samples: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    k = DLLS.index("RichDLLk")
    print("\n| P [GeV] | kaons, DLLk > 0 | pions, DLLk > 0 | kaons, > 5 | pions, > 5 |\n|---|---|---|---|---|")
    binned = [
        binned_efficiency(samples[name][1][:, k] > cut, samples[name][0][:, 0], MOMENTUM_EDGES)
        for cut in (0.0, 5.0)
        for name in ("k", "pi")
    ]
    for row in range(len(MOMENTUM_EDGES) - 1):
        cells = " | ".join(f"{one.value[row]:.3f} ± {one.error[row]:.3f}" for one in binned)
        print(f"| {MOMENTUM_EDGES[row] / 1e3:g}-{MOMENTUM_EDGES[row + 1] / 1e3:g} | {cells} |")
    (of_pi, pions), (of_k, kaons) = samples["pi"], samples["k"]
    for low, high in ((0, 100), (300, 1001)):
        parts = [x[(c[:, 2] >= low) & (c[:, 2] < high), k] for c, x in ((of_pi, pions), (of_k, kaons))]
        auc = value_auc(*parts)
        print(f"AUC of kaons against pions, {low} <= nTracks < {high}: {auc.value:.4f} ± {auc.error:.4f}")


def signed_tests(tests: int, seed: int, tracks: int = 2000) -> None:
    """The classifier test on kaons with 40 % background and sWeights: truth against truth, and all DLLs 15 % larger."""
    found = []
    for number in range(tests):
        samples = []
        for half in ("a", "b"):
            simulation = RichSimulation(events=tracks, species=("k",), background=0.4)
            drawn = simulation.generate(tracks, generator(seed, "signed", number, half))
            marks = ties(drawn.x, "k", "p")
            logs = np.column_stack([np.log10(drawn.cond[:, :1]), drawn.cond[:, 1:]])
            samples.append((np.column_stack([logs, dll_quantities(drawn.x), marks]), drawn.weight))
        (a, u), (b, v) = samples
        moved = b.copy()
        moved[:, 3:-1] *= 1.15
        for other in (b, moved):
            result = classifier_test(a, other, number, conditions=3, weights_a=u, weights_b=v)
            found.append((result.auc, result.error))
    values = np.array(found).reshape(tests, 2, 2)
    for kind, name in enumerate(("truth against truth", "DLLs x 1.15")):
        auc, error = values[:, kind].T
        pull = (auc - 0.5) / error
        print(
            f"{name}: AUC {auc.mean():.4f} ± {auc.std(ddof=1) / np.sqrt(tests):.4f} over {tests} pairs of {tracks} "
            f"tracks, scatter {auc.std(ddof=1):.4f}, error given {error.mean():.4f}, mean pull {pull.mean():.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=50_000)
    parser.add_argument("--tests", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    quantiles(options.tracks, options.seed)
    identification(species(options.tracks, options.seed))
    print("\nClassifier test with sWeights, 40 % background:")
    signed_tests(options.tests, options.seed)


if __name__ == "__main__":
    main()
