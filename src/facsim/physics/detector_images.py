"""Images of events: transverse energy in tracker, ECAL and HCAL by azimuth and pseudorapidity (arXiv 2306.13595)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.geometry import FloatArray, IntArray
from facsim.physics.detector import Response
from facsim.physics.detector_cells import NOWHERE, Deposits, cells_of
from facsim.physics.detector_settings import Calorimeter, Detector

CHANNELS = ("tracker", "ecal", "hcal")


@dataclass(frozen=True)
class Raster:
    """Pixels of an image: sectors from -pi to pi, rows from -largest_eta to largest_eta.

    Args:
        largest_eta, sectors, rows: of the fine pixels.
        down: the image has sums of `down` x `down` fine pixels; where these do not come out even, the image is wider
            by pixels without content, as many at its end as at its beginning or one more.
        outer: a track lies where it meets the calorimeters, not in its direction at the origin.
        spread: the energy of an HCAL cell is shared evenly by the fine pixels whose centres it holds, those beyond
            `largest_eta` included; else it is in the pixel of the cell's centre.

    Raises:
        FacsimError: no pixels.
    """

    largest_eta: float = 2.5
    sectors: int = 360
    rows: int = 286
    down: int = 1
    outer: bool = False
    spread: bool = False

    def __post_init__(self) -> None:
        if min(self.sectors, self.rows, self.down) < 1 or self.largest_eta <= 0:
            raise FacsimError(f"an image needs pixels: sectors, rows, 'down' and 'largest_eta' above 0, not {self}.")

    @property
    def shape(self) -> tuple[int, int]:
        """Sectors and rows of the image."""
        return -(-self.sectors // self.down), -(-self.rows // self.down)

    def edges(self) -> tuple[FloatArray, FloatArray]:
        """Edges of the image's pixels in azimuth (rad) and pseudorapidity."""
        found = []
        for low, fine in ((-np.pi, self.sectors), (-self.largest_eta, self.rows)):
            places = np.arange(-(-fine // self.down) + 1) * self.down - _margin(fine, self.down)
            found.append(low * (1 - 2 * places / fine))
        return found[0], found[1]

    def pixel(self, eta: FloatArray, phi: FloatArray) -> IntArray:
        """Numbers (N,) of the image's pixels, sector by sector; -1 outside."""
        inside = np.abs(eta) < self.largest_eta
        row = ((np.where(inside, eta, 0.0) / self.largest_eta + 1) / 2 * self.rows).astype(np.int64)
        sector = ((np.where(inside, phi, 0.0) / (2 * np.pi) + 0.5) % 1.0 * self.sectors).astype(np.int64)
        row, sector = np.minimum(row, self.rows - 1), np.minimum(sector, self.sectors - 1)
        row = (row + _margin(self.rows, self.down)) // self.down
        sector = (sector + _margin(self.sectors, self.down)) // self.down
        return np.where(inside, sector * self.shape[1] + row, NOWHERE)


def images(
    response: Response, detector: Detector, raster: Raster = Raster(), tracks: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """Images (events, sectors, rows, 3) of pT of tracks and ET of cells, GeV.

    A full image takes 1.2 MB. `tracks` (T,) says which of the response's tracks are taken; all if it is None.
    """
    found = response.tracks
    eta, phi = response.outer.T if raster.outer else (found.eta, found.phi)
    pixel, kept = raster.pixel(eta, phi), slice(None) if tracks is None else tracks
    parts = [
        (found.event[kept], pixel[kept], found.pt[kept]),
        _cells(detector.ecal, response.ecal, raster),
        (_spread if raster.spread else _cells)(detector.hcal, response.hcal, raster),
    ]
    events, (sectors, rows) = response.particles.events, raster.shape
    size = sectors * rows
    channels = []
    for event, pixel, energy in parts:
        inside = pixel != NOWHERE
        filled = np.bincount((event * size + pixel)[inside], energy[inside], events * size)
        channels.append(filled.astype(np.float32).reshape(events, sectors, rows))
    return np.stack(channels, axis=3)


def _margin(fine: int, down: int) -> int:
    """Empty fine pixels before the first one."""
    return -fine % down // 2


def _cells(calorimeter: Calorimeter, deposits: Deposits, raster: Raster) -> tuple[IntArray, IntArray, FloatArray]:
    """Event, pixel and ET of each cell."""
    eta, phi = cells_of(calorimeter).position(deposits.cell)
    return deposits.event, raster.pixel(eta, phi), np.asarray(deposits.energy / np.cosh(eta))


def _spread(calorimeter: Calorimeter, deposits: Deposits, raster: Raster) -> tuple[IntArray, IntArray, FloatArray]:
    """Event, pixel and share of ET, of each cell in each pixel that it touches."""
    shares = _shares(calorimeter, raster)
    cell = deposits.cell
    first, number = shares.first[cell], np.diff(shares.first)[cell]
    source = np.repeat(np.arange(len(cell)), number)
    place = first[source] + np.arange(len(source)) - np.repeat(np.cumsum(number) - number, number)
    transverse = deposits.energy / np.cosh(cells_of(calorimeter).position(cell)[0])
    return deposits.event[source], shares.pixel[place], np.asarray(transverse[source] * shares.share[place])


class _Shares(NamedTuple):
    """Of cell c the entries `first[c]` to `first[c + 1]`: pixels, and the shares of its energy there."""

    first: IntArray
    pixel: IntArray
    share: FloatArray


@lru_cache(maxsize=8)
def _shares(calorimeter: Calorimeter, raster: Raster) -> _Shares:
    cells, width = cells_of(calorimeter), 2 * raster.largest_eta / raster.rows
    beyond = max(0, int(np.ceil((calorimeter.regions[-1].eta - raster.largest_eta) / width)))
    eta = -raster.largest_eta + (np.arange(-beyond, raster.rows + beyond) + 0.5) * width
    phi = (np.arange(raster.sectors) + 0.5) * 2 * np.pi / raster.sectors - np.pi
    eta, phi = (grid.ravel() for grid in np.meshgrid(eta, phi))
    cell, pixel = cells.number(eta, phi), raster.pixel(eta, phi)
    number = np.bincount(cell[cell != NOWHERE], minlength=cells.count)
    inside = (cell != NOWHERE) & (pixel != NOWHERE)
    sectors, rows = raster.shape
    key, entries = np.unique(cell[inside] * sectors * rows + pixel[inside], return_counts=True)
    owner = key // (sectors * rows)
    first = np.searchsorted(owner, np.arange(cells.count + 1)).astype(np.int64)
    return _Shares(first, key % (sectors * rows), np.asarray(entries / number[owner]))
