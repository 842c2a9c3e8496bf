"""Showers in two stages that conserve energy: layer energies and hits first, then the pattern inside the layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator
from torch import Tensor, nn

from facsim.core.errors import FacsimError
from facsim.core.geometry import CylinderGeometry
from facsim.core.schema import Schema
from facsim.models.base import Batch, EventModel, Method, NoiseSpec, draw_noise
from facsim.models.choices import Choice
from facsim.models.layer_variables import LayerVariables
from facsim.models.methods import build_method, checked_method, method_phases, with_steps
from facsim.models.nets.conditioning import Conditioning
from facsim.models.nets.copula import CylinderCopula
from facsim.models.nets.padding import GridPadding
from facsim.models.shower_pattern import ShowerPattern
from facsim.models.space import cylinder, table

LAYERS = Choice(name="flow-matching", prior="gaussian", steps=8)
PATTERN = Choice(name="flow-matching", prior="gaussian", steps=2)
STAGES = ("layer", "pattern")
PART = 256
"""Showers encoded at a time in closed-form fits."""
CALIBRATION_SHOWERS, CALIBRATIONS = 4096, 3


class TwoStageOptions(BaseModel):
    """Options of `TwoStageShower`.

    Args:
        layers: method of the first stage, by name and options (`methods.METHODS`).
        pattern: method of the second stage.
        steps: sampler steps of the pattern stage, in place of what `pattern` says.
        sweeps: Gibbs sweeps by which empty cells get latents in training that go with the hits around them
            (`nets.copula`), where the layers are alike and showers have no preferred azimuth; 0 fills each by itself.
    """

    model_config = ConfigDict(extra="forbid")

    layers: Choice = LAYERS
    pattern: Choice = PATTERN
    steps: int | None = Field(None, ge=0, le=1000)
    sweeps: int = Field(2, ge=0)

    _known = field_validator("layers", "pattern")(checked_method)

    @property
    def pattern_method(self) -> Choice:
        """The second stage's method with the steps that are asked for, where it has steps."""
        return with_steps(self.pattern, self.steps)


class TwoStageShower(EventModel):
    """Energy-conserving shower model on a cylinder, whose layers may differ.

    Stage one draws the total energy, the number of hits and the energy of every layer given the condition; stage two
    draws the cells given those. Each stage is a map to latents with exact one-dimensional distributions
    (`nets.marginals`) and any generative method (`methods.METHODS`) for these latents. The order of the stages follows
    CaloFlow (arXiv 2106.05285) and CaloDREAM (arXiv 2405.09629).

    Raises:
        FacsimError: the events are not showers on a cylinder conditioned on an incident energy.
    """

    weights = "none"
    training_only = ("copula.",)
    Options: ClassVar[type[BaseModel]] = TwoStageOptions

    options: TwoStageOptions

    def __init__(self, schema: Schema, options: TwoStageOptions) -> None:
        super().__init__(schema, options)
        geometry = schema.geometry
        if not isinstance(geometry, CylinderGeometry) or geometry.threshold <= 0:
            raise FacsimError(
                "the model 'two-stage' needs a cylinder of layers with a cell threshold, not "
                f"{'events without geometry' if geometry is None else repr(geometry.name)}."
            )
        if schema.condition_index("incident_energy") != 0:
            raise FacsimError("the first condition must be 'incident_energy' (MeV).")
        self.phases = self.phases_of(options)
        n_layers, self.threshold = geometry.n_layers, geometry.threshold
        space = cylinder(geometry)
        self.padding = GridPadding(space)
        self.conditioning = Conditioning(len(schema.conditions))
        n_features = self.conditioning.n_features
        self.layers = LayerVariables(n_layers, self.padding.capacity, geometry.threshold, n_features)
        self.pattern = ShowerPattern(self.padding, geometry.threshold, n_features)
        symmetric = self.padding.regular and schema.is_axial and options.sweeps > 0
        self.copula = CylinderCopula(self.padding.shape) if symmetric else None
        self.layer_method = build_method(options.layers, table(2 * n_layers + 1), n_features)
        self.pattern_method = build_method(options.pattern_method, space, self.pattern.n_context)

    @classmethod
    def phases_of(cls, options: TwoStageOptions) -> tuple[str, ...]:
        """Marginals of a stage, then the phases of its method, for both stages."""
        methods = {"layer": options.layers, "pattern": options.pattern_method}
        return tuple(f"{stage}-{part}" for stage in STAGES for part in ("marginals", *method_phases(methods[stage])))

    def _parts(self, stage: str) -> tuple[nn.Module, Method]:
        return (self.layers, self.layer_method) if stage == "layer" else (self.pattern, self.pattern_method)

    def turns(self, phase: str) -> tuple[str, ...]:
        stage, _, part = phase.partition("-")
        if part == "marginals":
            return (phase,)
        return tuple(f"{stage}-{turn}" for turn in self._parts(stage)[1].turns(part))

    def parameters_of(self, turn: str) -> list[nn.Parameter]:
        """Parameters trained in `turn`."""
        stage, _, part = turn.partition("-")
        marginals, method = self._parts(stage)
        return list(marginals.parameters()) if part == "marginals" else method.parameters_of(part)

    def optimiser_of(self, turn: str) -> dict[str, object]:
        stage, _, part = turn.partition("-")
        return {} if part == "marginals" else self._parts(stage)[1].optimiser_of(part)

    def averaged(self, phase: str) -> list[nn.Parameter]:
        stage, _, part = phase.partition("-")
        return super().averaged(phase) if part == "marginals" else self._parts(stage)[1].averaged(part)

    def noise_spec(self, n: int) -> dict[str, NoiseSpec]:
        layer = {f"layer_{name}": spec for name, spec in self.layer_method.noise_spec(n).items()}
        return layer | {f"pattern_{name}": spec for name, spec in self.pattern_method.noise_spec(n).items()}

    def sample(self, cond: Tensor, noise: Mapping[str, Tensor]) -> Tensor:
        """Showers (N, V, 1) in MeV at the conditions (N, K)."""
        energy, features = cond[:, 0], self.conditioning(cond)
        layer, hits = self.layers.decode(self.layer_method.sample(features, _of("layer_", noise)), energy, features)
        context = self.pattern.context(energy, features, layer, hits)
        return self.padding.to_cells(self._pattern(_of("pattern_", noise), context, layer, hits))[..., None]

    def _pattern(self, noise: Mapping[str, Tensor], context: Tensor, layer: Tensor, hits: Tensor) -> Tensor:
        z = self.padding.to_map(self.pattern_method.sample(context, noise)[..., 0])
        return self.pattern.decode(z, context, layer, hits)

    def losses(self, batch: Batch, turn: str, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        stage, _, part = turn.partition("-")
        energy, features = batch.cond[:, 0], self.conditioning(batch.cond)
        cells = self._cells(batch)
        if stage == "layer":
            if part == "marginals":
                dither = _uniform(cells.shape[:2], cells, generator)
                return {"nll": self.layers.nll(cells.flatten(2), energy, features, dither)}
            z = self._layer_latents(cells, energy, features, generator)
            return self.layer_method.losses(Batch(z, features), part, generator)
        context = self._context(cells, energy, features)
        if part == "marginals":
            return {"nll": self.pattern.nll(cells, context)}
        if self.schema.is_axial:
            cells = self.padding.turned(cells, generator)
        return self.pattern_method.losses(self._pattern_batch(cells, context, generator), part, generator)

    def _pattern_batch(self, cells: Tensor, context: Tensor, generator: torch.Generator | None) -> Batch:
        z = self._pattern_latents(cells, context, generator)
        importance = self.padding.to_cells(self.pattern.occupancy(context).expand_as(cells))[..., None]
        return Batch(z, context, importance=importance / importance.mean())

    @torch.no_grad()
    def begin_phase(self, phase: str, batch: Batch, generator: torch.Generator) -> None:
        """Fit normalisations and priors from a large `batch` of training showers."""
        stage, _, part = phase.partition("-")
        if phase == "layer-marginals":
            self.conditioning.fit(batch.cond)
        energy, features = batch.cond[:, 0], self.conditioning(batch.cond)
        cells = self._cells(batch)
        flat = cells.flatten(2)
        if phase == "layer-marginals":
            self.layers.fit_start(flat, energy, features, _uniform(cells.shape[:2], cells, generator))
        elif stage == "layer":
            z = self._layer_latents(cells, energy, features, generator)
            self.layer_method.begin_phase(part, Batch(z, features), generator)
        elif phase == "pattern-marginals":
            self.pattern.fit_scale(energy, features, flat.sum(-1), (flat > 0).sum(-1).float())
            self.pattern.fit_start(cells, self._context(cells, energy, features))
        else:
            context = self._context(cells, energy, features)
            if self.copula is not None:
                self.copula.fit(self._moments(self.copula, cells, context, generator))
            if self.schema.is_axial and not self.padding.regular:  # priors of regular cylinders are symmetric anyway
                cells = self.padding.turned(cells, generator)
            parts = [
                self._pattern_latents(cells[first : first + PART], context[first : first + PART], generator)
                for first in range(0, len(cells), PART)
            ]
            self.pattern_method.begin_phase(part, Batch(torch.cat(parts), context), generator)

    @torch.no_grad()
    def end_phase(self, phase: str, batch: Batch, generator: torch.Generator) -> None:
        """Calibrate the spectra of cells: what keeps hit counts and energies exact moves them a little."""
        if phase != self.phases[-1]:
            return
        cells = self._cells(batch)[:CALIBRATION_SHOWERS]
        energy, features = batch.cond[: len(cells), 0], self.conditioning(batch.cond[: len(cells)])
        layer, hits = cells.flatten(2).sum(-1), (cells.flatten(2) > 0).sum(-1).float()
        context = self.pattern.context(energy, features, layer, hits)
        for _ in range(CALIBRATIONS):
            drawn = [
                self._pattern(draw_noise(self.pattern_method.noise_spec(len(c)), generator), c, e, n)
                for c, e, n in zip(context.split(PART), layer.split(PART), hits.split(PART), strict=True)  # type: ignore[no-untyped-call]
            ]
            self.pattern.calibrate(cells, torch.cat(drawn))

    def _cells(self, batch: Batch) -> Tensor:
        """The showers (N, L, A, R), MeV; files may hold cells below threshold, which count as zero."""
        x = batch.x[..., 0]
        return self.padding.to_map(torch.where(x >= self.threshold * (1 - 1e-6), x, 0.0))

    def _context(self, cells: Tensor, energy: Tensor, features: Tensor) -> Tensor:
        flat = cells.flatten(2)
        return self.pattern.context(energy, features, flat.sum(-1), (flat > 0).sum(-1).float())

    @torch.no_grad()
    def _layer_latents(
        self, cells: Tensor, energy: Tensor, features: Tensor, generator: torch.Generator | None
    ) -> Tensor:
        dither = _uniform(cells.shape[:2], cells, generator)
        noise = torch.randn((len(cells), *self.layer_method.space.shape), generator=generator, device=cells.device)
        return self.layers.encode(cells.flatten(2), energy, features, dither, noise)

    @torch.no_grad()
    def _pattern_latents(self, cells: Tensor, context: Tensor, generator: torch.Generator | None) -> Tensor:
        """Latents (N, V, 1) of the cells."""
        z = self.pattern.encode(cells, context, _uniform(cells.shape, cells, generator))
        if self.copula is not None:
            threshold = self.pattern.threshold_latent(context)
            z = self.copula.complete(z, cells > 0, threshold, self.options.sweeps, generator)
        return self.padding.to_cells(z)[..., None]

    def _moments(
        self, copula: CylinderCopula, cells: Tensor, context: Tensor, generator: torch.Generator | None
    ) -> Tensor:
        total = cells.new_zeros(())
        for first in range(0, len(cells), PART):
            part = slice(first, first + PART)
            z = self.pattern.encode(cells[part], context[part], _uniform(cells[part].shape, cells, generator))
            total = total + copula.moments(z, cells[part] > 0, self.pattern.threshold_latent(context[part]))
        return total


def _of(prefix: str, noise: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): array for name, array in noise.items() if name.startswith(prefix)}


def _uniform(shape: tuple[int, ...], like: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.rand(shape, generator=generator, device=like.device).clamp(1e-6, 1 - 1e-6)
