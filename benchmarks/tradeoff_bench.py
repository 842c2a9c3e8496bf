"""What `tradeoff.py` measures on, and what it keeps of earlier calls."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from facsim.config import RECIPES, RunConfig, load_config, recipe
from facsim.core.events import EventSource
from facsim.core.store import read_json, write_json
from facsim.evaluate.timing import TimingPlan
from facsim.pipeline.evaluate import AnyJudge
from facsim.pipeline.lifecycle import stages_of
from facsim.pipeline.stage import run_stage
from facsim.pipeline.terminal import Terminal
from facsim.run import Run, saved_config
from facsim.stamps import read_stamp

Json = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """A method of `single-stage` with its options, a learning rate of its own, and the sampler steps to measure."""

    method: Json
    lr: float | None = None
    steps: tuple[int | None, ...] = (None,)


ROWS: dict[str, Row] = {
    "gan": Row({"name": "gan"}),
    "gan-wasserstein": Row({"name": "gan", "loss": "wasserstein", "critic_steps": 3}, lr=1e-3),
    "gan-cramer": Row({"name": "gan", "loss": "cramer", "critic_steps": 2}),
    "vae": Row({"name": "vae"}),
    "flow": Row({"name": "flow"}),
    "flow-autoregressive": Row({"name": "flow", "kind": "autoregressive", "layers": 3}),
    "diffusion": Row({"name": "diffusion"}),
    "flow-matching": Row({"name": "flow-matching"}, steps=(1, 2, 4, 16)),
    "distilled": Row({"name": "distilled"}),
}


@dataclass(frozen=True)
class Bench:
    """What is measured on: the run that holds the truth, its splits and judge, and the settings."""

    run: Run
    config: RunConfig
    splits: Mapping[str, EventSource]
    judge: AnyJudge
    plan: TimingPlan
    out: Path
    budget: Json
    network: Json | None = None
    int8: tuple[str, ...] = ()
    pruned: tuple[str, ...] = ()
    retime: bool = False
    cond: np.ndarray = field(repr=False, default_factory=lambda: np.zeros((0, 0)))

    def kept(self, name: str, settings: Json, times: Callable[[Json], list[Json]]) -> Json | None:
        """The row of an earlier call with the same settings, its times taken anew if that is asked for."""
        path = self.out / "rows" / f"{name}.json"
        found = read_json(path) if path.is_file() else None
        if not found or found["settings"] != self.marked(settings):
            return None
        if self.retime and "times" in found:
            found["times"] = times(found)
            write_json(path, found)
        return dict(found)

    def keep(self, name: str, settings: Json, row: Json) -> Json:
        """Store a row."""
        whole = {"name": name, **row, "settings": self.marked(settings)}
        write_json(self.out / "rows" / f"{name}.json", whole)
        return whole

    def marked(self, settings: Json) -> Json:
        """`settings` with all else that a row depends on, as it is read back from JSON."""
        judging = self.config.evaluate.model_dump(mode="json")
        plan = json.loads(json.dumps(dataclasses.asdict(self.plan)))
        return {**settings, **self.identity, "plan": plan, "evaluate": judging}

    @property
    def identity(self) -> Json:
        """Which truth, divided how, and the seed."""
        stamp = read_stamp(self.run.stamp("prepare"))
        return {"truth": None if stamp is None else stamp.identity, "seed": self.config.seed}


def prepared(source: str, out: Path, overrides: Sequence[str], smoke: bool) -> tuple[Run, RunConfig]:
    """The run that holds the truth, simulated and divided if need be, and the configuration of models and baselines."""
    reporter = Terminal()
    if Path(source).is_dir():
        config = load_config(saved_config(Path(source)), overrides)
        return Run(Path(source), load_config(saved_config(Path(source))), reporter), config
    config = load_config(recipe(source) if source in RECIPES else source, overrides, smoke)
    run = Run(out / "truth", config.model_copy(update={"model": None, "export": None}), reporter)
    with run.lock():
        run.save(["benchmarks/tradeoff.py", source])
        for name in ("simulate", "prepare"):
            if name in stages_of(run.config):
                run_stage(stages_of(run.config)[name], run)
    return run, config
