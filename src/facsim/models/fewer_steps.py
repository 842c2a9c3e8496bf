"""Models with fewer solver steps: another number in the options, or a student that jumps along the teacher's flow."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from facsim.core.errors import FacsimError
from facsim.models.base import EventModel
from facsim.models.distilled import Distilled
from facsim.models.nets.given import own_number
from facsim.models.probability_flow import ProbabilityFlow
from facsim.models.smaller import METHOD_OPTIONS, methods_of

Json = dict[str, Any]
ALIKE = 1e-4
"""Largest mean difference of velocities, over their mean size, between a teacher and its copy in a student."""


def steps_of(model: EventModel) -> dict[str, int]:
    """Solver steps of the methods of `model` that have some, by attribute."""
    found = {name: getattr(method.options, "steps", None) for name, method in methods_of(model).items()}
    return {name: steps for name, steps in found.items() if isinstance(steps, int)}


def with_fewer(model: EventModel, steps: dict[str, int]) -> Json:
    """Options of `model` with `steps` by attribute."""
    options: Json = {**model.options.model_dump(), "steps": None}
    for name, number in (steps_of(model) | steps).items():
        key = METHOD_OPTIONS[name]
        options[key] = {**options[key], "steps": number}
    return options


def distilled_options(model: EventModel, kind: str, steps: int, levels: int) -> Json:
    """Options of `model` with each method that solves an equation replaced by a student of it."""
    options: Json = {**model.options.model_dump(), "steps": None}
    for name, method in methods_of(model).items():
        if isinstance(method, ProbabilityFlow):
            key = METHOD_OPTIONS[name]
            student = {"kind": kind, "steps": steps, "levels": levels}
            options[key] = {"name": "distilled", "teacher": options[key], **student}
    return options


@torch.no_grad()
def begin_students(new: EventModel, old: EventModel) -> tuple[str, ...]:
    """Give `new`, of `distilled_options`, the arrays of `old`; students begin as their teachers. Return their names.

    Where the student is told the length of a jump, its first layers have one more column, of zeros at the start.

    Raises:
        FacsimError: a network reads conditions in another order, so that the column would change what it says.
    """
    arrays, known = new.state_dict(), old.state_dict()
    students = {name: m for name, m in methods_of(new).items() if isinstance(m, Distilled)}
    for name, value in known.items():
        place, _, rest = name.partition(".")
        targets = [name]
        if place in students and place in METHOD_OPTIONS:
            targets = [f"{place}.teacher.{rest}"]
            if rest.startswith("net."):
                targets.append(f"{place}.student.{rest.removeprefix('net.')}")
        for target in targets:
            n_cond, behind = _columns_of(students[place]) if place in students else (0, 0)
            wide = _widened(value, arrays[target], n_cond, behind)
            if wide.shape != arrays[target].shape:
                raise _refusal(place)
            arrays[target] = wide
    new.load_state_dict(arrays)
    for name, method in students.items():
        leader = getattr(old, name)
        assert isinstance(leader, ProbabilityFlow)
        _check(method, leader, name)
    return tuple(students)


def _columns_of(student: Distilled) -> tuple[int, int]:
    """How many conditions the first layers of a network have columns of, and how many other columns stand behind these.

    Networks of points read the given points elsewhere, and their own number behind the conditions.
    """
    space = student.space
    return own_number(student.n_cond, space), 1 if space.representation == "cloud" else 0


def _widened(value: Tensor, like: Tensor, n_cond: int, behind: int) -> Tensor:
    """`value` with a column of zeros after each set of `n_cond` columns, until it is as wide as `like`.

    The sets are at its end, but for `behind` columns.
    """
    more = like.shape[1] - value.shape[1] if like.dim() == value.dim() == 2 else 0
    if more < 1 or (first := value.shape[1] - more * n_cond - behind) < 0:
        return value
    start, sets, end = torch.split_with_sizes(value, [first, more * n_cond, behind], 1)
    sets = sets.reshape(len(value), more, n_cond)
    sets = torch.cat([sets, sets.new_zeros(len(value), more, 1)], -1).flatten(1)
    return torch.cat([start, sets, end], 1)


def _refusal(name: str) -> FacsimError:
    return FacsimError(
        f"the network of '{METHOD_OPTIONS[name]}' cannot be told the length of a jump without being trained anew: "
        "choose --set kind=consistency."
    )


def _check(method: Distilled, leader: ProbabilityFlow, name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    shape = (16, *leader.space.shape)
    x, cond = torch.randn(shape, generator=generator), torch.randn((16, leader.n_cond), generator=generator)
    mask = None
    if leader.space.representation == "cloud":
        mask = torch.ones(16, leader.space.shape[0], dtype=torch.bool)
    t = torch.rand(16, generator=generator)
    wide = torch.cat([cond, cond.new_zeros(16, method.spare)], -1)
    expected = leader.velocity(x, t, cond, mask)
    for net in (None, method.student):
        found = method.teacher.velocity(x, t, wide, mask, net)
        if not float((found - expected).abs().mean()) <= ALIKE * float(expected.abs().mean() + 1e-6):
            raise _refusal(name)
