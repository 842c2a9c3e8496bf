"""The training loop: phases in order, a scheduled rate, averaged weights, resumable to the bit on CPU."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from facsim.core.errors import FacsimError
from facsim.core.events import EventSource
from facsim.core.rng import integer_seed
from facsim.data.loader import ShuffledLoader
from facsim.models.base import RunModel
from facsim.models.checkpoint import build_model, save_model
from facsim.train.checks import check_finite, check_weights
from facsim.train.device import choose_device
from facsim.train.interrupt import Interruption
from facsim.train.journal import Journal, Row
from facsim.train.phase import Phase
from facsim.train.precision import choose_precision, training_networks
from facsim.train.processes import Processes
from facsim.train.settings import TrainSettings
from facsim.train.sinks import SINKS
from facsim.train.start import start_from
from facsim.train.state import load_state, save_state
from facsim.train.stopping import Best, Judge
from facsim.train.turns import Turns


@dataclass(frozen=True)
class TrainProgress:
    """Where training stands: phase, optimiser steps done and in all (all phases), last loss, seconds so far, and the
    best score where there is early stopping."""

    phase: str
    done: int
    total: int
    loss: float
    seconds: float
    score: float | None = None


@dataclass(frozen=True)
class Watch:
    """Who follows a training: the log (of the first process), whoever interrupts, and whoever is told."""

    journal: Journal | None
    interruption: Interruption
    progress: Callable[[TrainProgress], None] | None


class Trainer:
    """Trains one model; `run` goes on from the state saved in `folder`, if there is one.

    Args:
        name: registered name of the model.
        options: its options.
        train: training events.
        validation: events for the validation loss, or None.
        folder: receives `weights.safetensors`, `model.json`, `metrics.jsonl` and, while training, `state/`.
        seed: of weights, order and noise.
        settings: how to train.
        judge: the score for `settings.early_stopping`; only the first process needs it.
        group: the processes that train together; all have the same arguments otherwise.
        begun: a model of that name to go on with in place of a fresh one: nothing is fitted, only gradient steps are
            made.

    Raises:
        FacsimError: settings that do not fit the model, the events or the machine.
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
        judge: Judge | None = None,
        group: Processes | None = None,
        begun: RunModel | None = None,
    ) -> None:
        self.name, self.folder, self.settings, self.seed = name, folder, settings, seed
        self.group = group or Processes()
        self.device = choose_device(settings.device)
        if settings.threads is not None:
            torch.set_num_threads(settings.threads)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(integer_seed(seed, "weights"))
            self.model = (begun or build_model(name, train.schema, options)).to(self.device)
            self.lacking = None if begun is None else frozenset[str]()
            if settings.start is not None:
                self.lacking = start_from(self.model, settings.start, len(train))
        self.precision = choose_precision(settings.precision, self.device, self.model)
        settings.check_phases(self.model.phases)
        check_weights(self.model, name, train)
        batches = integer_seed(seed, "batches")
        self.loader = ShuffledLoader(
            train, settings.batch_size, batches, settings.memory, rank=self.group.rank, size=self.group.size
        )
        n_validation = 0 if validation is None else min(512, len(validation))
        self.validation = validation.read(0, n_validation) if validation is not None and n_validation else None
        self.rng = torch.Generator(self.device)
        if settings.early_stopping is not None and judge is None and self.group.first:
            raise FacsimError("train.early_stopping needs a score: give the trainer a 'judge'.")
        self.best = None if settings.early_stopping is None or judge is None else Best(settings.early_stopping, judge)
        self.phase = self.step = 0
        self.seconds, self.over = 0.0, False

    @property
    def total(self) -> int:
        """Optimiser steps of all phases."""
        return sum(self.settings.steps_of(phase) for phase in self.model.phases)

    @property
    def done(self) -> int:
        """Optimiser steps so far."""
        return self.step + sum(self.settings.steps_of(phase) for phase in self.model.phases[: self.phase])

    def run(self, progress: Callable[[TrainProgress], None] | None = None) -> RunModel:
        """Train to the end, save the model and return it in evaluation mode.

        Raises:
            FacsimError: the loss is not finite, or the saved state is of another model.
            KeyboardInterrupt: on Ctrl-C or SIGTERM, after the step in progress, when the state is saved.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        saved = self.group.tell(load_state(self.folder, torch.device("cpu")) if self.group.first else None)
        if saved is not None:
            self._restore(saved)
        journal = self._journal() if self.group.first else None
        cuda = [self.device] if self.device.type == "cuda" else []
        with ExitStack() as stack:
            if journal is not None:
                stack.callback(journal.close)
            stack.enter_context(training_networks(self.model, self.precision, self.settings.compile))
            stack.enter_context(torch.random.fork_rng(devices=cuda))
            watch = Watch(journal, stack.enter_context(Interruption()), progress)
            while self.phase < len(self.model.phases):
                self._run_phase(saved, watch)
                saved = None
                self.phase, self.step = self.phase + 1, 0
        check_finite(self.model)
        self.model.eval()
        if self.group.first:
            save_model(self.model, self.name, self.folder)
            save_state(self.folder, None)
        return self.model

    def _run_phase(self, saved: dict[str, Any] | None, watch: Watch) -> None:
        scaled = self.precision == torch.float16
        name = self.model.phases[self.phase]
        phase = Phase(
            self.model,
            name,
            self.settings,
            self.loader,
            self.seed,
            self.device,
            self.group,
            scaled=scaled,
            fit=saved is None and (self.lacking is None or bool(self.lacking)),
            only=self.lacking,
        )
        if phase.turns is None:
            if self.lacking is None or self.done:  # nothing changes in a model that another training made
                phase.end()
            return
        if saved is not None:
            phase.turns.restore(saved["turns"])
            phase.step = self.step
        judged = self.settings.early_stopping if name == self.model.phases[-1] else None
        started, last_saved = time.perf_counter() - self.seconds, time.perf_counter()
        while phase.step < phase.steps and not self.over:
            asked = phase.advance(watch.interruption.asked)
            self.step, self.seconds = phase.step, time.perf_counter() - started
            if judged is not None and judged.due(phase.step, last=phase.step == phase.steps):
                self.over = self._judge(phase, watch)
            asked |= self._tell(phase, watch) or (self.group.size == 1 and watch.interruption.asked)
            if self.group.first and (asked or time.perf_counter() - last_saved > self.settings.checkpoint_seconds):
                save_state(self.folder, self._state(phase.turns))
                last_saved = time.perf_counter()
            if asked:
                raise KeyboardInterrupt
        phase.turns.ema.copy_to_parameters()
        if judged is not None and self.best is not None and self.best.weights:
            self.model.load_state_dict(self.best.weights)
        phase.end()

    def _judge(self, phase: Phase, watch: Watch) -> bool:
        """Score the averaged model; return whether the score has not become better for too long."""
        over = False
        if self.best is not None and watch.journal is not None and phase.turns is not None:
            with phase.turns.ema.applied():
                score = self.best.judge(self.model, phase.step)
            row = {"score": self.best.settings.score, "value": score if math.isfinite(score) else None}
            watch.journal.write([{**self._place(phase.name), **row}])
            over = self.best.over
        return bool(self.group.tell(over))

    def _tell(self, phase: Phase, watch: Watch) -> bool:
        """Log where it is due; return whether the one who is told asked to stop."""
        last = phase.step == phase.steps
        if watch.journal is None or not (last or phase.step % self.settings.log_every == 0):
            return False
        every = max(self.settings.log_every, phase.steps // 20)
        due = last or phase.step % every < self.settings.log_every
        rows = phase.rows(self.validation if due else None)
        watch.journal.write([{**self._place(row["part"]), **row} for row in rows])
        score = None if self.best is None or math.isinf(self.best.score) else self.best.score
        told = TrainProgress(phase.name, self.done, self.total, rows[-1]["loss"], self.seconds, score)
        try:
            if watch.progress is not None:
                watch.progress(told)
        except KeyboardInterrupt:
            return True
        return False

    def _place(self, part: str) -> Row:
        return {"step": self.done, "time_s": round(self.seconds, 3), "part": part}

    def _journal(self) -> Journal:
        facts = {"model": self.name, "seed": self.seed, **self.settings.model_dump(mode="json")}
        sinks = [SINKS[name](self.folder, self.done, facts) for name in self.settings.sinks]
        return Journal(self.folder, self.done, sinks)

    def _state(self, turns: Turns) -> dict[str, Any]:
        return {
            "phase": self.phase,
            "step": self.step,
            "seconds": self.seconds,
            "over": self.over,
            "loader": self.loader.state(),
            "model": self.model.state_dict(),
            "turns": turns.state(),
            "best": None if self.best is None else self.best.state(),
        }

    def _restore(self, saved: dict[str, Any]) -> None:
        self.phase, self.step, self.seconds = saved["phase"], saved["step"], saved["seconds"]
        self.over = saved["over"]
        self.loader.restore(saved["loader"])
        try:
            self.model.load_state_dict(saved["model"])
        except RuntimeError:
            raise FacsimError(
                f"the training in '{self.folder / 'state'}' is of a model with other options: remove it to train from "
                "the start."
            ) from None
        if self.best is not None and saved["best"] is not None:
            self.best.restore(saved["best"])
