"""Sums of a jet before its particles: what all particles together have, drawn first and restored afterwards."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facsim.core.errors import FacsimError
from facsim.core.schema import GIVEN_FEATURES, Schema
from facsim.models.base import Batch
from facsim.models.choices import Choice
from facsim.models.feature_transforms import QuantileNormalisation
from facsim.models.flow_matching import FlowMatching, FlowMatchingOptions
from facsim.models.nets.given import moments
from facsim.models.space import table
from facsim.physics.jet_schema import PARTICLE_COLUMNS, is_jets

SUMS = 4
LEAST = 1e-9
NARROWEST = -14.0
"""Logarithm of the square width that given jets count as having at least; single particles have none."""
FARTHEST = 4.0
"""Factor by which distances from the centre are stretched at most."""


class Totals(nn.Module):
    """Sum of pT, centre in eta and phi, and square width of jets (N, P, 3), given conditions and number of particles.

    With sum S and pT-weighted square width w of narrow jets the mass is S sqrt(w), so that pT, axis and mass are as
    good as a flow in four dimensions makes them, however many particles add up their errors (as layer energies before
    cells in calorimeters). Particles are generated given the sums, and then scaled and shifted to have them. Of jets
    with given particles the sums are relative to theirs: what is learned is the response.

    Args:
        schema: of the jets. n_cond: of the conditions.

    Raises:
        FacsimError: other events.
    """

    def __init__(self, schema: Schema, n_cond: int) -> None:
        super().__init__()
        self.given, self.scalars = schema.given, len(schema.scalar_conditions)
        if not is_jets(schema):
            names = tuple(f.name for f in schema.features)
            raise FacsimError(
                f"the option 'totals' is for jets, clouds with the columns {PARTICLE_COLUMNS}, not a "
                f"{schema.representation} with {names}: leave it out."
            )
        network = Choice(name="residual-mlp", width=96, depth=2)
        self.flow = FlowMatching(
            table(SUMS), n_cond + 1, FlowMatchingOptions(prior="gaussian", steps=8, network=network)
        )
        self.transform = QuantileNormalisation(SUMS)

    @torch.no_grad()
    def fit(self, batch: Batch) -> None:
        """Take the distributions of the sums of jets, in physical units, that have particles."""
        assert batch.mask is not None
        there = batch.mask.any(1)
        if bool(there.any()):
            sums = _sums(batch.x, batch.mask) - self._base(batch.cond)
            self.transform.fit(sums[there], None if batch.weight is None else batch.weight[there])

    @torch.no_grad()
    def encode(self, batch: Batch, generator: torch.Generator | None) -> Tensor:
        """Latents (N, 4) of the sums of jets in physical units, zeros of those without particles."""
        assert batch.mask is not None
        sums = _sums(batch.x, batch.mask) - self._base(batch.cond)
        dither = torch.rand(sums.shape, generator=generator, device=sums.device)
        return self.transform.encode(sums, dither) * batch.mask.any(1, keepdim=True)

    def begin_phase(self, cond: Tensor, mask: Tensor, z: Tensor, generator: torch.Generator) -> None:
        """Fit the flow's prior to latents `z` (N, 4) at conditions (N, K)."""
        self.flow.begin_phase("flow", Batch(z, _with_number(cond, mask)), generator)

    def loss(self, batch: Batch, z: Tensor, generator: torch.Generator | None) -> Tensor:
        """The flow's loss of latents `z` (N, 4) at the conditions and with masks and weights of `batch`."""
        assert batch.mask is not None
        there = batch.mask.any(1).to(z)
        weight = there if batch.weight is None else there * batch.weight
        found = self.flow.losses(Batch(z, _with_number(batch.cond, batch.mask), weight), "flow", generator)
        return found["flow"]

    def draw(self, cond: Tensor, mask: Tensor, noise: Tensor) -> Tensor:
        """Latents (N, 4) at conditions (N, K), of noise (N, 4)."""
        return self.flow.sample(_with_number(cond, mask), {"noise": noise})

    def restore(self, x: Tensor, mask: Tensor, z: Tensor, cond: Tensor) -> Tensor:
        """Jets (N, P, 3) with the sums of the latents `z`, at conditions (N, K) in physical units."""
        target, sums = self.transform.decode(z) + self._base(cond), _sums(x, mask)
        stretch = (0.5 * (target[:, 3] - sums[:, 3])).exp().clamp(max=FARTHEST)[:, None, None]
        places = target[:, None, 1:3] + stretch * (x[..., :2] - sums[:, None, 1:3])
        size = x[..., 2:] * (target[:, :1] - sums[:, :1]).exp()[..., None]
        return torch.cat([places, size], -1) * mask[..., None]

    def _base(self, cond: Tensor) -> Tensor:
        """What sums are relative to: those of the given particles, 0 where there are none."""
        if not self.given:
            return cond.new_zeros(1, SUMS)
        points = cond[:, self.scalars :].reshape(-1, self.given, GIVEN_FEATURES)
        there = points[..., 2] > 0
        base = _sums(points, there)
        base = torch.cat([base[:, :3], base[:, 3:].clamp(min=NARROWEST)], -1)
        return base * there.any(1, keepdim=True)


def _sums(x: Tensor, mask: Tensor) -> Tensor:
    """Logarithm of the sum of pT, centre, logarithm of the square width: (N, 4)."""
    return moments(x * mask[..., None], LEAST)


def _with_number(cond: Tensor, mask: Tensor) -> Tensor:
    return torch.cat([cond, mask.to(cond).mean(1, keepdim=True)], -1)
