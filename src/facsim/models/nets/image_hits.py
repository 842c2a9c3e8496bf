"""First and last layer of autoencoders of images of which few cells are hit: the same numbers without the empty cells.

What a convolution makes of empty cells is its bias, so that only the weights under each hit are added. Where the last
layer is linear and its patches do not overlap, the sum of squares of an image is a quadratic form in what precedes it,
and the overlap with another image needs the cells alone that are hit there.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

KERNEL = 3
"""Of convolutions, which start one row and one column outside of the image."""


class Hits(NamedTuple):
    """Cells that are hit of a batch of images, in any order.

    Args:
        event, channel, row, column, value: of each hit, (H,). events: their number, as zeros (N,).
    """

    event: Tensor
    channel: Tensor
    row: Tensor
    column: Tensor
    value: Tensor
    events: Tensor

    def total(self, numbers: Tensor) -> Tensor:
        """Sums over the hits of each event of `numbers` (H,): (N,)."""
        return self.events.to(numbers).scatter_add(0, self.event, numbers)


def find_hits(x: Tensor, columns: int) -> Hits:
    """Cells other than zero of images (N, rows * `columns`, C)."""
    cells, channels = x.shape[1], x.shape[2]
    flat = x.flatten()
    index = flat.nonzero()[:, 0]
    event, within = _divided(index, cells * channels)
    cell, channel = _divided(within, channels)
    row, column = _divided(cell, columns)
    return Hits(event, channel, row, column, flat[index], x.new_zeros(x.shape[0]))


def convolve_hits(convolution: nn.Conv2d, hits: Hits, size: tuple[int, int]) -> Tensor:
    """What `convolution` makes of images with these hits: (N, width, *size), `size` its rows and columns."""
    width, n = convolution.out_channels, hits.events.shape[0]
    taps = convolution.weight.permute(1, 2, 3, 0).reshape(-1, width)
    assert convolution.bias is not None
    out = convolution.bias.expand(n * size[0] * size[1], width)
    strides = (int(convolution.stride[0]), int(convolution.stride[1]))
    for row, tap_row, fits_row in _patches(hits.row, strides[0], size[0]):
        for column, tap_column, fits_column in _patches(hits.column, strides[1], size[1]):
            place = (hits.event * size[0] + row) * size[1] + column
            tap = (hits.channel * KERNEL + tap_row) * KERNEL + tap_column
            value = hits.value * (fits_row & fits_column).to(hits.value)
            # not index_put, whose exported graph keeps one of several hits of a patch
            out = out.scatter_add(0, place[:, None].expand(-1, width), taps[tap] * value[:, None])
    return out.reshape(-1, *size, width).permute(0, 3, 1, 2).contiguous()


def _patches(place: Tensor, stride: int, size: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Along one axis, for each patch that a cell may lie in: number of the patch, place in it, whether it is one."""
    found = []
    for back in range(-(-KERNEL // stride)):
        patch = torch.div(place + 1, stride, rounding_mode="trunc") - back
        tap = place + 1 - patch * stride
        fits = (patch >= 0) & (patch < size) & (tap < KERNEL)
        found.append((patch.clamp(0, size - 1), tap.clamp(0, KERNEL - 1), fits))
    return found


class Patterns(nn.Module):
    """Images as sums of patterns: numbers (N, width, R, C), none negative, times weights above zero, in patches.

    A transposed convolution whose kernel is its stride, (N, channels, R * rows, C * columns). As nothing is negative,
    neither is the image, which takes the place of a last nonlinear function.
    """

    def __init__(self, width: int, channels: int, stride: tuple[int, int]) -> None:
        super().__init__()
        self.stride = stride
        self.raw = nn.Parameter(torch.randn(width, channels, *stride) - 3)
        self.rest = nn.Parameter(torch.full((channels,), -4.0))

    def forward(self, h: Tensor) -> Tensor:
        return F.conv_transpose2d(h, F.softplus(self.raw), F.softplus(self.rest), self.stride)

    def squares(self, h: Tensor, image: tuple[int, int]) -> Tensor:
        """Sum of squares (N,) of the first rows and columns, `image`, of what `forward` gives."""
        weight, rest = F.softplus(self.raw), F.softplus(self.rest)
        found = h.new_zeros(h.shape[0])
        wide = h.shape[1] > weight[0].numel()  # more numbers than cells of a patch: these are fewer products
        for rows, kept_rows in _whole_and_cut(image[0], self.stride[0]):
            for columns, kept_columns in _whole_and_cut(image[1], self.stride[1]):
                patches = h[:, :, rows, columns].flatten(2)
                used = weight[:, :, :kept_rows, :kept_columns].flatten(1)
                offset = rest.repeat_interleave(kept_rows * kept_columns)
                if wide:
                    found = found + (used.T @ patches + offset[:, None]).square().sum((1, 2))
                    continue
                both = patches @ patches.transpose(1, 2)
                found = found + (both * (used @ used.T)).sum((1, 2)) + 2 * (patches.sum(2) @ (used @ offset))
                found = found + patches.shape[2] * offset.square().sum()
        return found

    def overlap(self, h: Tensor, hits: Hits) -> Tensor:
        """Sum of products (N,) of what `forward` gives with `hits`."""
        rows, columns = h.shape[2], h.shape[3]
        row, tap_row = _divided(hits.row, self.stride[0])
        column, tap_column = _divided(hits.column, self.stride[1])
        tap = (hits.channel * self.stride[0] + tap_row) * self.stride[1] + tap_column
        place = (hits.event * rows + row) * columns + column
        numbers = h.permute(0, 2, 3, 1).reshape(-1, h.shape[1])[place]
        weight = F.softplus(self.raw).permute(1, 2, 3, 0).reshape(-1, h.shape[1])
        made = (numbers * weight[tap]).sum(1) + F.softplus(self.rest)[hits.channel]
        return hits.total(made * hits.value)


def _whole_and_cut(size: int, stride: int) -> list[tuple[slice, int]]:
    """Patches of `stride` cells of which `size` are kept: those that are kept whole, the one in part, how much."""
    whole, left = divmod(size, stride)
    return [(slice(0, whole), stride)] * (whole > 0) + [(slice(whole, whole + 1), left)] * (left > 0)


def _divided(index: Tensor, size: int) -> tuple[Tensor, Tensor]:
    quotient = torch.div(index, size, rounding_mode="trunc")
    return quotient, index - quotient * size
