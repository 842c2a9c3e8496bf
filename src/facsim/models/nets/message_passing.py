"""Fully connected message passing between the points of a cloud, as in MPGAN (arXiv 2106.11535, section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from facsim.core.errors import FacsimError

LEAK = 0.2
"""Slope of the activations below zero."""
EDGES, NODES = (96, 160, 192), (256, 256)
"""Widths of MPGAN's perceptrons of pairs and of points."""


def leaky_layers(sizes: Sequence[int]) -> nn.Sequential:
    """LeakyReLU, then linear layers of the given sizes with one after each: the first size is what comes in."""
    layers: list[nn.Module] = [nn.LeakyReLU(LEAK)]
    for n, m in pairwise(sizes):
        layers += [nn.Linear(n, m), nn.LeakyReLU(LEAK)]
    return nn.Sequential(*layers)


def check_widths(network: str, **widths: object) -> None:
    """Refuse options of `network` that are no lists of whole numbers of at least 1.

    Raises:
        FacsimError: one is not.
    """
    for name, value in widths.items():
        if not isinstance(value, list | tuple) or not value or not all(type(n) is int and n > 0 for n in value):
            raise FacsimError(
                f"the option '{name}' of the network '{network}' must be a list of whole numbers of at least 1, not "
                f"{value!r}."
            )


class MessagePassing(nn.Module):
    """Points h_i get f_n([sum over real j of f_e([h_i, h_j, c]), h_i, c]) with two perceptrons: (N, P, n_in) -> n_out.

    The first layer of each perceptron is linear in what is put side by side, so that it is taken part by part: of every
    point once, not of every pair. Time and memory grow with the square of the number of points.

    Args:
        n_in, n_out: numbers of a point before and after. n_context: numbers c of the whole event.
        edges: widths of f_e, whose last is the length of a message. nodes: hidden widths of f_n.
    """

    def __init__(self, n_in: int, n_out: int, n_context: int, edges: Sequence[int], nodes: Sequence[int]) -> None:
        super().__init__()
        self.own, self.other = nn.Linear(n_in, edges[0]), nn.Linear(n_in, edges[0], bias=False)
        self.edge_context = nn.Linear(n_context, edges[0], bias=False)
        self.edges = leaky_layers(edges)
        self.message, self.node = nn.Linear(edges[-1], nodes[0], bias=False), nn.Linear(n_in, nodes[0])
        self.node_context = nn.Linear(n_context, nodes[0], bias=False)
        self.nodes = leaky_layers(nodes)
        self.out = nn.Linear(nodes[-1], n_out)

    def forward(self, h: Tensor, context: Tensor, real: Tensor) -> Tensor:
        """Points h (N, P, n_in), context (N, n_context); messages come from those points that are `real` (N, P)."""
        pairs = (self.own(h) + self.edge_context(context)[:, None])[:, :, None] + self.other(h)[:, None]
        received = (self.edges(pairs) * real[:, None, :, None]).sum(2)
        node = self.message(received) + self.node(h) + self.node_context(context)[:, None]
        out: Tensor = self.out(self.nodes(node))
        return out
