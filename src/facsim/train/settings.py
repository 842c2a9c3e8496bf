"""Settings of the training loop; light to import, so that a configuration can be checked without torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from facsim.core.errors import FacsimError

NO_MATTER = ("sinks", "checkpoint_seconds", "threads")
"""Settings that leave the result of a training as it is."""


class EarlyStopping(BaseModel):
    """When the last phase of a model ends: its score on validation events has not become better for a while.

    The score is that of the averaged weights; the best ones are kept.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    score: Literal["w1", "separation", "auc", "fpd", "kpd"] = "w1"
    every: int = Field(500, ge=1, description="optimiser steps between judgements")
    patience: int = Field(5, ge=1, description="judgements without a better score after which training ends")
    events: int = Field(2000, ge=50, description="validation events, at most")

    def due(self, step: int, last: bool) -> bool:
        """Whether to judge after `step` steps of the phase."""
        return last or step % self.every == 0


class TrainSettings(BaseModel):
    """How to train: the same for every method."""

    model_config = ConfigDict(extra="forbid")

    steps: dict[str, int] | int = Field(1000, description="optimiser steps, for all phases or phase by phase")
    batch_size: int = Field(128, ge=1)
    accumulate: int = Field(1, ge=1, description="batches whose gradients are averaged in one optimiser step")
    lr: float = Field(2e-3, gt=0, description="peak learning rate")
    schedule: Literal["one-cycle", "cosine", "constant"] = "one-cycle"
    warmup: float = Field(0.05, ge=0, lt=1, description="fraction of a phase in which the rate rises")
    weight_decay: float = Field(1e-4, ge=0)
    clip_norm: float = Field(1.0, gt=0, description="gradient norm above which gradients are scaled down")
    ema: float = Field(0.995, ge=0, lt=1, description="decay of the averaged weights that are kept")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps ...")
    precision: Literal["auto", "32", "bf16", "16"] = Field("auto", description="of matrix products in networks")
    compile: bool = Field(False, description="compile the networks with torch.compile")
    threads: int | None = Field(None, ge=1, description="CPU threads; None leaves torch's own choice")
    log_every: int = Field(10, ge=1)
    checkpoint_seconds: float = Field(30.0, gt=0)
    fit_events: int = Field(4096, ge=16, description="events used for closed-form fits before a phase")
    memory: float = Field(2e9, gt=0, description="bytes of training events kept in memory; more is streamed")
    start: str | None = Field(
        None, description="a trained model whose weights training starts from: a run directory, or a shipped model"
    )
    early_stopping: EarlyStopping | None = None
    sinks: list[Literal["tensorboard", "mlflow"]] = Field([], description="who gets the log beside metrics.jsonl")

    @field_validator("precision", mode="before")
    @classmethod
    def _in_bits(cls, precision: object) -> object:
        return str(precision) if isinstance(precision, int) else precision

    @field_validator("steps")
    @classmethod
    def _not_negative(cls, steps: dict[str, int] | int) -> dict[str, int] | int:
        if any(count < 0 for count in ([steps] if isinstance(steps, int) else steps.values())):
            raise ValueError(f"numbers of steps cannot be negative, as in {steps}")
        return steps

    def steps_of(self, phase: str) -> int:
        """Optimiser steps of `phase`."""
        return self.steps if isinstance(self.steps, int) else self.steps[phase]

    def check_phases(self, phases: Sequence[str]) -> None:
        """Refuse steps of other phases than the model has.

        Raises:
            FacsimError: `steps` names others, or not all.
        """
        if isinstance(self.steps, dict) and set(self.steps) != set(phases):
            raise FacsimError(
                f"train.steps must name the phases {list(phases)} of the model, not {sorted(self.steps)}; one number "
                "stands for all: --set train.steps=1000."
            )
