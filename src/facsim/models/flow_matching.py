"""Flow matching: a velocity field from a prior to the data, learned from straight or circular paths between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from facsim.models.base import Batch, MethodOptions, NoiseSpec, event_loss
from facsim.models.coupling import drawn_by_weight, optimal_coupling
from facsim.models.nets import build_network
from facsim.models.nets.given import own_conditions
from facsim.models.nets.library_prior import LibraryPrior
from facsim.models.nets.prior import build_prior
from facsim.models.probability_flow import RATES, PathName, ProbabilityFlow, path_at
from facsim.models.solvers import SOLVERS
from facsim.models.space import Space

LATEST: dict[PathName, float] = {"linear": 0.95, "trigonometric": 0.968}
"""Times at which the share of noise is 0.05."""


class FlowMatchingOptions(MethodOptions):
    """Options of `FlowMatching`."""

    steps: int = Field(4, ge=0, le=1000, description="solver steps; 0 samples the prior alone")
    solver: Literal["euler", "heun", "midpoint"] = "euler"
    prior: Literal["white", "gaussian", "library"] = "white"
    prior_bins: int = Field(1, ge=1, le=64, description="ranges of the first condition with a Gaussian prior each")
    library_events: int = Field(512, ge=1, description="training events kept by the library prior")
    library_near: int = Field(8, ge=1, description="events near in condition that one is picked from")
    library_width: float = Field(0.3, gt=0, description="noise on a picked event")
    path: PathName = "trigonometric"
    coupling: Literal["independent", "optimal-transport"] = "independent"
    condition_cost: float = Field(100.0, ge=0, description="of coupling a prior draw with an event of other conditions")
    prediction: Literal["velocity", "x"] = "velocity"
    times: Literal["uniform", "logit-normal"] = "uniform"

    @model_validator(mode="after")
    def _bins_of_a_gaussian(self) -> FlowMatchingOptions:
        if self.prior_bins > 1 and self.prior != "gaussian":
            raise ValueError(f"prior_bins are of the prior 'gaussian', and there is none in '{self.prior}'")
        return self


class FlowMatching(ProbabilityFlow):
    """Conditional flow matching (Lipman et al., arXiv 2210.02747).

    x_t = a x_0 + b x_1 with x_0 from the prior. On the trigonometric path, and when the prior has the data's covariance
    (`gaussian`), the variance is constant along the path and the velocity vanishes for Gaussian data, so the network,
    whose last layer starts at zero, learns only what the prior lacks and few solver steps are enough.

    `prediction: x` lets the network give the event, of which a velocity is made; the loss is the velocity's all the
    same, with the share of noise taken as 0.05 at least (arXiv 2511.13720). `times: logit-normal` trains more at
    middle times (arXiv 2403.03206). `coupling: optimal-transport` straightens the flow (`coupling.optimal_coupling`);
    events are then drawn by weight.

    Signed weights: the loss is a sum over events, so its expectation is right, and its least value is where noisy
    states have the velocity expected of them. On few events it has none, since an error where weights are negative
    pays: train on many, or with what is expected of the weights (`SingleStage`, `event_weights`). Events cannot be
    drawn by negative weights, so optimal transport and the library prior take positive ones.
    """

    Options: ClassVar[type[MethodOptions]] = FlowMatchingOptions

    def __init__(self, space: Space, n_cond: int, options: FlowMatchingOptions) -> None:
        super().__init__(space, n_cond, options)
        self.net = build_network(options.network, space, space.channels, space.channels, n_cond)
        self.library: LibraryPrior | None = None
        if options.prior == "library":
            sizes = options.library_events, options.library_near
            self.library = LibraryPrior(space, n_cond, *sizes, options.library_width)
        else:
            self.prior = build_prior(options.prior, space, options.prior_bins)
        self.options, self.path = options, options.path
        draws = options.coupling == "optimal-transport" or options.prior == "library"
        self.weights = "positive" if draws else "signed"

    def noise_spec(self, n: int) -> dict[str, NoiseSpec]:
        specs = {"noise": NoiseSpec((n, *self.space.shape))}
        return specs if self.library is None else {**specs, "pick": NoiseSpec((n,), "uniform")}

    @torch.no_grad()
    def begin_phase(self, phase: str, batch: Batch, generator: torch.Generator) -> None:
        """Fit the prior."""
        if self.library is None:
            self.prior.fit(batch.x, batch.cond, batch.mask)
        else:
            self.library.fit(batch.x, batch.cond, batch.mask, batch.weight, generator)

    def start(self, noise: Mapping[str, Tensor], cond: Tensor) -> Tensor:
        found: Tensor
        if self.library is None:
            found = self.prior(noise["noise"], cond)
        else:
            found = self.library(noise["noise"], noise["pick"], cond)
        return found

    @torch.no_grad()
    def pair(self, batch: Batch, generator: torch.Generator | None) -> Tensor:
        x1 = batch.x
        noise = {"noise": torch.randn(x1.shape, generator=generator, device=x1.device, dtype=x1.dtype)}
        if self.library is not None:
            noise["pick"] = torch.rand(len(x1), generator=generator, device=x1.device)
        x0 = self.start(noise, batch.cond)
        if self.options.coupling == "independent":
            return x0
        return x0[
            optimal_coupling(x0, x1, own_conditions(batch.cond, self.space), batch.mask, self.options.condition_cost)
        ]

    def losses(self, batch: Batch, turn: str, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        if self.options.coupling != "independent":
            batch = drawn_by_weight(batch, generator)
        x1, x0 = batch.x, self.pair(batch, generator)
        if self.options.times == "uniform":
            t = torch.rand(len(x1), generator=generator, device=x1.device)
        else:
            t = torch.randn(len(x1), generator=generator, device=x1.device).sigmoid()
        path = path_at(self.path, t, x1)
        x_t = path.a * x0 + path.b * x1
        target = path.da * x0 + path.db * x1
        if self.options.prediction == "x":
            # what follows from the true event, so that the least share of noise is the same on both sides
            target = self._velocity_to(x1, x_t, t)
        error = (self._slope(x_t, t, batch.cond, batch.mask) - target) ** 2
        return {"flow": event_loss(error, batch)}

    def _slope(self, x: Tensor, t: Tensor, cond: Tensor, mask: Tensor | None, net: nn.Module | None = None) -> Tensor:
        """dx / ds in the path's own parameter."""
        found: Tensor = (net or self.net)(x, t, cond, mask)
        return found if self.options.prediction == "velocity" else self._velocity_to(found, x, t)

    def _velocity_to(self, x1: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """dx / ds on the path that goes through `x` to `x1`."""
        path = path_at(self.path, t.clamp(max=LATEST[self.path]), x)
        return path.da / path.a * x + (path.db - path.da * path.b / path.a) * x1

    def velocity(self, x: Tensor, t: Tensor, cond: Tensor, mask: Tensor | None, net: nn.Module | None = None) -> Tensor:
        return RATES[self.path] * self._slope(x, t, cond, mask, net)

    def sample(self, cond: Tensor, noise: Mapping[str, Tensor], mask: Tensor | None = None) -> Tensor:
        x = self.start(noise, cond)
        if self.options.steps == 0:
            return x

        def velocity(x: Tensor, t: float) -> Tensor:
            return self.velocity(x, x.new_full((1,), t), cond, mask)

        return SOLVERS[self.options.solver](velocity, x, self.options.steps)
