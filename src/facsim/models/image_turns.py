"""Images turned about the beam: as likely as before where the detector is round, and free events for a student."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from facsim.core.image import ImageGeometry


def round_axis(geometry: ImageGeometry) -> int | None:
    """The axis of an image, 0 rows or 1 columns, that is an angle in rad once all the way round; None if none is."""
    for axis, edges in enumerate((geometry.row_edges, geometry.column_edges)):
        width = np.diff(edges)
        whole = math.isclose(edges[-1] - edges[0], 2 * math.pi, rel_tol=1e-3)
        if geometry.units[axis] == "rad" and whole and np.allclose(width, width[0], rtol=1e-3):
            return axis
    return None


def turned(x: Tensor, geometry: ImageGeometry, generator: torch.Generator | None = None) -> Tensor:
    """Events (N, V, C), all turned by the same random number of cells along the `round_axis` and, with even odds,
    mirrored along the other axis where that is symmetric about 0; as they are without such an axis."""
    axis = round_axis(geometry)
    if axis is None:
        return x
    turn, mirror = torch.rand(2, generator=generator, device=x.device).tolist()
    image = x.reshape(-1, *geometry.image, x.shape[-1])
    image = image.roll(int(turn * geometry.image[axis]), axis + 1)
    other = np.asarray((geometry.row_edges, geometry.column_edges)[1 - axis])
    if mirror < 0.5 and np.allclose(other, -other[::-1], atol=1e-3 * np.ptp(other)):
        image = image.flip(2 - axis)
    return image.reshape(x.shape)
