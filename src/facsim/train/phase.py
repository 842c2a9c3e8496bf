"""One phase of a training: optimiser steps and what is known of them; no files, no clock."""

from __future__ import annotations

from typing import Any

import torch

from facsim.core.events import Events
from facsim.core.rng import integer_seed
from facsim.data.loader import ShuffledLoader
from facsim.models.base import EventModel
from facsim.train.device import to_batch
from facsim.train.processes import Processes
from facsim.train.schedules import SCHEDULES
from facsim.train.settings import TrainSettings
from facsim.train.turns import Turns


class Phase:
    """Steps of the phase `name` of `model`.

    The noise of a step follows from the seed, the phase, the step and the process alone, so that a training that goes
    on needs no generator's state, and neither do several processes.

    Args:
        model: on `device`. loader: of the training events. seed: of the noise. group: who trains together.
        scaled: whether losses are scaled for half precision.
        fit: whether to begin with the closed-form fits of the phase.

    Raises:
        FacsimError: a phase with steps and no parameters.
    """

    def __init__(
        self,
        model: EventModel,
        name: str,
        settings: TrainSettings,
        loader: ShuffledLoader,
        seed: int,
        device: torch.device,
        group: Processes,
        *,
        scaled: bool,
        fit: bool,
    ) -> None:
        self.model, self.name, self.settings = model, name, settings
        self.loader, self.seed, self.device, self.group = loader, seed, device, group
        self.steps, self.step = settings.steps_of(name), 0
        self.rng = torch.Generator(device)
        model.train()
        if fit:
            self._draw("begin")
            model.begin_phase(name, to_batch(loader.head(settings.fit_events), device), self.rng)
        group.copy_from_first(list(model.state_dict().values()))
        self.turns = Turns(model, name, settings, group, scaled) if self.steps else None

    def advance(self, stop: bool = False) -> bool:
        """One optimiser step; return whether any process asked to `stop` after it.

        Raises:
            FacsimError: the loss is not finite.
        """
        assert self.turns is not None
        turn, parts = self.turns.turn(self.step), self.settings.accumulate
        self.turns.start(turn)
        for part in range(parts):
            self._draw(self.step, part, self.group.rank)
            batch = to_batch(self.loader.next(), self.device)
            share = len(batch) * self.group.size / (self.loader.batch_size * parts)
            self.turns.add(turn, self.model.losses(batch, turn, self.rng), share)
        asked = self.turns.finish(turn, self._factor(self.step), stop)
        self.step += 1
        self.turns.average(self.step, last=self.step == self.steps)
        return asked

    def rows(self, validation: Events | None) -> list[dict[str, Any]]:
        """What to log of each turn: its latest loss, the loss on `validation`, the latest learning rate."""
        assert self.turns is not None
        rows = []
        for turn, losses in self.turns.losses.items():
            row = {
                "part": turn,
                "loss": sum(losses.values()),
                "validation_loss": None if validation is None else self._loss(turn, validation),
                "lr": self.turns.rates[turn] * self._factor(self.step - 1),
            }
            rows.append({**row, "losses": losses} if len(losses) > 1 else row)
        return rows

    def _factor(self, step: int) -> float:
        """Of the learning rates at `step`; neither the first step nor the last has rate 0."""
        return SCHEDULES[self.settings.schedule]((step + 1) / (self.steps + 1), self.settings.warmup)

    def _loss(self, turn: str, events: Events) -> float:
        fixed = torch.Generator(self.device)
        fixed.manual_seed(integer_seed(self.seed, "validation"))
        self.model.eval()
        total = 0.0
        for first in range(0, len(events), self.settings.batch_size):
            batch = to_batch(events[first : first + self.settings.batch_size], self.device)
            loss = torch.stack(list(self.model.losses(batch, turn, fixed).values())).sum()
            total += len(batch) / len(events) * float(loss.detach())
        self.model.train()
        return total

    def _draw(self, *path: str | int) -> None:
        """Seed the noise; the global generator too, for layers that know no other, such as dropout."""
        seed = integer_seed(self.seed, "noise", self.name, *path)
        self.rng.manual_seed(seed)
        torch.manual_seed(seed)
