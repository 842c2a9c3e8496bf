"""From spots of energy to the cells of a shashlik calorimeter: light, cracks, gain, noise."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from facsim.core.geometry import FloatArray
from facsim.core.image import ImageGeometry, regular_image
from facsim.core.rng import generator
from facsim.simulate.ecal_showers import Spots
from facsim.simulate.readout import Section

FINE, PITCH = 30, 20.2
FIBRES = 10.1
MERGED = {"fine": 1, "inner": 2, "middle": 3, "outer": 6}
Cells = Literal["fine", "inner", "middle", "outer"]
Share = Annotated[float, Field(ge=0, lt=1)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class ECALEffects(Section):
    """What a real calorimeter adds; all off by default.

    Args:
        light: amplitude of the non-uniformity 1 + light cos(2 pi x / 10.1 mm) cos(2 pi y / 10.1 mm) between fibres.
        crack: width of the gap between cells, mm, where energy is lost.
        attenuation: length of the light in the fibres, read at the back, mm; 0 for none. The mean over the depth is 1.
        gain: relative spread of the gains of cells, one map for all showers, drawn from `gain_seed`.
        noise: standard deviation of the electronics in a cell, MeV; negative cells are set to zero.
        threshold: cells below it are zero, MeV.
    """

    light: Share = 0.0
    crack: Annotated[float, Field(ge=0, lt=PITCH)] = 0.0
    attenuation: NotNegative = 0.0
    gain: Share = 0.0
    gain_seed: int = 1
    noise: NotNegative = 0.0
    threshold: NotNegative = 0.0


def window(cells: Cells, name: str, particle: str = "", threshold: float = 0.0) -> ImageGeometry:
    """The 606 mm wide window of `cells` of 20.2 (`fine`), 40.4 (`inner`), 60.6 or 121.2 mm, rows along y."""
    side = (-0.5 * FINE * PITCH, 0.5 * FINE * PITCH, FINE // MERGED[cells])
    return regular_image(name, side, side, particle=particle, threshold=threshold)


def merged(fine: FloatArray, cells: Cells) -> FloatArray:
    """Fine cells (N, 900) summed to `cells`, (N, V)."""
    k = MERGED[cells]
    n = FINE // k
    return np.asarray(fine.reshape(-1, n, k, n, k).sum(axis=(2, 4)).reshape(len(fine), n * n))


def bin_spots(spots: Spots, n: int, depth: float, cells: Cells, effects: ECALEffects) -> FloatArray:
    """Energies (n, 900) of fine cells, MeV, of spots inside of the calorimeter of thickness `depth`, mm."""
    energy = spots.energy
    if effects.light:
        waves = np.cos(2 * np.pi / FIBRES * spots.x) * np.cos(2 * np.pi / FIBRES * spots.y)
        energy = energy * (1 + effects.light * waves)
    if effects.attenuation:
        length = depth / effects.attenuation
        seen = np.exp(-(depth - np.clip(spots.z, 0, depth)) / effects.attenuation)
        energy = energy * seen * length / -np.expm1(-length)
    kept = spots.z < depth
    if effects.crack:
        width = PITCH * MERGED[cells]
        # borders of cells, seen from that of the window: an odd number of cells has its middle inside of one
        edge = 0.5 * FINE / MERGED[cells]
        gaps = [np.abs((place / width + edge + 0.5) % 1 - 0.5) * width for place in (spots.x, spots.y)]
        kept &= np.minimum(*gaps) > effects.crack / 2
    column, row = (np.floor(place / PITCH + FINE / 2) for place in (spots.x, spots.y))
    kept &= (column >= 0) & (column < FINE) & (row >= 0) & (row < FINE)
    place = (spots.shower[kept] * FINE + row[kept].astype(np.int64)) * FINE + column[kept].astype(np.int64)
    sums = np.bincount(place, energy[kept], n * FINE * FINE).astype(np.float64)
    return sums.reshape(n, FINE * FINE)


def electronics(energy: FloatArray, effects: ECALEffects, rng: np.random.Generator) -> FloatArray:
    """Gains, noise and threshold of cells (N, V)."""
    if effects.gain:
        gains = 1 + effects.gain * generator(effects.gain_seed, "ecal", "gain").standard_normal(energy.shape[1])
        energy = energy * np.maximum(gains, 0)
    if effects.noise:
        energy = np.maximum(energy + effects.noise * rng.standard_normal(energy.shape), 0)
    return np.where(energy >= effects.threshold, energy, 0.0)
