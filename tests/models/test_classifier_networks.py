"""Networks that classify: shapes, symmetries, gradients, for every entry of the table."""

from __future__ import annotations

import pytest
import torch

from facsim.core.errors import FacsimError
from facsim.models.nets.classifiers import NETWORKS, Inputs

EVENTS = {
    "table": Inputs((5,), 2),
    "plain": Inputs((5,), 2),
    "grid": Inputs((6, 8, 3), 2),
    "image": Inputs((5, 6, 2), 2),
    "layers": Inputs((9,), 2, (2, 4, 3)),
    "cloud": Inputs((7, 3), 2),
    "epic-gan": Inputs((7, 3), 2),
    "gapt": Inputs((7, 3), 2),
    "igapt": Inputs((7, 3), 2),
    "mpgan": Inputs((7, 3), 2),
    "resnet-3d": Inputs((6, 8, 3), 2),
}
CLOUDS = [name for name, inputs in EVENTS.items() if inputs.x == (7, 3)]
SMALL = {
    "plain": {"width": 16},
    "epic-gan": {"width": 8, "depth": 2},
    "gapt": {"width": 8, "heads": 2},
    "igapt": {"width": 8, "heads": 2, "depth": 2},
    "mpgan": {"hidden": 4},
    "resnet-3d": {"planes": (4, 4, 8, 8)},
}


def made(name: str, outputs: int = 3) -> tuple[torch.nn.Module, torch.Tensor, torch.Tensor, torch.Tensor | None]:
    torch.manual_seed(1)
    inputs = EVENTS[name]
    network = NETWORKS[name](inputs, outputs, **SMALL.get(name, {}))
    mask = torch.arange(7) < torch.tensor([[7], [4], [1], [0]]) if name in CLOUDS else None
    return network.eval(), torch.randn(4, *inputs.x), torch.randn(4, inputs.context), mask


def test_every_network_of_the_table_is_tested():
    assert EVENTS.keys() == NETWORKS.keys()


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_have_a_column_a_class_and_gradients_reach_every_parameter(name):
    network, x, context, mask = made(name)
    out = network(x, context, mask)
    assert out.shape == (4, 3)
    assert torch.isfinite(out).all()
    torch.nn.functional.cross_entropy(out, torch.tensor([0, 1, 2, 0])).backward()
    dead = [key for key, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not dead


@pytest.mark.parametrize("name", NETWORKS)
def test_the_context_matters(name):
    network, x, context, mask = made(name)
    assert not torch.allclose(network(x, context, mask), network(x, context + 1, mask), atol=1e-6)


@pytest.mark.parametrize("name", CLOUDS)
def test_a_cloud_has_no_order_and_points_outside_the_mask_no_influence(name):
    network, x, context, mask = made(name)
    out = network(x, context, mask)
    order = torch.randperm(7)
    assert torch.allclose(network(x[:, order], context, mask[:, order]), out, atol=1e-6)
    assert torch.allclose(network(torch.where(mask[..., None], x, 99.0), context, mask), out, atol=1e-6)
    wide, wide_mask = torch.cat([x, torch.randn(4, 5, 3)], 1), torch.cat([mask, torch.zeros(4, 5, dtype=bool)], 1)
    assert torch.allclose(network(wide, context, wide_mask), out, atol=1e-6)


def test_a_cylinder_has_no_seam():
    network, x, context, _ = made("grid")
    assert torch.allclose(network(x.roll(4, dims=2), context), network(x, context), atol=1e-5)


def test_layers_that_do_not_add_up_are_refused():
    with pytest.raises(FacsimError, match="have 5 cells, but an event has 9"):
        NETWORKS["layers"](Inputs((9,), 0, (2, 3)), 2)
