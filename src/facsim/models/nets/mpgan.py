"""The generator of MPGAN: every point sends a message to every other."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from facsim.core.errors import FacsimError
from facsim.core.schema import Representation
from facsim.models.nets.base import Network, check_sizes
from facsim.models.nets.layers import Context
from facsim.models.nets.message_passing import EDGES, NODES, MessagePassing, check_widths
from facsim.models.nets.points import there
from facsim.models.space import Space


class MPGAN(Network):
    """Message passing between all points (Kansal et al., arXiv 2106.11535); for arguments see `Network`.

    Defaults are those of the paper. Time, conditions and the number of real points, which MPGAN can be given as labels,
    enter every perceptron. The cost grows with the square of the number of points: 0.2 GFLOP for 30 of them.

    Args:
        edges: widths of the perceptron of a pair. nodes: hidden widths of that of a point.
        hidden: numbers of a point between layers. depth: layers of message passing.
        tanh: whether the hyperbolic tangent of what comes out is taken, as MPGAN does.
    """

    representations: ClassVar[tuple[Representation, ...]] = ("cloud",)

    def __init__(
        self,
        space: Space,
        n_in: int,
        n_out: int,
        n_cond: int,
        *,
        zero: bool = True,
        edges: Sequence[int] = EDGES,
        nodes: Sequence[int] = NODES,
        hidden: int = 32,
        depth: int = 2,
        tanh: bool = False,
    ) -> None:
        check_sizes("mpgan", hidden=hidden, depth=depth)
        check_widths("mpgan", edges=edges, nodes=nodes)
        if not isinstance(tanh, bool):
            raise FacsimError(f"the option 'tanh' of the network 'mpgan' must be true or false, not {tanh!r}.")
        super().__init__(space, n_in, n_out, n_cond)
        self.tanh = tanh
        self.context = Context(n_cond + 1, hidden)
        sizes = [n_in, *[hidden] * (depth - 1), n_out]
        self.layers = nn.ModuleList(MessagePassing(n, m, hidden, edges, nodes) for n, m in itertools.pairwise(sizes))
        if zero:
            last = self.layers[-1]
            assert isinstance(last, MessagePassing)
            nn.init.zeros_(last.out.weight)
            nn.init.zeros_(last.out.bias)

    def forward(self, x: Tensor, t: Tensor | None, cond: Tensor, mask: Tensor | None = None) -> Tensor:
        h, real, share = there(x, mask, self.space.shape[0])
        context = self.context(t, torch.cat([cond, share], -1))
        for layer in self.layers:
            h = layer(h, context, real)
        return torch.tanh(h) if self.tanh else h
