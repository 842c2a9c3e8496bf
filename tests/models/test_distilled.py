"""Distillation: the student begins as its teacher, keeps the ends of the flow, and one jump does what many steps do."""

from __future__ import annotations

import pytest
import torch

from facsim.core.errors import FacsimError
from facsim.evaluate.targets import TARGETS, distance, learn
from facsim.models.base import Batch
from facsim.models.choices import Choice
from facsim.models.distilled import Distilled
from facsim.models.methods import build_method
from facsim.models.space import table

NETWORK = {"name": "residual-mlp", "width": 64, "depth": 2}
KINDS = ("mean-velocity", "consistency")
TEACHERS = ("flow-matching", "diffusion")


def distilled(kind: str, teacher: str = "flow-matching", n: int = 2, **options: object) -> Distilled:
    torch.manual_seed(0)
    choice = Choice(name="distilled", kind=kind, teacher={"name": teacher, "network": NETWORK}, **options)
    method = build_method(choice, table(n), 1)
    assert isinstance(method, Distilled)
    return method


@pytest.mark.parametrize("kind", KINDS)
def test_phases_are_the_teachers_and_then_the_students(kind: str) -> None:
    method = distilled(kind)
    assert method.phases == ("flow", "distillation")
    teacher, student = (method.parameters_of(phase) for phase in method.phases)
    assert {id(p) for p in teacher}.isdisjoint({id(p) for p in student})
    assert {id(p) for p in (*teacher, *student)} == {id(p) for p in method.parameters()}


def test_student_begins_with_the_teachers_weights() -> None:
    method = distilled("consistency")
    with torch.no_grad():
        for parameter in method.teacher.parameters():
            parameter.normal_(generator=torch.Generator().manual_seed(1))
    batch = Batch(torch.zeros(16, 2), torch.zeros(16, 1))
    method.begin_phase("distillation", batch, torch.Generator().manual_seed(0))
    for name, value in method.student.state_dict().items():
        assert torch.equal(value, method.teacher.net.state_dict()[name])


@pytest.mark.parametrize("teacher", TEACHERS)
def test_target_at_the_end_of_the_flow_is_the_teachers_step(teacher: str) -> None:
    """Where the rest of the way is one short step, the target is the teacher's midpoint step alone."""
    method = distilled("mean-velocity", teacher, levels=4)
    x, cond = torch.randn(8, 2, generator=torch.Generator().manual_seed(0)), torch.zeros(8, 1)
    given = method._given(Batch(x, cond))
    t, r = torch.full((8,), 0.5), torch.full((8,), 0.6)
    with torch.no_grad():
        before = method._target(x, t, r, given)
        for parameter in method.student.parameters():
            parameter.add_(1.0)
        torch.testing.assert_close(method._target(x, t, r, given), before)
        middle = x + 0.05 * method.teacher.velocity(x, t, given.cond, None)
        torch.testing.assert_close(before, method.teacher.velocity(middle, t + 0.05, given.cond, None))


def test_unknown_teachers_are_refused() -> None:
    with pytest.raises(FacsimError, match=r"unknown teacher 'gan': expected one of \['diffusion', 'flow-matching'\]"):
        build_method(Choice(name="distilled", teacher="gan"), table(2), 1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_one_jump_of_the_student_is_better_than_one_step_of_the_teacher(kind: str) -> None:
    target = TARGETS["ring"]
    method = Distilled(target.space, target.n_cond, distilled(kind).options)
    learn(method, target, steps=1500, size=256, seed=0)
    batch = target.draw(4000, torch.Generator().manual_seed(5))
    noise = {"noise": torch.randn(4000, *target.space.shape, generator=torch.Generator().manual_seed(6))}
    one = method.teacher.options.model_copy(update={"steps": 1})
    method.teacher.options = one
    with torch.no_grad():
        crude = method.teacher.sample(method._with(batch.cond, batch.cond.new_zeros(1)), noise)
        fine = method.sample(batch.cond, noise)

    def off_the_ring(x: torch.Tensor) -> float:
        return float((x.norm(dim=1) - 1 - 0.5 * batch.cond[:, 0]).abs().mean())

    assert off_the_ring(fine) < 0.5 * off_the_ring(crude)
    assert distance(method, target, 4000).w1 < 0.15
