"""Which draw of the prior belongs to which event of a batch."""

from __future__ import annotations

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from facsim.models.base import Batch


@torch.no_grad()
def optimal_coupling(x0: Tensor, x1: Tensor, cond: Tensor, mask: Tensor | None, condition_cost: float) -> Tensor:
    """Index (N,) of the draw of `x0` for each event of `x1`, the least cost in all (minibatch optimal transport,
    arXiv 2302.00482).

    The cost of a pair is the mean square of its difference, for clouds over the event's real points. Without more, the
    draws that go to events of one condition would no longer follow the prior, and samples, which begin from it, would
    be wrong. So draw i comes with condition i and may only take on near ones: the cost adds `condition_cost` times the
    mean square of the difference of conditions in standard deviations (arXiv 2403.18705); unbiased in the limit of
    a large cost and batch.

    Args:
        x0, x1: draws and events (N, ...).
        cond: conditions (N, ...) of both.
        mask: real points (N, P) of clouds, or None.
        condition_cost: weight of the conditions.
    """
    real = torch.ones_like(x1) if mask is None else mask[..., None].to(x1).expand_as(x1)
    start, end, real = x0.flatten(1).double(), (x1 * real).flatten(1).double(), real.flatten(1).double()
    cost = (start**2 @ real.T - 2 * start @ end.T + (end**2).sum(1)) / real.sum(1).clamp(min=1)
    c = cond.flatten(1).double()
    c = (c - c.mean(0)) / c.std(0, correction=0).clamp(min=1e-6)
    cost = cost + condition_cost * torch.cdist(c, c) ** 2 / max(c.shape[1], 1)
    rows, columns = linear_sum_assignment(cost.cpu().numpy())
    index = torch.empty(len(x1), dtype=torch.long)
    index[torch.as_tensor(columns)] = torch.as_tensor(rows)
    return index.to(x1.device)


@torch.no_grad()
def drawn_by_weight(batch: Batch, generator: torch.Generator | None) -> Batch:
    """As many events, each as often as its weight says but for a random rounding, and no weights.

    A coupling gives every event one draw of the prior: were weights left to the loss, the draws of light events would
    count less, and the flow would not begin from the prior.
    """
    n = len(batch)
    start = torch.rand(1, generator=generator, device=batch.x.device).double()
    if batch.weight is None:
        return batch
    below = batch.weight.double().cumsum(0)
    place = torch.arange(n, device=batch.x.device) + start
    index = torch.searchsorted(below * (n / below[-1]), place, right=True).clamp(max=n - 1)
    mask = None if batch.mask is None else batch.mask[index]
    importance = None if batch.importance is None else batch.importance.expand_as(batch.x)[index]
    return Batch(batch.x[index], batch.cond[index], None, mask, importance)
