"""Distillation on a Gaussian path, where velocity and mean velocity are known, and from teachers of all networks."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from facsim.models.base import Batch, draw_noise
from facsim.models.choices import Choice
from facsim.models.distilled import Distilled
from facsim.models.methods import build_method
from facsim.models.space import Space, cloud, table

SPREAD = 0.3


def build(space: Space, n_cond: int = 1, **options: object) -> Distilled:
    torch.manual_seed(0)
    method = build_method(Choice(name="distilled", **options), space, n_cond)
    assert isinstance(method, Distilled)
    return method


def spread(t: Tensor) -> Tensor:
    """Of the states at time t on the trigonometric path to N(0, SPREAD^2); the flow multiplies by its ratio."""
    angle = 0.5 * math.pi * t
    return (torch.cos(angle) ** 2 + SPREAD**2 * torch.sin(angle) ** 2).sqrt()


class Exact(nn.Module):
    """The network of the exact velocity, or of the mean velocity over a length that is fixed or the last condition."""

    def __init__(self, jump: str) -> None:
        super().__init__()
        self.jump = jump

    def forward(self, x: Tensor, t: Tensor, cond: Tensor, mask: Tensor | None = None) -> Tensor:
        if self.jump == "none":
            cos, sin = torch.cos(0.5 * math.pi * t), torch.sin(0.5 * math.pi * t)
            return x * (sin * cos * (SPREAD**2 - 1) / spread(t) ** 2)[:, None]
        length = 1 - t if self.jump == "rest" else cond[:, -1]
        mean = (spread(t + length) / spread(t) - 1) / length.clamp(min=1e-6)
        return x * mean[:, None] / (0.5 * math.pi)


def exact(kind: str, **options: object) -> Distilled:
    model = build(table(2), kind=kind, teacher={"name": "flow-matching"}, **options)
    model.teacher.net = Exact("none")
    model.student = Exact("rest" if kind == "consistency" else "condition")
    return model


@pytest.mark.parametrize("kind", ["consistency", "mean-velocity"])
def test_the_exact_mean_velocity_of_a_gaussian_path_has_no_loss(kind: str) -> None:
    rng = torch.Generator().manual_seed(0)
    batch = Batch(SPREAD * torch.randn(2000, 2, generator=rng), torch.zeros(2000, 1))
    losses = []
    for levels in (8, 16, 32):
        model = exact(kind, levels=levels)
        losses.append(float(model.losses(batch, "distillation", torch.Generator().manual_seed(1))["distillation"]))
    # what is left is the teacher's midpoint rule: of second order, its square of fourth
    assert losses[2] < 1e-6
    assert losses[0] > 100 * losses[2]
    model.student = Exact("none")
    assert float(model.losses(batch, "distillation", torch.Generator().manual_seed(1))["distillation"]) > 1e-3


@pytest.mark.parametrize("steps", [1, 3])
def test_jumps_of_the_exact_student_end_where_the_flow_does(steps: int) -> None:
    noise = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    found = exact("mean-velocity", steps=steps).sample(torch.zeros(5, 1), {"noise": noise})
    torch.testing.assert_close(found, SPREAD * noise)


def test_consistency_jumps_from_fresh_noise_and_keeps_the_distribution() -> None:
    one, three = exact("consistency"), exact("consistency", steps=3)
    cond = torch.zeros(40_000, 1)
    noise = draw_noise(three.noise_spec(40_000), torch.Generator().manual_seed(0))
    first = one.sample(cond, noise)
    torch.testing.assert_close(first, SPREAD * noise["noise"])
    third = three.sample(cond, noise)
    assert float(third.std()) == pytest.approx(SPREAD, rel=0.02)
    assert abs(float(torch.corrcoef(torch.stack([first[:, 0], third[:, 0]]))[0, 1])) < 0.5


@pytest.mark.parametrize("teacher", ["flow-matching", "diffusion"])
@pytest.mark.parametrize("kind", ["consistency", "mean-velocity"])
@pytest.mark.parametrize(
    ("space", "network"),
    [
        (table(3), "residual-mlp"),
        (cloud(4, 3), "epic"),
        (Space("grid", (12, 1), ((3, 2), (3, 2))), "cylinder-conv"),
    ],
    ids=["table", "cloud", "grid"],
)
def test_student_begins_as_its_teacher(teacher: str, kind: str, space: Space, network: str) -> None:
    model = build(space, kind=kind, teacher={"name": teacher, "network": network})
    rng = torch.Generator().manual_seed(1)
    for parameter in model.teacher.parameters():
        nn.init.normal_(parameter, std=0.2, generator=rng)
    x = torch.randn(6, *space.shape, generator=rng)
    mask = torch.ones(6, space.shape[0]) > 0 if space.representation == "cloud" else None
    cond, t = torch.randn(6, 1, generator=rng), torch.linspace(0.1, 0.9, 6)
    batch = Batch(x, cond, mask=mask)
    with torch.no_grad():
        expected = model.teacher.velocity(x, t, model._given(batch).cond, mask)
        assert not torch.allclose(model._jump(x, t, t, cond, mask), expected)
        model.begin_phase("distillation", batch, rng)
        torch.testing.assert_close(model._jump(x, t, t, cond, mask), expected)
    assert not {id(p) for p in model.parameters_of("distillation")} & {id(p) for p in model.teacher.parameters()}


def test_distillation_leaves_the_teacher_alone_and_brings_one_step_near_its_many() -> None:
    rng = torch.Generator().manual_seed(0)
    network = {"name": "residual-mlp", "width": 48, "depth": 2}
    model = build(
        table(1), kind="consistency", network=network, teacher={"name": "flow-matching", "steps": 32}, levels=16
    )

    def draw(n: int) -> Batch:
        cond = 2 * torch.rand(n, 1, generator=rng) - 1
        side = torch.where(torch.rand(n, 1, generator=rng) < 0.5, 1.0, -1.0)
        return Batch(side + 0.2 * cond + 0.1 * torch.randn(n, 1, generator=rng), cond)

    for phase in model.phases:
        model.begin_phase(phase, draw(1000), rng)
        before = {name: p.clone() for name, p in model.teacher.named_parameters()}
        optimiser = torch.optim.Adam(model.parameters_of(phase), 3e-3)
        for _ in range(250):
            loss = torch.stack(list(model.losses(draw(128), phase, rng).values())).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    assert all(torch.equal(before[name], p) for name, p in model.teacher.named_parameters())
    cond, noise = draw(2000).cond, {"noise": torch.randn(2000, 1, generator=rng)}
    with torch.no_grad():
        many, one = model.teacher.sample(cond, noise), model.sample(cond, noise)
        model.student.load_state_dict(model.teacher.net.state_dict())
        teacher_in_one = model.sample(cond, noise)
    error, untrained = (float((x - many).abs().median()) for x in (one, teacher_in_one))
    assert error < 0.15
    assert error < 0.3 * untrained
