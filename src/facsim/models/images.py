"""What predictors of images ask of a schema and of events: one sentence each where it is something else."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from facsim.core.errors import FacsimError
from facsim.core.image import ImageGeometry
from facsim.core.schema import Schema


def image_of(schema: Schema, model: str) -> ImageGeometry:
    """The read-out of the images of `schema`.

    Raises:
        FacsimError: its events are none.
    """
    if not isinstance(schema.geometry, ImageGeometry):
        raise FacsimError(f"the model '{model}' takes images, not a {schema.representation}.")
    return schema.geometry


def check_cells(x: Tensor, image: tuple[int, int], channels: int, model: str) -> None:
    """Refuse events that are not (N, V, C) of `image` cells and `channels`.

    Raises:
        FacsimError: they are not.
    """
    rows, columns = image
    if x.dim() != 3 or x.shape[1] != rows * columns or x.shape[2] != channels:
        raise FacsimError(
            f"the model '{model}' was built for images of {rows} x {columns} cells in {channels} channels, "
            f"(N, {rows * columns}, {channels}), not {tuple(x.shape)}: give it events of its schema."
        )


def check_channels(wanted: Sequence[str], names: Sequence[str], model: str) -> None:
    """Refuse channels that the images, with those of `names`, have not.

    Raises:
        FacsimError: there is one.
    """
    missing = [name for name in wanted if name not in names]
    if missing:
        raise FacsimError(
            f"the model '{model}' looks at the channel '{missing[0]}', which the images have not: choose "
            f"options.channels among {list(names)}, or [] for all."
        )
