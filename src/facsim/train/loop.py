"""The training loop: phases in order, one-cycle schedule, averaged weights, resumable to the bit on CPU."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from facsim.core.errors import FacsimError
from facsim.core.events import EventSource
from facsim.core.rng import integer_seed
from facsim.core.store import atomic_path
from facsim.data.loader import ShuffledLoader
from facsim.models.base import EventModel
from facsim.models.checkpoint import build_model, save_model
from facsim.train.device import choose_device, to_batch
from facsim.train.settings import TrainSettings
from facsim.train.state import load_state, save_state
from facsim.train.turns import Turns


@dataclass(frozen=True)
class TrainProgress:
    """Where training stands: phase, optimiser steps done and in all (all phases), last loss, seconds so far."""

    phase: str
    done: int
    total: int
    loss: float
    seconds: float


def one_cycle(fraction: float) -> float:
    """Learning-rate factor at `fraction` of a phase: linear rise over 5 %, then half a cosine to zero."""
    return fraction / 0.05 if fraction < 0.05 else 0.5 * (1 + math.cos(math.pi * (fraction - 0.05) / 0.95))


class Trainer:
    """Trains one model; `run` goes on from the state saved in `folder`, if there is one.

    Args:
        name: registered name of the model.
        options: its options.
        train: training events.
        validation: events for the validation loss, or None.
        folder: receives `weights.safetensors`, `model.json`, `metrics.jsonl` and, while training, `state/`.
        seed: of weights, order and noise.
    """

    def __init__(
        self,
        name: str,
        options: dict[str, Any],
        train: EventSource,
        validation: EventSource | None,
        folder: Path,
        seed: int,
        settings: TrainSettings,
    ) -> None:
        self.name, self.folder, self.settings, self.seed = name, folder, settings, seed
        self.device = choose_device(settings.device)
        if settings.threads is not None:
            torch.set_num_threads(settings.threads)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(integer_seed(seed, "weights"))
            self.model = build_model(name, train.schema, options).to(self.device)
        settings.check_phases(self.model.phases)
        _check_weights(self.model, name, train)
        self.loader = ShuffledLoader(train, settings.batch_size, integer_seed(seed, "batches"), settings.memory)
        n_validation = 0 if validation is None else min(512, len(validation))
        self.validation = validation.read(0, n_validation) if validation is not None and n_validation else None
        self.rng = torch.Generator(self.device)
        self.rng.manual_seed(integer_seed(seed, "noise"))
        self.phase = self.step = 0
        self.seconds = 0.0

    @property
    def total(self) -> int:
        return sum(self.settings.steps_of(phase) for phase in self.model.phases)

    @property
    def done(self) -> int:
        return self.step + sum(self.settings.steps_of(phase) for phase in self.model.phases[: self.phase])

    def run(self, progress: Callable[[TrainProgress], None] | None = None) -> EventModel:
        """Train to the end, save the model and return it in evaluation mode.

        Raises:
            FacsimError: the loss is not finite.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        saved = load_state(self.folder, self.device)
        if saved is not None:
            self._restore(saved)
            self._forget_rows_after(self.done)
        else:
            (self.folder / "metrics.jsonl").unlink(missing_ok=True)
        while self.phase < len(self.model.phases):
            self._run_phase(self.model.phases[self.phase], saved, progress)
            saved = None
            self.phase, self.step = self.phase + 1, 0
        _check_finite(self.model)
        save_model(self.model.eval(), self.name, self.folder)
        save_state(self.folder, None)
        return self.model

    def _run_phase(
        self, phase: str, saved: dict[str, Any] | None, progress: Callable[[TrainProgress], None] | None
    ) -> None:
        steps = self.settings.steps_of(phase)
        self.model.train()
        if saved is None:
            self.model.begin_phase(phase, to_batch(self.loader.head(self.settings.fit_events), self.device), self.rng)
        if steps == 0:
            return
        turns = Turns(self.model, phase, self.settings)
        if saved is not None:
            turns.restore(saved["turns"])
        started, last_saved = time.perf_counter() - self.seconds, time.perf_counter()
        try:
            while self.step < steps:
                loss = self._step(turns, steps)
                self.seconds = time.perf_counter() - started
                if self.step % self.settings.log_every == 0 or self.step == steps:
                    self._log(turns, steps)
                    if progress is not None:
                        progress(TrainProgress(phase, self.done, self.total, loss, self.seconds))
                if time.perf_counter() - last_saved > self.settings.checkpoint_seconds:
                    save_state(self.folder, self._state(turns))
                    last_saved = time.perf_counter()
        except KeyboardInterrupt:
            save_state(self.folder, self._state(turns))
            raise
        turns.ema.copy_to_parameters()

    def _step(self, turns: Turns, steps: int) -> float:
        losses = self.model.losses(to_batch(self.loader.next(), self.device), turns.turn(self.step), self.rng)
        loss = turns.step(self.step, losses, one_cycle((self.step + 1) / (steps + 1)))
        self.step += 1
        turns.average(self.step, last=self.step == steps)
        return loss

    def _validate(self, turn: str) -> float | None:
        """Loss of `turn` on the validation events, in parts of a batch: losses may need gradients of their own."""
        if self.validation is None:
            return None
        fixed = torch.Generator(self.device)
        fixed.manual_seed(integer_seed(self.seed, "validation"))
        self.model.eval()
        n, size, total = len(self.validation), self.settings.batch_size, 0.0
        for first in range(0, n, size):
            batch = to_batch(self.validation[first : first + size], self.device)
            losses = self.model.losses(batch, turn, fixed)
            total += len(batch) / n * float(torch.stack(list(losses.values())).sum().detach())
        self.model.train()
        return total

    def _log(self, turns: Turns, steps: int) -> None:
        every = max(self.settings.log_every, steps // 20)
        due = self.step % every < self.settings.log_every or self.step == steps
        rows = [
            {
                "step": self.done,
                "time_s": round(self.seconds, 3),
                "part": turn,
                "loss": loss,
                "validation_loss": self._validate(turn) if due else None,
                "lr": turns.rates[turn] * one_cycle(self.step / (steps + 1)),
            }
            for turn, loss in turns.losses.items()
        ]
        with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as handle:
            handle.write("".join(json.dumps(row) + "\n" for row in rows))

    def _forget_rows_after(self, done: int) -> None:
        """Drop what a killed training logged after its last checkpoint: those steps are done again."""
        path = self.folder / "metrics.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []
        kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= done]
        with atomic_path(path) as temporary:
            temporary.write_text("".join(kept), encoding="utf-8")

    def _state(self, turns: Turns) -> dict[str, Any]:
        return {
            "phase": self.phase,
            "step": self.step,
            "seconds": self.seconds,
            "loader": self.loader.state(),
            "rng": self.rng.get_state(),
            "model": self.model.state_dict(),
            "turns": turns.state(),
        }

    def _restore(self, saved: dict[str, Any]) -> None:
        self.phase, self.step, self.seconds = saved["phase"], saved["step"], saved["seconds"]
        self.loader.restore(saved["loader"])
        self.rng.set_state(saved["rng"].cpu())
        self.model.load_state_dict(saved["model"])


def _check_finite(model: EventModel) -> None:
    bad = [name for name, tensor in model.state_dict().items() if not torch.isfinite(tensor.float()).all()]
    if bad:
        raise FacsimError(
            f"the trained model holds values that are not finite numbers ('{bad[0]}'): train on more events, or lower "
            "train.lr."
        )


def _check_weights(model: EventModel, name: str, train: EventSource) -> None:
    if model.weights == "none" and len(train) and train.read(0, 1).weight is not None:
        raise FacsimError(
            f"the model '{name}' takes no event weights, but the training events have them: "
            "leave 'weight' out of the mapping, or resample the events by weight first."
        )
