"""ParticleNet (arXiv 1902.08570) as JetNet uses it for the Frechet ParticleNet distance (arXiv 2106.11535)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

NEAREST = 16
WIDTHS = (64, 128, 256)
N_ACTIVATIONS = 256


class EdgeNet(nn.Module):
    """Network of an edge, three layers of `width` with batch normalisation, as weights are named in jetnet."""

    def __init__(self, n_features: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for size in (2 * n_features, width, width):
            layers += [nn.Linear(size, width), nn.BatchNorm1d(width), nn.ReLU()]
        self.model = nn.Sequential(*layers)


class EdgeConv(nn.Module):
    """Mean over the nearest particles j of a network of [x_i, x_j - x_i]: (N, P, F) -> (N, P, width)."""

    def __init__(self, net: EdgeNet) -> None:
        super().__init__()
        self.nn = net

    def forward(self, x: Tensor, neighbours: Tensor) -> Tensor:
        """`neighbours` (N, P, k): indices of the particles j of each particle i."""
        linear, *rest = self.nn.model
        assert isinstance(linear, nn.Linear)
        # The first layer is linear in x_i and x_j: taken for each particle, not for each of its 16 edges.
        own, difference = linear.weight.chunk(2, dim=1)
        centre, other = nn.functional.linear(x, own - difference, linear.bias), x @ difference.T
        n, p, k = neighbours.shape
        found = torch.gather(other, 1, neighbours.reshape(n, p * k, 1).expand(-1, -1, other.shape[2]))
        edges = (found.reshape(n, p, k, -1) + centre[:, :, None]).reshape(n * p * k, -1)
        for layer in rest:
            edges = layer(edges)
        return edges.reshape(n, p, k, -1).mean(2)


class ParticleNet(nn.Module):
    """Classifier of jets (N, P, F) with three edge convolutions, each beside its input; names of weights as jetnet's.

    The graph joins each particle to its 16 nearest others: by the first two features in the first convolution, by all
    features after. Padding counts as particles, as in jetnet.
    """

    def __init__(self, n_features: int = 3, n_classes: int = 5) -> None:
        super().__init__()
        sizes = [n_features]
        for width in WIDTHS:
            sizes.append(sizes[-1] + width)
        self.edge_nets = nn.ModuleList(EdgeNet(size, width) for size, width in zip(sizes, WIDTHS, strict=False))
        self.edge_convs = nn.ModuleList(EdgeConv(net) for net in self.edge_nets if isinstance(net, EdgeNet))
        self.fc1 = nn.Sequential(nn.Linear(sizes[-1], N_ACTIVATIONS))
        self.dropout_layer = nn.Dropout(0.1)
        self.fc2 = nn.Linear(N_ACTIVATIONS, n_classes)

    def activations(self, x: Tensor) -> Tensor:
        """The 256 activations before the last layer and its ReLU, (N, 256)."""
        for i, convolution in enumerate(self.edge_convs):
            near = nearest(x[:, :, :2] if i == 0 else x, min(NEAREST, x.shape[1] - 1))
            x = torch.cat([convolution(x, near), x], 2)
        out: Tensor = self.fc1(x.mean(1))
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes)."""
        out: Tensor = self.fc2(self.dropout_layer(torch.relu(self.activations(x))))
        return out


def nearest(x: Tensor, k: int) -> Tensor:
    """Indices (N, P, k) of the k nearest other points of (N, P, F)."""
    # Differences, not products: of points with large coordinates the latter lose the small distances.
    distance = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
    distance.diagonal(dim1=1, dim2=2).fill_(torch.inf)
    return distance.topk(k, dim=2, largest=False).indices
