"""A plug-in with a tiny adversarial model: two critic steps, then one of the generator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from facsim.core.schema import Schema
from facsim.models.base import Batch, EventModel, NoiseSpec, weighted_mean


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
