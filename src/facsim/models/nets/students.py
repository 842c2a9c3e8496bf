"""Small networks that read an image and say one number: what a trigger has room for.

`STUDENTS` lists them. To add one: a class here, with its `Options`, and a line in the table.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from facsim.core.errors import FacsimError


class DenseOptions(BaseModel):
    """Options of `DenseStudent`: widths of the hidden layers, none for a linear map, and dropout after each."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    widths: tuple[int, ...] = (16,)
    dropout: float = Field(0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _positive(self) -> DenseOptions:
        if min(self.widths, default=1) < 1:
            raise ValueError(f"widths must be at least 1, not {self.widths}")
        return self


class ConvOptions(DenseOptions):
    """Options of `ConvStudent`: of each convolution its channels, the side of its square kernel and of the pooling
    after it; then hidden layers as of `DenseStudent`."""

    widths: tuple[int, ...] = ()
    channels: tuple[int, ...] = (2, 4)
    kernels: tuple[int, ...] = (4, 8)
    pools: tuple[int, ...] = (4, 2)

    @model_validator(mode="after")
    def _alike(self) -> ConvOptions:
        sizes = (self.channels, self.kernels, self.pools)
        if len({len(s) for s in sizes}) > 1 or not self.channels or min(min(s) for s in sizes) < 1:
            raise ValueError(f"as many channels as kernels and pools, all at least 1, not {sizes}")
        return self


class StudentNetwork(nn.Module):
    """Images (N, C, rows, columns) to (N, 1). Subclasses are built of C, rows, columns and their `Options`."""

    Options: ClassVar[type[BaseModel]]


class DenseStudent(StudentNetwork):
    """Linear layers with ReLU, from all cells over `widths` to one number, as the first student of CICADA."""

    Options = DenseOptions

    def __init__(self, channels: int, image: tuple[int, int], options: DenseOptions) -> None:
        super().__init__()
        self.body = _dense(channels * math.prod(image), options)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.body(x.flatten(1))
        return out


class ConvStudent(StudentNetwork):
    """Convolutions without padding, each with ReLU and a mean over squares, as the students of arXiv 2310.06047.

    Raises:
        FacsimError: an image that is too small for them.
    """

    Options = ConvOptions

    def __init__(self, channels: int, image: tuple[int, int], options: ConvOptions) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        rows, columns = image
        for (n, m), kernel, pool in zip(
            pairwise([channels, *options.channels]), options.kernels, options.pools, strict=True
        ):
            layers += [nn.Conv2d(n, m, kernel), nn.ReLU(), nn.AvgPool2d(pool)]
            rows, columns = ((size - kernel + 1) // pool for size in (rows, columns))
        if min(rows, columns) < 1:
            raise FacsimError(
                f"images of {image[0]} x {image[1]} are too small for convolutions with the kernels "
                f"{list(options.kernels)} and pools {list(options.pools)}: choose smaller ones, or the network 'dense'."
            )
        self.body = nn.Sequential(*layers, nn.Flatten())
        self.out = _dense(options.channels[-1] * rows * columns, options)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(self.body(x))
        return out


def _dense(inputs: int, options: DenseOptions) -> nn.Sequential:
    sizes = [inputs, *options.widths]
    layers: list[nn.Module] = []
    for n, m in pairwise(sizes):
        layers += [nn.Linear(n, m), nn.ReLU(), *([nn.Dropout(options.dropout)] if options.dropout else [])]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], 1))


STUDENTS: dict[str, type[StudentNetwork]] = {"dense": DenseStudent, "conv": ConvStudent}
