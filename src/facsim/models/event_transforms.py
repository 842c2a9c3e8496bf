"""Events of each representation in physical units <-> latents of a `Space`, of order one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from facsim.core.errors import FacsimError
from facsim.core.schema import Schema
from facsim.models.cell_transform import LEAST_KINKED, CellTransform, KinkedCells
from facsim.models.feature_transforms import TRANSFORMS
from facsim.models.nets.padding import GridPadding
from facsim.models.space import Space, cloud, grid, table
from facsim.models.ties import Ties

Cells = Literal["spread", "kinked"]


class EventTransform(nn.Module, ABC):
    """Invertible map of events (N, *space.shape), fitted on training events and carried in the model."""

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.space = space

    @abstractmethod
    def fit(self, x: Tensor, mask: Tensor | None, weight: Tensor | None, generator: torch.Generator | None) -> None:
        """Take the distributions of the events `x`; `mask` says which points are real, weights may be negative."""

    @abstractmethod
    def encode(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """Latents of events; what hides that values occur exactly is drawn from `generator`."""

    @abstractmethod
    def decode(self, z: Tensor) -> Tensor:
        """Events of latents."""

    def intervals(self) -> Tensor:
        """Latents of each channel that stand for one value each, as `Method.know` is told of them."""
        return torch.empty(self.space.channels, 0, 2)

    def turned(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """Events turned or mirrored at random, where the read-out has such symmetries."""
        return x


class OfFeatures(EventTransform):
    """Tables, and the points of clouds.

    Columns of a table that are equal in part of the events stay so (`ties`) where the transform keeps exact values.
    """

    def __init__(self, space: Space, kind: str) -> None:
        super().__init__(space)
        self.features = TRANSFORMS[kind](space.channels)
        self.ties = Ties(space.channels) if space.representation == "table" and kind == "quantile" else None

    def fit(self, x: Tensor, mask: Tensor | None, weight: Tensor | None, generator: torch.Generator | None) -> None:
        rows = x.flatten(0, -2) if mask is None else x[mask]
        if weight is not None and x.dim() > 2:
            spread = weight[:, None].expand(x.shape[:-1])
            weight = spread.flatten() if mask is None else spread[mask]
        if not len(rows):
            return
        if self.ties is not None:
            self.ties.fit(rows, weight)
            rows = self.ties.encode(rows)
        self.features.fit(rows, weight)

    def encode(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        x = x if self.ties is None else self.ties.encode(x)
        z: Tensor = self.features.encode(x, _uniform(x, generator))
        return z

    def decode(self, z: Tensor) -> Tensor:
        x: Tensor = self.features.decode(z)
        return x if self.ties is None else self.ties.decode(x)

    def intervals(self) -> Tensor:
        return self.features.intervals()


class OfCells(EventTransform):
    """Grids: cells of one layer and ring are alike.

    Args:
        space: of the grid. groups: number of the ring of each cell (V,). threshold: of cells.
        kind: `spread` spreads zeros below the threshold (`CellTransform`), `kinked` keeps them (`KinkedCells`).
    """

    def __init__(self, space: Space, groups: Tensor, threshold: float, kind: Cells = "spread") -> None:
        super().__init__(replace(space, least=LEAST_KINKED) if kind == "kinked" else space)
        self.cells: CellTransform | KinkedCells = CellTransform(groups, space.channels, threshold)
        if kind == "kinked":
            self.cells = KinkedCells(space.channels, threshold)
        self.padding = GridPadding(space) if space.layers else None

    def fit(self, x: Tensor, mask: Tensor | None, weight: Tensor | None, generator: torch.Generator | None) -> None:
        """Take the scales of cells, for which all events count the same."""
        self.cells.fit(x, _uniform(x, generator))

    def encode(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        return self.cells.encode(x, _uniform(x, generator))

    def decode(self, z: Tensor) -> Tensor:
        return self.cells.decode(z)

    def turned(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        if self.padding is None or self.space.channels > 1:
            return x
        return self.padding.to_cells(self.padding.turned(self.padding.to_map(x[..., 0]), generator))[..., None]


def build_transform(schema: Schema, features: str, cells: Cells = "spread") -> EventTransform:
    """The transform of events of `schema`.

    Args:
        features: a name in `TRANSFORMS`, for tables and points. cells: kind of `OfCells`, for grids.

    Raises:
        FacsimError: grids without geometry, or clouds of unknown size.
    """
    channels = len(schema.features)
    if schema.representation == "table":
        return OfFeatures(table(channels), features)
    if schema.representation == "cloud":
        if schema.points is None:
            raise FacsimError("the events do not say how many points they have at most: set model.points.")
        return OfFeatures(cloud(schema.points, channels), features)
    geometry = schema.geometry
    if geometry is None:
        raise FacsimError("the model 'single-stage' needs to know the cells of a grid: give data.geometry.")
    space = grid(geometry, channels)
    layer, ring = torch.as_tensor(geometry.layer_index), torch.as_tensor(geometry.ring_index)
    groups = torch.unique(layer * (int(ring.max()) + 1) + ring, return_inverse=True)[1]
    if space.image is not None:  # no two cells of an image are alike
        groups = torch.arange(geometry.n_cells)
    return OfCells(space, groups, geometry.threshold, cells)


def _uniform(like: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.rand(like.shape, generator=generator, device=like.device)
