"""One tree of seeds: a run has one integer seed, every part draws from its own named branch."""

from __future__ import annotations

import hashlib

import numpy as np

from facsim.core.errors import FacsimError


def seed_sequence(seed: int, *path: str | int) -> np.random.SeedSequence:
    """Seed sequence of the branch `path` below the run's `seed`.

    The same seed and path give the same stream on every machine and for any number of workers.

    Raises:
        FacsimError: a negative seed.
    """
    if seed < 0:
        raise FacsimError(f"a seed must not be negative, and {seed} is.")
    words = [int.from_bytes(hashlib.sha256(repr(part).encode()).digest()[:8], "little") for part in path]
    return np.random.SeedSequence([seed, *words])


def generator(seed: int, *path: str | int) -> np.random.Generator:
    """NumPy generator of the branch `path` below `seed`."""
    return np.random.default_rng(seed_sequence(seed, *path))


def integer_seed(seed: int, *path: str | int) -> int:
    """A 63-bit integer seed of the branch `path`, for libraries that take an integer."""
    return int(seed_sequence(seed, *path).generate_state(1, np.uint64)[0] >> np.uint64(1))
