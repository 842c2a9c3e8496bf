"""The optimisers of a phase: one for each distinct turn of its cycle, over the parameters of that turn alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from facsim.core.errors import FacsimError
from facsim.models.base import EventModel
from facsim.train.ema import EMA
from facsim.train.settings import TrainSettings


class Turns:
    """AdamW for every distinct turn of `phase`, and the average of the parameters that the phase keeps.

    Optimiser step k of the phase belongs to turn k modulo the length of the cycle. The average takes in the present
    values once a cycle, so that its memory does not depend on how many critic steps precede one of the generator.
    `losses` are the latest of every turn.

    Args:
        model: on its device. phase: one of its phases. settings: learning rate, weight decay, clipping, averaging.

    Raises:
        FacsimError: a turn that trains no parameters.
    """

    def __init__(self, model: EventModel, phase: str, settings: TrainSettings) -> None:
        self.phase, self.settings, self.cycle = phase, settings, model.turns(phase)
        self.parameters: dict[str, list[nn.Parameter]] = {}
        self.optimisers: dict[str, torch.optim.AdamW] = {}
        self.rates: dict[str, float] = {}
        for turn in dict.fromkeys(self.cycle):
            parameters = [p for p in model.parameters_of(turn) if p.requires_grad]
            if not parameters:
                raise FacsimError(
                    f"the turn '{turn}' of the phase '{phase}' has no parameters to train: set its steps to 0."
                )
            changes = {"weight_decay": settings.weight_decay, **model.optimiser_of(turn)}
            self.rates[turn] = settings.lr * changes.pop("lr_factor", 1.0)
            self.parameters[turn] = parameters
            self.optimisers[turn] = torch.optim.AdamW(parameters, lr=self.rates[turn], **changes)
        self.losses: dict[str, float] = {}
        self.ema = EMA(model.averaged(phase), settings.ema)

    def turn(self, step: int) -> str:
        """The turn of optimiser step `step`, counted from 0."""
        return self.cycle[step % len(self.cycle)]

    def step(self, step: int, losses: Mapping[str, Tensor], factor: float) -> float:
        """Minimise `losses` of the turn of `step` at `factor` times its learning rate; return their sum.

        Raises:
            FacsimError: the sum is not finite.
        """
        turn = self.turn(step)
        loss = torch.stack(list(losses.values())).sum()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise FacsimError(
                f"the loss of phase '{self.phase}' became {value} at step {step}: "
                f"lower train.lr, now {self.settings.lr}."
            )
        optimiser, parameters = self.optimisers[turn], self.parameters[turn]
        for group in optimiser.param_groups:
            group["lr"] = self.rates[turn] * factor
        optimiser.zero_grad(set_to_none=True)
        loss.backward(inputs=parameters)  # type: ignore[no-untyped-call]  # others get no gradients
        torch.nn.utils.clip_grad_norm_(parameters, self.settings.clip_norm)
        optimiser.step()
        self.losses[turn] = value
        return value

    def average(self, done: int, last: bool) -> None:
        """Update the average when the `done` steps end a cycle, or are the `last` of the phase."""
        if last or done % len(self.cycle) == 0:
            self.ema.update()

    def state(self) -> dict[str, Any]:
        """All that `restore` needs to go on to the bit."""
        optimisers = {turn: optimiser.state_dict() for turn, optimiser in self.optimisers.items()}
        return {
            "optimisers": optimisers,
            "losses": self.losses,
            "ema": self.ema.average,
            "ema_updates": self.ema.updates,
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        for turn, optimiser in self.optimisers.items():
            optimiser.load_state_dict(saved["optimisers"][turn])
        self.losses = dict(saved["losses"])
        self.ema.restore(saved["ema"], saved["ema_updates"])
