"""What an event looks like to a method and its networks: representation and shape, nothing of units or detectors."""

from __future__ import annotations

from dataclasses import dataclass

from facsim.core.geometry import CylinderGeometry, Geometry
from facsim.core.image import ImageGeometry
from facsim.core.schema import Representation


@dataclass(frozen=True)
class Space:
    """Events of one kind.

    Args:
        representation: table, grid or cloud.
        shape: of one event: (F,) for a table, (V, C) for a grid, (P, F) for a cloud. The last axis is the channels.
        layers: sectors and rings (A, R) of each layer of a cylinder, in order; the cells of a layer are numbered with
            the ring running fastest. Empty for other grids, tables and clouds.
        image: rows and columns of a grid that is one plane, numbered row by row; None for others.
        least: what numbers are at least that are not exactly 0, where there are such zeros; 0 where there are none.
        given: where points that are known of an event beforehand stand among the conditions, and how many there are
            (`nets.given`); None where there are none, or none that points are to attend to.
    """

    representation: Representation
    shape: tuple[int, ...]
    layers: tuple[tuple[int, int], ...] = ()
    image: tuple[int, int] | None = None
    least: float = 0.0
    given: tuple[int, int] | None = None

    @property
    def channels(self) -> int:
        """Numbers of each element: features of a table or a point, channels of a cell."""
        return self.shape[-1]

    @property
    def elements(self) -> tuple[int, ...]:
        """The axes before the channels: () for a table, (V,) for a grid, (P,) for a cloud."""
        return self.shape[:-1]

    @property
    def size(self) -> int:
        """Numbers of one event."""
        n = 1
        for axis in self.shape:
            n *= axis
        return n

    @property
    def cylinder(self) -> tuple[int, int, int] | None:
        """(L, A, R) when the layers are all alike, else None."""
        kinds = set(self.layers)
        return (len(self.layers), *kinds.pop()) if len(kinds) == 1 else None


def table(n_features: int) -> Space:
    """Events of `n_features` numbers."""
    return Space("table", (n_features,))


def cloud(n_points: int, n_features: int) -> Space:
    """Events of up to `n_points` points."""
    return Space("cloud", (n_points, n_features))


def cylinder(geometry: CylinderGeometry, channels: int = 1) -> Space:
    """Events on the cells of `geometry`, regular or ragged."""
    layers = tuple((layer.n_alpha, layer.n_r) for layer in geometry.layers)
    return Space("grid", (geometry.n_cells, channels), layers)


def grid(geometry: Geometry, channels: int = 1) -> Space:
    """Events on the cells of any geometry."""
    if isinstance(geometry, CylinderGeometry):
        return cylinder(geometry, channels)
    image = geometry.image if isinstance(geometry, ImageGeometry) else None
    return Space("grid", (geometry.n_cells, channels), image=image)
