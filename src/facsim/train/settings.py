"""Settings of the training loop; light to import, so that a configuration can be checked without torch."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field, field_validator

from facsim.core.errors import FacsimError


class TrainSettings(BaseModel):
    """How to train: the same for every method."""

    model_config = ConfigDict(extra="forbid")

    steps: dict[str, int] | int = Field(1000, description="optimiser steps, for all phases or phase by phase")
    batch_size: int = Field(128, ge=1)
    lr: float = Field(2e-3, gt=0, description="peak learning rate of the one-cycle schedule")
    weight_decay: float = Field(1e-4, ge=0)
    clip_norm: float = Field(1.0, gt=0, description="gradient norm above which gradients are scaled down")
    ema: float = Field(0.995, ge=0, lt=1, description="decay of the averaged weights that are kept")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps ...")
    threads: int | None = Field(None, ge=1, description="CPU threads; None leaves torch's own choice")
    log_every: int = Field(10, ge=1)
    checkpoint_seconds: float = Field(30.0, gt=0)
    fit_events: int = Field(4096, ge=16, description="events used for closed-form fits before a phase")
    memory: float = Field(2e9, gt=0, description="bytes of training events kept in memory; more is streamed")

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
