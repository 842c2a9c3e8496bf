"""Images of electromagnetic showers on a plane of square cells: asymmetries, widths, sparsity, response, barycentre.

The definitions are those used with the public LHCb ECAL images (arXiv 1812.01319, 2207.06329), made safe. A shower's
axis crosses the plane on which most of its energy lies at c = (x, y) + depth (px, py) / pz; d is the unit vector along
(px, py), and n is d turned by +90 degrees, from x to y.

- Longitudinal asymmetry: (E ahead - E behind) / E, ahead being (r - c) d > 0, as published. Transverse asymmetry:
  (E left - E right) / E, left being (r - c) n > 0; the published one counts the side of larger y as positive, which is
  this times the sign of px. Published formulas write the dividing lines as y(x) and divide by px or py, so that
  vertical and horizontal slopes are infinite; here they are signs of scalar products. Cells count by their centres,
  and those whose centre lies on the line belong to neither side.
- Widths: standard deviations of all energy along d and along n. The published routine interpolates the image at points
  along one line through c, parametrised by x and scaled by sqrt(1 + (py / px)^2): it sees a slice only, points are the
  sparser the steeper the line is, and vertical lines fail. Coordinates are rotated here instead.
- Without a slope, d is the x axis.

Functions take numpy arrays or torch tensors and return the same; asymmetries, widths, barycentre and response have
gradients with respect to the cells. Energies are in the unit of the cells, lengths in the unit of the image's edges.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from facsim.core.arrays import Array, like, namespace
from facsim.core.errors import FacsimError
from facsim.core.image import ImageGeometry
from facsim.core.schema import Schema

PUBLISHED_DEPTH = 25.0
"""Depth of the plane of the axis in the published metric, in widths of a cell of the 30 x 30 image."""
PUBLIC_NAME = "calogan-case11"
"""Name of the geometry of the public files, whose points of impact are not on the calorimeter's face."""
MEAN_DEPTH = 150.0
"""Mean depth of a photon's shower of 10 to 20 GeV in lead and scintillator of X0 = 16 mm behind the face, mm."""
ALPHAS = np.logspace(-5, 0, 50)
LEAST = 1e-12
MOMENTUM, POINT = ("px", "py", "pz"), ("x", "y")


class Frame(NamedTuple):
    """Places of the cells seen from the shower's axis: `along` (N, V) its slope and `across` (N, V) it."""

    along: Array
    across: Array


class Incidence(NamedTuple):
    """`momentum` (N, 3) and point of impact `point` (N, 2), the latter in the unit of the image's edges."""

    momentum: Array
    point: Array


def incidence(cond: Array, schema: Schema) -> Incidence:
    """Momenta and points of impact among the conditions (N, K).

    Raises:
        FacsimError: there is no condition `px`, `py`, `pz`, `x` or `y`.
    """
    momentum, point = (cond[:, [schema.condition_index(name) for name in names]] for names in (MOMENTUM, POINT))
    return Incidence(momentum, point)


def image_of(schema: Schema) -> ImageGeometry:
    """The image of the showers.

    Raises:
        FacsimError: the events are no images.
    """
    if not isinstance(schema.geometry, ImageGeometry):
        raise FacsimError(f"expected showers on an image of cells, not a {schema.representation} without one.")
    return schema.geometry


def axis_depth(geometry: ImageGeometry) -> float:
    """Depth at which a shower's axis is taken, in the unit of the edges: 25 cells for the public files, else 150 mm."""
    if geometry.name == PUBLIC_NAME:
        return PUBLISHED_DEPTH * (geometry.column_edges[1] - geometry.column_edges[0])
    return MEAN_DEPTH


def shower_frame(where: Incidence, geometry: ImageGeometry, depth: float | None = None) -> Frame:
    """Cells in the frame of each shower's axis.

    Args:
        where: momenta and points of impact.
        geometry: the image.
        depth: distance of the plane of the axis from that of the points, in the unit of the edges; None: `axis_depth`.
    """
    momentum, point = where
    xp = namespace(momentum)
    x, y = (like(values, momentum)[None, :] for values in (geometry.x, geometry.y))
    reach = axis_depth(geometry) if depth is None else depth
    px, py, pz = (momentum[:, k : k + 1] for k in range(3))
    size = (px**2 + py**2) ** 0.5
    sloped = size > 0
    safe = xp.where(sloped, size, xp.ones_like(size))
    dx, dy = xp.where(sloped, px / safe, xp.ones_like(size)), py / safe
    u, v = x - (point[:, :1] + reach * px / pz), y - (point[:, 1:2] + reach * py / pz)
    return Frame(u * dx + v * dy, v * dx - u * dy)


def shares(cells: Array) -> Array:
    """Energies over their sum, (N, V); 0 everywhere for empty showers."""
    total = cells.sum(1)[:, None]
    xp = namespace(cells)
    return cells / xp.where(total > LEAST, total, xp.ones_like(total))


def asymmetries(cells: Array, frame: Frame) -> Array:
    """Longitudinal and transverse asymmetry of showers (N, V): (N, 2), from -1 to 1, 0 for empty showers."""
    xp, share = namespace(cells), shares(cells)
    return xp.stack([(share * xp.sign(place)).sum(1) for place in frame], 1)


def barycentre(cells: Array, frame: Frame) -> Array:
    """Mean place of the energy along and across the slope, seen from the axis: (N, 2), 0 for empty showers."""
    share = shares(cells)
    return namespace(cells).stack([(share * place).sum(1) for place in frame], 1)


def widths(cells: Array, frame: Frame) -> Array:
    """Standard deviation of the energy along and across the slope: (N, 2), 0 for empty showers."""
    xp, share = namespace(cells), shares(cells)
    mean = barycentre(cells, frame)
    found = [(share * (place - mean[:, k : k + 1]) ** 2).sum(1) for k, place in enumerate(frame)]
    variance = xp.stack(found, 1)
    # The root has no gradient at zero: a shower in one cell gets none.
    positive = variance > LEAST
    return xp.where(positive, xp.where(positive, variance, xp.ones_like(variance)) ** 0.5, xp.zeros_like(variance))


def response(cells: Array, energy: Array) -> Array:
    """Measured over incident energy, both in the same unit: (N,)."""
    return cells.sum(1) / energy


def sparsity(cells: Array, alphas: Any = ALPHAS) -> Array:
    """Share of the cells that hold at least alpha of the shower's energy, (N, A); 0 for empty showers."""
    xp, share = namespace(cells), shares(cells)
    found = [((share >= float(alpha)) * (share > 0)).sum(1) / share.shape[1] for alpha in alphas]
    return xp.stack(found, 1)


def cells_above(cells: Array, threshold: float) -> Array:
    """Number of cells of at least `threshold`, (N,)."""
    return (cells >= threshold).sum(1)


def steered(cells: Array, cond: Array, schema: Schema) -> Array:
    """What a training is steered by: asymmetries and widths (in the unit of the edges), (N, 4), columns `STEERED`.

    Args:
        cells: (N, V), of the kind and number type of `cond`. cond: (N, K). schema: of the showers.

    Raises:
        FacsimError: the showers are no images, or their conditions are others.
    """
    frame = shower_frame(incidence(cond, schema), image_of(schema))
    return namespace(cells).concatenate([asymmetries(cells, frame), widths(cells, frame)], 1)


STEERED = ("longitudinal_asymmetry", "transverse_asymmetry", "longitudinal_width", "transverse_width")
