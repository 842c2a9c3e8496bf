"""Second stage of a shower: the cells of each layer given its energy and hits, as latents on the cylinder."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facsim.models.nets.marginals import ConditionalMarginals, ZeroInflatedQuantiles, encode_zero, logit_to_normal
from facsim.models.nets.padding import GridPadding
from facsim.models.nets.spectrum import ZonedSpectrum

LARGEST_SHIFT = 2.0
NEWTON_STEPS = 2
HIGHEST = 20.0
DEPTHS = 3
"""Parts of the depth with spectra of their own; so has every ring."""
NEVER = -1e30
HALVINGS = 20


class ShowerPattern(nn.Module):
    """Invertible map between cell energies and latents that are standard normal one by one.

    Cells are maps (N, L, A, R) with room for the largest layer (`nets.padding`); what a smaller layer lacks is never
    hit and counts in no likelihood. Each cell is zero or w = log(E / threshold - 1), seen through the spectrum of all
    cells (`nets.spectrum`); its distribution depends on layer, ring and the layer context. Decoding keeps exactly the
    given number of hits in each layer, a cell's energy being at the quantile that its latent has among those that hit,
    and restores the layer's energy: shifts along the spectrum, so that its peaks stay where they are, in proportion to
    what each does for the energy (the least change of independent normal latents), and what is left to do as a factor
    on the energies above threshold.

    Args:
        padding: the layers of the cylinder.
        threshold: cell threshold in MeV.
        n_condition: number of features that describe the condition.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, padding: GridPadding, threshold: float, n_condition: int) -> None:
        super().__init__()
        shape = padding.shape
        self.padding, self.shape, self.threshold = padding, shape, threshold
        self.n_context = 10 + n_condition
        third = torch.arange(shape[0])[:, None, None] * DEPTHS // shape[0]
        self.spectrum = ZonedSpectrum(third * shape[2] + torch.arange(shape[2]))
        self.marginals = ConditionalMarginals(shape[0], shape[2], self.n_context)
        self.register_buffer("mean", torch.zeros(shape[0], self.n_context))
        self.register_buffer("std", torch.ones(shape[0], self.n_context))

    def _raw_context(self, energy: Tensor, features: Tensor, layer: Tensor, hits: Tensor) -> Tensor:
        total = layer.sum(-1, keepdim=True).clamp(min=self.threshold)
        depth = torch.arange(self.shape[0], device=layer.device, dtype=layer.dtype)
        centre = (layer * depth).sum(-1, keepdim=True) / total
        log_e = torch.log1p(layer / self.threshold)
        log_n = torch.log1p(hits)
        shower = torch.cat([features, (total / energy[:, None]).log(), centre], -1)
        layers = [log_e, log_n]
        for quantity in (log_e, log_n):
            padded = F.pad(quantity, (1, 1))
            layers += [padded[:, :-2], padded[:, 2:]]
        per_layer = torch.stack([*layers, log_e - log_n, (hits > 0).to(log_e)], -1)
        return torch.cat([shower[:, None].expand(-1, self.shape[0], -1), per_layer], -1)

    def fit_scale(self, energy: Tensor, features: Tensor, layer: Tensor, hits: Tensor) -> None:
        """Set the normalisation of the context from training showers."""
        raw = self._raw_context(energy, features, layer, hits)
        self.mean.copy_(raw.mean(0))
        self.std.copy_(raw.std(0).clamp(min=0.05))

    def fit_start(self, cells: Tensor, context: Tensor) -> None:
        """Take the spectrum, and start the marginals from a regression on the context; arguments as in `nll`."""
        hit = cells > 0
        self.spectrum.fit(self._log_excess(cells[hit]), hit)
        values = torch.zeros_like(cells)
        values[hit] = self._values(cells, hit)
        self.marginals.fit_start(context, hit.sum(2), values.sum(2), (values**2).sum(2), self.padding.trials)

    def context(self, energy: Tensor, features: Tensor, layer: Tensor, hits: Tensor) -> Tensor:
        """Normalised context of every layer (N, L, n_context).

        Args:
            energy: incident energies (N,), MeV.
            features: features of the condition (N, n_condition).
            layer: layer energies (N, L), MeV.
            hits: number of hits (N, L).
        """
        return (self._raw_context(energy, features, layer, hits) - self.mean) / self.std

    def params(self, context: Tensor) -> Tensor:
        """Parameters (N, L, 1, R, N_PARAMS) of the distributions of cells, the same over the angle."""
        params: Tensor = self.marginals(context)
        return params[:, :, None]

    @torch.no_grad()
    def occupancy(self, context: Tensor) -> Tensor:
        """Probability of a hit, at least 0.02, of every cell: (N, L, 1, R)."""
        return torch.sigmoid(self.params(context)[..., 0]).clamp(min=0.02)

    def threshold_latent(self, context: Tensor) -> Tensor:
        """Latent below which a cell is empty: (N, L, 1, R)."""
        return logit_to_normal(-self.params(context)[..., 0])

    def _log_excess(self, cells: Tensor) -> Tensor:
        return (cells / self.threshold - 1).clamp(min=1e-3).log()

    def _values(self, cells: Tensor, hit: Tensor) -> Tensor:
        return self.spectrum.encode(self._log_excess(cells[hit]), hit)

    def nll(self, cells: Tensor, context: Tensor) -> Tensor:
        """Negative log-likelihood of the marginals per cell: cells (N, L, A, R) in MeV."""
        params = self.params(context)
        hit = cells > 0
        k = hit.float().sum(2, keepdim=True)
        logit = params[..., 0]
        misses = self.padding.trials[:, None] - k
        binomial = k * F.logsigmoid(logit) + misses * F.logsigmoid(-logit)
        value = ZeroInflatedQuantiles(self._at(params, hit)).log_prob(self._values(cells, hit))
        return -(binomial.sum() + value.sum()) / (len(cells) * self.padding.n_cells)

    def encode(self, cells: Tensor, context: Tensor, dither: Tensor) -> Tensor:
        """Latents (N, L, A, R); `dither` of the same shape, uniform in (0, 1)."""
        params = self.params(context)
        hit = cells > 0
        z = encode_zero(params[..., 0], dither)
        # few cells are hit, and only they need the quantile function
        z[hit] = ZeroInflatedQuantiles(self._at(params, hit)).encode(self._values(cells, hit))
        return z

    def _at(self, params: Tensor, hit: Tensor) -> Tensor:
        return params.expand(-1, -1, self.shape[1], -1, -1)[hit]

    def decode(self, z: Tensor, params: Tensor, layer: Tensor, hits: Tensor) -> Tensor:
        """Cell energies (N, L, A, R) in MeV with exactly `hits` cells and energy `layer` in each layer, where the
        distributions have the parameters `params`."""
        margin = self.padding.with_absent(ZeroInflatedQuantiles(params).margin(z), NEVER)
        cut, kept = _select(margin.flatten(2), hits, self.padding.capacity)
        # few cells are hit, and only they need energies
        at = kept.flatten().nonzero()[:, 0]
        row = at // (self.shape[1] * self.shape[2])
        chosen = ZeroInflatedQuantiles(params.flatten(0, 3)[row * self.shape[2] + at % self.shape[2]])
        excess = (layer / self.threshold - hits).clamp(min=0)
        above = self._above(chosen.decode(margin.flatten()[at], cut.flatten()[row]), at, row, excess.flatten())
        wanted = excess / self._of_layers(above, at, layer).clamp(min=1e-9)
        energy = self.threshold * (1 + above * wanted.flatten()[row])
        return torch.zeros_like(margin).flatten().scatter(0, at, energy).reshape(margin.shape)

    def _above(self, v: Tensor, at: Tensor, row: Tensor, excess: Tensor) -> Tensor:
        """E / threshold - 1 of hits at `at` in the layers `row`, Newton steps along the spectrum nearer to `excess`."""
        zone = self.spectrum.zone.expand(self.shape).flatten()[at % (self.shape[0] * self.shape[1] * self.shape[2])]
        wanted = torch.log(excess.clamp(min=1e-3))
        for _ in range(NEWTON_STEPS):
            w, slope = self.spectrum.decode(v, zone)
            above = torch.exp(w.clamp(-HIGHEST, HIGHEST))
            total = self._of_layers(above, at, excess).clamp(min=1e-6)
            share = above * slope / total[row]
            step = (wanted - torch.log(total)) / self._of_layers(share * share, at, excess).clamp(min=1e-6)
            v = v + (step[row] * share).clamp(-LARGEST_SHIFT, LARGEST_SHIFT)
        return torch.exp(self.spectrum.decode(v, zone)[0].clamp(-HIGHEST, HIGHEST))

    def _of_layers(self, values: Tensor, at: Tensor, like: Tensor) -> Tensor:
        """Sums over the layers of `values` at the cells `at`, shaped as `like`."""
        cells = self.shape[1] * self.shape[2]
        dense = torch.zeros_like(like).flatten()[:, None].repeat(1, cells).flatten()
        return dense.scatter(0, at, values).reshape(*like.shape, cells).sum(-1)

    def calibrate(self, cells: Tensor, drawn: Tensor) -> None:
        """Correct the spectra of `decode` by showers `drawn` with it in the contexts of true `cells`, (N, L, A, R)."""
        masks = cells > 0, drawn > 0
        values = [self._log_excess(x[mask]) for x, mask in zip((cells, drawn), masks, strict=True)]
        self.spectrum.calibrate(values[0], masks[0], values[1], masks[1])


def _select(margin: Tensor, hits: Tensor, capacity: Tensor) -> tuple[Tensor, Tensor]:
    """Which cells are hit, and what to take from the margins (N, L, C) to part them from the others, (N, L).

    They are the `hits` (N, L) of highest margin, found by halving the range of margins, at a fraction of the cost of
    sorting; those that differ by less than a part in 10^6 of the range are parted by their order. Nothing is taken
    where exactly so many are positive already. Where some must go it is the margin of the first of them, so that the
    gap above it is one between neighbours, as at zero. Layers have `capacity` (L,) cells and no more hits.
    """
    exists = margin > 0.5 * NEVER
    wanted = hits[..., None]
    high = margin.amax(-1, keepdim=True)
    low = torch.where(exists, margin, high).amin(-1, keepdim=True) - 1e-3
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        enough = (margin > middle).to(margin).sum(-1, keepdim=True) >= wanted
        low, high = torch.where(enough, middle, low), torch.where(enough, high, middle)
    kept = margin > high
    between = exists & (margin > low) & ~kept
    missing = wanted - kept.to(margin).sum(-1, keepdim=True)
    kept = kept | (between & (between.to(margin).cumsum(-1) <= missing))
    last = torch.where(kept, margin, -NEVER).amin(-1)
    following = torch.where(kept, NEVER, margin).amax(-1)
    cut = torch.where((hits > 0) & (last > 0), following.clamp(min=0), following)
    # a full layer has no further cell: keep its smallest margin positive
    return torch.where(hits < capacity, cut, (last - 1e-3).clamp(max=0)), kept
