"""ParticleNet: a slow reading of its definition, blind to the order of particles, jetnet's names of weights."""

from __future__ import annotations

import torch
from torch import Tensor

from facsim.models.nets.particlenet import NEAREST, ParticleNet, nearest


def network() -> ParticleNet:
    """Random weights, and running means and variances that are not trivial."""
    torch.manual_seed(1)
    net = ParticleNet()
    net(torch.randn(50, 30, 3))
    return net.eval().double()


def slow_activations(net: ParticleNet, jet: Tensor) -> Tensor:
    """One jet (P, F), particle by particle and edge by edge."""
    x = jet
    for i, edge_net in enumerate(net.edge_nets):
        places = x[:, :2] if i == 0 else x
        rows = []
        for a in range(len(x)):
            order = sorted(
                (b for b in range(len(x)) if b != a), key=lambda b: float(((places[a] - places[b]) ** 2).sum())
            )
            edges = torch.stack([torch.cat([x[a], x[b] - x[a]]) for b in order[:NEAREST]])
            rows.append(edge_net.model(edges).mean(0))
        x = torch.cat([torch.stack(rows), x], 1)
    return net.fc1(x.mean(0))


def test_activations_are_those_of_the_definition() -> None:
    net, jets = network(), torch.randn(2, 30, 3, dtype=torch.float64)
    with torch.no_grad():
        want = torch.stack([slow_activations(net, jet) for jet in jets])
        torch.testing.assert_close(net.activations(jets), want)
        torch.testing.assert_close(net(jets), net.fc2(torch.relu(want)))


def test_order_of_particles_does_not_matter() -> None:
    net, jets = network(), torch.randn(3, 30, 3, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(net(jets[:, torch.randperm(30)]), net(jets))


def test_weights_have_jetnets_names_and_shapes() -> None:
    state = ParticleNet().state_dict()
    assert len(state) == 130
    for prefix in ("edge_nets.2.model.0", "edge_convs.2.nn.model.0"):
        assert state[f"{prefix}.weight"].shape == (256, 2 * (3 + 64 + 128))
    assert state["fc1.0.weight"].shape == (256, 3 + 64 + 128 + 256)
    assert state["fc2.weight"].shape == (5, 256)


def test_nearest_leaves_out_the_particle_itself() -> None:
    """Also where particles share one place, as padding does."""
    x = torch.tensor([[[0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [5.0, 0.0]]])
    assert nearest(x, 1)[0, :, 0].tolist() == [1, 0, 0, 2] or nearest(x, 1)[0, :, 0].tolist() == [1, 0, 1, 2]
    far = 1e4 + torch.tensor([[[0.0], [0.01], [0.03], [0.07]]])
    assert nearest(far, 1)[0, :, 0].tolist() == [1, 0, 1, 2]
