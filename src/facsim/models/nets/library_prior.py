"""A library of training events as prior: a flow begins at a real event of a near condition in place of noise."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facsim.models.nets.given import own_conditions, own_number
from facsim.models.space import Space


def flat_condition(space: Space, cond: Tensor) -> Tensor:
    """Conditions (N, K) or (N, L, K) as one row an event; where there are layers, (N, L K) for both."""
    cond = own_conditions(cond, space)
    if space.layers and cond.dim() == 2:
        cond = cond[:, None].expand(-1, len(space.layers), -1)
    return cond.flatten(1)


class LibraryPrior(nn.Module):
    """Events that are kept, each with some noise: (noise, pick, cond) -> (N, *space.shape).

    One of the `near` events nearest in condition is picked by a uniform number. The frozen library of fast simulation
    (`simulate.library`), and what is left to learn is to vary its showers. Conditions of layers count one by one.

    Args:
        space: the events.
        n_cond: number K of conditions.
        events: kept.
        near: events that one is picked from.
        width: standard deviation of the noise, which lets an event become many.
    """

    x: Tensor
    cond: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, space: Space, n_cond: int, events: int, near: int, width: float) -> None:
        super().__init__()
        self.space, self.near, self.width = space, min(near, events), width
        size = own_number(n_cond, space) * max(len(space.layers), 1)
        self.register_buffer("x", torch.zeros(events, *space.shape))
        self.register_buffer("cond", torch.zeros(events, size))
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("std", torch.ones(size))

    def fit(
        self, x: Tensor, cond: Tensor, mask: Tensor | None, weight: Tensor | None, generator: torch.Generator
    ) -> None:
        """Keep events (N, *space.shape) with their conditions, drawn by weight, again where there are too few.

        Places of a cloud without a point take copies of its real ones, as sizes differ between the library and samples.
        """
        kept = len(self.x)
        if weight is None:
            index = torch.randperm(len(x), generator=generator, device=x.device)
            index = index.repeat(-(-kept // max(len(x), 1)))[:kept]
        else:
            index = torch.multinomial(weight, kept, replacement=True, generator=generator)
        chosen = x[index]
        if mask is not None:
            order = mask[index].float().argsort(dim=1, descending=True, stable=True)
            count = mask[index].sum(1, keepdim=True).clamp(min=1)
            place = order.gather(1, torch.arange(mask.shape[1], device=x.device) % count)
            chosen = chosen.gather(1, place[..., None].expand_as(chosen))
        flat = flat_condition(self.space, cond)
        self.x.copy_(chosen)
        self.mean.copy_(flat.mean(0))
        self.std.copy_(flat.std(0, correction=0).clamp(min=1e-6))
        self.cond.copy_((flat[index] - self.mean) / self.std)

    def forward(self, noise: Tensor, pick: Tensor, cond: Tensor) -> Tensor:
        """Draws of the prior.

        Args:
            noise: standard normal (N, *space.shape), pick: uniform (N,).
            cond: conditions (N, K) or (N, L, K).
        """
        c = (flat_condition(self.space, cond) - self.mean) / self.std
        distance = (self.cond**2).sum(1) - 2 * c @ self.cond.T
        nearest = distance.topk(self.near, dim=1, largest=False).indices
        which = (pick[:, None] * self.near).long().clamp(max=self.near - 1)
        index = nearest.gather(1, which)[:, 0]
        return self.x[index] + self.width * noise
