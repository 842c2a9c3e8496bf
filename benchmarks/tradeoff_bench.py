"""What `tradeoff.py` measures on, and what it keeps of earlier calls."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
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
    cond: np.ndarray = field(repr=False, default_factory=lambda: np.zeros((0, 0)))

    def kept(self, name: str, settings: Json) -> Json | None:
        """The row of an earlier call with the same settings."""
        path = self.out / "rows" / f"{name}.json"
        found = read_json(path) if path.is_file() else None
        return found if found and found["settings"] == self.marked(settings) else None

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
