"""Parametrised showers of photons and electrons in a sampling calorimeter, spot by spot (hep-ex/0001020).

Each shower draws its longitudinal profile, each slab its energy with the sampling fluctuation, and each of its spots a
place. Slabs follow the axis, so that inclined showers are inclined in the cells; what lies behind the calorimeter or
beside the window is lost. What would lie in front of the face stays, its share is below a per mille.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from facsim.core.geometry import FloatArray
from facsim.physics import gflash as gp
from facsim.physics.gflash import Medium

Float32 = NDArray[np.float32]
SLAB = 0.5
CONVERSION = 9.0 / 7.0
SPOTS_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class Beam:
    """Particles at the face: `energy` (N,) MeV, unit vector `direction` (N, 3), `point` (N, 2) mm, `photon` (N,)."""

    energy: FloatArray
    direction: FloatArray
    point: FloatArray
    photon: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.energy)

    def __getitem__(self, index: slice) -> Beam:
        return Beam(self.energy[index], self.direction[index], self.point[index], self.photon[index])


@dataclass(frozen=True)
class Spots:
    """Spots of energy: number of the `shower`, `energy` (MeV), `x`, `y`, `z` (mm) from the middle of the face."""

    shower: NDArray[np.int64]
    energy: Float32
    x: Float32
    y: Float32
    z: Float32


@dataclass(frozen=True)
class Sampler:
    """Constants of the parametrisation.

    Args:
        medium: the calorimeter. depth: its thickness, mm.
        sampling: c of the sampling fluctuation c / sqrt(E / GeV). constant: relative fluctuation of a whole shower.
        spots: share of the spots of the paper that is drawn, of accordingly more energy each.
    """

    medium: Medium
    depth: float
    sampling: float = 0.09
    constant: float = 0.008
    spots: float = 1.0

    def showers(self, beam: Beam, rng: np.random.Generator) -> Spots:
        """Spots of the showers of a beam; the caller bounds their number with `parts`."""
        energy, tau = self.slabs(beam, rng)
        count = rng.poisson(self._spot_means(beam, energy.shape[1], tau[1:]))
        count = np.where(energy > 0, np.maximum(count, 1), 0)
        slab = np.repeat(np.arange(count.size), count.ravel())
        shower = slab // count.shape[1]
        per_spot = (energy / np.maximum(count, 1)).ravel().astype(np.float32)
        radii = [each.ravel().astype(np.float32) for each in gp.radial_parameters(beam.energy, tau[0], self.medium)]
        start = rng.exponential(CONVERSION, len(beam)) * beam.photon
        t = (slab % count.shape[1] + rng.random(len(slab), np.float32)) * SLAB + start[shower]
        u, choice = rng.random((2, len(slab)), np.float32)
        core, tail, weight = (each[slab] for each in radii)
        u = np.minimum(u, np.float32(1 - 1e-6))
        r = np.where(choice < weight, core, tail) * np.sqrt(u / (1 - u)) * np.float32(self.medium.moliere_radius)
        place = self._places(beam, shower, t.astype(np.float32) * np.float32(self.medium.x0), r, rng)
        return Spots(shower, per_spot[slab], *place)

    def slabs(
        self, beam: Beam, rng: np.random.Generator
    ) -> tuple[FloatArray, tuple[FloatArray, FloatArray, FloatArray]]:
        """Energy of the slabs, MeV (N, L), from the start of each shower on, and (their age (N, L), T (N,), alpha)."""
        shape = gp.longitudinal_parameters(beam.energy, self.medium)
        t_max, alpha = gp.draw_longitudinal(shape, rng.standard_normal((len(beam), 2)))
        edges = slab_edges(self.n_slabs(beam))
        mean = beam.energy[:, None] * profile(edges, t_max, alpha)
        unit = 1e3 * self.sampling**2  # MeV: energy whose sampling fluctuation is as large as itself
        energy = rng.gamma(mean / unit) * unit if self.sampling > 0 else mean
        energy *= np.maximum(1 + self.constant * rng.standard_normal(len(beam)), 0)[:, None]
        middle = 0.5 * (edges[1:] + edges[:-1])
        return energy, (gp.shower_age(middle, t_max, alpha, shape.mean_ln_alpha), t_max, alpha)

    def n_slabs(self, beam: Beam) -> int:
        """Slabs up to the end of the most inclined shower."""
        longest = self.depth / self.medium.x0 / float(beam.direction[:, 2].min(initial=1.0))
        return int(np.ceil(longest / SLAB)) + 1

    def mean_spots(self, energy: FloatArray) -> FloatArray:
        """Mean number of spots of showers (N,)."""
        return self.spots * gp.spot_count(energy, self.medium, max(self.sampling, 1e-3))

    def parts(self, energy: FloatArray) -> list[slice]:
        """Showers to draw at a time, so that memory is bounded."""
        block = (np.cumsum(self.mean_spots(energy) + 100) // SPOTS_AT_ONCE).astype(np.int64)
        edges = [0, *(np.flatnonzero(np.diff(block)) + 1).tolist(), len(energy)]
        return [slice(a, b) for a, b in pairwise(edges) if b > a]

    def _spot_means(self, beam: Beam, n_slabs: int, shape: tuple[FloatArray, FloatArray]) -> FloatArray:
        t_max, alpha = gp.spot_profile(*shape, self.medium)
        return self.mean_spots(beam.energy)[:, None] * profile(slab_edges(n_slabs), t_max, alpha)

    @staticmethod
    def _places(
        beam: Beam, shower: NDArray[np.int64], depth: Float32, r: Float32, rng: np.random.Generator
    ) -> tuple[Float32, Float32, Float32]:
        """Points at `depth` along the axes and `r` beside them at even angles."""
        first, second = transverse_axes(beam.direction)
        angle = rng.random(len(r), np.float32) * np.float32(2 * np.pi)
        a, b = r * np.cos(angle), r * np.sin(angle)
        origin = np.column_stack([beam.point, np.zeros(len(beam))])
        vectors = [each.astype(np.float32) for each in (origin, beam.direction, first, second)]
        columns = [[vector[:, k][shower] for vector in vectors] for k in range(3)]
        x, y, z = (o + depth * d + a * e + b * f for o, d, e, f in columns)
        return x, y, z


def slab_edges(n: int) -> FloatArray:
    """Depths between `n` slabs, X0, (n + 1,)."""
    return np.linspace(0.0, SLAB * n, n + 1)


def profile(edges: FloatArray, t_max: FloatArray, alpha: FloatArray) -> FloatArray:
    """Share of a gamma profile between `edges` (L + 1,), X0, of showers with maximum at `t_max` (N,): (N, L)."""
    from scipy.special import gammainc  # noqa: PLC0415 - not needed to import facsim

    beta = (alpha - 1) / t_max
    return np.asarray(np.diff(gammainc(alpha[:, None], beta[:, None] * edges), axis=1))


def transverse_axes(direction: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Two unit vectors (N, 3) perpendicular to directions (N, 3) that fly forward, and to each other."""
    dx, dz = direction[:, 0], direction[:, 2]
    size = np.hypot(dx, dz)
    first = np.column_stack([dz / size, np.zeros_like(dx), -dx / size])
    return first, np.cross(direction, first)
