"""What a student sees of an image: all its cells, or sums over a trigger's regions."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from facsim.core.image import ImageGeometry
from facsim.core.schema import Schema
from facsim.physics.image_features import TRACKER, image_geometry
from facsim.physics.image_regions import region_shares


class StudentInput(nn.Module):
    """Events (N, V, C) to images (N, `channels`, *`image`) of order one.

    Args:
        schema: of images. kind: `full`, or sums over `regions` (see `region_shares`).
        maps: of regional sums, `calorimeters`: one map, of all channels but `tracker`; `all`: one of each channel.
        cells: `energy` over the median of the cells or regions that are hit, the logarithm of 1 + that, or whether
            there is a `hit`.

    Raises:
        FacsimError: more regions than rows or columns.
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
        maps: Literal["calorimeters", "all"],
        cells: Literal["energy", "log", "hit"],
    ) -> None:
        super().__init__()
        geometry: ImageGeometry = image_geometry(schema)
        self.cells, self.regional, self.grid = cells, kind == "regional", geometry.image
        names = [feature.name for feature in schema.features]
        self.image, self.channels = geometry.image, len(names)
        if self.regional:
            rows, columns = (torch.tensor(part, dtype=torch.float32) for part in region_shares(geometry, regions))
            self.register_buffer("rows", rows, persistent=False)
            self.register_buffer("columns", columns, persistent=False)
            which = torch.eye(len(names))
            if maps == "calorimeters":
                alone = all(name == TRACKER for name in names)
                which = torch.tensor([[float(alone or name != TRACKER)] for name in names])
            self.register_buffer("which", which, persistent=False)
            self.image, self.channels = (rows.shape[1], columns.shape[1]), which.shape[1]
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
        if self.regional:
            x = x @ self.which
        image = x.reshape(-1, *self.grid, x.shape[-1]).permute(0, 3, 1, 2)
        return self.rows.T @ image @ self.columns if self.regional else image
