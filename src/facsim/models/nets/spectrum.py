"""One fixed monotone map of a quantity to the log-odds of its distribution, so that sharp peaks are left to no network.

The spectrum of cell energies has structures that are the same everywhere in a detector (the peak of one minimum
ionising particle, its edge, the peak of two) and far narrower than what depends on depth, radius or energy. Taking the
quantile transform of all cells first turns them into a smooth variable.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facsim.models.nets.weighted import weighted_quantiles

REACH = 8.0
PER_UNIT = 64
KNOTS = int(2 * REACH * PER_UNIT) + 1
LEAST_RISE = 1e-4
SMOOTH = PER_UNIT // 8
LOW_SLOPE = 1.0
FEWEST = 500
"""Values from which a zone has a spectrum of its own."""
FEW = 5


class SpectrumMap(nn.Module):
    """v = logit of the distribution function of w, linear between knots at equal distances in v.

    Before `fit` it is the identity. `calibrate` changes what `decode` gives, and only that. Beyond the knots it
    goes on linearly: below with slope 1, which for w = log(E / threshold - 1) is a flat density of energy above
    threshold, above with the mean slope of the last unit.

    Args:
        low_slope: below the knots; None takes the mean slope of the first unit.
    """

    knots: Tensor
    drawn: Tensor
    slopes: Tensor

    def __init__(self, low_slope: float | None = LOW_SLOPE) -> None:
        super().__init__()
        self.low_slope = low_slope
        self.register_buffer("knots", torch.linspace(-REACH, REACH, KNOTS))
        self.register_buffer("drawn", torch.linspace(-REACH, REACH, KNOTS))
        self.register_buffer("slopes", torch.ones(KNOTS))

    @torch.no_grad()
    def fit(self, values: Tensor, weight: Tensor | None = None) -> None:
        """Take the quantiles of `values` (n,), n > 1, with weights (n,) that may be negative."""
        place = torch.sigmoid(torch.linspace(-REACH, REACH, KNOTS, dtype=torch.float64, device=values.device))
        if weight is None:
            found = _quantiles(values.double().sort().values, place)
        else:
            found = weighted_quantiles(values.double(), weight.double(), place)
        rise = found.diff().clamp(min=LEAST_RISE)
        knots = found[0] + torch.cat([torch.zeros_like(rise[:1]), rise.cumsum(0)])
        self.knots.copy_(knots)
        self._decode_to(knots)

    @torch.no_grad()
    def calibrate(self, true: Tensor, drawn: Tensor) -> None:
        """Correct `decode`, with which the values `drawn` (m,) were made: they shall follow the `true` (n,), n > 1."""
        ordered, knots = drawn.double().sort().values, self.drawn.double()
        place = (torch.searchsorted(ordered, knots).double() + 0.5) / (len(ordered) + 1)
        found = _quantiles(true.double().sort().values, place)
        # what few values say of the ends is noise
        known = (knots > ordered[min(FEW, len(ordered) - 1)]) & (knots < ordered[max(-1 - FEW, -len(ordered))])
        self._decode_to(torch.where(known, found, knots).cummax(0).values)

    def _decode_to(self, knots: Tensor) -> None:
        self.drawn.copy_(knots)
        index = torch.arange(KNOTS, device=knots.device)
        low, high = (index - SMOOTH).clamp(min=0), (index + SMOOTH).clamp(max=KNOTS - 1)
        self.slopes.copy_((knots[high] - knots[low]) * PER_UNIT / (high - low))

    def encode(self, w: Tensor) -> Tensor:
        """v at w, any shape."""
        index = (torch.searchsorted(self.knots, w.contiguous()) - 1).clamp(0, KNOTS - 2)
        inside = (w - self.knots[index]) / self._steps(self.knots)[index]
        v = (index + inside.clamp(0, 1)) / PER_UNIT - REACH
        return (
            v
            + (w - self.knots[0]).clamp(max=0) / self._low_slope()
            + (w - self.knots[-1]).clamp(min=0) / self._high_slope()
        )

    def decode(self, v: Tensor) -> tuple[Tensor, Tensor]:
        """w at v, any shape, and the slope dw/dv there, averaged over a quarter of a unit and continuous."""
        scaled = ((v + REACH) * PER_UNIT).clamp(0, KNOTS - 1 - 1e-3)
        index = scaled.long()
        inside = scaled - index
        w = self.drawn[index] + inside * self._steps(self.drawn)[index]
        slope = self.slopes[index] + inside * self._steps(self.slopes)[index]
        return w + self._low_slope() * (v + REACH).clamp(max=0) + self._high_slope() * (v - REACH).clamp(min=0), slope

    @staticmethod
    def _steps(table: Tensor) -> Tensor:
        return table[1:] - table[:-1]

    def _low_slope(self) -> float | Tensor:
        return self.knots[PER_UNIT] - self.knots[0] if self.low_slope is None else self.low_slope

    def _high_slope(self) -> Tensor:
        return self.knots[-1] - self.knots[-1 - PER_UNIT]


def _quantiles(ordered: Tensor, place: Tensor) -> Tensor:
    """Values of the `ordered` ones (n,), n > 1, at shares `place` in [0, 1]."""
    position = place * (len(ordered) - 1)
    low = position.long().clamp(max=len(ordered) - 2)
    return torch.lerp(ordered[low], ordered[low + 1], position - low)


class ZonedSpectrum(nn.Module):
    """A `SpectrumMap` for each zone of cells: the peak of one particle is sharper where particles cross straight.

    Args:
        zone: number of each cell's zone, from 0, of a shape that broadcasts to the values'.
    """

    zone: Tensor

    def __init__(self, zone: Tensor) -> None:
        super().__init__()
        self.register_buffer("zone", zone, persistent=False)
        self.maps = nn.ModuleList(SpectrumMap() for _ in range(int(zone.max()) + 1))

    def _of(self, mask: Tensor) -> Tensor:
        return self.zone.expand_as(mask)[mask]

    def fit(self, values: Tensor, mask: Tensor) -> None:
        """Take the quantiles of the `values` (n,) at `mask`; a zone with few takes those of all, if there are any."""
        zone = self._of(mask)
        for number, spectrum in enumerate(self.maps):
            own = values[zone == number]
            chosen = own if len(own) >= FEWEST else values
            if len(chosen) > 1:
                spectrum.fit(chosen)  # type: ignore[operator]

    def calibrate(self, true: Tensor, true_mask: Tensor, drawn: Tensor, drawn_mask: Tensor) -> None:
        """Correct `decode` where a zone has enough values; see `SpectrumMap.calibrate`, and for the masks `fit`."""
        true_zone, drawn_zone = self._of(true_mask), self._of(drawn_mask)
        for number, spectrum in enumerate(self.maps):
            pair = true[true_zone == number], drawn[drawn_zone == number]
            if min(len(values) for values in pair) >= FEWEST:
                spectrum.calibrate(*pair)  # type: ignore[operator]

    def encode(self, values: Tensor, mask: Tensor) -> Tensor:
        """v of the `values` (n,) at `mask`."""
        zone, out = self._of(mask), torch.empty_like(values)
        for number, spectrum in enumerate(self.maps):
            chosen = zone == number
            out[chosen] = spectrum.encode(values[chosen])  # type: ignore[operator]
        return out

    def decode(self, v: Tensor, zone: Tensor) -> tuple[Tensor, Tensor]:
        """w and slope as of `SpectrumMap`, at v in the zones `zone`."""
        knots = torch.stack([spectrum.drawn for spectrum in self.maps])  # type: ignore[misc]
        slopes = torch.stack([spectrum.slopes for spectrum in self.maps])  # type: ignore[misc]
        scaled = ((v + REACH) * PER_UNIT).clamp(0, KNOTS - 1 - 1e-3)
        below = scaled.long()
        inside, index = scaled - below, below + KNOTS * zone
        flat, flat_slopes = knots.flatten(), slopes.flatten()
        w = torch.lerp(flat[index], flat[index + 1], inside)
        slope = torch.lerp(flat_slopes[index], flat_slopes[index + 1], inside)
        high = (knots[:, -1] - knots[:, -1 - PER_UNIT])[zone]
        return w + LOW_SLOPE * (v + REACH).clamp(max=0) + high * (v - REACH).clamp(min=0), slope
