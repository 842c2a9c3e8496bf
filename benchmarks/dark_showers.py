"""Simulated images of dark showers and of their background against the public ones (arXiv 2306.12955).

OMP_NUM_THREADS=1 python benchmarks/dark_showers.py FOLDER [--events 1000] [--seed 1] [--truth FILE] [--figure FILE]

FOLDER has the public archives `n_tracks_*.npz` of Luca96/dark-autoencoders. For each of their processes the table has
means of the public images and ratios facsim / public with statistical errors: tracks, occupancy (share of pixels above
zero) and transverse energy of each channel, and that of both calorimeters together. The public QCD images are biased to
large pT and have no weights, so that facsim's are taken without weights too. Events are made here, and their processor
time is told, or they are those of a file of `facsim simulate` (`--truth`).
"""

from __future__ import annotations

import argparse
import re
import time
from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np

from facsim.core.rng import integer_seed
from facsim.core.store import StoreReader
from facsim.data import open_events
from facsim.physics.dark_schema import as_images, dark_geometry
from facsim.simulate.dark_processes import ENERGY
from facsim.simulate.dark_showers import DarkShowerSimulation
from facsim.simulate.pile_up import library
from facsim.simulate.showers_chunks import Chunk

PROCESSES = ("qcd", *(f"suep-{m}" for m in (125, 200, 300, 400, 700, 1000)), "svj-2100", "svj-3100", "svj-4100")
SHOWN = ("qcd", "suep-125", "suep-700", "svj-3100")
CHANNELS = ("tracker", "ECAL", "HCAL")
QUANTITIES = ("tracks", *(f"{c} occupancy" for c in CHANNELS), *(f"{c} ET" for c in CHANNELS), "ECAL + HCAL ET")
COLOURS = ("tab:blue", "tab:orange", "tab:green")


class Sample(NamedTuple):
    """Images (N, 72, 58, 3) of a process and tracks (N,)."""

    images: np.ndarray
    tracks: np.ndarray

    def quantities(self) -> np.ndarray:
        """(N, quantities)."""
        x = self.images
        energy = x.sum(axis=(1, 2), dtype=float)
        return np.column_stack([self.tracks, (x > 0).mean(axis=(1, 2)), energy, energy[:, 1:].sum(axis=1)])


def public(folder: Path, name: str) -> Sample:
    """The public images of a process."""
    pattern = {"qcd": "n_tracks_*qcd*"}.get(name, f"n_tracks_*{re.sub('suep-', 'suep*_h', name).replace('-', '_')}_*")
    files = sorted(folder.glob(pattern + ".npz"))
    if not files:
        raise SystemExit(f"'{folder}' has no files {pattern}.npz")
    source = open_events(files)
    events = source.read(0, len(source))
    return Sample(as_images(events.x), events.cond[:, source.schema.condition_index("n_tracks")])


def made(name: str, events: int, seed: int) -> tuple[Sample, float, float]:
    """Simulated images, processor seconds for 1000 of them without the library of pile-up, and the cut's efficiency."""
    simulation = DarkShowerSimulation(events=events, processes={name: 1.0})
    library(simulation.library, ENERGY, simulation.largest_eta, integer_seed(seed, "pile-up"))
    begin = time.process_time()
    drawn = simulation.make(Chunk(0, events, Path()), seed)
    seconds = 1000 * (time.process_time() - begin) / events
    column = simulation.schema_of().condition_index("n_tracks")
    assert drawn.notes is not None
    return Sample(as_images(drawn.x), drawn.cond[:, column]), seconds, drawn.notes["passed"] / drawn.notes["tried"]


def of_file(path: Path, name: str) -> Sample:
    """Images of a process in a file of `facsim simulate`."""
    source = StoreReader(path)
    kind, _, mass = name.partition("-")
    labels = source.labels().cond
    column = source.schema.condition_index
    chosen = (labels[:, column(f"is_{kind}")] == 1) & (labels[:, column("mass")] == float(mass or 0))
    if not chosen.any():
        raise SystemExit(f"'{path}' has no events of {name}")
    places = np.flatnonzero(chosen)
    events = source.read(int(places[0]), int(places[-1]) + 1)[places - places[0]]
    return Sample(as_images(events.x), events.cond[:, column("n_tracks")])


def row(name: str, theirs: Sample, mine: Sample) -> str:
    """A line of the table: public mean and ratio with its error, of each quantity."""
    a, b = theirs.quantities(), mine.quantities()
    parts = []
    for k in range(a.shape[1]):
        means = a[:, k].mean(), b[:, k].mean()
        errors = [v[:, k].std(ddof=1) / np.sqrt(len(v)) / m for v, m in ((a, means[0]), (b, means[1]))]
        ratio = means[1] / means[0]
        parts.append(f"{means[0]:.3g}: {ratio:.2f} ± {ratio * np.hypot(*errors):.2f}")
    return f"| {name} | {len(a)} / {len(b)} | " + " | ".join(parts) + " |"


def draw(samples: dict[str, tuple[Sample, Sample]], path: Path) -> None:
    """Distributions of tracks and of transverse energy, spectra of pixels, and profiles in eta."""
    shown = [name for name in SHOWN if name in samples]
    figure, grid = plt.subplots(len(shown), 4, figsize=(16, 3.2 * len(shown)), squeeze=False, layout="constrained")
    _, eta = dark_geometry().centres
    for line, name in zip(grid, shown, strict=True):
        pair = samples[name]
        values = [(s.tracks, s.images[..., 1:].sum(axis=(1, 2, 3))) for s in pair]
        for k, label in enumerate(("tracks", "ECAL + HCAL ET [GeV]")):
            edges = np.linspace(0, np.quantile(values[0][k], 0.99) * 1.15, 26)
            _compare(line[k], values[0][k], values[1][k], edges)
            line[k].set(xlabel=label, ylabel=f"{name}: density" if k == 0 else "density")
        for c, channel in enumerate(CHANNELS):
            edges = np.geomspace(0.1, 1000, 33)
            for sample, style in zip(pair, ("o", "-"), strict=True):
                x = sample.images[..., c]
                count = np.histogram(x[x > 0], edges)[0] / len(x)
                line[2].plot(np.sqrt(edges[1:] * edges[:-1]), count, style, color=COLOURS[c], ms=3, lw=1)
                label = f"{channel}, {'public' if style == 'o' else 'facsim'}"
                line[3].plot(eta, x.sum(axis=1).mean(axis=0), style, color=COLOURS[c], ms=3, lw=1, label=label)
        line[2].set(
            xscale="log", yscale="log", xlabel="ET of a pixel [GeV]", ylabel="pixels an event", ylim=(1e-3, None)
        )
        line[3].set(xlabel="eta", ylabel="ET a column [GeV]")
    grid[0][0].legend()
    grid[0][3].legend(fontsize=7)
    figure.savefig(path, dpi=70)


def _compare(axes: plt.Axes, theirs: np.ndarray, mine: np.ndarray, edges: np.ndarray) -> None:
    """Points with errors for the public sample, steps for facsim's."""
    width, middle = np.diff(edges), (edges[1:] + edges[:-1]) / 2
    count = np.histogram(theirs, edges)[0]
    scale = len(theirs) * width
    axes.errorbar(middle, count / scale, np.sqrt(count) / scale, fmt="ko", ms=3, label="public")
    axes.stairs(np.histogram(mine, edges)[0] / (len(mine) * width), edges, color="tab:red", label="facsim")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--events", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--only", nargs="+", choices=PROCESSES, default=PROCESSES)
    given = parser.parse_args()
    print("| process | events | " + " | ".join(QUANTITIES) + " |")
    print("|" + "---|" * (len(QUANTITIES) + 2))
    samples, costs = {}, []
    for name in given.only:
        theirs = public(given.folder, name)
        if given.truth is None:
            mine, seconds, efficiency = made(name, given.events, given.seed)
            costs.append(f"| {name} | {seconds:.0f} | {efficiency:.3f} |")
        else:
            mine = of_file(given.truth, name)
        samples[name] = (theirs, mine)
        print(row(name, theirs, mine), flush=True)
    if costs:
        print("\n| process | CPU s for 1000 events | share of collisions with HT above the cut |\n|---|---|---|")
        print("\n".join(costs))
    if given.figure is not None:
        draw(samples, given.figure)


if __name__ == "__main__":
    main()
