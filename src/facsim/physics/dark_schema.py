"""Images of dark showers and of their background as events: transverse energy in tracker, ECAL and HCAL.

Rows of an image are azimuth from -pi to pi, columns pseudorapidity, as in the published images (arXiv 2306.12955). Full
images have 360 x 286 pixels of one degree by 0.01745; the published 72 x 58 are sums of 5 x 5, the first and the last
column of only 3 x 5, since 286 columns are two short of a whole number at either end.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from facsim.core.image import ImageGeometry
from facsim.core.schema import Feature, Schema
from facsim.physics.detector_images import CHANNELS, Raster

NAME = "dark-showers"
PIXEL = 0.01745
"""Width in pseudorapidity of a full image's pixel."""
FINE_ROWS = 286
DOWN = 5
FEATURES = tuple(Feature(channel, "GeV") for channel in CHANNELS)
TOTAL = (Feature("total", "GeV"),)
"""The one channel of images whose three are summed."""
CONDITIONS = (
    Feature("mass", "GeV"),
    Feature("is_qcd"),
    Feature("is_suep"),
    Feature("is_svj"),
    Feature("n_tracks"),
    Feature("ht", "GeV"),
    Feature("pile_up"),
)
"""Mass of the mediator, 0 for QCD; the process as 0 or 1; tracks in the image; scalar sum of the jets' pT; collisions
laid over the event. A file that does not know one lacks it."""
PROCESSES = ("qcd", "suep", "svj")
"""Kinds of events, in the order of `is_qcd`, ... and of the published labels."""


def raster(down: int = DOWN) -> Raster:
    """Pixels of the images, `down` x `down` full ones summed."""
    return Raster(FINE_ROWS * PIXEL / 2, 360, FINE_ROWS, down, outer=True, spread=True)


@lru_cache(maxsize=4)
def dark_geometry(down: int = DOWN) -> ImageGeometry:
    """The read-out of the images."""
    phi, eta = (tuple(edges.tolist()) for edges in raster(down).edges())
    return ImageGeometry(NAME, phi, eta, ("rad", ""))


def dark_schema(
    down: int = DOWN,
    features: tuple[Feature, ...] = FEATURES,
    conditions: tuple[Feature, ...] = CONDITIONS,
    provenance: Mapping[str, Any] | None = None,
) -> Schema:
    """Schema of such images."""
    return Schema("grid", features, conditions, dark_geometry(down), dict(provenance or {}))


def is_dark(schema: Schema) -> bool:
    """Whether events are images of dark showers, full or down-sampled."""
    mine = schema.geometry
    return mine is not None and any(mine.same_cells(dark_geometry(down)) for down in (1, DOWN))


def as_images(x: np.ndarray[Any, Any], down: int = DOWN) -> np.ndarray[Any, Any]:
    """Events (N, V, C) as images (N, rows, columns, C)."""
    return x.reshape(len(x), *dark_geometry(down).image, x.shape[-1])
