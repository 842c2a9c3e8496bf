"""What a classifier is told of a shower: sums, counts and moments of layers, rings and blocks of layers."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from facsim.models.nets.padding import GridPadding

BLOCK = 3
"""Layers of a block."""
DEPTHS, OCTAVES = 3, 12
HARMONICS = 2


class ShowerSummary(nn.Module):
    """Numbers (N, n_features) that describe cells (N, L, A, R), the same for a shower that is turned or mirrored.

    Of each layer: energy, hits, mean and width of the radius, size of the first harmonics of energy and hits over the
    azimuth, largest cell, participation ratio. Of each ring of a layer and of a block of layers: energy and hits. Of
    each block: its harmonics along those of the whole shower. Of each third of the depth: the spectrum of cells in
    octaves above threshold. Energies are logarithms of multiples of the threshold, counts are square roots.

    Args:
        padding: the layers of the cylinder. threshold: of a cell, MeV.
    """

    angle: Tensor
    radius: Tensor

    def __init__(self, padding: GridPadding, threshold: float) -> None:
        super().__init__()
        self.shape, self.threshold = padding.shape, threshold
        layers, alpha, rings = padding.shape
        self.blocks = math.ceil(layers / BLOCK)
        self.spare = self.blocks * BLOCK - layers
        self.depths = min(DEPTHS, layers)
        phi = 2 * math.pi * (torch.arange(alpha) + 0.5) / padding.sectors[:, None]
        directed = (padding.sectors > 1)[:, None]  # one sector has no direction
        waves = [directed * wave(m * phi) for m in range(1, HARMONICS + 1) for wave in (torch.cos, torch.sin)]
        self.register_buffer("angle", torch.stack([torch.ones_like(phi), *waves], 1), persistent=False)  # (L, 5, A)
        self.register_buffer("radius", (torch.arange(rings) + 0.5) / padding.rings[:, None], persistent=False)
        self.n_features = layers * (6 + 2 * HARMONICS + 2 * rings) + self.blocks * (2 * rings + 2 * HARMONICS)
        self.n_features += self.depths * OCTAVES + 2

    def forward(self, cells: Tensor) -> Tensor:
        e = cells / self.threshold
        energy, hits = self._waves(e), self._waves((e > 0).to(e))
        layer, count = energy[:, :, 0].sum(-1), hits[:, :, 0].sum(-1)
        least = layer.clamp(min=1)
        radius = (energy[:, :, 0] * self.radius).sum(-1) / least
        width = (energy[:, :, 0] * (self.radius - radius[..., None]) ** 2).sum(-1) / least
        flat = e.flatten(2)
        parts = [torch.log1p(layer), count.sqrt(), radius, width.sqrt(), torch.log1p(flat.amax(-1))]
        parts.append(least**2 / (flat * flat).sum(-1).clamp(min=1))
        for waves, total in ((energy, least), (hits, count.clamp(min=1))):
            parts.append((_sizes(waves.sum(-1)) / total[..., None]).flatten(1))
            parts.append(_scaled(waves[:, :, 0], waves is hits).flatten(1))
            parts.append(_scaled(self._in_blocks(waves[:, :, 0]), waves is hits).flatten(1))
        parts.append(self._along(energy.sum(-1)).flatten(1))
        parts.append(self._spectrum(e))
        parts += [torch.log1p(layer.sum(1, keepdim=True)), count.sum(1, keepdim=True).sqrt()]
        return torch.cat([part.flatten(1) for part in parts], 1)

    def _waves(self, e: Tensor) -> Tensor:
        """Sum over the angle, and harmonics: (N, L, 1 + 2 harmonics, R)."""
        return self.angle @ e

    def _in_blocks(self, values: Tensor) -> Tensor:
        padded = nn.functional.pad(values, (0, 0, 0, self.spare)) if self.spare else values
        return padded.reshape(-1, self.blocks, BLOCK, values.shape[-1]).sum(2)

    def _along(self, waves: Tensor) -> Tensor:
        """Harmonics of blocks, (N, blocks, 2 harmonics), along and across those of the whole shower, over energies."""
        block, whole = self._in_blocks(waves), waves.sum(1, keepdim=True)
        total, out = block[..., 0].clamp(min=1), []
        for m in range(1, HARMONICS + 1):
            x, y, a, b = block[..., 2 * m - 1], block[..., 2 * m], whole[..., 2 * m - 1], whole[..., 2 * m]
            size = torch.sqrt(a * a + b * b).clamp(min=1e-3)
            out += [(x * a + y * b) / size / total, (x * b - y * a).abs() / size / total]
        return torch.stack(out, -1)

    def _spectrum(self, e: Tensor) -> Tensor:
        """Square root of the number of cells in each octave of each part of the depth: (N, depths * octaves)."""
        per_layer = self.shape[1] * self.shape[2]
        flat = e.flatten()
        at = (flat > 0).nonzero()[:, 0]
        octave = torch.log2(flat[at]).clamp(0, OCTAVES - 1).long()
        event, layer = at // (per_layer * self.shape[0]), at // per_layer % self.shape[0]
        place = (event * self.depths + layer * self.depths // self.shape[0]) * OCTAVES + octave
        counts = e.new_zeros(e.shape[0] * self.depths * OCTAVES).scatter_add(0, place, torch.ones_like(flat[at]))
        return counts.reshape(-1, self.depths * OCTAVES).sqrt()


def _sizes(waves: Tensor) -> Tensor:
    """Sizes (..., harmonics) of harmonics (..., 1 + 2 harmonics)."""
    cos, sin = waves[..., 1::2], waves[..., 2::2]
    return torch.sqrt(cos * cos + sin * sin + 1e-6)


def _scaled(values: Tensor, counts: bool) -> Tensor:
    return values.sqrt() if counts else torch.log1p(values)
