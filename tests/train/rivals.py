"""A plug-in with a tiny adversarial model: two critic steps, then one of the generator.

As a script (folder, settings as JSON) it trains that model, alone or started by torchrun, and prints the steps.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from facsim.core import plugins
from facsim.core.events import Events, make_events
from facsim.core.rng import generator
from facsim.core.schema import Feature, Schema
from facsim.core.sources import MemorySource
from facsim.models.base import Batch, EventModel, NoiseSpec, draw_noise, weighted_mean
from facsim.train.loop import Trainer
from facsim.train.processes import Processes
from facsim.train.settings import TrainSettings


class RivalsOptions(BaseModel):
    model_config = ConfigDict(extra="forbid")
    width: int = 8


class Rivals(EventModel):
    """Least-squares adversaries on a table (N, F) at conditions (N, K)."""

    phases = ("start", "rivals")
    Options = RivalsOptions

    def __init__(self, schema: Schema, options: RivalsOptions) -> None:
        super().__init__(schema, options)
        n, k, width = len(schema.features), len(schema.conditions), options.width
        self.generator = nn.Sequential(nn.Linear(n + k, width), nn.SiLU(), nn.Linear(width, n))
        self.critic = nn.Sequential(nn.Linear(n + k, width), nn.SiLU(), nn.Linear(width, 1))
        self.mean = nn.Parameter(torch.zeros(n))

    def turns(self, phase: str) -> tuple[str, ...]:
        return ("critic", "critic", "generator") if phase == "rivals" else (phase,)

    def parameters_of(self, turn: str) -> list[nn.Parameter]:
        if turn == "start":
            return [self.mean]
        return list((self.critic if turn == "critic" else self.generator).parameters())

    def optimiser_of(self, turn: str) -> dict[str, Any]:
        return {"betas": (0.5, 0.9), "lr_factor": 0.25} if turn == "critic" else {}

    def averaged(self, phase: str) -> list[nn.Parameter]:
        return self.parameters_of("generator" if phase == "rivals" else phase)

    def noise_spec(self, n: int) -> dict[str, NoiseSpec]:
        return {"noise": NoiseSpec((n, len(self.schema.features)))}

    def sample(self, cond: Tensor, noise: Mapping[str, Tensor]) -> Tensor:
        out: Tensor = self.mean.detach() + self.generator(torch.cat([noise["noise"], cond], 1))
        return out

    def losses(self, batch: Batch, turn: str, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        if turn == "start":
            return {"mean": weighted_mean(((batch.x - self.mean) ** 2).mean(1), batch.weight)}
        noise = torch.randn(batch.x.shape, generator=generator, device=batch.x.device)
        fake = self.sample(batch.cond, {"noise": noise})
        false = self.critic(torch.cat([fake, batch.cond], 1))[:, 0]
        if turn == "generator":
            return {"generator": weighted_mean((false - 1) ** 2, batch.weight)}
        true = self.critic(torch.cat([batch.x, batch.cond], 1))[:, 0]
        return {"critic": weighted_mean((true - 1) ** 2 + false**2, batch.weight)}


MODELS = {"rivals": Rivals}


def make_pairs(n: int = 64, weighted: bool = True) -> Events:
    """Pairs of numbers around a condition."""
    rng = generator(1, "pairs")
    cond = rng.uniform(size=(n, 1))
    schema = Schema("table", (Feature("a", ""), Feature("b", "")), (Feature("c", ""),))
    weight = rng.uniform(0.5, 1.5, n) if weighted else None
    return make_events(schema, rng.normal(cond + 1, 0.3, (n, 2)), cond, weight=weight)


def judge(model: EventModel) -> float:
    """Distance of the mean of a sample from the truth's."""
    cond = torch.linspace(0, 1, 32)[:, None]
    with torch.no_grad():
        x = model.sample(cond, draw_noise(model.noise_spec(32), torch.Generator().manual_seed(3)))
    return float((x.mean(0) - 1.5).abs().sum())


def rivals_trainer(folder: Path, events: Events | None = None, **changes: object) -> Trainer:
    """A trainer of `Rivals` in `folder` on 48 pairs."""
    plugins.load_plugin(__file__)
    pairs = make_pairs() if events is None else events
    steps = {"start": 4, "rivals": 20}
    defaults = {"steps": steps, "batch_size": 16, "log_every": 1, "device": "cpu", "threads": 1}
    settings = TrainSettings.model_validate({**defaults, **changes})
    n = len(pairs) * 3 // 4
    train, validation = MemorySource(pairs[:n]), MemorySource(pairs[n:])
    score = None if settings.early_stopping is None else judge
    return Trainer("rivals", {}, train, validation, folder, 5, settings, score, Processes.join())


def check_alone() -> None:
    """No thread that talks to other processes may be left: at the interpreter's end it could abort the process."""
    names = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
    talking = [name for name in names if "gloo" in name]
    if talking:
        raise SystemExit(f"threads are left: {talking}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    weighted = "unweighted" not in sys.argv
    trainer = rivals_trainer(Path(sys.argv[1]), make_pairs(256, weighted), **json.loads(sys.argv[2]))
    try:
        trainer.run(lambda progress: print(progress.done, flush=True))
        trainer.group.meet()
    finally:
        Processes.leave()
    check_alone()
