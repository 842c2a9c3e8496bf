"""Vector-quantised autoencoder for grids, with an autoregressive prior of its codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from facsim.models.base import Batch, Method, MethodOptions, NoiseSpec, event_loss, weighted_mean
from facsim.models.nets import build_network
from facsim.models.nets.base import of_layers
from facsim.models.nets.causal import CausalTransformer
from facsim.models.nets.codebook import Codebook
from facsim.models.nets.layer_tokens import LayersToTokens, TokensToLayers, cells_of_layers
from facsim.models.nets.likelihood import GaussianLikelihood
from facsim.models.space import Space


class VQOptions(MethodOptions):
    """Options of `VectorQuantised`; `network` is that of encoder and decoder."""

    codes: int = Field(1, ge=1, description="codes of each layer")
    size: int = Field(128, ge=2, description="vectors of the codebook")
    dim: int = Field(8, ge=1, description="length of the vectors")
    hidden: int = Field(2, ge=1, description="channels of each cell between network and layers")
    commitment: float = Field(0.25, ge=0, description="factor of the loss that holds the encoder to its codes")
    width: int = Field(64, ge=1, description="of the prior")
    depth: int = Field(2, ge=1, description="of the prior")
    heads: int = Field(4, ge=1, description="of the prior")


class VectorQuantised(Method):
    """Vector-quantised autoencoder (van den Oord et al., arXiv 1711.00937) for grids.

    A network and a linear map of each layer's own turn the cells of a layer into a few codes, the reverse decodes them;
    a grid without layers counts as one. The codebook follows the encoder by running means and codes without use begin
    anew (`nets.codebook`). The likelihood is Gaussian with a learned width of every cell, and sampling adds its noise.
    The second phase learns the codes' distribution, layer after layer, with a causal transformer (`nets.causal`);
    a sample takes one uniform number for each code. Its exported graph repeats the transformer for every code. Weights
    have to be positive: with negative ones the learned width of the likelihood could shrink for ever.
    """

    phases = ("autoencoder", "prior")
    representations = ("grid",)
    steered = ""
    Options: ClassVar[type[MethodOptions]] = VQOptions

    def __init__(self, space: Space, n_cond: int, options: VQOptions) -> None:
        super().__init__(space, n_cond, options)
        self.codes, self.dim, self.commitment = options.codes, options.dim, options.commitment
        self.layers = len(cells_of_layers(space))
        width, hidden = options.codes * options.dim, options.hidden
        self.encoder = build_network(options.network, space, space.channels, hidden, n_cond, zero=False)
        self.to_tokens = LayersToTokens(space, hidden, width)
        self.to_layers = TokensToLayers(space, hidden, width)
        self.decoder = build_network(options.network, space, hidden, space.channels, n_cond, zero=False)
        self.likelihood = GaussianLikelihood(space)
        self.codebook = Codebook(options.size, options.dim)
        tokens = self.layers * options.codes
        self.prior = CausalTransformer(tokens, options.size, n_cond, options.width, options.depth, options.heads)

    def noise_spec(self, n: int) -> dict[str, NoiseSpec]:
        return {"codes": NoiseSpec((n, self.prior.n_tokens), "uniform"), "noise": NoiseSpec((n, *self.space.shape))}

    def parameters_of(self, turn: str) -> list[nn.Parameter]:
        if turn == "prior":
            return list(self.prior.parameters())
        parts = (self.encoder, self.to_tokens, self.to_layers, self.decoder, self.likelihood)
        return [p for part in parts for p in part.parameters()]

    @torch.no_grad()
    def begin_phase(self, phase: str, batch: Batch, generator: torch.Generator) -> None:
        """Start the codebook from encoded events."""
        if phase == "autoencoder":
            self.codebook.fit(self._encode(batch).flatten(0, 1), generator)

    def losses(self, batch: Batch, turn: str, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        if turn == "prior":
            with torch.no_grad():
                codes = self.codebook.nearest(self._encode(batch))
            logits = self.prior(codes, self._of_tokens(batch.cond))
            nll = cross_entropy(logits.transpose(1, 2), codes, reduction="none").mean(1)
            return {"prior": weighted_mean(nll, batch.weight)}
        z = self._encode(batch)
        codes = self.codebook.nearest(z)
        vectors = self.codebook(codes)
        commitment = (z - vectors).square().flatten(1).mean(1)
        # the gradient passes the quantisation as if it were not there
        centre = self._decode(z + (vectors - z).detach(), batch.cond)
        losses = {
            "likelihood": event_loss(self.likelihood(batch.x, centre), batch),
            "commitment": self.commitment * weighted_mean(commitment, batch.weight),
        }
        if self.training:
            self.codebook.update(z.detach().flatten(0, 1), codes.flatten(), generator)
        return losses

    def sample(self, cond: Tensor, noise: Mapping[str, Tensor], mask: Tensor | None = None) -> Tensor:
        codes = self.prior.sample(self._of_tokens(cond), noise["codes"])
        return self.likelihood.draw(self._decode(self.codebook(codes), cond), noise["noise"])

    def _encode(self, batch: Batch) -> Tensor:
        """Vectors (N, tokens, dim), those of a layer one after the other."""
        tokens: Tensor = self.to_tokens(self.encoder(batch.x, None, batch.cond))
        return tokens.reshape(-1, self.prior.n_tokens, self.dim)

    def _decode(self, vectors: Tensor, cond: Tensor) -> Tensor:
        cells = self.to_layers(vectors.reshape(-1, self.layers, self.codes * self.dim))
        x: Tensor = self.decoder(cells, None, cond)
        return x

    def _of_tokens(self, cond: Tensor) -> Tensor:
        return of_layers(cond, self.layers).repeat_interleave(self.codes, 1)
