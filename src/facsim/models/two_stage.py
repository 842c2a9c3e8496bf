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
from facsim.models.base import Batch, EventModel, Method, NoiseSpec, draw_noise, sampling_mode
from facsim.models.choices import Choice
from facsim.models.layer_variables import LayerVariables
from facsim.models.methods import build_method, checked_method, method_phases, with_steps
from facsim.models.nets.conditioning import Conditioning
from facsim.models.nets.copula import PART, BinnedCopula
from facsim.models.nets.padding import GridPadding
from facsim.models.nets.shower_summary import ShowerSummary
from facsim.models.selection import LR_FACTOR, WEIGHT_DECAY, Selection, listed, of_candidates
from facsim.models.shower_pattern import ShowerPattern
from facsim.models.space import cylinder, table

LAYERS = Choice(name="flow-matching", prior="gaussian", steps=8)
PATTERN = Choice(name="flow-matching", prior="gaussian", prior_bins=4, steps=2)
STAGES = ("layer", "pattern")
MARGINALS, RATIO = "marginals", "ratio"
CALIBRATION_SHOWERS, CALIBRATIONS = 4096, 3


class TwoStageOptions(BaseModel):
    """Options of `TwoStageShower`.

    Args:
        layers: method of the first stage, by name and options (`methods.METHODS`).
        pattern: method of the second stage.
        steps: sampler steps of the pattern stage, in place of what `pattern` says.
        sweeps: Gibbs sweeps by which empty cells get latents in training that go with the hits around them
            (`nets.copula`), where the layers are alike and showers have no preferred azimuth; 0 fills each by itself.
        bins: ranges of incident energy in which empty cells get latents by their own covariance.
        layer_candidates: draws of the first stage of which a learned likelihood ratio keeps one (`selection`); None
            trains no ratio, and one candidate is kept as it is.
        candidates: the same of the second stage.
    """

    model_config = ConfigDict(extra="forbid")

    layers: Choice = LAYERS
    pattern: Choice = PATTERN
    steps: int | None = Field(None, ge=0, le=1000)
    sweeps: int = Field(2, ge=0)
    bins: int = Field(4, ge=1, le=64)
    layer_candidates: int | None = Field(None, ge=1, le=256)
    candidates: int | None = Field(None, ge=1, le=256)

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
    training_only = ("copula.", "layer_method.teacher.net.", "pattern_method.teacher.net.")
    refitted = (
        *("conditioning.", "layers.", "pattern.", "copula.", "selections."),
        *("layer_method.prior.", "pattern_method.prior."),
    )
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
        self.copula = BinnedCopula(self.padding.shape, options.bins) if symmetric else None
        self.layer_method = build_method(options.layers, table(2 * n_layers + 1), n_features)
        self.pattern_method = build_method(options.pattern_method, space, self.pattern.n_context)
        self.summary = ShowerSummary(self.padding, geometry.threshold)
        self.selections = nn.ModuleDict()
        if options.layer_candidates is not None:
            self.selections["layer"] = Selection(self.layers.n_summary)
        if options.candidates is not None:
            self.selections["pattern"] = Selection(self.summary.n_features + n_features)

    @classmethod
    def phases_of(cls, options: TwoStageOptions) -> tuple[str, ...]:
        """Marginals of a stage, the phases of its method, and the ratio of its selection if any, for both stages."""
        methods = {"layer": options.layers, "pattern": options.pattern_method}
        candidates = {"layer": options.layer_candidates, "pattern": options.candidates}
        return tuple(
            f"{stage}-{part}"
            for stage in STAGES
            for part in (MARGINALS, *method_phases(methods[stage]), *([] if candidates[stage] is None else [RATIO]))
        )

    def _parts(self, stage: str) -> tuple[nn.Module, Method]:
        return (self.layers, self.layer_method) if stage == "layer" else (self.pattern, self.pattern_method)

    def turns(self, phase: str) -> tuple[str, ...]:
        stage, _, part = phase.partition("-")
        if part in (MARGINALS, RATIO):
            return (phase,)
        return tuple(f"{stage}-{turn}" for turn in self._parts(stage)[1].turns(part))

    def parameters_of(self, turn: str) -> list[nn.Parameter]:
        """Parameters trained in `turn`."""
        stage, _, part = turn.partition("-")
        marginals, method = self._parts(stage)
        if part == RATIO:
            return list(self.selections[stage].parameters())
        return list(marginals.parameters()) if part == MARGINALS else method.parameters_of(part)

    def optimiser_of(self, turn: str) -> dict[str, object]:
        stage, _, part = turn.partition("-")
        if part == RATIO:
            return {"lr_factor": LR_FACTOR, "weight_decay": WEIGHT_DECAY}
        return {} if part == MARGINALS else self._parts(stage)[1].optimiser_of(part)

    def averaged(self, phase: str) -> list[nn.Parameter]:
        stage, _, part = phase.partition("-")
        return super().averaged(phase) if part in (MARGINALS, RATIO) else self._parts(stage)[1].averaged(part)

    def noise_spec(self, n: int) -> dict[str, NoiseSpec]:
        layer = of_candidates(self.layer_method.noise_spec(n), n, self.options.layer_candidates)
        pattern = of_candidates(self.pattern_method.noise_spec(n), n, self.options.candidates)
        return {f"layer_{name}": spec for name, spec in layer.items()} | {
            f"pattern_{name}": spec for name, spec in pattern.items()
        }

    def sample(self, cond: Tensor, noise: Mapping[str, Tensor]) -> Tensor:
        """Showers (N, V, 1) in MeV at the conditions (N, K)."""
        energy, features = cond[:, 0], self.conditioning(cond)
        layer, hits = self._layers(energy, features, _of("layer_", noise))
        context = self.pattern.context(energy, features, layer, hits)
        return self.padding.to_cells(self._cells_of(features, context, layer, hits, _of("pattern_", noise)))[..., None]

    def _layers(self, energy: Tensor, features: Tensor, noise: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Energies (N, L) in MeV and hits (N, L) of layers."""
        noise, uniform = listed(noise)
        params = self.layers.params(features)
        if uniform is None:
            return self.layers.decode(self.layer_method.sample(features, noise), energy, params)
        energy, features, params = (x.repeat_interleave(uniform.shape[1], 0) for x in (energy, features, params))
        layer, hits = self.layers.decode(self.layer_method.sample(features, noise), energy, params)
        kept = self._selection("layer").choose(self.layers.summary(layer, hits, energy, features), uniform)
        return layer[kept], hits[kept]

    def _cells_of(
        self, features: Tensor, context: Tensor, layer: Tensor, hits: Tensor, noise: dict[str, Tensor]
    ) -> Tensor:
        """Cells (N, L, A, R) in MeV of the layers."""
        noise, uniform = listed(noise)
        params = self.pattern.params(context)
        if uniform is None:
            return self._pattern(noise, context, params, layer, hits)
        n = uniform.shape[1]
        features, context, params, layer, hits = (
            x.repeat_interleave(n, 0) for x in (features, context, params, layer, hits)
        )
        cells = self._pattern(noise, context, params, layer, hits)
        return cells[self._selection("pattern").choose(self._summary(cells, features), uniform)]

    def _pattern(
        self, noise: Mapping[str, Tensor], context: Tensor, params: Tensor, layer: Tensor, hits: Tensor
    ) -> Tensor:
        z = self.padding.to_map(self.pattern_method.sample(context, noise).squeeze(-1))
        return self.pattern.decode(z, params, layer, hits)

    def _selection(self, stage: str) -> Selection:
        selection = self.selections[stage]
        assert isinstance(selection, Selection)
        return selection

    def _summary(self, cells: Tensor, features: Tensor) -> Tensor:
        return torch.cat([self.summary(cells), features], 1)

    def losses(self, batch: Batch, turn: str, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        stage, _, part = turn.partition("-")
        energy, features = batch.cond[:, 0], self.conditioning(batch.cond)
        cells = self._cells(batch)
        if part == RATIO:
            pair = self._summaries(stage, cells, energy, features, generator)
            return {"ratio": self._selection(stage).loss(*pair)}
        if stage == "layer":
            if part == MARGINALS:
                dither = _uniform(cells.shape[:2], cells, generator)
                return {"nll": self.layers.nll(cells.flatten(2), energy, features, dither)}
            z = self._layer_latents(cells, energy, features, generator)
            return self.layer_method.losses(Batch(z, features), part, generator)
        context = self._context(cells, energy, features)
        if part == MARGINALS:
            return {"nll": self.pattern.nll(cells, context)}
        if self.schema.is_axial:
            cells = self.padding.turned(cells, generator)
        return self.pattern_method.losses(self._pattern_batch(cells, context, energy, generator), part, generator)

    @torch.no_grad()
    def _summaries(
        self, stage: str, cells: Tensor, energy: Tensor, features: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        """What the ratio of `stage` is told of the true `cells`, and of one draw of the stage for each."""
        layer, hits = _of_layers(cells)
        noise = draw_noise(self._parts(stage)[1].noise_spec(len(cells)), generator or _random(cells.device))
        if stage == "layer":
            with sampling_mode(self):
                drawn = self._layers(energy, features, noise)
            true, false = (self.layers.summary(*each, energy, features) for each in ((layer, hits), drawn))
            return true, false
        context = self.pattern.context(energy, features, layer, hits)
        with sampling_mode(self):
            made = self._cells_of(features, context, layer, hits, noise)
        return self._summary(cells, features), self._summary(made, features)

    def _pattern_batch(
        self, cells: Tensor, context: Tensor, energy: Tensor, generator: torch.Generator | None
    ) -> Batch:
        z = self._pattern_latents(cells, context, energy, generator)
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
        if part == RATIO:
            first = slice(CALIBRATION_SHOWERS)
            self._selection(stage).fit(*self._summaries(stage, cells[first], energy[first], features[first], generator))
        elif phase == "layer-marginals":
            self.layers.fit_start(cells.flatten(2), energy, features, _uniform(cells.shape[:2], cells, generator))
        elif stage == "layer":
            z = self._layer_latents(cells, energy, features, generator)
            self.layer_method.begin_phase(part, Batch(z, features), generator)
        elif phase == "pattern-marginals":
            self.pattern.fit_scale(energy, features, *_of_layers(cells))
            self.pattern.fit_start(cells, self._context(cells, energy, features))
        else:
            context = self._context(cells, energy, features)
            if self.copula is not None:

                def latents(rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
                    z = self.pattern.encode(cells[rows], context[rows], _uniform(cells[rows].shape, cells, generator))
                    return z, cells[rows] > 0, self.pattern.threshold_latent(context[rows])

                self.copula.fit(energy, latents)
            if self.schema.is_axial and not self.padding.regular:  # priors of regular cylinders are symmetric anyway
                cells = self.padding.turned(cells, generator)
            parts = [
                self._pattern_latents(c, x, e, generator)
                for c, x, e in zip(*(torch.split(x, PART) for x in (cells, context, energy)), strict=True)
            ]
            self.pattern_method.begin_phase(part, Batch(torch.cat(parts), context), generator)

    @torch.no_grad()
    def end_phase(self, phase: str, batch: Batch, generator: torch.Generator) -> None:
        """Calibrate the spectra of cells: what keeps hit counts and energies exact moves them a little."""
        if phase != [name for name in self.phases if not name.endswith(RATIO)][-1]:
            return
        cells = self._cells(batch)[:CALIBRATION_SHOWERS]
        energy, features = batch.cond[: len(cells), 0], self.conditioning(batch.cond[: len(cells)])
        layer, hits = _of_layers(cells)
        context = self.pattern.context(energy, features, layer, hits)
        for _ in range(CALIBRATIONS):
            with sampling_mode(self):
                drawn = [
                    self._cells_of(f, c, e, n, draw_noise(self.pattern_method.noise_spec(len(c)), generator))
                    for f, c, e, n in zip(
                        *(torch.split(x, PART) for x in (features, context, layer, hits)), strict=True
                    )
                ]
            self.pattern.calibrate(cells, torch.cat(drawn))

    def _cells(self, batch: Batch) -> Tensor:
        """The showers (N, L, A, R), MeV; files may hold cells below threshold, which count as zero."""
        x = batch.x[..., 0]
        return self.padding.to_map(torch.where(x >= self.threshold * (1 - 1e-6), x, 0.0))

    def _context(self, cells: Tensor, energy: Tensor, features: Tensor) -> Tensor:
        return self.pattern.context(energy, features, *_of_layers(cells))

    @torch.no_grad()
    def _layer_latents(
        self, cells: Tensor, energy: Tensor, features: Tensor, generator: torch.Generator | None
    ) -> Tensor:
        dither = _uniform(cells.shape[:2], cells, generator)
        noise = torch.randn((len(cells), *self.layer_method.space.shape), generator=generator, device=cells.device)
        return self.layers.encode(cells.flatten(2), energy, features, dither, noise)

    @torch.no_grad()
    def _pattern_latents(
        self, cells: Tensor, context: Tensor, energy: Tensor, generator: torch.Generator | None
    ) -> Tensor:
        """Latents (N, V, 1) of the cells."""
        z = self.pattern.encode(cells, context, _uniform(cells.shape, cells, generator))
        if self.copula is not None:
            threshold = self.pattern.threshold_latent(context)
            z = self.copula.complete(z, cells > 0, threshold, energy, self.options.sweeps, generator)
        return self.padding.to_cells(z)[..., None]


def _of_layers(cells: Tensor) -> tuple[Tensor, Tensor]:
    """Energies (N, L) in MeV and hits (N, L) of the layers of `cells` (N, L, A, R)."""
    flat = cells.flatten(2)
    return flat.sum(-1), (flat > 0).sum(-1).float()


def _of(prefix: str, noise: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): array for name, array in noise.items() if name.startswith(prefix)}


def _uniform(shape: tuple[int, ...], like: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.rand(shape, generator=generator, device=like.device).clamp(1e-6, 1 - 1e-6)


def _random(device: torch.device) -> torch.Generator:
    rng = torch.Generator(device)
    rng.seed()
    return rng
