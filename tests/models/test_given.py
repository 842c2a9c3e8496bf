"""Given points as conditions: what their features do not depend on, and that methods learn to follow them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from facsim.core.rng import generator
from facsim.core.schema import Feature, Schema, given_conditions
from facsim.models.base import Batch
from facsim.models.checkpoint import build_model
from facsim.models.nets.given import TOKEN, AttendGiven, GivenPoints, own_conditions, own_number
from facsim.models.sampling import TorchSampler
from facsim.models.space import Space

N, G = 6, 5


def points(seed: int = 0) -> Tensor:
    """(N, G, 3); the last two events have one point and none."""
    x = torch.rand(N, G, 3, generator=torch.Generator().manual_seed(seed)) + 0.1
    x[-2, 1:], x[-1] = 0, 0
    return x


def fitted(x: Tensor) -> GivenPoints:
    torch.manual_seed(1)
    net = GivenPoints(x.shape[1], outputs=4, width=8)
    net.fit(x.flatten(1))
    return net


@torch.no_grad()
def test_features_do_not_depend_on_order_or_place_of_points() -> None:
    x = points()
    net = fitted(x)
    found = net(x.flatten(1))
    assert found.shape == (N, net.n_features)
    assert torch.isfinite(found).all()
    order = torch.randperm(G, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(net(x[:, order].flatten(1)), found)
    nothing = x.clone()
    nothing[-1, :, :2] = 7.0  # places of points of size 0
    torch.testing.assert_close(net(nothing.flatten(1)), found)


@torch.no_grad()
def test_moments_are_those_of_the_points() -> None:
    x = points()
    net = fitted(x)
    moments = net(x.flatten(1))[:, :6] * net.moment_std + net.moment_mean
    first = x[0].double().numpy()
    centre = np.average(first[:, :2], axis=0, weights=first[:, 2])
    width = np.average(((first[:, :2] - centre) ** 2).sum(1), weights=first[:, 2])
    wanted = [first[:, 2].sum(), np.log(first[:, 2].sum()), *centre, np.log(width), 5]
    np.testing.assert_allclose(moments[0].numpy(), wanted, rtol=1e-4)


@torch.no_grad()
def test_points_attend_to_those_that_are_there() -> None:
    torch.manual_seed(2)
    layer, h = AttendGiven(8), torch.randn(N, 3, 8)
    x = points()
    tokens = fitted(x).tokens(x.flatten(1))
    found = layer(h, tokens)
    torch.testing.assert_close(found[-1], h[-1])  # no point: nothing is added
    torch.testing.assert_close(layer(h, tokens.flip(1)), found, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(found[0], layer(h, tokens[[1, *range(1, N)]])[0])


def test_conditions_are_told_from_given_points_among_them() -> None:
    space = Space("cloud", (4, 2), given=(2, 3))
    cond = torch.arange(2.0 + TOKEN * 3 + 4).repeat(2, 1)
    assert own_conditions(cond, space)[0].tolist() == [0, 1, 17, 18, 19, 20]
    assert own_number(cond.shape[1], space) == 6
    assert own_number(5, Space("cloud", (4, 2))) == 5


@pytest.mark.slow
def test_generated_points_follow_the_given_ones() -> None:
    """Two points at twice the places of two given ones, with a little noise: their sum is 2 x that of the given."""
    rng, features = generator(3, "given"), (Feature("a"), Feature("b"), Feature("size"))
    given = np.concatenate([rng.normal(0, 1, (256, 2, 2)), rng.uniform(0.5, 1, (256, 2, 1))], 2)
    x = given * [2, 2, 1] + 0.05 * rng.standard_normal(given.shape)
    schema = Schema("cloud", features, given_conditions(2, features, "g"), points=2, given=2)
    method = {"name": "flow-matching", "steps": 4, "network": {"name": "epic", "width": 32, "depth": 2}}
    torch.manual_seed(0)
    model = build_model("single-stage", schema, {"method": method, "transform": "standard", "given": {"attend": True}})
    batch = Batch(_tensor(x), _tensor(given.reshape(256, -1)), mask=torch.ones(256, 2, dtype=torch.bool))
    noise = torch.Generator().manual_seed(1)
    model.begin_phase("flow", batch, noise)
    optimiser = torch.optim.Adam(model.parameters_of("flow"), 1e-2)
    for _ in range(150):
        loss = torch.stack(list(model.losses(batch, "flow", noise).values())).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    made = TorchSampler(model).sample(batch.cond.numpy(), rng)
    sums = made[..., :2].sum(1).ravel(), x[..., :2].sum(1).ravel()
    assert np.corrcoef(*sums)[0, 1] > 0.9


def _tensor(values: np.ndarray) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float32)
