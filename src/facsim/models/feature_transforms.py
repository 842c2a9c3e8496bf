"""Numbers of a table or of points in physical units <-> latents of order one, fitted in closed form."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn

from facsim.models.nets.marginals import logit_to_normal, normal_to_logit
from facsim.models.nets.spectrum import SpectrumMap
from facsim.models.nets.weighted import moments, weighted_distribution

ATOMS = 8
COMMON = 0.01
"""Share of events from which a value counts as one that occurs exactly."""
DECADES = 100.0
"""Ratio of the highest value to the median from which positive values are seen on a logarithmic scale."""
UNITS = 1000.0
"""Spread of whole numbers up to which one of them is as wide as the scale."""
LOWEST, HIGHEST = -60.0, 60.0
_INSIDE = 1e-3
_ROUNDING = 1e-6
"""How far sums of shares may be off."""


class FeatureTransform(nn.Module):
    """Invertible map of `n` features, the last axis of (..., n)."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n

    @abstractmethod
    def fit(self, x: Tensor, weight: Tensor | None = None) -> None:
        """Take the distributions of `x` (M, n), M > 0, with weights (M,) of positive sum that may be negative."""

    @abstractmethod
    def encode(self, x: Tensor, dither: Tensor) -> Tensor:
        """Latents of `x`; `dither`, uniform in (0, 1) and of the same shape, spreads values that occur exactly."""

    @abstractmethod
    def decode(self, z: Tensor) -> Tensor:
        """Features of latents `z`."""

    def intervals(self) -> Tensor:
        """Ends (n, A, 2) of the latents of values that occur exactly, low above high where there are fewer than A."""
        return torch.empty(self.n, 0, 2)


class Standardisation(FeatureTransform):
    """(x - mean) / standard deviation. A feature that was never negative stays so."""

    mean: Tensor
    std: Tensor
    positive: Tensor

    def __init__(self, n: int) -> None:
        super().__init__(n)
        self.register_buffer("mean", torch.zeros(n))
        self.register_buffer("std", torch.ones(n))
        self.register_buffer("positive", torch.zeros(n, dtype=torch.bool))

    @torch.no_grad()
    def fit(self, x: Tensor, weight: Tensor | None = None) -> None:
        mean, std = moments(x, weight)
        self.mean.copy_(mean)
        self.std.copy_(torch.where(std > 1e-6 * self.mean.abs() + 1e-12, std, 1.0))
        self.positive.copy_((x >= 0).all(0))

    def encode(self, x: Tensor, dither: Tensor) -> Tensor:
        return (x - self.mean) / self.std

    def decode(self, z: Tensor) -> Tensor:
        x = self.mean + z * self.std
        return torch.where(self.positive, x.clamp(min=0), x)


class QuantileNormalisation(FeatureTransform):
    """Each feature through its distribution function to a standard normal latent.

    Values that occur exactly in at least one event in a hundred (up to eight of them), such as zeros, own an interval
    of the distribution function: on the way there they are spread over it, and all of it comes back as exactly that
    value. The other values go through quantiles of their own (`nets.spectrum`), positive ones that span orders of
    magnitude by their logarithm. Features that are whole numbers are spread over half a unit to either side and
    rounded. A feature that was never negative stays so.

    Weights may be negative: shares are then clipped to [0, 1], and where they make a distribution function fall it is
    replaced by the nearest one that does not (`nets.weighted.weighted_distribution`).
    """

    whole: Tensor
    logarithmic: Tensor
    positive: Tensor
    centre: Tensor
    scale: Tensor
    atom: Tensor
    start: Tensor
    share: Tensor

    def __init__(self, n: int) -> None:
        super().__init__(n)
        self.maps = nn.ModuleList(SpectrumMap(low_slope=None) for _ in range(n))
        for name in ("whole", "logarithmic", "positive"):
            self.register_buffer(name, torch.zeros(n, dtype=torch.bool))
        self.register_buffer("centre", torch.zeros(n))
        self.register_buffer("scale", torch.ones(n))
        for name in ("atom", "start", "share"):
            self.register_buffer(name, torch.zeros(n, ATOMS))

    @torch.no_grad()
    def fit(self, x: Tensor, weight: Tensor | None = None) -> None:
        dither = torch.linspace(_INSIDE, 1 - _INSIDE, len(x), device=x.device, dtype=x.dtype)
        dither = dither[torch.randperm(len(x), generator=torch.Generator().manual_seed(0)).to(x.device)]
        for index in range(self.n):
            self._fit(index, x[:, index], dither, weight)

    def _fit(self, index: int, x: Tensor, dither: Tensor, weight: Tensor | None) -> None:
        values, place, events = torch.unique(x, return_inverse=True, return_counts=True)
        counts = events if weight is None else _counts(place, weight)
        whole = len(values) > ATOMS and bool((values == values.round()).all())
        self.whole[index], self.positive[index] = whole, bool(values[0] >= 0)
        common = (counts >= max(2.0, COMMON * len(x))) & (events > 1)
        if whole or int(common.sum()) == 0:
            common = torch.zeros_like(common)
        elif int(common.sum()) > ATOMS:
            common = torch.zeros_like(common).index_fill(0, counts.topk(ATOMS).indices, True)
        atoms, shares = values[common], counts[common] / len(x)
        shares = shares / shares.sum().clamp(min=1)
        free = ~torch.isin(x, atoms)
        others, weight = x[free], None if weight is None else weight[free]
        if whole:
            others = others + dither - 0.5
        if weight is not None and (len(others) < 2 or float(weight.sum()) <= 0):
            weight = None
        self._fit_values(index, others, weight)
        below = self._below(others, weight, atoms, shares, len(x))
        for table, found in ((self.atom, atoms), (self.share, shares), (self.start, below + shares.cumsum(0) - shares)):
            table[index].zero_()
            table[index, : len(found)] = found

    @staticmethod
    def _below(others: Tensor, weight: Tensor | None, atoms: Tensor, shares: Tensor, n: int) -> Tensor:
        """Share of all events that are no atom and lie below each atom."""
        if weight is None:
            return torch.stack([(others < atom).sum() / n for atom in atoms]) if len(atoms) else shares
        order = others.argsort()
        below = nn.functional.pad(weighted_distribution(weight[order].double()), (1, 0))
        return ((1 - shares.sum()).clamp(min=0) * below[torch.searchsorted(others[order], atoms)]).to(shares)

    def _fit_values(self, index: int, values: Tensor, weight: Tensor | None) -> None:
        """Scale and quantiles of the values that are no atoms."""
        if len(values) < 2:
            return
        logarithmic = bool(values.min() > 0 and values.max() > DECADES * values.median())
        self.logarithmic[index] = logarithmic
        values = values.log() if logarithmic else values
        self.centre[index] = values.median()
        spread = (values - self.centre[index]).abs().mean()
        if bool(self.whole[index]) and not logarithmic:
            # codes far apart, such as of particles: the quantiles of each need room within its unit
            spread = spread.clamp(max=max(1.0, float(spread) / UNITS))
        self.scale[index] = spread if spread > 0 else 1.0
        self._map(index).fit((values - self.centre[index]) / self.scale[index], weight)

    def intervals(self) -> Tensor:
        ends = torch.stack([self.start, self.start + self.share], -1)
        latents = logit_to_normal(torch.logit(ends.double().clamp(1e-12, 1 - 1e-12))).to(self.start)
        there = (self.share > 0)[..., None]
        return torch.where(there, latents, latents.new_tensor([1.0, -1.0]))

    def _map(self, index: int) -> SpectrumMap:
        found = self.maps[index]
        assert isinstance(found, SpectrumMap)
        return found

    def encode(self, x: Tensor, dither: Tensor) -> Tensor:
        dither = _INSIDE + (1 - 2 * _INSIDE) * dither
        value = torch.where(self.whole, x + dither - 0.5, x)
        value = torch.where(self.logarithmic, value.clamp(min=1e-30).log(), value)
        w = (value - self.centre) / self.scale
        s = torch.stack([self._map(i).encode(w[..., i]) for i in range(self.n)], -1)
        # both the distribution function and what is left above, so that neither tail loses digits
        smooth = 1 - self.share.sum(-1)
        lower = ((self.atom < x[..., None]) * self.share).sum(-1)
        higher = ((self.atom > x[..., None]) * self.share).sum(-1)
        below, above = smooth * torch.sigmoid(s) + lower, smooth * torch.sigmoid(-s) + higher
        here = (self.atom == x[..., None]) & (self.share > 0)
        start, share = (here * self.start).sum(-1), (here * self.share).sum(-1)
        below = torch.where(share > 0, start + dither * share, below)
        above = torch.where(share > 0, 1 - start - dither * share, above)
        return logit_to_normal(below.clamp(min=1e-12).log() - above.clamp(min=1e-12).log())

    def _values(self, s: Tensor) -> Tensor:
        """Values that are no atoms, at log-odds `s` of their distribution functions."""
        w = torch.stack([self._map(i).decode(s[..., i])[0] for i in range(self.n)], -1)
        value = self.centre + w * self.scale
        # what no feature has costs nothing, in an exported graph neither
        if bool(self.logarithmic.any()):
            value = torch.where(self.logarithmic, value.clamp(LOWEST, HIGHEST).exp(), value)
        if bool(self.whole.any()):
            value = torch.where(self.whole, value.round(), value)
        if bool(self.positive.any()):
            value = torch.where(self.positive, value.clamp(min=0), value)
        return value

    def decode(self, z: Tensor) -> Tensor:
        y = normal_to_logit(z).clamp(LOWEST, HIGHEST)
        below, above = torch.sigmoid(y), torch.sigmoid(-y)
        used = int((self.share > 0).sum(-1).max())
        if not used:
            return self._values(y)
        atom, start, share = self.atom[:, :used], self.start[:, :used], self.share[:, :used]
        u, end = below[..., None], start + share
        # nothing lies above an atom that ends at 1, which u reaches by rounding
        passed, ahead = u >= torch.where(end > 1 - _ROUNDING, 2.0, end), u < start
        smooth = (1 - share.sum(-1)).clamp(min=1e-12)
        below = (below - (passed * share).sum(-1)).clamp(min=1e-12) / smooth
        above = (above - (ahead * share).sum(-1)).clamp(min=1e-12) / smooth
        s = below.log() - above.log()
        value = self._values(s)
        here = ((u >= start - _ROUNDING) & ~passed).to(z) * (share > 0).to(z)
        if used > 1:
            here = here * (here.cumsum(-1) == 1).to(z)
        return torch.where(here.sum(-1) > 0, (here * atom).sum(-1), value)


def _counts(place: Tensor, weight: Tensor) -> Tensor:
    """Events of each value, by weight, none below 0, where `place` (M,) is the number of an event's value."""
    found = torch.zeros(int(place.max()) + 1, dtype=torch.float64, device=place.device)
    found.index_add_(0, place, weight.double())
    return (found * (len(place) / weight.double().sum())).clamp(min=0).float()


TRANSFORMS: dict[str, type[FeatureTransform]] = {"quantile": QuantileNormalisation, "standard": Standardisation}
