"""Showers in two stages that conserve energy: layer energies and hits first, then the pattern inside the layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, cast

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from torch import Tensor

from facsim.core.errors import FacsimError
from facsim.core.schema import Schema
from facsim.models.base import Batch, EventModel, NoiseSpec
from facsim.models.flow_matching import FlowMatching
from facsim.models.layer_variables import LayerVariables
from facsim.models.nets.conditioning import Conditioning
from facsim.models.nets.layer_transformer import LayerTransformer
from facsim.models.nets.mlp import ResidualMLP
from facsim.models.nets.prior import CylinderPrior, TablePrior
from facsim.models.shower_pattern import ShowerPattern


class TwoStageOptions(BaseModel):
    """Options of `TwoStageShower`."""

    model_config = ConfigDict(extra="forbid")

    steps: int = Field(2, ge=0, le=64, description="solver steps of the pattern stage; 0 samples the prior alone")
    layer_steps: int = Field(8, ge=0, le=64, description="solver steps of the layer stage")
    solver: Literal["euler", "heun", "midpoint"] = "euler"
    width: int = Field(64, ge=8, description="token width of the pattern network")
    depth: int = Field(3, ge=1, description="transformer blocks of the pattern network")
    heads: int = Field(4, ge=1, validate_default=True, description="attention heads; they share the width")
    layer_width: int = Field(192, ge=8, description="width of the layer network")
    layer_depth: int = Field(3, ge=1)

    @field_validator("heads")
    @classmethod
    def _share_the_width(cls, heads: int, info: ValidationInfo) -> int:
        width = info.data.get("width", heads)
        if width % heads:
            raise ValueError(f"the width {width} is not a multiple of the number of heads")
        return heads


class TwoStageShower(EventModel):
    """Energy-conserving shower model on a regular cylinder.

    Stage one draws the total energy, the number of hits and the energy of every layer given the condition; stage two
    draws the cells given those. Each stage is a map to latents with exact one-dimensional distributions
    (`nets.marginals`), a Gaussian prior with the latents' covariance and a flow-matching correction. The order of the
    stages follows CaloFlow (arXiv 2106.05285) and CaloDREAM (arXiv 2405.09629).

    Raises:
        FacsimError: the events are not showers on a regular cylinder conditioned on an incident energy.
    """

    phases = ("layer-marginals", "layer-flow", "pattern-marginals", "pattern-flow")
    weights = "none"
    Options = TwoStageOptions

    options: TwoStageOptions

    def __init__(self, schema: Schema, options: TwoStageOptions) -> None:
        super().__init__(schema, options)
        geometry = schema.geometry
        if geometry is None or geometry.shape is None or geometry.threshold <= 0:
            raise FacsimError(
                "the model 'two-stage' needs a regular cylinder (equal rings and sectors in all layers) with a cell "
                f"threshold, not {'no geometry' if geometry is None else repr(geometry.name)}."
            )
        if schema.condition_index("incident_energy") != 0:
            raise FacsimError("the first condition must be 'incident_energy' (MeV).")
        n_layers, n_alpha, n_r = self.shape = geometry.shape
        self.conditioning = Conditioning(len(schema.conditions))
        n_features = self.conditioning.n_features
        capacity = torch.full((n_layers,), float(n_alpha * n_r))
        self.layers = LayerVariables(n_layers, capacity, geometry.threshold, n_features)
        self.pattern = ShowerPattern(self.shape, geometry.threshold, n_features)
        n_table = 2 * n_layers + 1
        self.layer_flow = FlowMatching(
            ResidualMLP(n_table, n_features, options.layer_width, options.layer_depth),
            (n_table,),
            TablePrior(n_table),
            options.layer_steps,
            options.solver,
        )
        self.pattern_flow = FlowMatching(
            LayerTransformer(self.shape, self.pattern.n_context, options.width, options.depth, options.heads),
            self.shape,
            CylinderPrior(*self.shape),
            options.steps,
            options.solver,
        )

    def parameters_of(self, phase: str) -> list[torch.nn.Parameter]:
        """Parameters trained in `phase`."""
        parts = {
            "layer-marginals": self.layers,
            "layer-flow": self.layer_flow,
            "pattern-marginals": self.pattern,
            "pattern-flow": self.pattern_flow,
        }
        return list(parts[phase].parameters())

    def noise_spec(self, n: int) -> dict[str, NoiseSpec]:
        return {
            "layer_noise": self.layer_flow.noise_spec(n)["flow"],
            "cell_noise": self.pattern_flow.noise_spec(n)["flow"],
        }

    def sample(self, cond: Tensor, noise: Mapping[str, Tensor]) -> Tensor:
        """Showers (N, V, 1) in MeV at the conditions (N, K)."""
        energy, features = cond[:, 0], self.conditioning(cond)
        layer, hits = self.layers.decode(
            self.layer_flow.sample(features, {"flow": noise["layer_noise"]}), energy, features
        )
        context = self.pattern.context(energy, features, layer, hits)
        z = self.pattern_flow.sample(context, {"flow": noise["cell_noise"]})
        return self.pattern.decode(z, context, layer, hits).flatten(1)[..., None]

    def losses(self, batch: Batch, phase: str, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        energy, features = batch.cond[:, 0], self.conditioning(batch.cond)
        cells = batch.x.reshape(-1, *self.shape)
        if phase == "layer-marginals":
            dither = _uniform(cells.shape[:2], cells, generator)
            return {"nll": self.layers.nll(cells.flatten(2), energy, features, dither)}
        if phase == "layer-flow":
            z = self._layer_latents(cells, energy, features, generator)
            return self.layer_flow.losses(Batch(z, features), "flow", generator)
        context = self._context(cells, energy, features)
        if phase == "pattern-marginals":
            return {"nll": self.pattern.nll(cells, context)}
        if self.schema.is_axial:
            cells = _rotate_and_flip(cells, generator)
        z = self._pattern_latents(cells, context, generator)
        importance = self.pattern.occupancy(context).expand_as(z)
        return self.pattern_flow.weighted_losses(Batch(z, context), importance / importance.mean(), generator)

    @torch.no_grad()
    def begin_phase(self, phase: str, batch: Batch, generator: torch.Generator) -> None:
        """Fit normalisations and priors from a large `batch` of training showers."""
        if phase == "layer-marginals":
            self.conditioning.fit(batch.cond)
        energy, features = batch.cond[:, 0], self.conditioning(batch.cond)
        cells = batch.x.reshape(-1, *self.shape)
        flat = cells.flatten(2)
        if phase == "layer-marginals":
            self.layers.fit_start(flat, energy, features, _uniform(cells.shape[:2], cells, generator))
        elif phase == "layer-flow":
            cast(TablePrior, self.layer_flow.prior).fit(self._layer_latents(cells, energy, features, generator))
        elif phase == "pattern-marginals":
            self.pattern.fit_scale(energy, features, flat.sum(-1), (flat > 0).sum(-1).float())
            self.pattern.fit_start(cells, self._context(cells, energy, features))
        elif phase == "pattern-flow":
            parts = []
            for first in range(0, len(cells), 256):
                part = slice(first, first + 256)
                context = self._context(cells[part], energy[part], features[part])
                parts.append(self._pattern_latents(cells[part], context, generator))
            cast(CylinderPrior, self.pattern_flow.prior).fit(torch.cat(parts))

    def _context(self, cells: Tensor, energy: Tensor, features: Tensor) -> Tensor:
        flat = cells.flatten(2)
        return self.pattern.context(energy, features, flat.sum(-1), (flat > 0).sum(-1).float())

    @torch.no_grad()
    def _layer_latents(
        self, cells: Tensor, energy: Tensor, features: Tensor, generator: torch.Generator | None
    ) -> Tensor:
        dither = _uniform(cells.shape[:2], cells, generator)
        noise = torch.randn((len(cells), *self.layer_flow.event_shape), generator=generator, device=cells.device)
        return self.layers.encode(cells.flatten(2), energy, features, dither, noise)

    @torch.no_grad()
    def _pattern_latents(self, cells: Tensor, context: Tensor, generator: torch.Generator | None) -> Tensor:
        return self.pattern.encode(cells, context, _uniform(cells.shape, cells, generator))


def _uniform(shape: tuple[int, ...], like: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.rand(shape, generator=generator, device=like.device).clamp(1e-6, 1 - 1e-6)


def _rotate_and_flip(cells: Tensor, generator: torch.Generator | None) -> Tensor:
    """Rotate each shower (N, L, A, R) by a random number of sectors and mirror half of them."""
    n, layers, n_alpha, n_r = cells.shape
    shift = torch.randint(n_alpha, (n, 1), generator=generator, device=cells.device)
    sign = 2 * torch.randint(2, (n, 1), generator=generator, device=cells.device) - 1
    index = (shift + sign * torch.arange(n_alpha, device=cells.device)) % n_alpha
    return cells.gather(2, index[:, None, :, None].expand(n, layers, n_alpha, n_r))
