"""What the networks of point clouds have in common: all points are treated alike, those outside the mask left out."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from facsim.core.schema import Representation
from facsim.models.nets.base import Network, last_layer
from facsim.models.nets.given import AttendGiven, given_tokens, own_conditions, own_number
from facsim.models.nets.layers import Context
from facsim.models.space import Space


def there(x: Tensor, mask: Tensor | None, most: int) -> tuple[Tensor, Tensor, Tensor]:
    """Points (N, P, F) with zeros outside the mask, the mask (N, P; all where there is none), its sum over `most`."""
    real = torch.ones_like(x[..., 0], dtype=torch.bool) if mask is None else mask
    return x.masked_fill(~real[..., None], 0.0), real, real.to(x).sum(1, keepdim=True) / most


class PointNetwork(Network):
    """Points are embedded one by one, pass through `blocks` together and are read out one by one.

    The blocks are modulated by time, condition and the number of real points, which attention would not see. Where the
    space has given points, all points attend to them before the blocks. Any number of points may come in; for arguments
    see `Network`.
    """

    representations: ClassVar[tuple[Representation, ...]] = ("cloud",)

    def __init__(self, space: Space, n_in: int, n_out: int, n_cond: int, *, zero: bool, width: int) -> None:
        super().__init__(space, n_in, n_out, n_cond)
        self.context = Context(own_number(n_cond, space) + 1, width)
        self.attend = None if space.given is None else AttendGiven(width)
        self.embed = nn.Linear(n_in, width)
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.out = last_layer(width, n_out, zero)

    def blocks_of(self, h: Tensor, context: Tensor, real: Tensor) -> Tensor:
        """Points h (N, P, width) after all blocks; `context` (N, width) modulates them, `real` (N, P) is the mask."""
        raise NotImplementedError

    def forward(self, x: Tensor, t: Tensor | None, cond: Tensor, mask: Tensor | None = None) -> Tensor:
        x, real, share = there(x, mask, self.space.shape[0])
        context = self.context(t, torch.cat([own_conditions(cond, self.space), share], -1))
        h = self.embed(x)
        if self.attend is not None:
            h = self.attend(h, given_tokens(cond, self.space))
        out: Tensor = self.out(self.norm(self.blocks_of(h, context, real)))
        return out
