"""Distillation of anomaly scores: a small student learns what a large teacher says of events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn

from facsim.core.errors import FacsimError
from facsim.core.schema import Feature, Schema
from facsim.models.base import Batch, sampling_mode, weighted_mean
from facsim.models.choices import Choice, checked, known
from facsim.models.image_turns import turned
from facsim.models.images import image_of
from facsim.models.nets.students import STUDENTS, StudentNetwork
from facsim.models.outliers import mixed
from facsim.models.predictor import Predictor, PredictorOptions
from facsim.models.score_transforms import TRANSFORMS, Rarity
from facsim.models.student_input import StudentInput
from facsim.models.teacher import TRAINED, build_teacher, find_teacher, teacher_options
from facsim.physics.image_regions import LEVEL_1

TEACHER, STUDENT = "teacher", "student"
SCORED_AT_ONCE = 256
"""Events that the teacher scores at once for the fits."""


class StudentOptions(PredictorOptions):
    """Options of `Student`.

    Args:
        teacher: a predictor by name with its options, or `{name: trained, folder: PATH}`, a run directory or folder of
            a trained one.
        network: name in `nets.students.STUDENTS` and its options; left out, `conv` of full images, `dense` of regions.
        input: all cells (`full`), or sums over `regions`, along phi and eta (`regional`). channels, maps, cells: see
            `StudentInput`.
        transform: of the teacher's score, a name in `score_transforms.TRANSFORMS`.
        loss: mean absolute (`mae`) or square (`mse`) difference. tail: see `Rarity`; 0 counts all background alike.
        outliers: what is learnt beside background: nothing (`none`), the events of the training file that are not
            background (`signal`), or events `mixed` of background (see `outliers.mixed`).
        exposure: share of the outliers in the loss.
        turned: whether the student also learns from events turned about the beam (see `image_turns.turned`), which the
            teacher scores as they are then.
    """

    teacher: Choice = Choice(name="autoencoder")
    network: Choice | None = None
    input: Literal["full", "regional"] = "full"
    regions: tuple[int, int] = LEVEL_1
    channels: tuple[str, ...] = ()
    maps: Literal["sum", "each"] = "sum"
    cells: Literal["energy", "log", "hit"] = "log"
    transform: Literal["none", "log", "sqrt", "rank", "quantised"] = "log"
    loss: Literal["mae", "mse"] = "mae"
    tail: float = Field(0.0, ge=0, le=2)
    outliers: Literal["none", "signal", "mixed"] = "mixed"
    exposure: float = Field(0.3, gt=0, lt=1)
    turned: bool = True

    @field_validator("teacher")
    @classmethod
    def _known_teacher(cls, teacher: Choice) -> Choice:
        try:
            teacher_options(teacher)
        except FacsimError as error:
            raise ValueError(str(error)) from None
        return teacher

    @model_validator(mode="after")
    def _known_network(self) -> StudentOptions:
        try:
            self.checked_network()
        except FacsimError as error:
            raise ValueError(str(error)) from None
        return self

    def checked_network(self) -> tuple[type[StudentNetwork], Any]:
        """The student's network and its options.

        Raises:
            FacsimError: unknown name or options.
        """
        choice = self.network or Choice(name="conv" if self.input == "full" else "dense")
        known(choice.name, STUDENTS, "network of a student")
        kind = STUDENTS[choice.name]
        return kind, checked(kind.Options, choice.options, "network")


class Student(Predictor):
    """A small network that regresses the score of a teacher (arXiv 2310.06047), for triggers.

    Phases: `teacher`, or `teacher-` and its name for each of several, trains the teacher on background; `student`
    trains the student against the teacher as it is then, on background and `outliers`. A teacher that is trained
    already has no phase. What a run without `outliers: signal` trains on is background, whatever its labels say.

    Output: `score`, what the student says of the transformed score. It is not transformed back: all transforms rise, so
    that the order of events is the same and the graph stays small; `target` takes teacher's scores there. The arrays of
    the teacher may be left out on disk; where they are there, `teacher_scores` tells what it says.

    Args:
        schema: of images with any number of channels. options: see `StudentOptions`.

    Raises:
        FacsimError: events that are no images, a teacher or network that does not take them, or outliers by label
            without a background to tell them from.
    """

    Options = StudentOptions
    phases: tuple[str, ...] = (TEACHER, STUDENT)
    training_only = ("teacher", "rarity.")
    one_sided = True  # it says what its teacher's first output says, of which more is more unusual
    outputs = (Feature("score"),)
    mean: Tensor
    spread: Tensor
    teacher_known: Tensor

    def __init__(self, schema: Schema, options: StudentOptions) -> None:
        super().__init__(schema, options)
        if options.outliers == "signal" and not options.background:
            raise FacsimError(
                "model.outliers=signal needs to know what background is: name a condition and its value in "
                "'prepare.background', or choose model.outliers=mixed."
            )
        self.geometry, self.phases = image_of(schema, "student"), self.phases_of(options)
        self.teacher, self.options = build_teacher(schema, options)
        looks = (options.input, options.regions, options.channels, options.maps, options.cells)
        self.seen = StudentInput(schema, *looks)
        kind, own = options.checked_network()
        self.student = kind(self.seen.channels, self.seen.image, own)
        self.transform, self.rarity = TRANSFORMS[options.transform](), Rarity(options.tail)
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("spread", torch.ones(()))
        self.register_buffer("teacher_known", torch.tensor(float(options.teacher.name == TRAINED)))

    @classmethod
    def phases_of(cls, options: StudentOptions) -> tuple[str, ...]:
        if options.teacher.name == TRAINED:
            return (STUDENT,)
        own = find_teacher(options.teacher.name).phases_of(teacher_options(options.teacher))
        return (*([TEACHER] if len(own) == 1 else (f"{TEACHER}-{name}" for name in own)), STUDENT)

    @classmethod
    def sees_signal(cls, options: StudentOptions) -> bool:
        return options.outliers == "signal"

    def turns(self, phase: str) -> tuple[str, ...]:
        if phase == STUDENT:
            return (STUDENT,)
        own = self._own(phase)
        return tuple(phase if turn == own else f"{TEACHER}-{turn}" for turn in self.teacher.turns(own))

    def parameters_of(self, turn: str) -> list[nn.Parameter]:
        return list(self.student.parameters()) if turn == STUDENT else self.teacher.parameters_of(self._own(turn))

    def optimiser_of(self, turn: str) -> dict[str, Any]:
        return {} if turn == STUDENT else self.teacher.optimiser_of(self._own(turn))

    @torch.no_grad()
    def begin_phase(self, phase: str, batch: Batch, generator: torch.Generator) -> None:
        """Fit the teacher, or what the student takes from the teacher's scores of background."""
        background = self._background(batch)
        if not len(background):
            raise FacsimError(f"none of the {len(batch)} events to fit on is background: check 'prepare.background'.")
        if phase != STUDENT:
            self.teacher.begin_phase(self._own(phase), background, generator)
            return
        self.seen.fit(background.x)
        scores = self._scores(background)
        self.transform.fit(scores, background.weight)
        self.rarity.fit(scores, background.weight)
        target = self.transform(scores)
        self.mean.copy_(target.mean())
        self.spread.copy_(target.std(correction=0).clamp(min=1e-6))

    def end_phase(self, phase: str, batch: Batch, generator: torch.Generator) -> None:
        if phase != STUDENT:
            self.teacher.end_phase(self._own(phase), self._background(batch), generator)
            self.teacher_known.fill_(1.0)

    def losses(self, batch: Batch, turn: str, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        if turn != STUDENT:
            background = self._background(batch)
            if len(background):
                return self.teacher.losses(background, self._own(turn), generator)
            return {"nothing": _nothing(self.parameters_of(turn))}
        if self.options.turned and self.training:
            batch = replace(batch, x=turned(batch.x, self.geometry, generator))
        background, kind = self._background(batch), self.options.outliers
        if kind == "none":
            return {"background": self._difference(background, tail=True)}
        share = self.options.exposure
        signal = kind == "signal"
        others = _chosen(batch, ~self.is_background(batch.cond)) if signal else self._mixed(background, generator)
        return {
            "background": (1 - share) * self._difference(background, tail=True),
            "outliers": share * self._difference(others, tail=False),
        }

    def _background(self, batch: Batch) -> Batch:
        """Of a batch, what is background: all that a training without signal is given."""
        return _chosen(batch, self.is_background(batch.cond)) if self.options.outliers == "signal" else batch

    def _mixed(self, background: Batch, generator: torch.Generator | None) -> Batch:
        """Mixed events, fewer than background where their share in the loss is small; each as one event."""
        share = self.options.exposure
        n = round(len(background) * min(1.0, share / (1 - share)))
        some = _chosen(background, torch.arange(len(background), device=background.x.device) < max(n, 1))
        return replace(some, x=mixed(some.x, generator), weight=None)

    def _difference(self, batch: Batch, tail: bool) -> Tensor:
        """Loss of the student on events, rare background counted more with `tail`."""
        if not len(batch):
            return _nothing(self.parameters_of(STUDENT))
        with torch.no_grad():
            scores = self._scores(batch)
            target = (self.transform(scores) - self.mean) / self.spread
        difference = self.student(self.seen(batch.x))[:, 0] - target
        loss = difference.abs() if self.options.loss == "mae" else difference.square()
        return weighted_mean(loss * self.rarity(scores) if tail else loss, batch.weight)

    def predict(self, x: Tensor, cond: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.transform.told(self.student(self.seen(x)) * self.spread + self.mean)

    def teacher_scores(self, x: Tensor, cond: Tensor) -> Tensor:
        """First output (N,) of the teacher for events (N, V, C) at conditions (N, K).

        Raises:
            FacsimError: the teacher was left out when the student was saved, or is not trained yet.
        """
        if not bool(self.teacher_known):
            raise FacsimError(
                "this student comes without a trained teacher: load it from the run that trained it, where its teacher "
                "is kept."
            )
        return self._scores(Batch(x, cond))

    def target(self, scores: Tensor) -> Tensor:
        """Scores (N,) of the teacher in the unit of the student's output."""
        found: Tensor = self.transform(scores)
        return found

    def sizes(self) -> tuple[int, int]:
        """Numbers of parameters of the student and of the teacher."""
        student, teacher = (sum(p.numel() for p in part.parameters()) for part in (self.student, self.teacher))
        return student, teacher

    @torch.no_grad()
    def _scores(self, batch: Batch) -> Tensor:
        """Scores (N,) of the teacher as outside of training."""
        blocks = [slice(k, k + SCORED_AT_ONCE) for k in range(0, len(batch), SCORED_AT_ONCE)]
        with sampling_mode(self.teacher):
            return torch.cat([self.teacher.predict(batch.x[b], batch.cond[b])[:, 0] for b in blocks])

    def _own(self, name: str) -> str:
        """Phase or turn of the teacher by its own name."""
        return self.teacher.phases[0] if name == TEACHER else name.removeprefix(f"{TEACHER}-")


def _nothing(parameters: list[nn.Parameter]) -> Tensor:
    """A loss of 0 that has gradients, where a batch has no events of a kind."""
    return 0 * torch.stack([p.sum() for p in parameters]).sum()


def _chosen(batch: Batch, where: Tensor) -> Batch:
    """The events of a batch where a mask (N,) is true."""
    parts: Mapping[str, Any] = {name: None if value is None else value[where] for name, value in vars(batch).items()}
    return replace(batch, **parts)
