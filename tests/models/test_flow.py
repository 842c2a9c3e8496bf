"""Normalising flows: invertible, with the log-determinant of autograd; halves, symmetry, teacher and student."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from facsim.core.errors import FacsimError
from facsim.models.base import Batch
from facsim.models.choices import Choice
from facsim.models.flow import Flow
from facsim.models.methods import build_method
from facsim.models.nets.coupling_layer import CouplingLayer, halves
from facsim.models.space import Space, cloud, table

SPACES = {
    "table": table(5),
    "single": table(1),
    "grid": Space("grid", (12, 1), ((3, 2), (3, 2))),
    "cells": Space("grid", (4, 2)),
    "cloud": cloud(4, 3),
}


def build(space: Space, **options: object) -> Flow:
    torch.manual_seed(0)
    method = build_method(Choice(name="flow", **options), space, 2)
    assert isinstance(method, Flow)
    return method


def stirred(space: Space, **options: object) -> Flow:
    """A flow whose splines are far from the identity, in double precision."""
    if space.representation != "cloud":
        options["network"] = {"name": "residual-mlp", "width": 16, "depth": 1}
    flow = build(space, **options).double()
    rng = torch.Generator().manual_seed(1)
    for parameter in flow.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.4, generator=rng)
    flow.mean.fill_(0.3)
    flow.std.fill_(1.7)
    return flow


def given(space: Space, n: int = 6) -> tuple[Tensor, Tensor, Tensor | None]:
    rng = torch.Generator().manual_seed(2)
    x = 2 * torch.randn(n, *space.shape, generator=rng, dtype=torch.float64)
    cond = torch.randn(n, 2, generator=rng, dtype=torch.float64)
    if space.representation != "cloud":
        return x, cond, None
    mask = torch.arange(space.shape[0]) < torch.tensor([4, 3, 2, 1, 4, 2])[:, None]
    return x * mask[..., None], cond, mask


def to_noise(flow: Flow, x: Tensor, cond: Tensor, mask: Tensor | None) -> Tensor:
    z = (flow._numbers(x) - flow.mean) / flow.std
    for layer in flow.layers:
        z, _ = layer(z, cond, mask)
    return z.reshape(x.shape)


@pytest.mark.parametrize("name", sorted(SPACES))
def test_sample_undoes_the_way_to_noise(name: str) -> None:
    space = SPACES[name]
    flow = stirred(space)
    x, cond, mask = given(space)
    with torch.no_grad():
        z = to_noise(flow, x, cond, mask)
        back = flow.sample(cond, {"noise": z}, mask)
    real = torch.ones_like(x) if mask is None else mask[..., None]
    assert float(((z - (x - 0.3) / 1.7) * real).abs().max()) > 0.1
    torch.testing.assert_close(back * real, x * real, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", sorted(SPACES))
def test_loss_is_the_density_of_autograds_determinant(name: str) -> None:
    space = SPACES[name]
    flow = stirred(space)
    x, cond, mask = given(space)
    for k in range(len(x)):
        one, own = x[k : k + 1], None if mask is None else mask[k : k + 1]
        count = space.size if own is None else int(own.sum()) * space.channels
        batch = Batch(one, cond[k : k + 1], mask=own)
        nll = float(flow.losses(batch, "flow")["nll"].detach())
        jacobian = torch.autograd.functional.jacobian(
            lambda at, k=k, own=own: to_noise(flow, at, cond[k : k + 1], own), one
        )
        matrix = jacobian.reshape(space.size, space.size)[:count, :count]
        z = to_noise(flow, one, cond[k : k + 1], own).detach().flatten()[:count]
        log_p = -0.5 * float((z**2).sum()) - 0.5 * count * math.log(2 * math.pi) + float(matrix.slogdet()[1])
        assert nll == pytest.approx(-log_p / count, rel=1e-6)


def test_untrained_flow_of_gaussian_data_has_their_density() -> None:
    flow = build(table(3))
    x = 2 + 3 * torch.randn(5_000, 3, generator=torch.Generator().manual_seed(0))
    batch = Batch(x, torch.zeros(len(x), 2))
    flow.begin_phase("flow", batch, torch.Generator())
    entropy = 0.5 * math.log(2 * math.pi * math.e * 9)
    assert float(flow.losses(batch, "flow")["nll"].detach()) == pytest.approx(entropy, abs=0.03)


@pytest.mark.parametrize("name", sorted(SPACES))
def test_every_number_moves_and_halves_come_with_their_complement(name: str) -> None:
    space = SPACES[name]
    found = halves(space)
    size = space.channels if space.representation == "cloud" else space.size
    assert torch.stack(found).any(0).all()
    if size == 1:
        assert found[0].tolist() == [True]
        return
    for moves, others in zip(found[::2], found[1::2], strict=True):
        assert 0 < int(moves.sum()) < size
        assert (moves ^ others).all()
    # any two numbers are told apart by some half, so each can shape the other
    apart = torch.stack([m[:, None] != m[None, :] for m in found]).any(0) | torch.eye(size).bool()
    assert apart.all() or space.layers


def test_neighbouring_cells_are_on_different_sides_of_the_chequered_half() -> None:
    first = halves(Space("grid", (24, 1), ((4, 2), (4, 2), (4, 2))))[0].reshape(3, 4, 2)
    assert (first != first.roll(1, 1)).all()
    assert (first[1:] != first[:-1]).all()
    assert (first[..., 0] != first[..., 1]).all()


def test_splines_of_a_cloud_follow_the_points_when_they_change_places() -> None:
    space = SPACES["cloud"]
    flow = stirred(space)
    x, cond, mask = given(space)
    assert mask is not None
    order = torch.tensor([2, 0, 3, 1])
    with torch.no_grad():
        expected = flow.sample(cond, {"noise": x}, mask)[:, order] * mask[:, order, None]
        found = flow.sample(cond, {"noise": x[:, order]}, mask[:, order]) * mask[:, order, None]
    torch.testing.assert_close(found, expected)


def test_inverse_is_finite_for_far_and_many_numbers() -> None:
    """The inverse of a spline takes a square root; rounding must not make it one of a negative number."""
    torch.manual_seed(0)
    layer = CouplingLayer(table(2), 1, None, torch.tensor([True, False]), 8)
    nn.init.normal_(layer.net.out.weight, std=1.0)
    nn.init.normal_(layer.net.out.bias, std=1.0)
    y = torch.cat([torch.randn(50_000, 2) * 2, torch.tensor([[-5.0, 0.0], [5.0, 0.0], [100.0, 0.0], [-100.0, 0.0]])])
    with torch.no_grad():
        cond = torch.randn(len(y), 1)
        x = layer.inverse(y, cond, None)
        assert torch.isfinite(x).all()
        assert torch.equal(x[-2:], y[-2:])
        off = (layer(x, cond, None)[0] - y).abs()
    # single precision is lost where a spline is flat, its slope 1 / 1000
    assert float((off > 1e-3).float().mean()) < 1e-3
    assert float(off.max()) < 0.2


def test_autoregressive_flow_is_inverted_number_by_number_and_its_student_is_not() -> None:
    options = {"kind": "autoregressive", "layers": 2, "width": 16, "student": True}
    flow = build(table(3), **options)
    assert flow.phases == ("flow", "student")
    assert flow.exports
    assert not build(table(3), kind="autoregressive").exports
    x, cond, _ = given(table(3))
    z = flow.teacher.transform(cond.float())(x.float())
    torch.testing.assert_close(flow.teacher.transform(cond.float()).inv(z), x.float(), rtol=0, atol=1e-3)
    pupils = {id(p) for p in flow.parameters_of("student")}
    assert not pupils & {id(p) for p in flow.parameters_of("flow")}


def test_student_learns_the_inverse_of_its_teacher() -> None:
    rng = torch.Generator().manual_seed(0)
    flow = build(table(2), kind="autoregressive", layers=2, width=32, student=True)

    def draw(n: int) -> Batch:
        cond = 2 * torch.rand(n, 2, generator=rng) - 1
        x = torch.randn(n, 2, generator=rng)
        return Batch(torch.cat([x[:, :1], x[:, :1] ** 2 + cond[:, :1] + 0.5 * x[:, 1:]], 1), cond)

    losses: dict[str, list[float]] = {}
    for phase in flow.phases:
        flow.begin_phase(phase, draw(4000), rng)
        optimiser = torch.optim.Adam(flow.parameters_of(phase), 5e-3)
        losses[phase] = []
        for _ in range(150):
            loss = torch.stack(list(flow.losses(draw(128), phase, rng).values())).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses[phase].append(float(loss.detach()))
    batch = draw(4000)
    with torch.no_grad():
        z = flow.teacher.transform(batch.cond)((batch.x - flow.mean) / flow.std)
        back = flow.sample(batch.cond, {"noise": z})
    assert losses["student"][-1] < 0.1 * losses["student"][0]
    assert float((back - batch.x).pow(2).mean().sqrt()) < 0.15
    # the density of the truth: both numbers are normal given the first and the condition
    exact = 0.5 * (2 * math.log(2 * math.pi) + 2 * math.log(0.5) + 2) / 2
    assert losses["flow"][-1] == pytest.approx(exact, abs=0.15)


@pytest.mark.parametrize(
    ("space", "options", "message"),
    [
        (cloud(4, 3), {"kind": "autoregressive"}, "the flow of a cloud needs 'kind: coupling'"),
        (cloud(4, 1), {}, "points of at least two features"),
        (table(2), {"student": True}, "fast in both directions"),
        (table(2), {"kind": "autoregressive", "network": "residual-mlp"}, "masked network of its own"),
    ],
)
def test_what_does_not_fit_is_refused(space: Space, options: dict[str, object], message: str) -> None:
    with pytest.raises(FacsimError, match=message):
        build(space, **options)
