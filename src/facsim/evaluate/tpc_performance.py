"""Performance of the TPC's reconstruction: the numbers of one sample of events under many sets of weights at once.

All samples are of the same simulated tracks, and weights belong to those: what scatters from track to track cancels in
differences of samples, and replicas of the weights give their errors (`metrics.replicas`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from facsim.evaluate.tpc_reconstructed import MATCHED, Reconstructed, Truth
from facsim.metrics.replicas import core_width, median, weighted_mean
from facsim.physics import tpc
from facsim.physics.helix import GEV_PER_TESLA_CM

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

FEWEST_ROWS = 20
"""Pad rows that a track must cross to be counted in efficiencies, and clusters of fits in resolutions."""
SOFT = 0.5
"""pT below which tracks are soft, GeV."""
FASTEST = 3.0
"""beta gamma above which the energy loss hardly depends on it."""
SLICES = {"kaon": (0.4, 0.6), "proton": (0.7, 1.0)}
"""Momenta at which pions are told from other species, GeV."""
FEWEST = 10
CLIP = 0.2
MOST_CLUSTERS = 20_000
MILLIMETRES = 10.0


@dataclass(frozen=True)
class Performance:
    """One sample of reconstructed events beside its truth."""

    truth: Truth
    sample: Reconstructed

    @cached_property
    def best(self) -> IntArray:
        """Reconstructed track of each simulated one (N,): that with most clusters, -1 where there is none."""
        tracks = self.sample.tracks
        good = np.flatnonzero(self.matched)
        order = good[np.lexsort((tracks.points[good], tracks.truth[good]))]
        best = np.full(len(self.truth.tracks), -1, dtype=np.int64)
        best[tracks.truth[order]] = order
        return best

    @property
    def matched(self) -> BoolArray:
        """Reconstructed tracks that have most of their clusters of one simulated track."""
        tracks = self.sample.tracks
        return (tracks.truth >= 0) & (tracks.part > MATCHED)

    @cached_property
    def fitted(self) -> IntArray:
        """Simulated tracks whose reconstructed one has enough clusters for resolutions."""
        found = np.flatnonzero(self.best >= 0)
        return found[self.sample.tracks.points[self.best[found]] >= FEWEST_ROWS]

    @cached_property
    def off(self) -> FloatArray:
        """Reconstructed less true parameters of the `fitted` tracks, (F, 5): d0 (cm), phi, q/pT over its true value,
        z0 (cm), tan lambda."""
        true = true_parameters(self.truth)[self.fitted]
        off = self.sample.tracks.parameters[self.best[self.fitted]] - true
        off[:, 1] = (off[:, 1] + np.pi) % (2 * np.pi) - np.pi
        off[:, 2] /= true[:, 2]
        return off

    @cached_property
    def errors(self) -> FloatArray:
        """What the fits say of their errors, (F, 5), in the units of `off`."""
        diagonal = np.einsum("tii->ti", self.sample.tracks.covariance[self.best[self.fitted]])
        errors = np.sqrt(np.maximum(diagonal, 0.0))
        errors[:, 2] /= np.abs(self.truth.tracks.curvature[self.fitted])
        return np.asarray(errors)

    @cached_property
    def dedx(self) -> tuple[IntArray, FloatArray]:
        """Simulated tracks with a measured energy loss, and that, ADC/cm."""
        found = np.flatnonzero(self.best >= 0)
        values = self.sample.tracks.dedx[self.best[found]]
        good = np.isfinite(values)
        return found[good], values[good]

    @cached_property
    def points(self) -> IntArray:
        """Clusters behind residuals: all, or evenly spaced ones."""
        n = len(self.sample.clusters.truth)
        return np.unique(np.linspace(0, max(n - 1, 0), min(n, MOST_CLUSTERS)).astype(np.int64))


def true_parameters(truth: Truth) -> FloatArray:
    """(d0, phi0, kappa, z0, tan lambda) of simulated tracks where they are nearest to the beam line, (N, 5)."""
    t = truth.tracks
    kappa = t.curvature
    normal = np.array([kappa * t.x - np.sin(t.phi), kappa * t.y + np.cos(t.phi)])
    length = np.hypot(*normal)
    d0 = (kappa * (t.x**2 + t.y**2) + 2 * (t.y * np.cos(t.phi) - t.x * np.sin(t.phi))) / (1 + length)
    phi0 = np.arctan2(-normal[0], normal[1])
    turned = (t.phi - phi0 + np.pi) % (2 * np.pi) - np.pi
    return np.stack([d0, phi0, kappa, t.z - turned / kappa * t.tan_lambda, t.tan_lambda], axis=1)


def total_momentum(truth: Truth) -> FloatArray:
    """GeV, (N,)."""
    return np.asarray(truth.tracks.pt * np.hypot(1, truth.tracks.tan_lambda))


def numbers(performance: Performance, weights: FloatArray) -> dict[str, FloatArray]:
    """All numbers under the weights (B, N) of simulated tracks, (B,) each."""
    return {
        **_counts(performance, weights),
        **_residuals(performance, weights),
        **_resolutions(performance, weights),
        **_energy_loss(performance, weights),
    }


def _counts(p: Performance, w: FloatArray) -> dict[str, FloatArray]:
    rows, tracks = p.truth.rows, p.sample.tracks
    countable, soft = rows >= FEWEST_ROWS, p.truth.tracks.pt < SOFT
    found = (p.best >= 0).astype(np.float64)
    owner = np.maximum(tracks.truth, 0)
    of_track = w[:, owner] if w.shape[1] else np.ones((len(w), len(owner)))
    clone = p.matched & (p.best[owner] != np.arange(len(owner))) if len(owner) else p.matched
    per_row = np.bincount(p.sample.clusters.truth, minlength=len(rows)).astype(np.float64)
    crossed = w @ rows.astype(np.float64)
    return {
        "efficiency": weighted_mean(found[countable], w[:, countable]),
        "efficiency_soft": weighted_mean(found[countable & soft], w[:, countable & soft]),
        "fake_rate": weighted_mean((~p.matched).astype(np.float64), of_track),
        "clone_rate": weighted_mean(clone.astype(np.float64), of_track),
        "clusters_per_row": np.asarray((w @ per_row) / np.where(crossed > 0, crossed, np.nan)),
    }


def _residuals(p: Performance, w: FloatArray) -> dict[str, FloatArray]:
    clusters, tracks = p.sample.clusters, p.sample.tracks
    weights = w[:, clusters.truth[p.points]]
    found = {}
    for name, values in (("pad", clusters.off_pad), ("time", clusters.off_time)):
        some = MILLIMETRES * values[p.points]
        found[f"residual_mean/{name}"], found[f"residual_width/{name}"] = (
            median(some, weights),
            core_width(some, weights),
        )
    at = p.best[p.fitted]
    for name, values in (("pad", tracks.pulls_pad), ("time", tracks.pulls_time)):
        found[f"pull_width/{name}"] = np.sqrt(weighted_mean(values[at], w[:, p.fitted]))
    return found


def _resolutions(p: Performance, w: FloatArray) -> dict[str, FloatArray]:
    weights, found = w[:, p.fitted], {}
    for k, name in enumerate(("d0", "phi", "pt", "z0", "tan_lambda")):
        found[f"resolution/{name}"] = core_width(p.off[:, k], weights)
        found[f"pull_width/{name}"] = core_width(p.off[:, k] / p.errors[:, k], weights)
    found["bias/pt"] = median(p.off[:, 2], weights)
    return found


def _energy_loss(p: Performance, w: FloatArray) -> dict[str, FloatArray]:
    track, value = p.dedx
    momentum, mass = total_momentum(p.truth)[track], p.truth.tracks.mass[track]
    fast = momentum / mass > FASTEST
    weights = w[:, track[fast]]
    middle = median(value[fast], weights)
    found = {"dedx/mean": middle}
    if np.count_nonzero(fast) >= FEWEST:
        found["dedx/resolution"] = core_width(_levelled(value[fast], (momentum / mass)[fast]), weights)
    for species, (low, high) in SLICES.items():
        inside = (momentum >= low) & (momentum < high)
        pair = [inside & (np.abs(mass - tpc.MASSES[name]) < 1e-3) for name in ("pion", species)]
        if min(np.count_nonzero(some) for some in pair) >= FEWEST:
            found[f"separation/pion_{species}"] = separation(value, pair, w, track)
    return found


def _levelled(value: FloatArray, beta_gamma: FloatArray) -> FloatArray:
    """Energy loss over its course with beta gamma, a parabola in logarithms."""
    x, y = np.log(beta_gamma), np.log(value)
    for _ in range(2):
        course = np.polyval(np.polyfit(x, y, 2), x)
        # tracks that overlap another one would pull the course up
        y = np.minimum(y, course + CLIP)
    return np.asarray(value / np.exp(course))


def separation(value: FloatArray, pair: list[BoolArray], w: FloatArray, track: IntArray) -> FloatArray:
    """Distance of the medians of two kinds of tracks over the root mean square of their widths, (B,)."""
    middle = [median(value[some], w[:, track[some]]) for some in pair]
    width = [core_width(value[some], w[:, track[some]]) for some in pair]
    return np.asarray(np.abs(middle[1] - middle[0]) / np.sqrt(0.5 * (width[0] ** 2 + width[1] ** 2)))


def transverse_momentum(kappa: FloatArray) -> FloatArray:
    """GeV, of signed curvatures, 1/cm."""
    return np.asarray(GEV_PER_TESLA_CM * tpc.MAGNETIC_FIELD / np.maximum(np.abs(kappa), 1e-9))
