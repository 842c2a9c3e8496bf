"""One phase of a training: optimiser steps and what is known of them; no files, no clock."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch

from facsim.core.events import Events
from facsim.core.rng import integer_seed
from facsim.data.loader import ShuffledLoader
from facsim.models.base import Batch, RunModel
from facsim.train.checks import check_signs
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
        only: names of the arrays that they may change, or None for all.

    Raises:
        FacsimError: a phase with steps and no parameters, or event weights that the model does not take.
    """

    def __init__(
        self,
        model: RunModel,
        name: str,
        settings: TrainSettings,
        loader: ShuffledLoader,
        seed: int,
        device: torch.device,
        group: Processes,
        *,
        scaled: bool,
        fit: bool,
        only: Collection[str] | None = None,
    ) -> None:
        self.model, self.name, self.settings = model, name, settings
        self.loader, self.seed, self.device, self.group = loader, seed, device, group
        self.steps, self.step = settings.steps_of(name), 0
        self.rng = torch.Generator(device)
        model.train()
        if fit:
            self._fit(only)
        group.copy_from_first(list(model.state_dict().values()))
        self.turns = Turns(model, name, settings, group, scaled) if self.steps else None

    def _fit(self, only: Collection[str] | None) -> None:
        # fits of a few events would undo what a trained model knows
        kept = {} if only is None else {k: v.clone() for k, v in self.model.state_dict().items() if k not in only}
        self._draw("begin")
        self.model.begin_phase(self.name, self._batch(self.loader.head(self.settings.fit_events)), self.rng)
        self.model.load_state_dict(kept, strict=False)

    def end(self) -> None:
        """Calibrate the model, whose weights are those to be kept; all processes get the first one's."""
        self._draw("end")
        self.model.end_phase(self.name, self._batch(self.loader.head(self.settings.fit_events)), self.rng)
        self.group.copy_from_first(list(self.model.state_dict().values()))

    def _batch(self, events: Events) -> Batch:
        check_signs(self.model, events)
        return to_batch(events, self.device)

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
            batch = self._batch(self.loader.next())
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
