"""Jets that look like jets, for files in the layouts of others."""

from __future__ import annotations

import numpy as np

from facsim.core.rng import generator


def cloud(n: int = 20, p: int = 30, seed: int = 1) -> np.ndarray:
    """JetNet's particles (n, p, 4), hardest first."""
    rng = generator(seed, "cloud")
    number = rng.integers(3, p + 1, (n, 1))
    mask = np.arange(p) < number
    share = np.where(mask, -np.sort(-rng.exponential(size=(n, p)), axis=1) + 0.01, 0)
    angles = np.where(mask[..., None], rng.normal(scale=0.15, size=(n, p, 2)), 0)
    share /= share.sum(axis=1, keepdims=True)
    return np.concatenate([angles, share[..., None], mask[..., None]], axis=2).astype(np.float32)


def momenta(n: int = 20, p: int = 30, seed: int = 1) -> np.ndarray:
    """Massless constituents (n, p, 4) px, py, pz, E in GeV of jets of 500 GeV at eta 0.5, phi 3.1; zeros as padding."""
    x = cloud(n, p, seed).astype(np.float64)
    pt, eta, phi = 500 * x[..., 2], 0.5 + x[..., 0], 3.1 + x[..., 1]
    return np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), pt * np.cosh(eta)], axis=2)
