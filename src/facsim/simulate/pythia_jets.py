"""Jets of one kind as an array, in this process: `facsim.simulate.jets` without settings, workers or files.

The recipe is that of the task `jets`; kinds have names in words.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.rng import integer_seed
from facsim.simulate.jets import JetSimulation

JetArray = NDArray[np.float32]

JETS = {"gluon": "g", "quark": "q", "top": "t", "w": "w", "z": "z"}
"""Name to the kind in `pythia_events.HARD`."""
JETS_AT_ONCE = 40


def check_kind(kind: str) -> None:
    """Refuse an unknown kind of jets.

    Raises:
        FacsimError: it is no key of `JETS`.
    """
    if kind not in JETS:
        raise FacsimError(f"there are no jets '{kind}': expected one of {', '.join(JETS)}.")


def pythia_jets(
    n: int, kind: str = "gluon", seed: int = 1, progress: Callable[[float], None] | None = None
) -> JetArray:
    """Simulate `n` jets.

    The same arguments give the same jets. Workers that share a sample take different seeds.

    Args:
        n: number of jets.
        kind: a key of `JETS`.
        seed: of Pythia's random numbers.
        progress: called with the fraction done.

    Returns:
        (n, 30, 4) float32: eta and phi relative to the jet, pT over the jet's, and 1 for a particle, 0 for padding;
        hardest particles first, all 0 in the padding.

    Raises:
        FacsimError: an unknown kind, no jets asked for, or a Pythia that does not start.
        MissingExtraError: Pythia or FastJet is not installed.
    """
    check_kind(kind)
    if n < 1:
        raise FacsimError(f"at least one jet has to be simulated, not {n}.")
    settings = JetSimulation(events=n, kinds=(JETS[kind],))
    absent = settings.missing()
    if absent is not None:
        raise absent
    source, parts = settings.collisions(JETS[kind], integer_seed(seed, "pythia", kind)), []
    for first in range(0, n, JETS_AT_ONCE):
        # whole batches, so that a smaller sample is the beginning of a larger one
        parts.append(settings.take(source, JETS[kind], JETS_AT_ONCE)[0])
        if progress is not None:
            progress(min((first + JETS_AT_ONCE) / n, 1.0))
    jets = np.concatenate(parts)[:n]
    return np.concatenate([jets, jets[:, :, 2:] > 0], axis=2).astype(np.float32)
