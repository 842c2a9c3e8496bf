"""Response of a detector to jets: reconstructed over generator-level pT and mass, in bins, truth against surrogate."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import Events
from facsim.core.geometry import FloatArray
from facsim.core.rng import generator
from facsim.core.schema import Schema
from facsim.evaluate.measures import Measured
from facsim.metrics.replicas import half_width
from facsim.physics.jet_schema import PARTICLE_COLUMNS, is_jets
from facsim.physics.jets import jet_features

PT, ETA = "gen_pt", "gen_eta"
LIGHTEST = 1.0
"""GeV: lighter generator-level jets have no mass response."""
LARGEST = 4.0
"""Responses count as this much at most: a hundred times a mass of next to nothing says nothing of a detector."""
BINS = {PT: 5, ETA: 4}
RESAMPLED = 100
FEWEST = 50


@dataclass(frozen=True)
class JetPairs:
    """Jets before and after the detector, each array (N,).

    Attributes:
        gen_pt, gen_mass, pt, mass: GeV. gen_eta: of the generator-level jet.
        d_eta, d_phi: of the reconstructed jet's axis from the generator-level one's (rad).
        gen_multiplicity, multiplicity: numbers of particles.
    """

    gen_pt: FloatArray
    gen_eta: FloatArray
    gen_mass: FloatArray
    gen_multiplicity: FloatArray
    pt: FloatArray
    mass: FloatArray
    d_eta: FloatArray
    d_phi: FloatArray
    multiplicity: FloatArray

    def __len__(self) -> int:
        return len(self.pt)

    def __getitem__(self, index: NDArray[np.integer] | NDArray[np.bool_] | slice) -> JetPairs:
        return JetPairs(*(getattr(self, f.name)[index] for f in fields(self)))

    def response(self, name: str) -> FloatArray:
        """Reconstructed over generator-level `pt` or `mass`, NaN where there is none: jets of which nothing is left,
        and masses of light ones."""
        gen, reco = getattr(self, f"gen_{name}"), getattr(self, name)
        there = (self.multiplicity > 0) & (gen > (LIGHTEST if name == "mass" else 0.0))
        ratio = np.divide(reco, gen, out=np.full(len(self), np.nan), where=there)
        return np.asarray(np.minimum(ratio, LARGEST))

    def against(self, name: str) -> FloatArray:
        """What responses are binned in: `gen_pt`, or |`gen_eta`|."""
        return self.gen_pt if name == PT else np.abs(self.gen_eta)


def check_pairs(schema: Schema) -> None:
    """Refuse events that are no reconstructed jets given generator-level ones.

    Raises:
        FacsimError: they are not.
    """
    columns = tuple(f.name for f in schema.features)
    names = [f.name for f in schema.scalar_conditions]
    if not is_jets(schema) or names[:2] != [PT, ETA] or not schema.given:
        raise FacsimError(
            f"expected clouds with the columns {PARTICLE_COLUMNS}, first conditions '{PT}' (GeV) and '{ETA}', and the "
            f"points of the generator-level jet; the events are a {schema.representation} with columns {columns}, "
            f"conditions {names} and {schema.given} given points."
        )


def jet_pairs(events: Events) -> JetPairs:
    """Both jets of every event.

    Raises:
        FacsimError: other events.
    """
    check_pairs(events.schema)
    pt, eta = (np.asarray(events.cond[:, k], dtype=np.float64) for k in range(2))
    gen = jet_features(np.asarray(events.schema.given_points(events.cond), dtype=np.float64))
    x = real_points(events)
    reco = jet_features(x)
    across, along = (x[..., 2] * np.sin(x[..., 1])).sum(1), (x[..., 2] * np.cos(x[..., 1])).sum(1)
    return JetPairs(
        pt,
        eta,
        gen["mass"] * pt,
        gen["multiplicity"],
        reco["pt"] * pt,
        reco["mass"] * pt,
        reco["eta"],
        np.arctan2(across, along),
        reco["multiplicity"],
    )


def real_points(events: Events) -> FloatArray:
    """Particles (N, P, 3) with zeros where there is none; generated ones of no pT are none."""
    x = np.asarray(events.x, dtype=np.float64)
    if events.mask is not None:
        x = x * events.mask[..., None]
    return x * (x[..., 2:] > 0)


@dataclass(frozen=True)
class BinnedResponse:
    """Mean and width (half of the central 68 %) of a response in bins, and errors by bootstrap: each (B,).

    Bins of fewer than 50 jets are NaN.
    """

    mean: FloatArray
    mean_error: FloatArray
    width: FloatArray
    width_error: FloatArray
    count: NDArray[np.int64]


def bin_edges(pairs: JetPairs, name: str) -> FloatArray:
    """Edges of bins that hold about as many jets each; the first and the last are open."""
    values = pairs.against(name)
    edges = np.unique(np.quantile(values, np.linspace(0, 1, BINS[name] + 1)))
    if len(edges) < 3:
        return np.array([-np.inf, np.inf])
    return np.array([-np.inf, *edges[1:-1], np.inf])


def binned_response(pairs: JetPairs, of: str, against: str, edges: FloatArray, seed: int) -> BinnedResponse:
    """Response of `of` (`pt` or `mass`) in bins of `against` (`gen_pt`, `gen_eta`)."""
    response, place = pairs.response(of), np.digitize(pairs.against(against), edges) - 1
    rng = generator(seed, "response", of, against)
    rows, counts = [], []
    for k in range(len(edges) - 1):
        values = response[(place == k) & np.isfinite(response)]
        counts.append(len(values))
        rows.append(_moments(values, rng))
    mean, mean_error, width, width_error = np.array(rows, dtype=np.float64).T
    return BinnedResponse(mean, mean_error, width, width_error, np.array(counts, dtype=np.int64))


def response_errors(a: JetPairs, b: JetPairs, seed: int) -> dict[str, Measured]:
    """Relative differences of mean and width of the responses of `b` from those of the truth `a`: over all jets, and
    the largest over bins of pT and of |eta|, which noise alone makes larger than nothing."""
    found: dict[str, Measured] = {}
    for of in ("pt", "mass"):
        for against in ("", PT, ETA):
            edges = bin_edges(a, against) if against else np.array([-np.inf, np.inf])
            bins = against or PT
            x, y = (binned_response(pairs, of, bins, edges, seed + k) for k, pairs in enumerate((a, b)))
            for what in ("mean", "width"):
                number = _difference(x, y, what, edges, against)
                if number is not None:
                    found[f"{of}_response_{what}/{against or 'all'}"] = number
    return found


def _difference(x: BinnedResponse, y: BinnedResponse, what: str, edges: FloatArray, against: str) -> Measured | None:
    true, made = getattr(x, what), getattr(y, what)
    with np.errstate(divide="ignore", invalid="ignore"):
        off = np.abs(made / true - 1)
        error = np.hypot(getattr(x, f"{what}_error"), made / true * getattr(y, f"{what}_error")) / np.abs(true)
    usable = np.flatnonzero(np.isfinite(off))
    if not len(usable):
        return None
    worst = int(usable[off[usable].argmax()])
    note = f"{true[worst]:.4f} in truth, {made[worst]:.4f} here" + _place(edges, worst, against, len(usable))
    return Measured(float(off[worst]), float(error[worst]), (int(x.count.sum()), int(y.count.sum())), note=note)


def _place(edges: FloatArray, worst: int, against: str, bins: int) -> str:
    if not against:
        return "."
    low, high = edges[worst], edges[worst + 1]
    unit, symbol = (" GeV", "pT") if against == PT else ("", "|eta|")
    limits = [f"from {low:.3g}"] * bool(np.isfinite(low)) + [f"to {high:.3g}"] * bool(np.isfinite(high))
    return f", {symbol} {' '.join(limits)}{unit}: the worst of {bins} bins."


def _moments(values: FloatArray, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """Mean, its error, width, its error."""
    if len(values) < FEWEST:
        return (np.nan,) * 4
    widths = np.array([half_width(rng.choice(values, len(values))) for _ in range(RESAMPLED)])
    return values.mean(), values.std(ddof=1) / len(values) ** 0.5, half_width(values), float(widths.std(ddof=1))
