"""Sums of jets: restored exactly, the mass with them, and drawn given the conditions."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from facsim.core.errors import FacsimError
from facsim.core.schema import Feature, Schema, given_conditions
from facsim.models.base import Batch
from facsim.models.checkpoint import build_model
from facsim.models.totals import FARTHEST, Totals, _sums
from facsim.physics.jets import jet_features

JETS = Schema("cloud", tuple(Feature(n) for n in ("etarel", "phirel", "ptrel")), (Feature("pt", "GeV"),), points=6)
N = 400


def jets(seed: int) -> tuple[Tensor, Tensor]:
    """Narrow jets (N, 6, 3) of 0 to 6 particles, and their mask."""
    rng = torch.Generator().manual_seed(seed)
    mask = torch.arange(6) < torch.randint(0, 7, (N, 1), generator=rng)
    places = 0.1 * torch.randn(N, 6, 2, generator=rng)
    size = torch.rand(N, 6, 1, generator=rng) + 0.05
    return torch.cat([places, size], -1) * mask[..., None], mask


@torch.no_grad()
def test_particles_get_the_sums_of_other_jets() -> None:
    """One jet's particles, another's sums: what comes out has the latter, and so its mass."""
    torch.manual_seed(1)
    totals, (x, mask), (other, there) = Totals(JETS, 1), jets(1), jets(2)
    cond = torch.full((N, 1), 50.0)
    wanted = Batch(other, cond, mask=there)
    totals.fit(wanted)
    found = totals.restore(x, mask, totals.encode(wanted, torch.Generator().manual_seed(3)), cond)
    several = (mask.sum(1) > 2) & (there.sum(1) > 2)
    several &= _sums(other, there)[:, 3] - _sums(x, mask)[:, 3] < 2 * math.log(FARTHEST)
    torch.testing.assert_close(_sums(found, mask)[several], _sums(other, there)[several], rtol=2e-3, atol=2e-3)
    masses = [jet_features(jet)["mass"][several] for jet in (found, other)]
    torch.testing.assert_close(masses[0], masses[1], rtol=0.02, atol=2e-3)
    assert torch.isfinite(found).all()
    assert not found[~mask].any()


def test_the_response_of_jets_is_learned_however_many_particles() -> None:
    """S is 0.9 +- 0.1 in truth: after a short training the widths of sums are right, since one number gives them."""
    x, mask = jets(4)
    mask[:] = True
    rng = torch.Generator().manual_seed(5)
    x = torch.cat([0.1 * torch.randn(N, 6, 2, generator=rng), torch.full((N, 6, 1), 1 / 6)], -1)
    scale = 0.9 + 0.1 * torch.randn(N, 1, generator=rng)
    x[..., 2] *= scale
    method = {"name": "flow-matching", "steps": 2, "network": {"name": "epic", "width": 8, "depth": 1}}
    torch.manual_seed(0)
    model = build_model("single-stage", JETS, {"method": method, "totals": True})
    batch = Batch(x, torch.full((N, 1), 50.0), mask=mask)
    model.begin_phase("flow", batch, rng)
    noise = {name: torch.randn(spec.shape, generator=rng) for name, spec in model.noise_spec(N).items()}
    noise["multiplicity"] = torch.rand(N, 1, generator=rng)
    with torch.no_grad():
        made = model.sample(batch.cond, noise)
    total = made[..., 2].sum(1)
    assert float(total.mean()) == pytest.approx(float(scale.mean()), abs=0.02)
    assert float(total.std()) == pytest.approx(float(scale.std()), rel=0.15)


@torch.no_grad()
def test_sums_of_reconstructed_jets_are_relative_to_the_given_ones() -> None:
    """Jets that are their given ones, with 0.8 of the pT and moved by 0.1: four numbers that are the same for all."""
    (x, mask), features = jets(6), JETS.features
    schema = replace(JETS, conditions=(*JETS.conditions, *given_conditions(6, features, "g")), given=6)
    made = (x * torch.tensor([1, 1, 0.8]) + torch.tensor([0.1, 0, 0])) * mask[..., None]
    batch = Batch(made, torch.cat([torch.full((N, 1), 50.0), x.flatten(1)], 1), mask=mask)
    several = mask.sum(1) > 2
    relative = (_sums(made, mask) - Totals(schema, 1)._base(batch.cond))[several]
    wanted = torch.tensor([math.log(0.8), 0.1, 0.0, 0.0]).expand_as(relative)
    torch.testing.assert_close(relative, wanted, rtol=1e-3, atol=1e-4)


def test_other_events_are_refused() -> None:
    points = Schema("cloud", (Feature("x"), Feature("energy")), (Feature("pt", "GeV"),), points=6)
    with pytest.raises(FacsimError, match=r"'totals' is for jets, clouds with the columns .* leave it out"):
        build_model("single-stage", points, {"totals": True})
