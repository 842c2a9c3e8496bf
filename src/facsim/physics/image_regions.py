"""Coarse regions of images, as a first-level trigger sees them: sums over cells by the area that they share."""

from __future__ import annotations

import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.geometry import FloatArray
from facsim.core.image import ImageGeometry

LEVEL_1 = (18, 14)
"""Regions of the calorimeter trigger of CMS in azimuth and pseudorapidity."""


def region_shares(geometry: ImageGeometry, regions: tuple[int, int] = LEVEL_1) -> tuple[FloatArray, FloatArray]:
    """How an image is summed into regions: shares (rows, r) and (columns, k) of each row and column in each region.

    Regions are equal parts of the image between its first and last edge. A cell that lies in two regions, as 58 columns
    over 14 regions do, is shared by area: each row of shares adds up to 1, and the sums of the regions to that of the
    cells. The regions' sums are shares.T @ image @ shares.

    Args:
        regions: along phi and eta where an axis of the image is in rad, else along rows and columns.

    Raises:
        FacsimError: more regions than rows or columns.
    """
    along = tuple(reversed(regions)) if geometry.units[1] == "rad" != geometry.units[0] else regions
    for cells, wanted, axis in zip(geometry.image, along, ("rows", "columns"), strict=True):
        if not 1 <= wanted <= cells:
            raise FacsimError(f"{wanted} regions cannot be made of {cells} {axis}: choose from 1 to {cells}.")
    return _shares(geometry.row_edges, along[0]), _shares(geometry.column_edges, along[1])


def _shares(edges: tuple[float, ...], regions: int) -> FloatArray:
    fine, coarse = np.asarray(edges), np.linspace(edges[0], edges[-1], regions + 1)
    low, high = np.maximum(fine[:-1, None], coarse[:-1]), np.minimum(fine[1:, None], coarse[1:])
    inside = np.maximum(high - low, 0.0)
    return np.asarray(inside / inside.sum(1, keepdims=True))
