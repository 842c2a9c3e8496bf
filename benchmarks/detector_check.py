"""The parametric detector against Delphes and against CMS's full simulation, and its calibration of jets.

OMP_NUM_THREADS=1 python benchmarks/detector_check.py cms FOLDER [--events 3000] [--seed 1] [--figure FILE]
OMP_NUM_THREADS=1 python benchmarks/detector_check.py delphes FOLDER [--seed 1]
OMP_NUM_THREADS=1 python benchmarks/detector_check.py calibrate [--events 20000] [--seed 2]

FOLDER is what `python benchmarks/fetch_cms_samples.py FOLDER` leaves, from the source distribution of coffea: 2 x 200
events of CMS's full simulation of top quark pairs, CMS's published resolutions of jets, and 25 events of Delphes with a
detector for FCC-hh.
"""

from __future__ import annotations

import argparse
import gzip
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
from fetch_cms_samples import RESOLUTION

from facsim.core.rng import generator
from facsim.physics.detector import respond
from facsim.physics.detector_cells import cells_of
from facsim.physics.detector_settings import Calorimeter, Detector, Efficiency, Region, Tracker
from facsim.physics.jet_calibration import fit_calibration
from facsim.physics.particles import Particles
from facsim.simulate.jets_reco import DIJETS, JetRecoSimulation
from facsim.simulate.pythia_events import Pythia

TOPS = ("Top:gg2ttbar = on", "Top:qqbar2ttbar = on")
NANO = ("nano_tt_v12.root", "nano_tt_v15.root")
PT_EDGES = np.array([30.0, 50.0, 80.0, 120.0, 200.0, 500.0])
ETA_EDGES = (0.0, 1.3, 2.5)
CALIBRATION_PT = np.geomspace(20, 2000, 16)
CALIBRATION_ETA = (0.8, 1.5, 2.0, 2.5)
RHO = (4.0, 29.0)
"""Pile-up densities at which the published resolution is read: least pile-up, and that of the sample."""
COLUMNS = ("true pt", "eta", "pt", "true mass", "mass", "charged", "photon", "neutral", "n charged", "n neutral")

FCC = Detector(
    Tracker(
        field=4.0,
        radius=1.5,
        half_length=5.0,
        turns=1e9,
        hadrons=Efficiency((2.5, 4.0, 6.0), (0.5, 1.0), ((0.89, 0.95), (0.85, 0.87), (0.74, 0.80))),
        edges=(2.5, 6.0),
        constant=(0.0043, 0.005),
        slope=(2e-5, 5e-5),
    ),
    Calorimeter((Region(2.5, 250, 512, 0.1, 0.01, 0.0, 0.5), Region(6.0, 140, 256, 0.1, 0.01, 0.0, 0.5)), 2.0),
    Calorimeter(
        (
            Region(1.7, 68, 256, 0.5, 0.03, 0.0, 1.0),
            Region(2.5, 32, 256, 0.6, 0.03, 0.0, 1.0),
            Region(4.0, 30, 128, 0.6, 0.03, 0.0, 1.0),
            Region(6.0, 40, 128, 1.0, 0.1, 0.0, 1.0),
        ),
        2.0,
    ),
    showering=0.0,
    crossing=0.0,
    compensation=1.0,
    excess=2.0,
    merge=False,
)
"""Settings of the Delphes sample, as its cells, thresholds and tracks show them."""


def cms_jets(folder: Path) -> np.ndarray:
    """Matched jets (N, columns) of the full simulation."""
    import awkward as ak  # noqa: PLC0415
    import uproot  # noqa: PLC0415

    fractions, counts = ("Jet_chHEF", "Jet_neEmEF", "Jet_neHEF"), ("Jet_chMultiplicity", "Jet_neMultiplicity")
    parts = []
    for name in NANO:
        tree = uproot.open(folder / name)["Events"]
        present = [key for key in counts if key in tree]
        kinematics = ["Jet_pt", "Jet_mass", "Jet_genJetIdx", "GenJet_pt", "GenJet_eta", "GenJet_mass"]
        data = tree.arrays([*kinematics, *fractions, *present])
        index = data.Jet_genJetIdx
        matched = (index >= 0) & (index < ak.num(data.GenJet_pt))

        def flat(key: str, data=data, index=index, matched=matched) -> np.ndarray:
            values = data[key][index[matched]] if key.startswith("Gen") else data[key][matched]
            return ak.to_numpy(ak.flatten(values)).astype(float)

        keys = ("GenJet_pt", "GenJet_eta", "Jet_pt", "GenJet_mass", "Jet_mass", *fractions)
        columns = [flat(key) for key in keys]
        columns += [flat(key) if key in present else np.full(len(columns[0]), np.nan) for key in counts]
        parts.append(np.column_stack(columns))
    return np.concatenate(parts)


def simulated_jets(
    lines: tuple[str, ...], events: int, seed: int, *, calibrated: bool = True, largest_eta: float = 2.5
) -> np.ndarray:
    """Matched jets (N, columns) of Pythia through the parametric detector."""
    settings = JetRecoSimulation(events=1, jet_pt=(15.0, 3000.0), leading=20, largest_eta=largest_eta, pythia=lines)
    pythia, rng, parts = Pythia(lines, seed), generator(seed, "detector"), []
    for first in range(0, events, 100):
        pairs = settings.pairs(pythia.next(min(100, events - first)), rng)
        true, found = pairs.generated, pairs.reconstructed
        inside = found.particle >= 0
        pdg = np.where(inside, np.abs(pairs.seen.pdg[found.particle]), 0)
        energy = np.where(inside, pairs.seen.momentum[found.particle, 3], 0.0)
        shares = [(energy * (pdg == code)).sum(axis=1) / energy.sum(axis=1) for code in (211, 22, 130)]
        number = [(inside & np.isin(pdg, codes)).sum(axis=1) for codes in ((211, 11, 13), (22, 130))]
        pt, eta, _ = found.axis.T
        factor = settings.calibration.factor(pt, eta) if calibrated and settings.calibration else np.ones(len(pt))
        columns = [true.axis[:, 0], true.axis[:, 1], pt * factor, true.mass, found.mass * factor, *shares, *number]
        parts.append(np.column_stack(columns))
    return np.concatenate(parts)


def width(ratio: np.ndarray) -> tuple[float, float]:
    """Half of the central 68 % over the median, and its error by a bootstrap."""

    def value(sample: np.ndarray) -> np.ndarray:
        low, middle, high = np.quantile(sample, [0.16, 0.5, 0.84], axis=-1)
        return (high - low) / 2 / middle

    drawn = np.random.default_rng(1).integers(0, len(ratio), (200, len(ratio)))
    return float(value(ratio)), float(value(ratio[drawn]).std())


def published_width(folder: Path, pt: float, eta: float, rho: float) -> float:
    """CMS's parametrisation of the resolution."""
    lines = gzip.decompress((folder / RESOLUTION).read_bytes()).decode().splitlines()[1:]
    for row in (np.array(line.split(), dtype=float) for line in lines if line.strip()):
        if row[0] <= eta < row[1] and row[2] <= rho < row[3]:
            noise, stochastic, constant, power = row[-4:]
            return float(np.sqrt(noise * abs(noise) / pt**2 + stochastic**2 * pt**power + constant**2))
    raise SystemExit(f"{RESOLUTION} has no resolution at eta {eta}, rho {rho}")


def check_cms(folder: Path, events: int, seed: int, figure: Path | None) -> None:
    real, ours = cms_jets(folder), simulated_jets(TOPS, events, seed)
    print(f"{len(real)} pairs of jets of CMS, {len(ours)} of facsim ({events} events, seed {seed})")
    print("| eta | pT | n | response CMS | facsim | width CMS | facsim | CMS's, rho 4 / 29 | rms facsim | CMS |")
    rows = []
    for low, high in pairwise(ETA_EDGES):
        for a, b in pairwise(PT_EDGES):
            here = [
                x[(np.abs(x[:, 1]) >= low) & (np.abs(x[:, 1]) < high) & (x[:, 0] >= a) & (x[:, 0] < b)]
                for x in (real, ours)
            ]
            ratio = [x[:, 2] / x[:, 0] for x in here]
            mean = [(r.mean(), r.std() / np.sqrt(len(r))) for r in ratio]
            core, rms = [width(r) for r in ratio], [r.std() / r.mean() for r in ratio]
            pt = here[1][:, 0].mean()
            told = [published_width(folder, pt, (low + high) / 2, rho) for rho in RHO]
            rows.append((low, pt, mean, core, told))
            print(
                f"| {low}-{high} | {a:.0f}-{b:.0f} | {len(ratio[0])} | "
                f"{mean[0][0]:.3f} ± {mean[0][1]:.3f} | {mean[1][0]:.3f} ± {mean[1][1]:.3f} | "
                f"{core[0][0]:.3f} ± {core[0][1]:.3f} | {core[1][0]:.3f} ± {core[1][1]:.3f} | "
                f"{told[0]:.3f} / {told[1]:.3f} | {rms[1]:.3f} | {rms[0]:.3f} |"
            )
            print(
                "    "
                + "; ".join(
                    f"{name} {np.nanmean(here[0][:, k]):.3f}, {here[1][:, k].mean():.3f}"
                    for k, name in list(enumerate(COLUMNS))[5:]
                )
                + f"; mass {here[0][:, 4].mean() / here[0][:, 3].mean():.3f}, "
                f"{here[1][:, 4].mean() / here[1][:, 3].mean():.3f}"
            )
    if figure is not None:
        draw(rows, figure)


def draw(rows: list, path: Path) -> None:
    """Response and width against pT."""
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("Agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(2, 2, figsize=(9, 6), sharex=True, sharey="row")
    for column, low in zip(axes.T, ETA_EDGES[:-1], strict=True):
        mine = [row for row in rows if row[0] == low]
        pt = [row[1] for row in mine]
        for i, (name, style) in enumerate((("CMS full simulation", "o"), ("facsim", "s"))):
            for k, axis in enumerate(column):
                value, error = np.array([row[2 + k][i] for row in mine]).T
                axis.errorbar(pt, value, error, fmt=style, label=name, capsize=2)
        for i, rho in enumerate(RHO):
            column[1].plot(
                pt, [row[4][i] for row in mine], "--", color=f"{0.7 - 0.4 * i}", label=f"CMS, rho {rho:g} GeV"
            )
        column[0].axhline(1.0, color="0.7", lw=0.8)
        column[0].set_title(f"|eta| {low} to {ETA_EDGES[ETA_EDGES.index(low) + 1]}")
        column[1].set(xlabel="generator pT [GeV]", xscale="log")
    axes[0, 0].set_ylabel("mean response")
    axes[1, 0].set_ylabel("width of the response")
    axes[1, 0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=100)


def delphes_events(folder: Path) -> tuple[Particles, dict[str, np.ndarray]]:
    """Stable particles of the sample, and Delphes's own objects as flat arrays with their event."""
    import awkward as ak  # noqa: PLC0415
    import uproot  # noqa: PLC0415

    tree = uproot.open(folder / "delphes.root")["Delphes"]

    def flat(key: str, chosen=None) -> np.ndarray:
        values = tree[key].array()
        return ak.to_numpy(ak.flatten(values if chosen is None else values[chosen])).astype(float)

    # particles that are born beyond the calorimeters' face, or beside it, never meet them
    x, y, z = (tree[f"Particle.{axis}"].array() for axis in "XYZ")
    stable = (tree["Particle.Status"].array() == 1) & (np.hypot(x, y) < 1500) & (abs(z) < 5000)
    event = np.repeat(np.arange(len(stable)), ak.to_numpy(ak.sum(stable, axis=1)))
    momentum = np.column_stack([flat(f"Particle.{key}", stable) for key in ("Px", "Py", "Pz", "E")])
    particles = Particles(len(stable), event, flat("Particle.PID", stable).astype(np.int64), momentum)
    objects = {}
    for name, size in (("Track", "PT"), ("Tower", "ET"), ("EFlowPhoton", "ET"), ("EFlowNeutralHadron", "ET")):
        number = ak.to_numpy(ak.num(tree[f"{name}.{size}"].array()))
        objects[name] = np.column_stack(
            [np.repeat(np.arange(len(number)), number), flat(f"{name}.{size}"), flat(f"{name}.Eta")]
        )
    electromagnetic = flat("Tower.Eem") > 0
    objects["ECAL cell"], objects["HCAL cell"] = objects["Tower"][electromagnetic], objects["Tower"][~electromagnetic]
    return particles, objects


def check_delphes(folder: Path, seed: int) -> None:
    particles, theirs = delphes_events(folder)
    seen = respond(particles, FCC, generator(seed, "detector"))
    ours = {"Track": np.column_stack([seen.tracks.event, seen.tracks.pt, seen.tracks.eta])}
    for name, part, deposits in (("ECAL cell", FCC.ecal, seen.ecal), ("HCAL cell", FCC.hcal, seen.hcal)):
        eta, _ = cells_of(part).position(deposits.cell)
        ours[name] = np.column_stack([deposits.event, deposits.energy / np.cosh(eta), eta])
    ours["Tower"] = np.concatenate([ours["ECAL cell"], ours["HCAL cell"]])
    for name, code in (("EFlowPhoton", 22), ("EFlowNeutralHadron", 130)):
        chosen = seen.particles[seen.particles.pdg == code]
        ours[name] = np.column_stack([chosen.event, chosen.pt, chosen.eta])
    print(
        "| object | eta | an event: Delphes | facsim | ratio | sum of ET, ratio | ET at 50/90/99 %: Delphes | facsim |"
    )
    for name, theirs_all in theirs.items():
        for low, high in ((0.0, 2.5), (2.5, 6.0)):
            pair = [x[(np.abs(x[:, 2]) >= low) & (np.abs(x[:, 2]) < high)] for x in (theirs_all, ours[name])]
            count = [np.bincount(x[:, 0].astype(int), minlength=particles.events) for x in pair]
            total = [np.bincount(x[:, 0].astype(int), x[:, 1], particles.events) for x in pair]
            number, energy = (ratio_of_sums(values[1], values[0]) for values in (count, total))
            quantiles = [" / ".join(f"{q:.3g}" for q in np.quantile(x[:, 1], [0.5, 0.9, 0.99])) for x in pair]
            print(
                f"| {name} | {low}-{high} | {count[0].mean():.1f} | {count[1].mean():.1f} | {number[0]:.3f} ± "
                f"{number[1]:.3f} | {energy[0]:.3f} ± {energy[1]:.3f} | {quantiles[0]} | {quantiles[1]} |"
            )


def ratio_of_sums(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """Ratio of sums over the same events, with the error from the scatter of the events."""
    ratio = ours.sum() / theirs.sum()
    return ratio, float(np.sqrt(((ours - ratio * theirs) ** 2).sum()) / theirs.sum())


def calibrate(events: int, seed: int) -> None:
    jets = simulated_jets(DIJETS, events, seed, calibrated=False)
    print(repr(fit_calibration(jets[:, 0], jets[:, 2], jets[:, 1], CALIBRATION_ETA, CALIBRATION_PT)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("cms", "delphes", "calibrate"))
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--events", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    if options.what != "calibrate" and options.folder is None:
        parser.error(f"{options.what} needs the FOLDER of the samples")
    begin = time.monotonic()
    if options.what == "cms":
        check_cms(options.folder, options.events or 3000, options.seed or 1, options.figure)
    elif options.what == "delphes":
        check_delphes(options.folder, options.seed or 1)
    else:
        calibrate(options.events or 20_000, options.seed or 2)
    print(f"{time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
