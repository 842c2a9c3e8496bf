"""What jet physicists draw: spectra of jets and of their particles, mean jet images, and single jets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facsim.core.geometry import FloatArray, IntArray
from facsim.evaluate.displays import Display
from facsim.evaluate.jet_measures import JetSample, on_host
from facsim.evaluate.physics import Curve, Image
from facsim.physics.jet_observables import JET_OBSERVABLES

BINS = 40
PIXELS = 32
DRAWN = ("multiplicity", "tau21", "tau32", "d2")
TAILS = (0.001, 0.999)
FEWEST = 10
QUANTILES = (0.1, 0.5, 0.9, 0.99)
ETA, PHI = r"$\eta - \eta_{jet}$", r"$\phi - \phi_{jet}$ [rad]"


@dataclass(frozen=True)
class Drawn:
    """Jets of one kind by role: particles and observables, and the jets' pT (n,) GeV where it is known."""

    kind: str
    jets: Mapping[str, JetSample]
    pt: Mapping[str, FloatArray]

    def named(self, name: str) -> str:
        return f"{name}/{self.kind}" if self.kind else name

    def titled(self, title: str) -> str:
        return f"{title}, {self.kind} jets" if self.kind else title


def jet_curves(drawn: Drawn) -> list[Curve]:
    """Mass, substructure and multiplicity; spectra of particles; mean pT of the k-th particle."""
    found = [_mass(drawn), _particles(drawn, 2), _particles(drawn, 0), _by_rank(drawn)]
    for name in DRAWN:
        values = {role: on_host(JET_OBSERVABLES[name].values(jets)) for role, jets in drawn.jets.items()}
        if np.ptp(np.concatenate(list(values.values()))) == 0:
            continue
        edges = _whole(values["reference"]) if name == "multiplicity" else _edges(values["reference"])
        label = JET_OBSERVABLES[name].label
        found.append(_spectrum(drawn, name, f"Distribution of {label}", label, values, edges))
    return found


def _mass(drawn: Drawn) -> Curve:
    known = drawn.pt.keys() == drawn.jets.keys()
    values = {role: on_host(jets.features["mass"]) for role, jets in drawn.jets.items()}
    if known:
        values = {role: mass * drawn.pt[role] for role, mass in values.items()}
    label = r"$m$ [GeV]" if known else r"$m / p_T$"
    caption = "Of the constituents that are kept. Heavy particles that decay in the jet make peaks."
    return _spectrum(drawn, "mass", "Jet mass", label, values, _edges(values["reference"]), caption)


def _spectrum(
    drawn: Drawn,
    name: str,
    title: str,
    label: str,
    values: Mapping[str, FloatArray],
    edges: FloatArray,
    words: str = "",
) -> Curve:
    """Share of jets per unit of one observable."""
    series = {}
    for role, x in values.items():
        counts = np.histogram(x, edges)[0]
        scale = np.diff(edges) * max(len(x), 1)
        series[role] = (edges, counts / scale, np.sqrt(counts) / scale)
    unit = "jets per GeV" if "GeV" in label else "jets per unit"
    return Curve(
        drawn.named(name), drawn.titled(title), label, f"share of {unit}", series, False, False, words, True, True
    )


def _particles(drawn: Drawn, column: int) -> Curve:
    """Particles per jet and unit of pT (`column` 2) or eta (0); the error is that of jets, not of particles."""
    pools = {role: jets.flat[:, :, (column, 2)] for role, jets in drawn.jets.items()}
    truth = pools["reference"][pools["reference"][:, :, 1] > 0, 0]
    transverse = column == 2
    if transverse:
        edges = np.geomspace(max(np.quantile(truth, TAILS[0]), 1e-6), truth.max() * 1.0001, BINS + 1)
    else:
        edge = np.quantile(np.abs(truth), TAILS[1])
        edges = np.linspace(-edge, edge, BINS + 1)
    series = {}
    for role, pool in pools.items():
        mean, error = _per_jet(pool[:, :, 0], pool[:, :, 1] > 0, edges)
        series[role] = (edges, mean / np.diff(edges), error / np.diff(edges))
    name, title = (
        ("particle_pt", "Particle transverse momentum") if transverse else ("particle_eta", "Particle direction")
    )
    label = r"$p_T / p_{T,jet}$ of particles" if transverse else ETA + " of particles"
    words = "Particles of a jet, per unit."
    return Curve(
        drawn.named(name), drawn.titled(title), label, "particles per jet", series, transverse, True, words, True, True
    )


def _per_jet(values: FloatArray, real: NDArray[np.bool_], edges: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean number of particles of a jet in each bin, and its error."""
    bins = len(edges) - 1
    place = np.searchsorted(edges, values, side="right") - 1
    inside = real & (place >= 0) & (place < bins)
    jet = np.nonzero(inside)[0]
    counts = np.bincount(jet * bins + place[inside], minlength=len(values) * bins).reshape(len(values), bins)
    return counts.mean(axis=0), counts.std(axis=0) / np.sqrt(max(len(values), 1))


def _by_rank(drawn: Drawn) -> Curve:
    """Mean pT of the k-th hardest particle, of the jets that have one."""
    series = {}
    for role, jets in drawn.jets.items():
        pt = -np.sort(-jets.flat[:, :, 2], axis=1)
        have = (pt > 0).sum(axis=0)
        enough = have >= FEWEST
        n = np.maximum(have, 1)
        mean = pt.sum(axis=0) / n
        spread = np.sqrt(np.maximum((pt**2).sum(axis=0) / n - mean**2, 0) / n)
        series[role] = (1.0 + np.arange(pt.shape[1]), np.where(enough, mean, np.nan), np.where(enough, spread, np.nan))
    return Curve(
        drawn.named("pt_by_rank"),
        drawn.titled("Momentum of the k-th particle"),
        "k, the hardest first",
        r"mean $p_T / p_{T,jet}$",
        series,
        log_y=True,
        caption="Of jets that have so many particles.",
        ratio=True,
    )


def jet_images(drawn: Drawn) -> list[Image]:
    """Mean transverse momentum in the plane of eta and phi, and how far from truth it is in standard errors."""
    edges = np.linspace(-(edge := _plane(drawn.jets["reference"])), edge, PIXELS + 1)
    maps = {role: _mean_image(jets, edges) for role, jets in drawn.jets.items()}
    extent = (-edge, edge, -edge, edge)
    found = [
        Image(
            drawn.named("jet_image"),
            drawn.titled("Mean jet image"),
            r"$\Sigma p_T / p_{T,jet}$ per pixel",
            {role: mean for role, (mean, _) in maps.items()},
            extent,
            ETA,
            PHI,
            f"Mean over all jets of the transverse momentum in {PIXELS} x {PIXELS} pixels.",
            log=True,
        )
    ]
    truth, truth_error = maps.pop("reference")
    pulls = {}
    for role, (mean, error) in maps.items():
        total = np.hypot(error, truth_error)
        pulls[role] = np.divide(mean - truth, total, out=np.zeros_like(mean), where=total > 0)
    if pulls:
        found.append(
            Image(
                drawn.named("jet_image_pulls"),
                drawn.titled("Mean jet image less truth's"),
                "difference over its error",
                {role: np.clip(pull, -6, 6) for role, pull in pulls.items()},
                extent,
                ETA,
                PHI,
                "White is agreement within errors; colours end at six of them.",
                diverging=True,
            )
        )
    return found


def _plane(jets: JetSample) -> float:
    """Half the side of the drawn plane: 99.9 % of the momentum's particles, rounded up to a tenth."""
    real = jets.flat[:, :, 2] > 0
    if not real.any():
        return 0.1
    reach = np.abs(jets.flat[:, :, :2][real]).max(axis=1)
    return float(np.ceil(10 * np.quantile(reach, TAILS[1])) / 10)


def _mean_image(jets: JetSample, edges: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean sum of pT in pixels (phi rows, eta columns), and its error."""
    n, pixels = len(jets), len(edges) - 1
    eta, phi, pt = np.moveaxis(jets.flat, 2, 0)
    columns, rows = (np.searchsorted(edges, values, side="right") - 1 for values in (eta, phi))
    inside = (pt > 0) & (columns >= 0) & (columns < pixels) & (rows >= 0) & (rows < pixels)
    cell = np.where(inside, rows * pixels + columns, 0)
    first = np.bincount(cell[inside], pt[inside], pixels**2) / n
    second = _sum_of_squares(cell, np.where(inside, pt, 0.0), pixels**2) / n
    error = np.sqrt(np.maximum(second - first**2, 0) / n)
    return first.reshape(pixels, pixels), error.reshape(pixels, pixels)


def _sum_of_squares(cell: IntArray, pt: FloatArray, cells: int) -> FloatArray:
    """Sum over jets of the square of a jet's momentum in each pixel: particles of one pixel belong together."""
    key = np.arange(len(cell))[:, None] * cells + cell
    place, inverse = np.unique(key, return_inverse=True)
    of_jet = np.bincount(inverse.ravel(), pt.ravel())
    return np.asarray(np.bincount(place % cells, of_jet**2, cells))


def jet_displays(drawn: Drawn) -> list[Display]:
    """Single jets at the same quantiles of their sample's mass, truth A and the generated ones."""
    events, heads = {}, {}
    for role, jets in drawn.jets.items():
        if role == "null":
            continue
        mass = on_host(jets.features["mass"])
        order = np.argsort(mass, kind="stable")
        picked = [int(order[min(int(q * len(order)), len(order) - 1)]) for q in QUANTILES]
        events[role] = [jets.flat[i][jets.flat[i, :, 2] > 0] for i in picked]
        heads[role] = [_head(mass[i], drawn.pt[role][i] if role in drawn.pt else None) for i in picked]
    edge = _plane(drawn.jets["reference"])
    return [
        Display(
            drawn.named("jets"),
            drawn.titled("Single jets"),
            ETA,
            PHI,
            r"$p_T / p_{T,jet}$",
            events,
            (-edge, edge, -edge, edge),
            heads,
            caption="Jets at 10, 50, 90 and 99 % of the distribution of the mass; a circle is a particle.",
        )
    ]


def _head(mass: float, pt: float | None) -> str:
    return f"m/pT = {mass:.3f}" if pt is None else f"m = {mass * pt:.0f} GeV, pT = {pt:.0f} GeV"


def _edges(values: FloatArray) -> FloatArray:
    low, high = np.quantile(values, TAILS) if len(values) else (0.0, 1.0)
    return np.linspace(low, max(high, low + 1e-6), BINS + 1)


def _whole(values: FloatArray) -> FloatArray:
    """Bins of one number each, or of several where there are more numbers than bins."""
    low, high = int(values.min()), int(values.max())
    step = max(1, -(-(high - low + 1) // BINS))
    return np.arange(low - 0.5, high + step + 0.5, step)
