"""A fast parametric detector: particles of many events become tracks, calorimeter cells and reconstructed particles.

Particles come from the centre of the detector. Charged ones bend to the calorimeters' face; tracks are found with an
efficiency and measured with a resolution; energies are smeared as showers fluctuate, put into one cell of each
calorimeter, and what a read-out sees is sorted to particles (`particle_flow`). The idea is that of Delphes (arXiv
1307.6346) and of CMS's particle flow (arXiv 1706.04965); the differences are told in docs/detector.md.

Example:
    >>> seen = respond(particles, Detector(), generator(1, "detector"))
    >>> seen.particles.pt, seen.particles.pdg, seen.ecal.energy
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.geometry import FloatArray, IntArray
from facsim.physics.detector_cells import Deposits, cells_of, deposit, keys, lognormal
from facsim.physics.detector_settings import Detector, Tracker
from facsim.physics.particle_flow import ELECTRON, HADRON, MUON, Tracks, momenta, particle_flow
from facsim.physics.particles import Particles, invisible

GEV_PER_TESLA_M = 0.299792458
PHOTON = 22
MASSES = {HADRON: 0.13957, ELECTRON: 0.000511, MUON: 0.10566}


@dataclass(frozen=True)
class Response:
    """What the detector shows of events.

    Attributes:
        particles: reconstructed ones, with the PDG numbers of their hypotheses: charged hadrons +-211 with the pion's
            mass, electrons +-11, muons +-13, photons 22, neutral hadrons 130 without mass.
        tracks: as measured, with the same numbers.
        ecal, hcal: cells that were read.
        source: (T,) place of each track's particle among those that were sent.
        outer: (T, 2) eta and phi at which each track's particle meets the calorimeters, NaN where it does not.

    The tracks are the charged ones of `particles`, in the same order.
    """

    particles: Particles
    tracks: Particles
    ecal: Deposits
    hcal: Deposits
    source: IntArray
    outer: FloatArray


def respond(particles: Particles, detector: Detector, rng: np.random.Generator) -> Response:
    """The detector's response to particles of many events; neutrinos and other unseen ones may be among them.

    Raises:
        FacsimError: momenta that are not finite.
    """
    wrong = np.flatnonzero(~np.isfinite(particles.momentum).all(axis=1))
    if len(wrong):
        raise FacsimError(f"particle {wrong[0]} has the momentum {particles.momentum[wrong[0]]}, not finite numbers.")
    sent = np.flatnonzero(~invisible(particles.pdg) & (particles.pt > 0))
    particles = particles[sent]
    charge = particles.charge
    eta, phi = at_calorimeters(particles.pt, particles.eta, particles.phi, charge, detector.tracker)
    in_ecal, in_hcal = (cells_of(part).number(eta, phi) for part in (detector.ecal, detector.hcal))
    energies = _energies(particles, detector, in_ecal, in_hcal, rng)
    ecal, hcal = (
        deposit(part, particles.event, cell, energy, rng if detector.per_cell else None)
        for part, cell, energy in zip((detector.ecal, detector.hcal), (in_ecal, in_hcal), energies, strict=True)
    )
    tracks = _tracks(particles, charge, detector.tracker, rng)
    found = tracks.source
    tracks.ecal[:] = keys(tracks.event, in_ecal[found], cells_of(detector.ecal).count)
    tracks.hcal[:] = keys(tracks.event, in_hcal[found], cells_of(detector.hcal).count)
    tracks.own[:] = energies[0][found]
    seen = particle_flow(detector, tracks, ecal, hcal, particles.events, rng)
    measured = Particles(particles.events, tracks.event, tracks.pdg, momenta(tracks))
    return Response(seen, measured, ecal, hcal, sent[found], np.column_stack([eta[found], phi[found]]))


def at_calorimeters(
    pt: FloatArray, eta: FloatArray, phi: FloatArray, charge: FloatArray, tracker: Tracker
) -> tuple[FloatArray, FloatArray]:
    """Where particles from the centre meet the cylinder before the calorimeters: eta and phi (N,), as seen from there.

    A track with the radius R = pT / (0.3 q B) turns by alpha until it is there, and by alpha / 2 as seen from the
    centre. NaN for particles that come to rest in the tracker.
    """
    bent = (charge != 0) & (tracker.field != 0)
    radius = pt / (GEV_PER_TESLA_M * max(abs(tracker.field), 1e-12) * np.where(bent, np.abs(charge), 1.0))
    half = tracker.radius / (2 * radius)
    slope = np.sinh(eta)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        to_end = tracker.half_length / (radius * np.abs(slope))
        to_side = np.where(half < 1, 2 * np.arcsin(np.minimum(half, 1.0)), np.inf)
        turn = np.minimum(to_end, to_side)
        across = 2 * radius * np.sin(turn / 2)
        new_eta = np.arcsinh(radius * turn * slope / np.abs(across))
        new_phi = phi - np.sign(charge * tracker.field) * turn / 2 + np.where(across < 0, np.pi, 0.0)
    new_phi = np.where(turn <= 2 * np.pi * tracker.turns, (new_phi + np.pi) % (2 * np.pi) - np.pi, np.nan)
    new_eta = np.where(np.isnan(new_phi), np.nan, new_eta)
    return np.where(bent, new_eta, eta), np.where(bent, new_phi, phi)


def _energies(
    particles: Particles, detector: Detector, in_ecal: IntArray, in_hcal: IntArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Energies (N,) in the two calorimeters, GeV, with the fluctuations of each shower unless those of cells are drawn;
    muons leave nothing."""
    size, energy = np.abs(particles.pdg), particles.momentum[:, 3]
    electromagnetic = (size == PHOTON) | (size == ELECTRON)
    region = [
        np.where(cell >= 0, cells_of(part).place(np.maximum(cell, 0))[0], 0)
        for part, cell in ((detector.ecal, in_ecal), (detector.hcal, in_hcal))
    ]
    sigma = np.where(electromagnetic, detector.ecal.sigma(energy, region[0]), detector.hcal.sigma(energy, region[1]))
    mean = np.where(electromagnetic, energy, np.where(size == MUON, 0.0, energy * detector.hadronic(energy)))
    total = mean if detector.per_cell else lognormal(mean, sigma, rng)
    share = np.where(
        rng.random(len(energy)) < detector.showering,
        rng.beta(*detector.share, len(energy)),
        np.minimum(detector.crossing / np.maximum(total, 1e-9), 1.0),
    )
    share = np.where(electromagnetic, 1.0, share)
    return total * share, total * (1 - share)


def _tracks(particles: Particles, charge: FloatArray, tracker: Tracker, rng: np.random.Generator) -> Tracks:
    size, pt, eta = np.abs(particles.pdg), particles.pt, particles.eta
    probability = np.where(
        size == ELECTRON,
        tracker.electrons(pt, eta),
        np.where(size == MUON, tracker.muons(pt, eta), tracker.hadrons(pt, eta)),
    )
    source = np.flatnonzero((charge != 0) & (rng.random(len(pt)) < probability))
    size, pt, eta = size[source], pt[source], eta[source]
    kind = np.where((size == ELECTRON) | (size == MUON), size, HADRON)
    relative = tracker.resolution(pt, eta)
    measured = lognormal(pt, relative * pt, rng)
    angles = tracker.angle * rng.standard_normal((2, len(pt)))
    # a lepton's number is positive where its charge is negative
    sign = np.where(kind == HADRON, 1, -1) * np.sign(charge[source]).astype(np.int64)
    mass = np.select([kind == code for code in MASSES], list(MASSES.values()))
    empty = np.zeros(len(source), dtype=np.int64)
    return Tracks(
        source=source,
        event=particles.event[source],
        pdg=sign * kind,
        pt=measured,
        eta=eta + angles[0],
        phi=particles.phi[source] + angles[1],
        mass=mass,
        relative=relative,
        ecal=empty.copy(),
        hcal=empty.copy(),
        own=np.zeros(len(source)),
    )
