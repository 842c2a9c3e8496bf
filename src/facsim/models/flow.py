"""Normalising flows: invertible maps from noise to data with a tractable density, trained by maximum likelihood."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from zuko.flows import NSF

from facsim.core.errors import FacsimError
from facsim.models.base import Batch, Method, MethodOptions, NoiseSpec, event_loss, weighted_mean
from facsim.models.nets.coupling_layer import CouplingLayer, halves
from facsim.models.nets.library_prior import flat_condition
from facsim.models.space import Space

LOG_2PI = math.log(2 * math.pi)


class FlowOptions(MethodOptions):
    """Options of `Flow`."""

    kind: Literal["coupling", "autoregressive"] = "coupling"
    layers: int = Field(6, ge=1, description="transformations, one after the other")
    bins: int = Field(8, ge=2, description="of each spline")
    width: int = Field(128, ge=1, description="hidden width of an autoregressive flow")
    depth: int = Field(2, ge=1, description="hidden layers of an autoregressive flow")
    student: bool = Field(False, description="a fast inverse of an autoregressive flow, which samples in its place")

    @model_validator(mode="after")
    def _fitting(self) -> FlowOptions:
        if self.kind == "autoregressive" and self.network is not None:
            raise ValueError("an autoregressive flow has a masked network of its own (width, depth): no 'network'")
        if self.student and self.kind != "autoregressive":
            raise ValueError("a coupling flow is fast in both directions: a student needs 'kind: autoregressive'")
        return self


class Flow(Method):
    """Neural spline flow (Durkan et al., arXiv 1906.04032).

    `coupling`: half of an event moves given the other half, by any network of facsim; fast both ways.

    `autoregressive`: every number moves given those before it (masked autoregressive flow, arXiv 1705.07057, of zuko,
    on flattened tables and grids, with a masked network of its own). A density takes one pass, a sample as many as
    there are numbers: that is too long a graph to export. With `student`, a second flow of the same kind in the other
    direction learns to undo the first in one pass, as in CaloFlow (arXiv 2110.11377): x(z) has to lead back to the
    noise z, and z(x) to the event x. It samples, and exports.

    Signed weights: the loss is a sum over events, and the slopes of a spline lie within fixed bounds, so that no event
    makes it infinite. A student learns a function, for which sizes of weights will do.

    Raises:
        FacsimError: an autoregressive flow of clouds, or a cloud of points with a single feature.
    """

    Options: ClassVar[type[MethodOptions]] = FlowOptions
    weights = "signed"
    mean: Tensor
    std: Tensor

    def __init__(self, space: Space, n_cond: int, options: FlowOptions) -> None:
        super().__init__(space, n_cond, options)
        self.options, self.phases = options, self.phases_of(options)
        self.exports = options.kind == "coupling" or options.student
        is_cloud = space.representation == "cloud"
        if is_cloud and (options.kind == "autoregressive" or space.channels < 2):
            raise FacsimError(
                "the flow of a cloud needs 'kind: coupling' and points of at least two features, "
                f"not '{options.kind}' and {space.channels}: choose another method."
            )
        size = space.channels if is_cloud else space.size
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("std", torch.ones(size))
        if options.kind == "coupling":
            moves = halves(space)
            layers = (moves[k % len(moves)] for k in range(options.layers))
            self.layers = nn.ModuleList(CouplingLayer(space, n_cond, options.network, m, options.bins) for m in layers)
            return
        given: dict[str, Any] = {"transforms": options.layers, "hidden_features": [options.width] * options.depth}
        context = n_cond * max(len(space.layers), 1)
        self.teacher: Any = NSF(size, context, options.bins, **given)
        self.pupil: Any = NSF(size, context, options.bins, **given) if options.student else None

    @classmethod
    def phases_of(cls, options: FlowOptions) -> tuple[str, ...]:
        return ("flow", "student") if options.student else ("flow",)

    def parameters_of(self, turn: str) -> list[nn.Parameter]:
        if self.options.kind == "coupling":
            return list(self.parameters())
        return list((self.pupil if turn == "student" else self.teacher).parameters())

    @torch.no_grad()
    def begin_phase(self, phase: str, batch: Batch, generator: torch.Generator) -> None:
        """Take means and spreads of all numbers."""
        if phase == "flow":
            x = batch.x.flatten(1) if batch.mask is None else batch.x[batch.mask]
            self.mean.copy_(x.mean(0))
            self.std.copy_(x.std(0, correction=0).clamp(min=1e-3))

    def noise_spec(self, n: int) -> dict[str, NoiseSpec]:
        return {"noise": NoiseSpec((n, *self.space.shape))}

    def _numbers(self, x: Tensor) -> Tensor:
        """(N, D), for clouds (N, P, D)."""
        return x if self.space.representation == "cloud" else x.flatten(1)

    def losses(self, batch: Batch, turn: str, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        x = (self._numbers(batch.x) - self.mean) / self.std
        if self.options.kind == "coupling":
            z, slope = x, torch.zeros_like(x)
            for layer in self.layers:
                z, more = layer(z, batch.cond, batch.mask)
                slope = slope + more
            nll = 0.5 * (z**2 + LOG_2PI) - slope + self.std.log()
            return {"nll": event_loss(nll.reshape(batch.x.shape), replace(batch, importance=None))}
        c = flat_condition(self.space, batch.cond)
        if turn == "flow":
            nll = self.std.log().mean() - self.teacher(c).log_prob(x) / x.shape[1]
            return {"nll": weighted_mean(nll, batch.weight)}
        z = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
        to_noise, to_data = self.teacher.transform(c), self.pupil.transform(c)
        errors = {"noise": to_noise(to_data(z)) - z, "data": to_data(to_noise(x).detach()) - x}
        size = None if batch.weight is None else batch.weight.abs()
        return {name: weighted_mean((error**2).mean(1), size) for name, error in errors.items()}

    def sample(self, cond: Tensor, noise: Mapping[str, Tensor], mask: Tensor | None = None) -> Tensor:
        x = self._numbers(noise["noise"])
        if self.options.kind == "coupling":
            for layer in reversed(self.layers):
                assert isinstance(layer, CouplingLayer)
                x = layer.inverse(x, cond, mask)
        else:
            c = flat_condition(self.space, cond)
            x = self.pupil.transform(c)(x) if self.options.student else self.teacher.transform(c).inv(x)
        return (self.mean + self.std * x).reshape(-1, *self.space.shape)
