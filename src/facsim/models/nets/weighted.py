"""Moments and quantiles of events whose weights may be negative (sWeights)."""

from __future__ import annotations

import torch
from torch import Tensor


def moments(x: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (n,) of `x` (M, n) with weights (M,) of positive sum that may be negative.

    A weighted variance that is not positive, or a mean outside of all values, is noise of the weights: all events then
    count the same.
    """
    mean, std = x.mean(0), x.std(0, unbiased=False)
    if weight is None:
        return mean, std
    share = (weight / weight.sum())[:, None]
    weighted = (share * x).sum(0)
    variance = (share * (x - weighted) ** 2).sum(0)
    sound = (variance > 1e-4 * std**2) & (weighted >= x.amin(0)) & (weighted <= x.amax(0))
    return torch.where(sound, weighted, mean), torch.where(sound, variance.clamp(min=0).sqrt(), std)


def weighted_distribution(ordered_weight: Tensor) -> Tensor:
    """Distribution function (n,) in the middle of each event, for events in order with weights of positive sum.

    Where negative weights make it fall or leave [0, 1] it is replaced by the nondecreasing function in [0, 1] that is
    nearest in the largest difference: the mean of the greatest value so far and the least still to come.
    """
    share = ordered_weight / ordered_weight.sum()
    below = (share.cumsum(0) - 0.5 * share).clamp(0, 1)
    ahead = below.flip(0).cummin(0).values.flip(0)
    return 0.5 * (below.cummax(0).values + ahead)


def weighted_quantiles(values: Tensor, weight: Tensor, place: Tensor) -> Tensor:
    """Quantiles of `values` (n,), n > 1, with weights (n,) of positive sum, at the shares `place`."""
    order = values.argsort()
    ordered, below = values[order], weighted_distribution(weight[order])
    # between the last event below and the first above: flat parts, such as of weight zero, are stepped over
    high = torch.searchsorted(below, place.clamp(float(below[0]), float(below[-1])).contiguous())
    high = high.clamp(1, len(ordered) - 1)
    rise = below[high] - below[high - 1]
    inside = ((place - below[high - 1]) / rise.clamp(min=1e-12)).clamp(0, 1)
    return torch.lerp(ordered[high - 1], ordered[high], inside)
