"""Tables, one number after the other, each by a density of its own that may have jumps and atoms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from facsim.core.schema import Representation
from facsim.models.base import Batch, Method, MethodOptions, NoiseSpec, event_loss
from facsim.models.nets import build_network
from facsim.models.nets.base import Network, last_layer
from facsim.models.nets.piecewise import PiecewiseLinearDensity, knots_with_intervals
from facsim.models.nets.spectrum import SpectrumMap
from facsim.models.space import Space, table

READ = 2
"""Numbers by which a later one sees an earlier one: its value, and whether that lies in an interval."""
LARGEST = 6.0
"""Standard deviations up to which networks are told how far a number lies out."""
MOST = 8
"""Intervals of a column."""
NOWHERE = 1e30
NEAR = 10.0
SMALLEST = 1e-6
_EDGE = 1e-7
ACTIVATIONS = {"relu": nn.ReLU, "silu": nn.SiLU}


class AutoregressiveOptions(MethodOptions):
    """Options of `Autoregressive`; with a `network`, each number has one of that kind in place of the small one."""

    bins: int = Field(32, ge=1, description="intervals of each density, of equal share of all events")
    width: int = Field(64, ge=1, description="hidden width of each number's network")
    depth: int = Field(2, ge=1, description="its hidden layers")
    activation: Literal["relu", "silu"] = "relu"
    floor: float = Field(1e-3, gt=0, lt=1, description="share of each density that depends on nothing")


class Autoregressive(Method):
    """p(x_1 | c) p(x_2 | x_1, c) ... of the columns of a table, by maximum likelihood.

    Each number first goes through the distribution function of all training events (`SpectrumMap`, whose tails go on
    exponentially), so that what is left has a density on (0, 1) near one. A small network gives that density given
    condition and earlier numbers: linear between knots (`nets.piecewise`), as smooth as splines and sampled in closed
    form by one uniform number. Where the transform of the events gives intervals that stand for values that occur
    exactly (`know`), an interval is a bin of its own: its probability is exact, later networks are told whether it
    occurred and not where in it.

    Signed weights: the loss is a sum over events, so its expectation is that of the weighted distribution. On a finite
    sample -w log p with w < 0 would fall for ever as p goes to 0 (arXiv 1905.11719, section 3); here a share `floor` of
    each density is fixed, so that -log p is at most -log(floor) and, with bins of finite width, at least some number:
    no event can make the loss infinite. Weights are normalised by those of all training events, not of the batch.
    """

    phases = ("likelihood",)
    weights = "signed"
    representations: ClassVar[tuple[Representation, ...]] = ("table",)
    Options: ClassVar[type[MethodOptions]] = AutoregressiveOptions
    mean: Tensor
    std: Tensor
    intervals: Tensor

    def __init__(self, space: Space, n_cond: int, options: AutoregressiveOptions) -> None:
        super().__init__(space, n_cond, options)
        self.options, self.n = options, space.channels
        self.maps = nn.ModuleList(SpectrumMap(low_slope=None) for _ in range(self.n))
        self.densities = nn.ModuleList(PiecewiseLinearDensity(options.bins, options.floor) for _ in range(self.n))
        self.nets = nn.ModuleList(self._network(k) for k in range(self.n))
        for name, value in (("mean", 0.0), ("std", 1.0)):
            self.register_buffer(name, torch.full((self.n,), value))
        nowhere = torch.tensor([NOWHERE, -NOWHERE])
        self.register_buffer("intervals", nowhere.expand(self.n, MOST, 2).clone())

    def _network(self, k: int) -> nn.Module:
        options, n_out = self.options, self.options.bins + 1
        width = self.n_cond + READ * k
        if options.network is not None:
            return build_network(options.network, table(n_out), width, n_out, self.n_cond)
        layers: list[nn.Module] = []
        for _ in range(options.depth):
            layers += [nn.Linear(width, options.width), ACTIVATIONS[options.activation]()]
            width = options.width
        return nn.Sequential(*layers, last_layer(width, n_out, zero=True))

    def noise_spec(self, n: int) -> dict[str, NoiseSpec]:
        return {"noise": NoiseSpec((n, self.n), "uniform")}

    def know(self, intervals: Tensor) -> None:
        found = torch.full_like(self.intervals, NOWHERE)
        found[..., 1] = -NOWHERE
        found[:, : intervals.shape[1]] = intervals
        self.intervals.copy_(found)

    @torch.no_grad()
    def begin_phase(self, phase: str, batch: Batch, generator: torch.Generator) -> None:
        """Take the distribution functions of all numbers, and place the knots."""
        mean, std = batch.x.mean(0), batch.x.std(0, correction=0)
        self.mean.copy_(mean)
        self.std.copy_(torch.where(std > SMALLEST, std, 1.0))
        for k in range(self.n):
            self._map(k).fit((batch.x[:, k] - self.mean[k]) / self.std[k], batch.weight)
            low, high = self.intervals[k].T
            there = low < high
            ends = self._to_unit(k, torch.stack([low[there], high[there]], -1))
            self._density(k).place(*knots_with_intervals(self.options.bins, ends[ends[:, 0].argsort()]))

    def _map(self, k: int) -> SpectrumMap:
        found = self.maps[k]
        assert isinstance(found, SpectrumMap)
        return found

    def _density(self, k: int) -> PiecewiseLinearDensity:
        found = self.densities[k]
        assert isinstance(found, PiecewiseLinearDensity)
        return found

    def _to_unit(self, k: int, x: Tensor) -> Tensor:
        """The share of all events in which number k is below `x`."""
        return torch.sigmoid(self._map(k).encode((x - self.mean[k]) / self.std[k]))

    def _from_unit(self, k: int, u: Tensor) -> Tensor:
        u = u.clamp(_EDGE, 1 - _EDGE)
        return self.mean[k] + self.std[k] * self._map(k).decode(u.log() - torch.log1p(-u))[0]

    def _read(self, k: int, x: Tensor) -> Tensor:
        """What later networks see of number k: (N, READ)."""
        low, high = self.intervals[k].T
        used = int((low < high).sum())
        low, high = low[:used], high[:used]
        inside = ((x[:, None] >= low) & (x[:, None] <= high)).to(x)
        if not used:
            w = (x - self.mean[k]) / self.std[k]
            return torch.stack([w.clamp(-LARGEST, LARGEST), torch.zeros_like(w)], 1)
        centre = (inside * 0.5 * (low.clamp(-NEAR, NEAR) + high.clamp(-NEAR, NEAR))).sum(1)
        here = inside.amax(1)
        w = (torch.where(here > 0, centre, x) - self.mean[k]) / self.std[k]
        return torch.stack([w.clamp(-LARGEST, LARGEST), here], 1)

    def _outputs(self, k: int, seen: Tensor, cond: Tensor) -> Tensor:
        net = self.nets[k]
        found: Tensor = net(seen, None, cond) if isinstance(net, Network) else net(seen)
        return found

    def losses(self, batch: Batch, turn: str, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        seen, nll = batch.cond, []
        for k in range(self.n):
            raw = self._outputs(k, seen, batch.cond)
            nll.append(-self._density(k).log_prob(raw, self._to_unit(k, batch.x[:, k])))
            seen = torch.cat([seen, self._read(k, batch.x[:, k])], 1)
        return {"nll": event_loss(torch.stack(nll, 1), batch)}

    def sample(self, cond: Tensor, noise: Mapping[str, Tensor], mask: Tensor | None = None) -> Tensor:
        seen, columns = cond, []
        for k in range(self.n):
            raw = self._outputs(k, seen, cond)
            columns.append(self._from_unit(k, self._density(k).sample(raw, noise["noise"][:, k])))
            if k + 1 < self.n:
                seen = torch.cat([seen, self._read(k, columns[-1])], 1)
        return torch.stack(columns, 1)
