"""Images of events: transverse energy in tracker, ECAL and HCAL by azimuth and pseudorapidity (arXiv 2306.13595)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facsim.core.geometry import FloatArray, IntArray
from facsim.physics.detector import Response
from facsim.physics.detector_cells import Deposits, cells_of
from facsim.physics.detector_settings import Calorimeter, Detector

CHANNELS = ("tracker", "ecal", "hcal")


def images(
    response: Response, detector: Detector, *, largest_eta: float = 2.5, sectors: int = 360, rows: int = 286
) -> NDArray[np.float32]:
    """Images (events, sectors, rows, 3) of pT of tracks and ET of cells, GeV.

    Rows run from -largest_eta to largest_eta, sectors from -pi to pi; a cell lies in the pixel of its centre, a track
    in that of its direction at the origin. Full images take 1.2 MB an event.
    """
    events, tracks = response.particles.events, response.tracks
    entries = [(tracks.event, tracks.eta, tracks.phi, tracks.pt)]
    entries += [
        _cells(part, deposits) for part, deposits in ((detector.ecal, response.ecal), (detector.hcal, response.hcal))
    ]
    channels = []
    for event, eta, phi, energy in entries:
        inside = np.abs(eta) < largest_eta
        row = ((eta[inside] / largest_eta + 1) / 2 * rows).astype(np.int64)
        sector = np.minimum(((phi[inside] / (2 * np.pi) + 0.5) % 1.0 * sectors).astype(np.int64), sectors - 1)
        pixel = (event[inside] * sectors + sector) * rows + np.minimum(row, rows - 1)
        filled = np.bincount(pixel, energy[inside], events * sectors * rows)
        channels.append(filled.astype(np.float32).reshape(events, sectors, rows))
    return np.stack(channels, axis=3)


def _cells(calorimeter: Calorimeter, deposits: Deposits) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
    eta, phi = cells_of(calorimeter).position(deposits.cell)
    return deposits.event, eta, phi, np.asarray(deposits.energy / np.cosh(eta))
