"""The optimisers of a phase: one for each distinct turn of its cycle, over the parameters of that turn alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from facsim.core.errors import FacsimError
from facsim.models.base import RunModel
from facsim.train.ema import EMA
from facsim.train.processes import Processes
from facsim.train.settings import TrainSettings


class Turns:
    """AdamW for every distinct turn of `phase`, and the average of the parameters that the phase keeps.

    Optimiser step k of the phase belongs to turn k modulo the length of the cycle. The average takes in the present
    values once a cycle, so that its memory does not depend on how many critic steps precede one of the generator.
    `losses` are the latest of every turn, by name.

    Args:
        model: on its device. phase: one of its phases. settings: learning rate, weight decay, clipping, averaging.
        group: the processes whose gradients are averaged. scaled: whether losses are scaled up so that gradients in
            half precision do not vanish.

    Raises:
        FacsimError: a turn that trains no parameters.
    """

    def __init__(
        self,
        model: RunModel,
        phase: str,
        settings: TrainSettings,
        group: Processes | None = None,
        scaled: bool = False,
    ) -> None:
        self.phase, self.settings, self.cycle = phase, settings, model.turns(phase)
        self.group = group or Processes()
        self.parameters: dict[str, list[nn.Parameter]] = {}
        self.optimisers: dict[str, torch.optim.AdamW] = {}
        self.scalers: dict[str, torch.amp.GradScaler] = {}
        self.rates: dict[str, float] = {}
        self.losses: dict[str, dict[str, float]] = {}
        self._sums: dict[str, Tensor] = {}
        for turn in dict.fromkeys(self.cycle):
            parameters = [p for p in model.parameters_of(turn) if p.requires_grad]
            if not parameters:
                raise FacsimError(
                    f"the turn '{turn}' of the phase '{phase}' has no parameters to train: set the phase's steps to 0."
                )
            changes = {"weight_decay": settings.weight_decay, **model.optimiser_of(turn)}
            self.rates[turn] = settings.lr * changes.pop("lr_factor", 1.0)
            self.parameters[turn] = parameters
            self.optimisers[turn] = torch.optim.AdamW(parameters, lr=self.rates[turn], **changes)
            self.scalers[turn] = torch.amp.GradScaler(parameters[0].device.type, enabled=scaled)
        self.ema = EMA(model.averaged(phase), settings.ema)
        buffers = [buffer for buffer in model.buffers() if buffer.is_floating_point()]
        self._buffers = [(buffer, buffer._version) for buffer in buffers]

    def turn(self, step: int) -> str:
        """The turn of optimiser step `step`, counted from 0."""
        return self.cycle[step % len(self.cycle)]

    def start(self, turn: str) -> None:
        """Begin an optimiser step of `turn`."""
        self.optimisers[turn].zero_grad(set_to_none=True)
        self._sums = {}

    def add(self, turn: str, losses: Mapping[str, Tensor], share: float) -> None:
        """Add the gradients of `share` times the sum of `losses`, of the parameters of `turn` alone."""
        scaled = self.scalers[turn].scale(share * torch.stack(list(losses.values())).sum())
        scaled.backward(inputs=self.parameters[turn])  # type: ignore[no-untyped-call]
        for name, loss in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + share * loss.detach()

    def finish(self, turn: str, factor: float, stop: bool = False) -> bool:
        """Take the step at `factor` times the turn's learning rate; return whether any process asked to `stop`.

        Raises:
            FacsimError: the loss is not finite.
        """
        numbers = [*torch.stack(list(self._sums.values())).tolist(), float(stop)]
        *values, asked = self.group.average(self._shared(turn), numbers) if self.group.size > 1 else numbers
        if not math.isfinite(sum(values)):
            raise FacsimError(
                f"the loss of phase '{self.phase}' became {sum(values)} in the turn '{turn}': "
                f"lower train.lr, now {self.settings.lr}."
            )
        self.losses[turn] = dict(zip(self._sums, values, strict=True))
        optimiser, scaler = self.optimisers[turn], self.scalers[turn]
        for group in optimiser.param_groups:
            group["lr"] = self.rates[turn] * factor
        scaler.unscale_(optimiser)
        torch.nn.utils.clip_grad_norm_(self.parameters[turn], self.settings.clip_norm)
        scaler.step(optimiser)
        scaler.update()
        return asked > 0

    def _shared(self, turn: str) -> list[Tensor]:
        """What processes average: gradients, and buffers that training has changed, such as running means."""
        for parameter in self.parameters[turn]:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [p.grad for p in self.parameters[turn] if p.grad is not None]
        return gradients + [buffer for buffer, version in self._buffers if buffer._version != version]

    def average(self, done: int, last: bool) -> None:
        """Update the average when the `done` steps end a cycle, or are the `last` of the phase."""
        if last or done % len(self.cycle) == 0:
            self.ema.update()

    def state(self) -> dict[str, Any]:
        """All that `restore` needs to go on to the bit."""
        return {
            "optimisers": {turn: optimiser.state_dict() for turn, optimiser in self.optimisers.items()},
            "scalers": {turn: scaler.state_dict() for turn, scaler in self.scalers.items()},
            "losses": self.losses,
            "ema": self.ema.average,
            "ema_updates": self.ema.updates,
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        for turn, optimiser in self.optimisers.items():
            optimiser.load_state_dict(saved["optimisers"][turn])
            self.scalers[turn].load_state_dict(saved["scalers"][turn])
        self.losses = dict(saved["losses"])
        self.ema.restore(saved["ema"], saved["ema_updates"])
