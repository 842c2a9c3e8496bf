"""Tracks and calorimeter cells sorted to particles, in the spirit of CMS's particle flow (arXiv 1706.04965, section 4).

Tracks of charged hadrons that point to the same HCAL cell form a block with the ECAL cells that they hit. Where the
block's energy exceeds their momenta by more than its fluctuations, the excess is a photon as far as the ECAL holds it,
and a neutral hadron; where both agree, momenta are scaled to the best mean of the two. What is left in cells is merged
with what is left in touching ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facsim.core.geometry import FloatArray, IntArray
from facsim.physics.detector_cells import NOWHERE, Deposits, cells_of, clusters
from facsim.physics.detector_settings import Calorimeter, Detector
from facsim.physics.particles import Particles, merged

HADRON, ELECTRON, MUON = 211, 11, 13
PHOTON, NEUTRAL_HADRON = 22, 130


@dataclass(frozen=True)
class Tracks:
    """Measured tracks, arrays (T,).

    Attributes:
        source: place of the particle. event: its event. pdg: of the hypothesis.
        pt (GeV), eta, phi, mass (GeV): as measured; relative: resolution of pT.
        ecal, hcal: keys of the cells that it points to, -1 for none; own: energy of an electron's shower, GeV.
    """

    source: IntArray
    event: IntArray
    pdg: IntArray
    pt: FloatArray
    eta: FloatArray
    phi: FloatArray
    mass: FloatArray
    relative: FloatArray
    ecal: IntArray
    hcal: IntArray
    own: FloatArray

    @property
    def energy(self) -> FloatArray:
        """(T,) GeV."""
        return np.sqrt((self.pt * np.cosh(self.eta)) ** 2 + self.mass**2)


def momenta(tracks: Tracks, factor: FloatArray | float = 1.0) -> FloatArray:
    """(T, 4) px, py, pz and energy, GeV, with momenta times `factor`."""
    pt = tracks.pt * factor
    px, py, pz = pt * np.cos(tracks.phi), pt * np.sin(tracks.phi), pt * np.sinh(tracks.eta)
    return np.stack([px, py, pz, np.sqrt(px**2 + py**2 + pz**2 + tracks.mass**2)], axis=1)


def particle_flow(
    detector: Detector, tracks: Tracks, ecal: Deposits, hcal: Deposits, events: int, rng: np.random.Generator
) -> Particles:
    """Particles of `events` events, sorted by event; numbers and masses of `detector.Response`."""
    factor, left_ecal = _electrons(detector, tracks, ecal)
    hadrons = np.flatnonzero((np.abs(tracks.pdg) == HADRON) & (tracks.hcal != NOWHERE))
    key, block = np.unique(tracks.hcal[hadrons], return_inverse=True)
    left_hcal = hcal.energy.copy()
    if len(key):
        factor[hadrons] = _blocks(detector, tracks, hadrons, (key, block), ecal, hcal, left_ecal, left_hcal)
    return merged(
        events,
        [
            Particles(events, tracks.event, tracks.pdg, momenta(tracks, factor)),
            _neutrals(detector.ecal, ecal, left_ecal, PHOTON, detector.merge, events, rng),
            _neutrals(detector.hcal, hcal, left_hcal, NEUTRAL_HADRON, detector.merge, events, rng),
        ],
    )


def _electrons(detector: Detector, tracks: Tracks, ecal: Deposits) -> tuple[FloatArray, FloatArray]:
    """Factors of all momenta (T,), of electrons from the mean of track and shower, and what they leave in the cells."""
    factor, left = np.ones(len(tracks.pt)), ecal.energy.copy()
    place = ecal.find(tracks.ecal)
    mine = np.flatnonzero((np.abs(tracks.pdg) == ELECTRON) & (place >= 0))
    if not len(mine):
        return factor, left
    place, energy, own = place[mine], tracks.energy[mine], tracks.own[mine]
    region = cells_of(detector.ecal).place(ecal.cell[place])[0]
    sigma = np.maximum(detector.ecal.sigma(energy, region), 1e-9)
    of_track = np.maximum(tracks.relative[mine] * energy, 1e-9)
    mean = (energy / of_track**2 + own / sigma**2) / (1 / of_track**2 + 1 / sigma**2)
    factor[mine] = np.where(own > 0, mean / energy, 1.0)
    taken = np.bincount(place, factor[mine] * energy, len(left))
    variance = np.bincount(place, sigma**2, len(left))
    hit = taken > 0
    excess = left - taken
    left[hit] = np.where(excess > detector.excess * np.sqrt(variance), excess, 0.0)[hit]
    return factor, left


def _blocks(
    detector: Detector,
    tracks: Tracks,
    hadrons: IntArray,
    blocks: tuple[IntArray, IntArray],
    ecal: Deposits,
    hcal: Deposits,
    left_ecal: FloatArray,
    left_hcal: FloatArray,
) -> FloatArray:
    """Factors of the hadrons' momenta; their energy is taken out of the cells, in place.

    Args:
        hadrons: places (H,) of their tracks. blocks: keys (B,) of the blocks' HCAL cells and block (H,) of each track.
    """
    key, block = blocks
    energy = tracks.energy[hadrons]
    expected = np.bincount(block, energy, len(key)).astype(np.float64)
    variance = np.bincount(block, (tracks.relative[hadrons] * energy) ** 2, len(key))
    tower, cell = hcal.find(key), ecal.find(tracks.ecal[hadrons])
    linked, first = np.unique(cell[cell >= 0], return_index=True)
    owner = block[cell >= 0][first]
    in_ecal = np.bincount(owner, left_ecal[linked], len(key))
    in_hcal = np.where(tower >= 0, left_hcal[tower], 0.0) if len(left_hcal) else np.zeros(len(key))
    sigma = detector.hcal.sigma(expected, cells_of(detector.hcal).place(key % hcal.cells)[0])
    excess, limit = in_ecal + in_hcal - expected, detector.excess * np.hypot(sigma, np.sqrt(variance))
    neutral = np.where(excess > limit, excess, 0.0)
    photon = np.minimum(neutral, in_ecal)
    order = np.lexsort((left_ecal[linked], owner))
    hottest = order[np.r_[owner[order][1:] != owner[order][:-1], True]] if len(order) else order
    left_ecal[linked] = 0.0
    left_ecal[linked[hottest]] = photon[owner[hottest]]
    left_hcal[tower[tower >= 0]] = (neutral - photon)[tower >= 0]
    of_tracks, of_cells = np.maximum(variance, 1e-18), np.maximum(sigma**2, 1e-18)
    mean = (expected / of_tracks + (in_ecal + in_hcal) / of_cells) / (1 / of_tracks + 1 / of_cells)
    return np.asarray(np.where(np.abs(excess) <= limit, mean / expected, 1.0)[block])


def _neutrals(
    calorimeter: Calorimeter,
    deposits: Deposits,
    energy: FloatArray,
    pdg: int,
    merge: bool,
    events: int,
    rng: np.random.Generator,
) -> Particles:
    """Neutral particles from the energies (C,) left in cells; each cell's place is drawn within it."""
    key, cells = deposits.key, cells_of(calorimeter)
    region = cells.place(key % deposits.cells)[0]
    kept = (energy > 0) & (energy >= calorimeter.column("threshold", region))
    left = Deposits(key[kept], energy[kept], deposits.cells)
    eta, phi = cells.position(left.cell, rng)
    unit = np.stack([np.cos(phi), np.sin(phi), np.sinh(eta)], axis=1) / np.cosh(eta)[:, None]
    head = clusters(calorimeter, left) if merge else np.arange(len(left))
    chosen, place = np.unique(head, return_inverse=True)
    total = np.bincount(place, left.energy, len(chosen))
    axis = np.stack([np.bincount(place, left.energy * unit[:, i], len(chosen)) for i in range(3)], axis=1)
    axis = axis / np.maximum(np.linalg.norm(axis, axis=1, keepdims=True), 1e-300)
    momentum = np.column_stack([total[:, None] * axis, total])
    return Particles(events, left.event[chosen], np.full(len(chosen), pdg, dtype=np.int64), momentum)
