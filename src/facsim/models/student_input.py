"""What a student sees of an image: all its cells, or sums over a trigger's regions."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from facsim.core.image import ImageGeometry
from facsim.core.schema import Schema
from facsim.models.images import check_cells, check_channels
from facsim.physics.image_features import TRACKER, image_geometry
from facsim.physics.image_regions import region_shares


class StudentInput(nn.Module):
    """Events (N, V, C) to images (N, `channels`, *`image`) of order one.

    Args:
        schema: of images. kind: `full`, or sums over `regions` (see `region_shares`).
        names: of the channels that are seen; empty for all of full images, for all but `tracker` of regions.
        maps: of regions, the `sum` of the channels or `each`.
        cells: `energy` over the median of the cells or regions that are hit, the logarithm of 1 + that, or whether
            there is a `hit`.

    Raises:
        FacsimError: a channel that the images have not, or more regions than rows or columns.
    """

    unit: Tensor
    rows: Tensor
    columns: Tensor
    which: Tensor

    def __init__(
        self,
        schema: Schema,
        kind: Literal["full", "regional"],
        regions: tuple[int, int],
        names: tuple[str, ...],
        maps: Literal["sum", "each"],
        cells: Literal["energy", "log", "hit"],
    ) -> None:
        super().__init__()
        geometry: ImageGeometry = image_geometry(schema)
        self.cells, self.regional, self.grid = cells, kind == "regional", geometry.image
        self.all_channels = len(schema.features)
        which = _which(schema, names, without=TRACKER if self.regional else "")
        self.image = geometry.image
        if self.regional:
            rows, columns = (torch.tensor(part, dtype=torch.float32) for part in region_shares(geometry, regions))
            self.register_buffer("rows", rows, persistent=False)
            self.register_buffer("columns", columns, persistent=False)
            self.image = (rows.shape[1], columns.shape[1])
            which = which.sum(1, keepdim=True) if maps == "sum" else which
        self.channels = which.shape[1]
        self.whole = torch.equal(which, torch.eye(self.all_channels))
        self.register_buffer("which", which, persistent=False)
        self.register_buffer("unit", torch.ones(self.channels))

    @torch.no_grad()
    def fit(self, x: Tensor) -> None:
        """Take the unit of each channel from events (N, V, C)."""
        for channel, values in enumerate(self._image(x).unbind(1)):
            hit = values[values > 0]
            if len(hit):
                self.unit[channel] = hit.flatten()[: 1 << 20].median().clamp(min=1e-12)

    def forward(self, x: Tensor) -> Tensor:
        image = self._image(x)
        if self.cells == "hit":
            return (image > 0).to(image)
        image = image / self.unit[:, None, None]
        return image.clamp(min=0).log1p() if self.cells == "log" else image

    def sums(self, x: Tensor) -> Tensor:
        """Energies (N, `channels`, *`image`), in the unit of the events."""
        return self._image(x)

    def _image(self, x: Tensor) -> Tensor:
        check_cells(x, self.grid, self.all_channels, "student")
        x = x if self.whole else x @ self.which
        image = x.reshape(-1, *self.grid, self.channels).permute(0, 3, 1, 2)
        return self.rows.T @ image @ self.columns if self.regional else image


def _which(schema: Schema, wanted: tuple[str, ...], without: str) -> Tensor:
    """A column of zeros and a one for each channel that is seen, (C, seen)."""
    names = [feature.name for feature in schema.features]
    check_channels(wanted, names, "student")
    seen = [names.index(name) for name in wanted] or [k for k, name in enumerate(names) if name != without]
    return torch.eye(len(names))[:, seen or list(range(len(names)))]
