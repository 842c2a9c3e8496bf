"""Events unlike background, made of background alone: what a student is exposed to where there are no labels."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LEAST_KEPT = 0.2
"""Of thinned events, the least probability with which a cell is kept."""
LARGEST_FACTOR = 2.0
"""Of smeared events, the largest factor of the whole event; its inverse is the smallest."""
SMEARING = 0.5
"""Of smeared events, the largest standard deviation of the logarithms of the cells' factors."""


@torch.no_grad()
def mixed(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """As many events (N, V, C) as there are background events `x`, each changed in one to three ways.

    With even odds each: superposed with another of the events; thinned, every cell kept with a probability of 0.2 to 1
    of the event; smeared, the event times a factor of 1/2 to 2 and its cells times factors of a log-normal width of up
    to 0.5. What is drawn as none of these is superposed. Cells of an event keep their places: nothing is asked of the
    detector but that deposits add up.
    """
    n, device = len(x), x.device

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, device=device, dtype=x.dtype)

    ways = uniform(n, 3) < 0.5
    superposed, thinned, smeared = (way[:, None, None] for way in ways.T)
    superposed = superposed | ~(thinned | smeared)
    # at least one further, so that no event meets itself
    further = 1 + torch.randint(max(n - 1, 1), (1,), generator=generator, device=device)
    partner = (torch.arange(n, device=device) + further) % n
    found = x + torch.where(superposed, x[partner], 0.0)
    kept = LEAST_KEPT + (1 - LEAST_KEPT) * uniform(n, 1, 1)
    found = torch.where(thinned & (uniform(n, x.shape[1], 1) > kept), 0.0, found)
    whole = math.log(LARGEST_FACTOR) * (2 * uniform(n, 1, 1) - 1)
    cells = torch.randn(x.shape, generator=generator, device=device, dtype=x.dtype)
    return torch.where(smeared, found * (whole + SMEARING * uniform(n, 1, 1) * cells).exp(), found)
