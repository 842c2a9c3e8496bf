"""Networks of conditional dual autoencoders: a map and a few numbers of an image, and the image from both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SLOPE = 0.2


def map_sizes(image: tuple[int, int], stages: int) -> list[tuple[int, int]]:
    """Rows and columns of an image and after each of `stages` halvings, rounded up."""
    sizes = [image]
    for _ in range(stages):
        rows, columns = sizes[-1]
        sizes.append(((rows + 1) // 2, (columns + 1) // 2))
    return sizes


class Residual(nn.Module):
    """Two grouped convolutions that are added: (N, width, R, C) -> the same."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.first = normed_convolution(width, width, groups)
        self.second = nn.Conv2d(width, width, 3, padding=1, groups=math.gcd(groups, width))

    def forward(self, h: Tensor) -> Tensor:
        out: Tensor = h + self.second(self.first(h))
        return out


def normed_convolution(n: int, m: int, groups: int, stride: int = 1) -> nn.Sequential:
    """A convolution 3 x 3 in `groups` as far as widths allow, instance norm (arXiv 1607.08022), leaky ReLU."""
    # without a bias, which the norm would take away
    convolution = nn.Conv2d(n, m, 3, stride, padding=1, groups=math.gcd(groups, n, m), bias=False)
    return nn.Sequential(convolution, nn.InstanceNorm2d(m, affine=True), nn.LeakyReLU(SLOPE))


class MapEncoder(nn.Module):
    """Images (N, C, rows, columns) to maps (N, `outputs`, R, C): each stage halves them and has a residual block.

    Args:
        channels: C. widths: of the stages. groups: of the convolutions, where widths allow.
    """

    def __init__(self, channels: int, widths: Sequence[int], outputs: int, groups: int) -> None:
        super().__init__()
        stages = (
            nn.Sequential(normed_convolution(n, m, groups, stride=2), Residual(m, groups))
            for n, m in pairwise([channels, *widths])
        )
        self.body = nn.Sequential(*stages, nn.Conv2d(widths[-1], outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.body(x)
        return found


class NumbersEncoder(nn.Module):
    """Images (N, C, rows, columns) to (N, `outputs`): convolutions, each before a maximum of 3 x 3 that halves."""

    def __init__(self, channels: int, image: tuple[int, int], widths: Sequence[int], outputs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for n, m in pairwise([channels, *widths]):
            layers += [nn.Conv2d(n, m, 3, padding=1), nn.LeakyReLU(SLOPE), nn.MaxPool2d(3, 2, padding=1)]
        self.body = nn.Sequential(*layers)
        self.out = nn.Linear(widths[-1] * math.prod(map_sizes(image, len(widths))[-1]), outputs)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.out(self.body(x).flatten(1))
        return found


class SpatialConditioning(nn.Module):
    """Multiplies a map by what a convolution makes of a few numbers and of the place.

    The numbers (N, D) are repeated at each place of a map (N, width, rows, columns), beside its x and y from -1 to 1;
    the convolution 3 x 3 of these D + 2 planes gives the factor of each channel and place.
    """

    mesh: Tensor

    def __init__(self, numbers: int, width: int, size: tuple[int, int]) -> None:
        super().__init__()
        y, x = (torch.linspace(-1, 1, n) if n > 1 else torch.zeros(1) for n in size)
        mesh = torch.stack([x.expand(size), y[:, None].expand(size)])
        self.register_buffer("mesh", mesh, persistent=False)
        self.factor = nn.Conv2d(numbers + 2, width, 3, padding=1)
        nn.init.ones_(self.factor.bias)  # type: ignore[arg-type]

    def forward(self, h: Tensor, numbers: Tensor) -> Tensor:
        tiled = numbers[:, :, None, None].expand(-1, -1, *self.mesh.shape[1:])
        planes = torch.cat([tiled, self.mesh.expand(numbers.shape[0], -1, -1, -1)], 1)
        out: Tensor = h * self.factor(planes)
        return out


class ConditionedDecoder(nn.Module):
    """A map (N, `inputs`, R, C) and numbers (N, `numbers`) to images (N, channels, rows, columns).

    At each resolution the numbers condition the map, which is then stretched (bilinear) to the next one of `MapEncoder`
    and goes through a convolution and a residual block. What comes out has no range.
    """

    def __init__(
        self, channels: int, image: tuple[int, int], widths: Sequence[int], inputs: int, numbers: int, groups: int
    ) -> None:
        super().__init__()
        self.sizes = map_sizes(image, len(widths))[::-1]
        outward = [*reversed(widths), widths[0]]
        self.start = nn.Conv2d(inputs, outward[0], 1)
        self.conditioning = nn.ModuleList(
            SpatialConditioning(numbers, n, size) for n, size in zip(outward, self.sizes[:-1], strict=False)
        )
        self.stages = nn.ModuleList(
            nn.Sequential(normed_convolution(n, m, groups), Residual(m, groups)) for n, m in pairwise(outward)
        )
        self.out = nn.Conv2d(outward[-1], channels, 1)

    def forward(self, z: Tensor, numbers: Tensor) -> Tensor:
        h = self.start(z)
        for conditioning, stage, size in zip(self.conditioning, self.stages, self.sizes[1:], strict=True):
            h = stage(F.interpolate(conditioning(h, numbers), size=size, mode="bilinear", align_corners=False))
        found: Tensor = self.out(h)
        return found
