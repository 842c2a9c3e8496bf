"""Distillation of a diffusion or flow-matching teacher into a student of one or a few steps."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from facsim.core.errors import FacsimError
from facsim.models.base import Batch, Method, MethodOptions, NoiseSpec, event_loss
from facsim.models.choices import Choice, checked, known
from facsim.models.diffusion import Diffusion
from facsim.models.flow_matching import FlowMatching
from facsim.models.nets import check_network
from facsim.models.probability_flow import ProbabilityFlow
from facsim.models.space import Space

TEACHERS: dict[str, type[ProbabilityFlow]] = {"diffusion": Diffusion, "flow-matching": FlowMatching}
WHOLE = 0.5
"""Share of examples whose jump goes all the way to the data."""


class DistilledOptions(MethodOptions):
    """Options of `Distilled`; `network` is the teacher's where `teacher` names none."""

    teacher: Choice = Choice(name="flow-matching")
    kind: Literal["mean-velocity", "consistency"] = "mean-velocity"
    steps: int = Field(1, ge=1, le=64, description="evaluations of the student")
    levels: int = Field(32, ge=2, description="steps of the teacher from prior to data; each target takes one")

    @field_validator("teacher")
    @classmethod
    def _known(cls, teacher: Choice) -> Choice:
        try:
            _teacher_options(teacher)
        except FacsimError as error:
            raise ValueError(str(error)) from None
        return teacher


def _teacher_options(teacher: Choice) -> MethodOptions:
    known(teacher.name, TEACHERS, "teacher")
    options = checked(TEACHERS[teacher.name].Options, teacher.options, "teacher")
    if options.network is not None:
        check_network(options.network)
    return options


class Distilled(Method):
    """A student with the teacher's network and, at the start, its weights, that jumps along the teacher's flow.

    u(x, t, r) is the mean velocity from time t to r on the way from prior (0) to data (1).

    `mean-velocity` (arXiv 2505.13447): a jump from t to r is a short step of the teacher from t to t + h and a jump of
    the student from there, (r - t) u(x, t, r) = h v + (r - t - h) u(x + h v, t + h, r). In the limit of small h this is
    the paper's identity u = v + (r - t) du/dt; the step, h = 1 / `levels` at most, needs no derivative of the network.
    r - t is a condition of its own, the last one, which is 0 while the teacher learns. Steps are jumps of equal length.

    `consistency` (arXiv 2303.01469): f(x, t) = x + (1 - t) u(x, t, 1) is where the flow ends, the same at x(t) and, by
    a step of the teacher, a little later; f(x, 1) = x. The target is the student itself without
    gradient (arXiv 2310.14189). Steps after the first add noise of the prior and jump again.

    Weights are those that the teacher takes. What the student learns is a function of the state, so that it is the same
    whatever states count: sizes of signed weights will do, with which the loss is bounded.
    """

    Options: ClassVar[type[MethodOptions]] = DistilledOptions

    def __init__(self, space: Space, n_cond: int, options: DistilledOptions) -> None:
        super().__init__(space, n_cond, options)
        self.options, self.phases = options, self.phases_of(options)
        self.spare = 1 if options.kind == "mean-velocity" else 0
        teacher = options.teacher
        if options.network is not None:
            teacher = teacher.with_defaults(network=options.network.model_dump())
        self.teacher = TEACHERS[teacher.name](space, n_cond + self.spare, _teacher_options(teacher))
        self.student = copy.deepcopy(self.teacher.net)
        self.weights = self.teacher.weights

    @classmethod
    def phases_of(cls, options: DistilledOptions) -> tuple[str, ...]:
        return (*TEACHERS[options.teacher.name].phases_of(_teacher_options(options.teacher)), "distillation")

    def parameters_of(self, turn: str) -> list[nn.Parameter]:
        return list(self.student.parameters()) if turn == "distillation" else self.teacher.parameters_of(turn)

    def begin_phase(self, phase: str, batch: Batch, generator: torch.Generator) -> None:
        """Begin the student as its teacher."""
        if phase == "distillation":
            self.student.load_state_dict(self.teacher.net.state_dict())
        else:
            self.teacher.begin_phase(phase, self._given(batch), generator)

    def _with(self, cond: Tensor, length: Tensor) -> Tensor:
        """Conditions with the length (N,) or (1,) of a jump, where there is a place for it."""
        if not self.spare:
            return cond
        length = length.reshape(-1, *[1] * (cond.dim() - 1)).expand(*cond.shape[:-1], 1)
        return torch.cat([cond, length], -1)

    def _given(self, batch: Batch) -> Batch:
        cond = self._with(batch.cond, batch.cond.new_zeros(1))
        return Batch(batch.x, cond, batch.weight, batch.mask, batch.importance)

    def noise_spec(self, n: int) -> dict[str, NoiseSpec]:
        specs = {name: spec for name, spec in self.teacher.noise_spec(n).items() if name in ("noise", "pick")}
        if self.options.kind == "consistency" and self.options.steps > 1:
            specs["again"] = NoiseSpec((n, self.options.steps - 1, *self.space.shape))
        return specs

    def losses(self, batch: Batch, turn: str, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        given = self._given(batch)
        if turn != "distillation":
            return self.teacher.losses(given, turn, generator)
        t, r, whole = torch.rand(3, len(batch), generator=generator, device=batch.x.device)
        if self.options.kind == "mean-velocity":
            whole_way = whole < WHOLE
            t, r = torch.where(whole_way, t, torch.minimum(t, r)), torch.where(whole_way, 1.0, torch.maximum(t, r))
        else:
            r = torch.ones_like(r)
        x = self.teacher.between(self.teacher.pair(given, generator), batch.x, t)
        with torch.no_grad():
            target = self._target(x, t, r, given)
        found = self._jump(x, t, r, batch.cond, batch.mask)
        size = None if batch.weight is None else batch.weight.abs()
        return {"distillation": event_loss((found - target) ** 2, replace(batch, weight=size))}

    def _jump(self, x: Tensor, t: Tensor, r: Tensor, cond: Tensor, mask: Tensor | None) -> Tensor:
        """u(x, t, r), with `cond` as given to `sample`."""
        return self.teacher.velocity(x, t, self._with(cond, r - t), mask, self.student)

    def _target(self, x: Tensor, t: Tensor, r: Tensor, given: Batch) -> Tensor:
        """u(x, t, r) by one midpoint step of the teacher and the student's own jump for the rest."""
        h = torch.minimum(r - t, torch.full_like(t, 1 / self.options.levels))
        velocity, cond = self.teacher.velocity, given.cond[..., : self.n_cond]
        middle = x + _of_events(0.5 * h, x) * velocity(x, t, given.cond, given.mask)
        step = velocity(middle, t + 0.5 * h, given.cond, given.mask)
        rest = self._jump(x + _of_events(h, x) * step, t + h, r, cond, given.mask)
        share = _of_events(h / (r - t).clamp(min=1e-6), x)
        return share * step + (1 - share) * rest

    def sample(self, cond: Tensor, noise: Mapping[str, Tensor], mask: Tensor | None = None) -> Tensor:
        wide, steps = self._with(cond, cond.new_zeros(1)), self.options.steps
        x = self.teacher.start(noise, wide)
        for k in range(steps):
            t = x.new_full((1,), k / steps)
            if self.options.kind == "mean-velocity":
                x = x + self._jump(x, t, t + 1 / steps, cond, mask) / steps
                continue
            if k > 0:
                x = self.teacher.between(self.teacher.start({**noise, "noise": noise["again"][:, k - 1]}, wide), x, t)
            x = x + (1 - k / steps) * self._jump(x, t, torch.ones_like(t), cond, mask)
        return x


def _of_events(values: Tensor, like: Tensor) -> Tensor:
    """(N,) to broadcast with events (N, ...)."""
    return values.reshape(-1, *[1] * (like.dim() - 1))
