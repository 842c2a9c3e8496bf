"""Events made of background alone that are unlike background: what a score is chosen by where no signal may be seen.

Each is a change that keeps most of an event and breaks one thing that background has. None of them is a model of
anything; a score that tells them from background sees departures of several kinds, and that is all they say.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from facsim.core.geometry import FloatArray

Rng = np.random.Generator
KEPT = 0.5


def blended(x: FloatArray, rng: Rng) -> FloatArray:
    """Half the energies of two events laid over each other: as much energy in more cells."""
    return 0.5 * (x + np.roll(x, 1, axis=0))


def thinned(x: FloatArray, rng: Rng) -> FloatArray:
    """Every second hit cell at random, with twice its energy: as much energy in fewer cells."""
    return x * (rng.random(x.shape[:2]) < KEPT)[..., None] / KEPT


def exchanged(x: FloatArray, rng: Rng) -> FloatArray:
    """The first channel of one event with the others of the next: what channels share is lost.

    Of one channel, half the cells of each of two events.
    """
    other = np.roll(x, 1, axis=0)
    if x.shape[2] > 1:
        return np.concatenate([x[..., :1], other[..., 1:]], axis=2)
    return np.where(np.arange(x.shape[1])[:, None] < x.shape[1] // 2, x, other)


def scattered(x: FloatArray, rng: Rng) -> FloatArray:
    """Hit cells, all channels of each, at other places at random: the same energies without jets."""
    order = np.argsort(rng.random(x.shape[:2]), axis=1)
    return np.take_along_axis(x, order[..., None], axis=1)


PSEUDO_SIGNALS: dict[str, Callable[[FloatArray, Rng], FloatArray]] = {
    "blended": blended,
    "thinned": thinned,
    "exchanged": exchanged,
    "scattered": scattered,
}
"""Name to a function of images (N, V, C), at least two, and a generator."""
