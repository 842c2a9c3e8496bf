"""First stage of a shower: total energy, hits and energy of every layer, as latents given the incident energy."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facsim.models.nets.marginals import ConditionalMarginals, ZeroInflatedQuantiles, encode_zero


class LayerVariables(nn.Module):
    """Invertible map between per-layer quantities and latents that are standard normal one by one.

    Variables in order: log(E_tot / E_inc); for each layer the number of hits n; for each layer the log of the mean
    hit energy above threshold, in thresholds. A layer has energy exactly when it has hits.

    Args:
        n_layers: number of layers L.
        cells_per_layer: shape (L,), the largest possible number of hits.
        threshold: cell threshold in MeV.
        n_context: number of features that describe the condition.
    """

    capacity: Tensor
    always: Tensor

    def __init__(self, n_layers: int, cells_per_layer: Tensor, threshold: float, n_context: int) -> None:
        super().__init__()
        self.n_layers, self.threshold = n_layers, threshold
        self.n_summary = 2 * n_layers + 1 + n_context
        self.marginals = ConditionalMarginals(1, 2 * n_layers + 1, n_context)
        self.register_buffer("capacity", cells_per_layer.float())
        zeros, ones = torch.zeros(n_layers), torch.ones(n_layers)
        # only the hit counts have an atom at zero of their own: a layer without hits has no mean hit energy
        self.register_buffer("always", torch.cat([torch.ones(1), zeros, ones]) > 0)

    def _values(self, cells: Tensor, energy: Tensor, dither: Tensor) -> tuple[Tensor, Tensor]:
        hits = (cells > 0).sum(-1).float()
        layer = cells.sum(-1)
        total = torch.log((layer.sum(-1, keepdim=True) / energy[:, None]).clamp(min=1e-6))
        count = (hits - dither).clamp(min=0).sqrt()
        excess = (layer / hits.clamp(min=1) / self.threshold - 1).clamp(min=1e-3).log()
        present = hits > 0
        return torch.cat([total, count, excess], -1), torch.cat([torch.ones_like(total) > 0, present, present], -1)

    def params(self, context: Tensor) -> Tensor:
        """Parameters (N, 2 L + 1, N_PARAMS) of the distributions of the variables."""
        params: Tensor = self.marginals(context[:, None])[:, 0]
        return params

    def _distribution(self, context: Tensor) -> ZeroInflatedQuantiles:
        return ZeroInflatedQuantiles(self.params(context), self.always)

    def fit_start(self, cells: Tensor, energy: Tensor, context: Tensor, dither: Tensor) -> None:
        """Start the marginals from a regression on the context; arguments as in `nll`."""
        values, present = self._values(cells, energy, dither)
        total = values * present
        once = torch.ones_like(total[:1])
        self.marginals.fit_start(
            context[:, None], present.float()[:, None], total[:, None], (total * values)[:, None], once
        )

    def nll(self, cells: Tensor, energy: Tensor, context: Tensor, dither: Tensor) -> Tensor:
        """Negative log-likelihood of the marginals, mean per variable.

        Args:
            cells: (N, L, cells per layer), MeV.
            energy: incident energies (N,), MeV.
            context: features of the condition (N, n_context).
            dither: (N, L), uniform in (0, 1), turns counts into continuous numbers.
        """
        values, present = self._values(cells, energy, dither)
        marginal = self._distribution(context)
        n = self.n_layers
        hit = marginal.log_prob_hit(present.float())[:, 1 : 1 + n].sum()
        value = (marginal.log_prob(values) * present).sum()
        return -(hit + value) / values.numel()

    def encode(self, cells: Tensor, energy: Tensor, context: Tensor, dither: Tensor, noise: Tensor) -> Tensor:
        """Latents (N, 2 L + 1) of showers as in `nll`; `noise` (N, 2 L + 1), normal, stands for absent values."""
        values, present = self._values(cells, energy, dither)
        marginal = self._distribution(context)
        zero = encode_zero(marginal.logit_hit, torch.special.ndtr(noise).clamp(1e-6, 1 - 1e-6))
        return torch.where(present, marginal.encode(values), torch.where(self.always, noise, zero))

    def decode(self, z: Tensor, energy: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        """Layer energies (N, L) in MeV, summing to the drawn total, and hits (N, L), from latents, where the
        distributions have the parameters `params`."""
        marginal = ZeroInflatedQuantiles(params, self.always)
        n = self.n_layers
        margin = marginal.margin(z)
        values = marginal.decode(margin)
        total, count, excess = values[:, :1], values[:, 1 : n + 1], values[:, n + 1 :]
        hits = torch.minimum((count.clamp(min=1e-3) ** 2).ceil(), self.capacity) * (margin[:, 1 : n + 1] > 0)
        floor = hits * self.threshold
        above = floor * torch.exp(excess - torch.where(hits > 0, excess, -1e30).amax(-1, keepdim=True)).clamp(max=1.0)
        wanted = total.clamp(max=5.0).exp() * energy[:, None] - floor.sum(-1, keepdim=True)
        return floor + above * wanted.clamp(min=0) / above.sum(-1, keepdim=True).clamp(min=1e-9), hits

    def summary(self, layer: Tensor, hits: Tensor, energy: Tensor, context: Tensor) -> Tensor:
        """What a classifier is told, (N, n_summary): of layers (N, L) as from `decode`, and of the condition."""
        total = torch.log((layer.sum(-1, keepdim=True) / energy[:, None]).clamp(min=1e-6))
        return torch.cat([torch.log1p(layer / self.threshold), hits.sqrt(), total, context], -1)
