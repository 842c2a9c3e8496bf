"""Weights that may be negative: their mean, and what is expected of them given the event, which is never negative."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from facsim.core.errors import FacsimError
from facsim.models.base import Batch
from facsim.models.nets.readers import EventReader
from facsim.models.space import Space

FEWEST_SIGMAS = 3.0


def mean_weight(weight: Tensor | None) -> Tensor:
    """Mean of the weights (N,) of events; 1 where there are none.

    Raises:
        FacsimError: their sum is not above zero by three of its standard deviations.
    """
    if weight is None or not len(weight):
        return torch.ones(())
    total, error = weight.double().sum(), weight.double().square().sum().sqrt()
    if not bool(total > FEWEST_SIGMAS * error) and bool((weight < 0).any() | (total <= 0)):
        raise FacsimError(
            f"the weights of {len(weight)} training events sum to {float(total):.3g} +- {float(error):.2g}, about "
            "zero: no signal to learn; check the column that 'weight' names, or raise train.fit_events."
        )
    return (total / len(weight)).to(weight.dtype)


class ExpectedWeight(nn.Module):
    """E[w | x, c], by regression on events and conditions: the share of signal among events alike, times a constant.

    A loss with weights w and one with E[w | x, c] have the same expectation (Borisyak and Kazeev, arXiv 1905.11719,
    section 4), and the latter are not negative: every loss stays bounded. The square error that is minimised here is
    bounded whatever the signs of w. The price is the error of this fit, where raw weights have none.

    Args:
        space: the events' latents. n_cond: features of their conditions.
    """

    def __init__(self, space: Space, n_cond: int) -> None:
        super().__init__()
        self.net = EventReader(space, n_cond, 1)

    def forward(self, batch: Batch) -> Tensor:
        """Expected weights (N,) of the events of `batch`, not negative."""
        out: Tensor = softplus(self.net(batch.x, batch.cond, batch.mask)[:, 0])
        return out

    def loss(self, batch: Batch) -> Tensor:
        """Mean square error of the expectation; without weights all count one."""
        weight = torch.ones(len(batch), device=batch.x.device) if batch.weight is None else batch.weight
        error: Tensor = self(batch) - weight
        return error.square().mean()
