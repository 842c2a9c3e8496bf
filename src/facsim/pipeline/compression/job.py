"""What a method of compression works with: the trained model of a run, its training events, a folder for the result."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from facsim.config.sections import ExportConfig
from facsim.core.errors import FacsimError
from facsim.core.events import EventSource
from facsim.core.rng import generator, integer_seed
from facsim.core.sources import read_labels
from facsim.export.check import check_export
from facsim.export.onnx import export_onnx
from facsim.models.base import EventModel
from facsim.models.checkpoint import load_model, save_model
from facsim.models.pruning import hold_zero
from facsim.models.sampled_layers import sampled_layers
from facsim.pipeline.preflight import ONNX_PACKAGES
from facsim.run import Run
from facsim.train.loop import Trainer, TrainProgress

SMOKE_STEPS = 5
"""Optimiser steps of a phase with --smoke, at most."""


class Options(BaseModel):
    """Options of a method of compression."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    after: str | None = Field(None, description="a compressed model to start from, by name, in place of the original")


class TunedOptions(Options):
    """Options of a method that trains on afterwards."""

    tune: float = Field(0.25, ge=0, description="optimiser steps of the tuning, as a share of those of the training")
    rate: float = Field(1.0, gt=0, description="learning rate of the tuning over that of the training")


@dataclass(frozen=True)
class Job:
    """One compression.

    Attributes:
        run: the run whose model is compressed. place: its folder `compressed/<name>`, laid out like a run directory.
        base: folder of the weights to start from: the run's, or those of another compressed model.
        splits: of the truth. seed: of calibration and training. smoke: whether training is in miniature.
        facts: what the method tells of what it did, for the table.
    """

    run: Run
    place: Run
    base: Path
    splits: Mapping[str, EventSource]
    seed: int
    smoke: bool = False
    facts: dict[str, Any] = field(default_factory=dict)

    def start(self, **changes: object) -> EventModel:
        """The model to start from; `changes` override options."""
        return load_model(self.base, **changes)

    @property
    def opset(self) -> int:
        return (self.run.config.export or ExportConfig()).opset

    def conditions(self, n: int, *names: str) -> NDArray[np.float32]:
        """Conditions (n, K) of training events, drawn by the seed and `names`; fewer where there are fewer."""
        cond = read_labels(self.splits["train"]).cond
        rows = generator(self.seed, "compress", *names).permutation(len(cond))[:n]
        return np.asarray(cond[np.sort(rows)], np.float32)

    def layers(self, model: EventModel) -> dict[str, nn.Module]:
        """The layers that sampling `model` goes through, by name."""
        return sampled_layers(model, torch.from_numpy(self.conditions(2, "layers")))

    def keep(self, model: EventModel) -> None:
        """Save `model` as the result, and where it can be written as a graph that agrees with it, its graph."""
        save_model(model, self.run.config.surrogate.name, self.place.model(), lean=True)
        if any(find_spec(package) is None for package in ONNX_PACKAGES):
            self.facts["graph"] = "none: ONNX is not installed"
            return
        try:
            export_onnx(model, self.place.onnx, self.opset)
            check_export(model, self.place.onnx, self.conditions(64, "check"), integer_seed(self.seed, "export"))
        except FacsimError as error:  # the model itself is sound, and is judged and timed by torch
            self.place.onnx.unlink(missing_ok=True)
            self.facts["graph"] = f"none: {error}"

    def plain_graph(self, model: EventModel) -> Path:
        """The graph of `model` in a file that does not stay."""
        path = self.place.dir / ".plain.onnx"
        export_onnx(model, path, self.opset)
        return path

    def steps_of(self, model: EventModel, share: float) -> dict[str, int]:
        """Optimiser steps of each phase of `model`: a `share` of those of the run's training."""
        return {phase: round(share * self.run.config.train.steps_of(phase)) for phase in model.phases}

    def trained(
        self,
        model: EventModel,
        steps: Mapping[str, int],
        rate: float = 1.0,
        kept: Mapping[str, Tensor] | None = None,
        source: EventSource | None = None,
    ) -> EventModel:
        """`model` after further training by gradient steps.

        Args:
            steps: optimiser steps by phase; phases that are not named are left out.
            rate: learning rate over that of the run's training.
            kept: weights that are not held at zero, by name (`pruning.kept_weights`).
            source: training events in place of the run's.
        """
        most = SMOKE_STEPS if self.smoke else max(steps.values(), default=0)
        each = {phase: min(steps.get(phase, 0), most) for phase in model.phases}
        if not any(each.values()):
            return model
        own, folder = self.run.config.train, self.place.dir / "training"
        changes = {"steps": each, "lr": own.lr * rate, "start": None, "early_stopping": None, "sinks": []}
        events = self.splits["train"] if source is None else source
        seed, name = integer_seed(self.seed, "compress", "training"), self.run.config.surrogate.name
        settings, options = own.model_copy(update=changes), model.options.model_dump()
        trainer = Trainer(name, options, events, None, folder, seed, settings, begun=model)
        hold_zero(trainer.model, kept or {})
        with self.run.reporter.progress(f"{self.place.dir.name}, training") as advance:

            def tell(progress: TrainProgress) -> None:
                advance(progress.done / progress.total, f"{progress.phase}, loss {progress.loss:.4f}")

            found = trainer.run(tell)
        shutil.rmtree(folder, ignore_errors=True)
        self.facts.update({"steps": trainer.done, "training_s": round(trainer.seconds, 1)})
        assert isinstance(found, EventModel)
        return found
