"""Encoder and decoder of images: strided convolutions down to a few numbers, and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from facsim.models.nets.image_hits import Hits, Patterns, convolve_hits

Stride = int | tuple[int, int]
"""Of rows and columns, alike or of each."""


class ImageEncoder(nn.Module):
    """Images (N, C, rows, columns) to (N, `outputs`): convolutions 3 x 3 with strides, batch norm and PReLU.

    As in arXiv 2306.13595. Rows and columns are filled with zeros up to a multiple of the product of the strides.

    Args:
        channels: C. image: rows and columns. widths, strides: of the convolutions, as many of both, or none. outputs:
            numbers of an event.
        dense: widths of layers between the convolutions and the numbers.
        pooling: average over cells in place of strides, after each convolution.
    """

    def __init__(
        self,
        channels: int,
        image: tuple[int, int],
        widths: Sequence[int],
        strides: Sequence[Stride],
        outputs: int,
        *,
        dense: Sequence[int] = (),
        pooling: bool = False,
    ) -> None:
        super().__init__()
        self.coarse, self.fill = _coarse(image, strides)
        layers: list[nn.Module] = []
        sizes = [channels, *widths]
        for (n, m), stride in zip(pairwise(sizes), strides, strict=True):
            layers += [nn.Conv2d(n, m, 3, 1 if pooling else stride, padding=1), nn.BatchNorm2d(m), nn.PReLU(m)]
            layers += [nn.AvgPool2d(stride)] if pooling else []
        self.body = nn.Sequential(*layers)
        self.filled = image[0] + self.fill[3], image[1] + self.fill[1]
        self.out = _dense([sizes[-1] * math.prod(self.coarse), *dense, outputs])

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.out(self.body(F.pad(x, self.fill)).flatten(1))
        return found

    def of_hits(self, hits: Hits) -> Tensor:
        """What `forward` says of images with these hits and nothing else; without pooling."""
        convolution = self.body[0]
        assert isinstance(convolution, nn.Conv2d)
        size = (self.filled[0] // int(convolution.stride[0]), self.filled[1] // int(convolution.stride[1]))
        found: Tensor = self.out(self.body[1:](convolve_hits(convolution, hits, size)).flatten(1))
        return found


class ImageDecoder(nn.Module):
    """Numbers (N, `inputs`) to images (N, C, rows, columns), the mirror of `ImageEncoder`, whose arguments it takes.

    What comes out has no range, and whoever asks decides; with `patterns` it is never negative (`Patterns`).
    """

    def __init__(
        self,
        channels: int,
        image: tuple[int, int],
        widths: Sequence[int],
        strides: Sequence[Stride],
        inputs: int,
        *,
        dense: Sequence[int] = (),
        pooling: bool = False,
        patterns: bool = False,
    ) -> None:
        super().__init__()
        self.coarse, _ = _coarse(image, strides)
        sizes = list(reversed([channels, *widths]))
        self.image, self.width = image, sizes[0]
        self.start = _dense([inputs, *reversed(dense), self.width * math.prod(self.coarse)])
        layers: list[nn.Module] = []
        for (n, m), stride in zip(pairwise(sizes), reversed(strides), strict=True):
            layers += [nn.BatchNorm2d(n), nn.PReLU(n), *_stretched(n, m, stride, pooling)]
        if patterns:
            layers[-2:] = [nn.ReLU(), Patterns(widths[0], channels, pair(strides[0]))]
        self.body = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        found: Tensor = self.body(self._started(z))[..., : self.image[0], : self.image[1]]
        return found

    def sums(self, z: Tensor, hits: Hits) -> tuple[Tensor, Tensor]:
        """Of images made of `z` (N, `inputs`): the sums of squares, and of products with the values of `hits`: (N,).

        With `patterns`; images themselves are not made.
        """
        last = self.body[-1]
        assert isinstance(last, Patterns)
        h = self.body[:-1](self._started(z))
        return last.squares(h, self.image), last.overlap(h, hits)

    def _started(self, z: Tensor) -> Tensor:
        h: Tensor = self.start(z).reshape(-1, self.width, *self.coarse)
        return h


def pair(stride: Stride) -> tuple[int, int]:
    """The strides of rows and of columns."""
    return (stride, stride) if isinstance(stride, int) else stride


def _stretched(n: int, m: int, stride: Stride, pooling: bool) -> list[nn.Module]:
    if not pooling:
        return [nn.ConvTranspose2d(n, m, stride, stride)]
    rows, columns = pair(stride)
    return [nn.Upsample(scale_factor=(rows, columns), mode="nearest"), nn.Conv2d(n, m, 3, padding=1)]


def _dense(sizes: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n, m in pairwise(sizes):
        layers += [nn.PReLU(n), nn.Linear(n, m)] if layers else [nn.Linear(n, m)]
    return nn.Sequential(*layers)


def _coarse(image: tuple[int, int], strides: Sequence[Stride]) -> tuple[tuple[int, int], tuple[int, int, int, int]]:
    """Rows and columns after all strides, and how many zeros are put left, right, above and below before them."""
    steps = [math.prod(pair(stride)[axis] for stride in strides) for axis in (0, 1)]
    rows, columns = (-(-n // step) for n, step in zip(image, steps, strict=True))
    return (rows, columns), (0, columns * steps[1] - image[1], 0, rows * steps[0] - image[0])
