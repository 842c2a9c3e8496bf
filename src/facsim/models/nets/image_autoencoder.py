"""Encoder and decoder of images: strided convolutions down to a few numbers, and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F


class ImageEncoder(nn.Module):
    """Images (N, C, rows, columns) to (N, `outputs`): convolutions 3 x 3 with strides, batch norm and PReLU.

    As in arXiv 2306.13595. Rows and columns are filled with zeros up to a multiple of the product of the strides.

    Args:
        channels: C. image: rows and columns. widths, strides: of the convolutions, as many of both. outputs: numbers of
            an event.
    """

    def __init__(
        self, channels: int, image: tuple[int, int], widths: Sequence[int], strides: Sequence[int], outputs: int
    ) -> None:
        super().__init__()
        self.coarse, self.fill = _coarse(image, strides)
        layers: list[nn.Module] = []
        for (n, m), stride in zip(pairwise([channels, *widths]), strides, strict=True):
            layers += [nn.Conv2d(n, m, 3, stride, padding=1), nn.BatchNorm2d(m), nn.PReLU(m)]
        self.body = nn.Sequential(*layers)
        self.out = nn.Linear(widths[-1] * math.prod(self.coarse), outputs)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.out(self.body(F.pad(x, self.fill)).flatten(1))
        return found


class ImageDecoder(nn.Module):
    """Numbers (N, `inputs`) to images (N, C, rows, columns), the mirror of `ImageEncoder`, whose arguments it takes.

    What comes out has no range; whoever asks decides.
    """

    def __init__(
        self, channels: int, image: tuple[int, int], widths: Sequence[int], strides: Sequence[int], inputs: int
    ) -> None:
        super().__init__()
        self.coarse, _ = _coarse(image, strides)
        self.image, self.width = image, widths[-1]
        self.start = nn.Linear(inputs, self.width * math.prod(self.coarse))
        layers: list[nn.Module] = []
        sizes = list(reversed([channels, *widths]))
        for (n, m), stride in zip(pairwise(sizes), reversed(strides), strict=True):
            layers += [nn.BatchNorm2d(n), nn.PReLU(n), nn.ConvTranspose2d(n, m, stride, stride)]
        self.body = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        h = self.start(z).reshape(-1, self.width, *self.coarse)
        found: Tensor = self.body(h)[..., : self.image[0], : self.image[1]]
        return found


def _coarse(image: tuple[int, int], strides: Sequence[int]) -> tuple[tuple[int, int], tuple[int, int, int, int]]:
    """Rows and columns after all strides, and how many zeros are put left, right, above and below before them."""
    step = math.prod(strides)
    rows, columns = (-(-n // step) for n in image)
    return (rows, columns), (0, columns * step - image[1], 0, rows * step - image[0])
