"""The TPC digitiser against the public responses of MPD: classifier tests, amplitudes, moments, and its time.

OMP_NUM_THREADS=1 FACSIM_DATA=... python benchmarks/tpc_truth.py [--seed 1] [--network] [--only v4plus|v2]

Half of MPD's responses are compared with simulated ones at the conditions of the other half, and the other way round;
the null is one half against the other. v2 gives two angles only: the place is read off the responses; momentum and
amplitude scale, which are not published, are set so that the median charge and the number of cells are right.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from pathlib import Path

import numpy as np

from facsim.core.rng import generator
from facsim.data import open_events
from facsim.evaluate.c2st import network_test
from facsim.evaluate.labelled import Sample
from facsim.evaluate.profiles import bin_edges, profile
from facsim.evaluate.tpc_physics import condition_views, tpc_conditions
from facsim.metrics.classifier import classifier_test
from facsim.physics.tpc_observables import MOMENTS, TPC_QUANTITIES, log_amplitudes, shapes, tpc_observables
from facsim.physics.tpc_window import CROSSING, DIP, DRIFT, PAD
from facsim.simulate.tpc_digitiser import digitise
from facsim.simulate.tpc_settings import MPD_2019, DigitiserSettings

PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
V2_PLACE = {DRIFT: 270.393, PAD: 43.19}
V2_ROW, V2_PT, V2_SCALE = 23, 0.16, 0.855
NAMES = [quantity.name for quantity in TPC_QUANTITIES]


def inputs(x: np.ndarray) -> dict[str, np.ndarray]:
    """What classifiers see, by name."""
    values = tpc_observables(x)
    shape = tpc_observables(shapes(x))
    return {
        "moments, with amplitude": values,
        "moments, without": shape[:, [NAMES.index(name) for name in MOMENTS]],
        "pixels, with amplitude": log_amplitudes(x),
        "pixels, without": shapes(x),
    }


def load(folder: Path, version: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, DigitiserSettings]:
    """Responses, conditions as published, conditions to simulate at, and the digitiser's settings."""
    name = {"v4plus": "v4plus_fixed_pt.npz", "v2": "v2_two_angles.npz"}[version]
    source = open_events(folder / "mpd-tpc" / name)
    events = source.read(0, len(source))
    if version == "v4plus":
        return events.x, events.cond, events.cond, DigitiserSettings()
    full = np.zeros((len(events), 6))
    full[:, [CROSSING, DIP]] = events.cond
    for column, value in V2_PLACE.items():
        full[:, column] = value
    full[:, 4], full[:, 5] = V2_ROW, V2_PT
    scaled = MPD_2019.model_copy(update={"scale": V2_SCALE * MPD_2019.scale})
    return events.x, events.cond, full, scaled


def tests(x: np.ndarray, made: np.ndarray, cond: np.ndarray, seed: int, network: bool) -> None:
    """Print the areas under the curve of both directions and of the null."""
    even, odd = np.arange(0, len(x), 2), np.arange(1, len(x), 2)
    seen = tpc_conditions(cond)
    seen = seen[:, seen.std(axis=0) > 1e-6 * np.abs(seen).max(axis=0)]
    real, simulated = inputs(x), inputs(made)
    for name in real:
        pairs = ((real, even, simulated, odd), (real, odd, simulated, even), (real, even, real, odd))
        found = []
        for a, at, b, bt in pairs:
            left, right = (np.hstack([seen[index], one[name][index]]) for one, index in ((a, at), (b, bt)))
            result = classifier_test(left, right, seed, conditions=seen.shape[1])
            found.append((result.auc, result.error))
        (one, one_error), (two, two_error), (null, null_error) = found
        print(
            f"  {name:<26} AUC {0.5 * (one + two):.3f} +- {0.5 * math.hypot(one_error, two_error):.3f} "
            f"({one:.3f}, {two:.3f})   null {null:.3f} +- {null_error:.3f}",
            flush=True,
        )
        if network and name.startswith("pixels"):
            score = network_test(
                Sample(real[name][even], seen[even]),
                Sample(simulated[name][odd], seen[odd]),
                null=Sample(real[name][odd], seen[odd]),
                control=None,
                seed=seed,
            ).score
            print(
                f"  {'':<26} network {score.value:.3f} +- {score.error:.3f}   "
                f"null {score.null:.3f} +- {score.null_error:.3f}",
                flush=True,
            )


def numbers(x: np.ndarray, made: np.ndarray, cond: np.ndarray) -> None:
    """Print percentiles of the charge, moments and their widths at fixed places."""
    for name, sample in (("MPD", x), ("facsim", made)):
        total = sample.sum(axis=(1, 2))
        row = " ".join(f"{value:8.0f}" for value in np.percentile(total, PERCENTILES))
        print(f"  {name:<8} sum of amplitudes P{'/'.join(map(str, PERCENTILES))}: {row}   largest {total.max():.0f}")
    for name, sample in (("MPD", x), ("facsim", made)):
        values = tpc_observables(sample)
        shown = ", ".join(f"{n} {values[:, k].mean():.3f} ({values[:, k].std():.3f})" for k, n in enumerate(NAMES))
        print(f"  {name:<8} mean (std): {shown}")
        if cond[:, PAD].std() > 0:
            shift = values[:, 0] - cond[:, PAD] % 1, values[:, 1] - cond[:, DRIFT] % 1
            print(f"  {'':<8} std of barycentre less truth: pad {shift[0].std():.4f}, time {shift[1].std():.4f}")


def profiles(x: np.ndarray, made: np.ndarray, cond: np.ndarray) -> None:
    """Print the mean pull and chi2 of the profiles of variances against drift and dip."""
    from facsim.core.events import make_events  # noqa: PLC0415
    from facsim.physics.tpc_window import tpc_schema  # noqa: PLC0415

    views = condition_views(make_events(tpc_schema(), x, cond))
    real, simulated = tpc_observables(x), tpc_observables(made)
    for quantity, against in (("var_pad", "drift_length"), ("var_time", "drift_length"), ("var_time", "dip_angle")):
        edges = bin_edges(views[against], 8)
        if edges is None:
            continue
        k = NAMES.index(quantity)
        a, b = (profile(views[against], one[:, k], edges) for one in (real, simulated))
        pull = (b.mean - a.mean) / np.hypot(a.mean_error, b.mean_error)
        apart = 100 * np.abs(b.mean / a.mean - 1)
        print(
            f"  {quantity} against {against}: means apart by {apart.mean():.2f} % (largest {apart.max():.2f} %), "
            f"chi2 {np.sum(pull**2):.1f} of {len(pull)} bins"
        )


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--network", action="store_true", help="facsim's classifier networks as well")
    parser.add_argument("--only", choices=("v4plus", "v2"))
    given = parser.parse_args()
    folder = Path(os.environ.get("FACSIM_DATA", ""))
    if not (folder / "mpd-tpc").is_dir():
        raise SystemExit("set FACSIM_DATA to the folder that holds mpd-tpc.")
    for version in ("v4plus", "v2"):
        if given.only not in (None, version):
            continue
        x, published, cond, settings = load(folder, version)
        digitise(cond[:10], generator(given.seed, "warm-up"), settings)
        begin = time.process_time()
        made = digitise(cond, generator(given.seed, "tpc truth", version), settings)
        spent = 1000 * (time.process_time() - begin) / len(cond)
        print(f"{version}: {len(x)} responses, seed {given.seed}; {spent:.3f} ms a response", flush=True)
        numbers(x, made, cond)
        profiles(x, made, cond)
        tests(x, made, published if version == "v2" else cond, given.seed, given.network)


if __name__ == "__main__":
    main()
