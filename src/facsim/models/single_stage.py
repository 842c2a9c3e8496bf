"""Any method on events of any representation: a transform to latents of order one, a condition, and the method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator
from torch import Tensor, nn

from facsim.core.schema import Schema
from facsim.models.base import Batch, EventModel, NoiseSpec, pad_clouds
from facsim.models.choices import Choice
from facsim.models.event_transforms import Cells, EventTransform, build_transform
from facsim.models.expected_weight import ExpectedWeight, mean_weight
from facsim.models.methods import build_method, checked_method, method_phases, with_steps
from facsim.models.multiplicity import Multiplicity
from facsim.models.nets.conditioning import Conditioning
from facsim.models.nets.given import TOKEN, GivenPoints, own_conditions, own_number
from facsim.models.steering import REGRESSOR, Steer, Steering
from facsim.models.totals import SUMS, Totals

ENERGIES = ("MeV", "GeV")
MOMENTUM = ("px", "py", "pz")
COUNTS = ("num_particles", "num_points")
WEIGHTS = "weights"
"""The phase in which expected weights are learned."""
METHOD = Choice(name="flow-matching", prior="gaussian", steps=8)


class GivenOptions(BaseModel):
    """How given points become conditions (`nets.given`).

    Args:
        outputs, width: of the network that reads them into features.
        attend: whether the points of clouds attend to them, too.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    outputs: int = Field(32, ge=1)
    width: int = Field(64, ge=1)
    attend: bool = False


class SingleStageOptions(BaseModel):
    """Options of `SingleStage`.

    Args:
        method: generative method, by name and options (`methods.METHODS`).
        transform: how features of tables and points become latents; cells have a transform of their own.
        cells: what becomes of cells below threshold: `spread` below it, or exact zeros that a `kinked` map sets apart.
        fractions: names of conditions that are coordinates in units of cells, whose fractional part is a feature too.
        event_weights: what losses count events with: their own weights, or what is expected of these given the event
            (`expected_weight`), which is not negative, so that every method takes signed weights.
        points: largest number of points of a cloud, in place of what the file says.
        given: how the method sees the given points of events that have some (`Schema.given`).
        totals: of jets, whether sum of pT, axis and width are drawn before the particles (`totals`).
        steer: a metric that training attends to (`steering`).
        steps: sampler steps, in place of what `method` says.
    """

    model_config = ConfigDict(extra="forbid")

    method: Choice = METHOD
    transform: Literal["quantile", "standard"] = "quantile"
    cells: Cells = "spread"
    fractions: tuple[str, ...] = ()
    event_weights: Literal["given", "expected"] = "given"
    points: int | None = Field(None, ge=1)
    given: GivenOptions = GivenOptions()
    totals: bool = False
    steer: Steer | None = None
    steps: int | None = Field(None, ge=0, le=1000)

    _known = field_validator("method")(checked_method)

    @property
    def chosen(self) -> Choice:
        """The method with the steps that are asked for, where it has steps."""
        return with_steps(self.method, self.steps)


class SingleStage(EventModel):
    """Tables, grids and clouds by one method (`methods.METHODS`), in latents of order one.

    Events are transformed by `event_transforms`. The number of points of a cloud is a condition where the events have
    one of that name (`num_particles`, `num_points`); else a small network gives its distribution, trained along with
    the first turn of the method. Event weights are what the method takes; they are divided by their mean over the
    training events, so that a sum over events means the same in every batch, whatever the weights in it.

    Raises:
        FacsimError: grids without geometry, or clouds of unknown size.
    """

    Options: ClassVar[type[BaseModel]] = SingleStageOptions
    training_only: ClassVar[tuple[str, ...]] = ("steering.", "weight_", "method.teacher.net.")
    options: SingleStageOptions
    weight_mean: Tensor

    def __init__(self, schema: Schema, options: SingleStageOptions) -> None:
        if schema.representation == "cloud" and options.points is not None:
            schema = replace(schema, points=options.points)
        super().__init__(schema, options)
        self.phases = self.phases_of(options)
        self.transform: EventTransform = build_transform(schema, options.transform, options.cells)
        names = [feature.name for feature in schema.scalar_conditions]
        fractions = tuple(schema.condition_index(name) for name in options.fractions)
        energy = bool(names) and schema.conditions[0].unit in ENERGIES
        px, py, pz = (names.index(name) if name in names else -1 for name in MOMENTUM)
        momentum = (px, py, pz) if min(px, py, pz) >= 0 else None
        self.conditioning = Conditioning(len(names), energy, fractions, momentum)
        self.given: GivenPoints | None = None
        space, n_features = self.transform.space, self.conditioning.n_features
        if schema.given:
            self.given = GivenPoints(schema.given, options.given.outputs, options.given.width)
            n_features += self.given.n_features
            if options.given.attend and schema.representation == "cloud":
                space = replace(space, given=(n_features, schema.given))
                n_features += TOKEN * schema.given
        self.totals = Totals(schema, own_number(n_features, space)) if options.totals else None
        n_cond = n_features + (SUMS if options.totals else 0)
        self.method = build_method(options.chosen, space, n_cond)
        self.weights = self.method.weights
        self.register_buffer("weight_mean", torch.ones(()))
        self.weight_net: ExpectedWeight | None = None
        if options.event_weights == "expected":
            self.weights = "signed"
            self.weight_net = ExpectedWeight(space, n_cond)
        self.count_column = next((names.index(name) for name in COUNTS if name in names), None)
        self.count: Multiplicity | None = None
        if schema.representation == "cloud" and self.count_column is None:
            self.count = Multiplicity(own_number(n_features, space), space.shape[0])
        self.first_turn = self.method.turns(self.method.phases[0])[0]
        self.steering: Steering | None = None
        if options.steer is not None:
            self.steering = Steering(options.steer, schema, self.method, self.transform)

    @classmethod
    def phases_of(cls, options: SingleStageOptions) -> tuple[str, ...]:
        phases = method_phases(options.chosen)
        return phases if options.event_weights == "given" else (WEIGHTS, *phases)

    def turns(self, phase: str) -> tuple[str, ...]:
        if phase == WEIGHTS:
            return (phase,)
        own = self.method.turns(phase)
        return own if self.steering is None else self.steering.turns(phase, own)

    def parameters_of(self, turn: str) -> list[nn.Parameter]:
        if turn == REGRESSOR and self.steering is not None:
            return self.steering.trained
        if turn == WEIGHTS and self.weight_net is not None:
            return list(self.weight_net.parameters())
        own = self.method.parameters_of(turn)
        return own if turn != self.first_turn else [*own, *self._beside]

    def optimiser_of(self, turn: str) -> dict[str, Any]:
        return {} if turn in (REGRESSOR, WEIGHTS) else self.method.optimiser_of(turn)

    def averaged(self, phase: str) -> list[nn.Parameter]:
        if phase == WEIGHTS:
            return self.parameters_of(phase)
        own = self.method.averaged(phase)
        return own if phase != self.method.phases[0] else [*own, *self._beside]

    @property
    def _beside(self) -> list[nn.Parameter]:
        """What is trained along with the first turn of the method; a critic, say, reads given points, and its generator
        takes what it finds, since both at once could hide from one another what they read."""
        parts = (self.count, self.given, self.totals)
        return [p for part in parts if part is not None for p in part.parameters()]

    def noise_spec(self, n: int) -> dict[str, NoiseSpec]:
        own = {} if self.count is None else {"multiplicity": NoiseSpec((n, 1), "uniform")}
        if self.totals is not None:
            own["totals"] = NoiseSpec((n, SUMS))
        return own | self.method.noise_spec(n)

    def sample(self, cond: Tensor, noise: Mapping[str, Tensor]) -> Tensor:
        """Events (N, *event_shape) at the conditions (N, K) in physical units."""
        features = self.features(cond)
        mask = self._mask(cond, features, noise)
        if self.totals is None or mask is None:
            x = self.transform.decode(self.method.sample(features, noise, mask))
        else:
            sums = self.totals.draw(own_conditions(features, self.method.space), mask, noise["totals"])
            x = self.transform.decode(self.method.sample(torch.cat([features, sums], -1), noise, mask))
            x = self.totals.restore(x, mask, sums, cond)
        if mask is None:
            return x
        present = mask.to(x)[..., None]
        return torch.cat([x * present, present], -1)

    def features(self, cond: Tensor) -> Tensor:
        """Conditions (N, K) in physical units as the method sees them."""
        if self.given is None:
            return self.conditioning(cond)  # type: ignore[no-any-return]
        n = len(self.schema.scalar_conditions)
        points = cond[:, n:]
        parts = [self.conditioning(cond[:, :n]), self.given(points)]
        if self.method.space.given is not None:
            parts.append(self.given.tokens(points).flatten(1))
        return torch.cat(parts, -1)

    def _mask(self, cond: Tensor, features: Tensor, noise: Mapping[str, Tensor]) -> Tensor | None:
        if self.schema.representation != "cloud":
            return None
        if self.count_column is not None:
            count = cond[:, self.count_column : self.count_column + 1].round()
        else:
            assert self.count is not None
            count = self.count.draw(own_conditions(features, self.method.space), noise["multiplicity"])
        return torch.arange(self.transform.space.shape[0], device=cond.device) < count

    def losses(self, batch: Batch, turn: str, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        physical = self._padded(batch)
        latents = self._latents(physical, generator, symmetric=self.schema.is_axial)
        if turn == WEIGHTS and self.weight_net is not None:
            return {"weights": self.weight_net.loss(latents)}
        latents = self._counted(latents)
        if self.given is not None and turn == self.first_turn:
            cond = self.features(batch.cond)  # with gradients
            latents = replace(latents, cond=torch.cat([cond, latents.cond[:, cond.shape[1] :]], -1))
        if self.steering is not None and turn == REGRESSOR:
            return self.steering.regression(physical, latents, generator)
        losses = self.method.losses(latents, turn, generator)
        if self.steering is not None and turn == self.steering.turn:
            losses = losses | self.steering.losses(physical, latents, generator)
        if turn == self.first_turn:
            losses = losses | self._losses_beside(latents, generator)
        return losses

    def _losses_beside(self, latents: Batch, generator: torch.Generator | None) -> dict[str, Tensor]:
        """Of the numbers of points and of sums, which are known before the points."""
        found = {}
        own, sums = self._own(latents.cond)
        if self.count is not None:
            assert latents.mask is not None
            found["multiplicity"] = self.count.loss(own, latents.mask.sum(1), latents.weight)
        if self.totals is not None:
            found["totals"] = self.totals.loss(replace(latents, cond=own), sums, generator)
        return found

    def _own(self, cond: Tensor) -> tuple[Tensor, Tensor]:
        """Of what the method sees of an event: conditions without given points, and sums, none where there are none."""
        own = own_conditions(cond, self.method.space)
        n = own.shape[1] - (0 if self.totals is None else SUMS)
        return own[:, :n], own[:, n:]

    @torch.no_grad()
    def begin_phase(self, phase: str, batch: Batch, generator: torch.Generator) -> None:
        """Fit the transform and the normalisations before the first phase, and whatever the method fits before each."""
        batch = self._padded(batch)
        if phase == self.phases[0]:
            self.weight_mean.copy_(mean_weight(batch.weight))
            self.conditioning.fit(batch.cond[:, : len(self.schema.scalar_conditions)], batch.weight)
            if self.given is not None:
                self.given.fit(batch.cond[:, len(self.schema.scalar_conditions) :])
            self.transform.fit(batch.x, batch.mask, batch.weight, generator)
            self.method.know(self.transform.intervals())
            if self.count is not None:
                assert batch.mask is not None
                self.count.fit(batch.mask.sum(1))
            if self.totals is not None:
                self.totals.fit(batch)
            if self.steering is not None:
                self.steering.fit(batch)
        if phase != WEIGHTS:
            latents = self._counted(self._latents(batch, generator, symmetric=False))
            if self.totals is not None and phase == self.method.phases[0]:
                assert latents.mask is not None
                own, sums = self._own(latents.cond)
                self.totals.begin_phase(own, latents.mask, sums, generator)
            self.method.begin_phase(phase, latents, generator)

    @torch.no_grad()
    def _counted(self, latents: Batch) -> Batch:
        """The same with the weights that losses count events with."""
        if self.weight_net is None or latents.weight is None:
            return latents
        return replace(latents, weight=self.weight_net(latents))

    @torch.no_grad()
    def _latents(self, batch: Batch, generator: torch.Generator | None, symmetric: bool) -> Batch:
        x = self.transform.turned(batch.x, generator) if symmetric else batch.x
        z = self.transform.encode(x, generator)
        if batch.mask is not None:
            z = z * batch.mask[..., None]
        weight = None if batch.weight is None else batch.weight / self.weight_mean
        cond = self.features(batch.cond)
        if self.totals is not None:
            cond = torch.cat([cond, self.totals.encode(batch, generator)], -1)
        return replace(batch, x=z, cond=cond, weight=weight)

    def _padded(self, batch: Batch) -> Batch:
        if self.schema.representation != "cloud":
            return batch
        return pad_clouds(batch, self.transform.space.shape[0])
