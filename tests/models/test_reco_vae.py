"""The autoencoder from generator-level to reconstructed jets: its distances in closed form, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.core.schema import Feature, Schema, given_conditions
from facsim.models.base import Batch
from facsim.models.checkpoint import build_model
from facsim.models.reco_vae import _momenta, chamfer

FEATURES = (Feature("etarel"), Feature("phirel", "rad"), Feature("ptrel"))
SCALARS = (Feature("gen_pt", "GeV"), Feature("gen_eta"))


def test_chamfer_distance_is_that_of_the_points_that_are_there() -> None:
    rng = generator(1, "chamfer")
    a, b = rng.normal(0, 3, (2, 4, 5, 3))
    count = np.array([5, 2, 1, 0])
    mask = np.arange(5) < count[:, None]
    found = chamfer(torch.as_tensor(a), torch.as_tensor(b), torch.as_tensor(mask))
    for k, n in enumerate(count):
        square = cdist(a[k, :n], b[k, :n]) ** 2
        wanted = square.min(0).sum() + square.min(1).sum() if n else 0.0
        assert float(found[k]) == pytest.approx(wanted, rel=1e-9)


def test_momenta_are_those_of_massless_particles() -> None:
    x = torch.tensor([[[0.2, -0.3, 0.5], [0.0, 0.0, 0.0]]], dtype=torch.float64)
    momenta = _momenta(x, torch.tensor([[100.0]]), torch.tensor([[1.5]])).numpy()[0]
    assert np.hypot(*momenta[0, :2]) == pytest.approx(50.0)
    assert np.arctan2(momenta[0, 1], momenta[0, 0]) == pytest.approx(-0.3)
    assert np.arcsinh(momenta[0, 2] / 50) == pytest.approx(1.7)
    assert not momenta[1].any()


@pytest.mark.parametrize("jets", ["squared-error", "energy-score"])
def test_terms_have_the_papers_factors(jets: str) -> None:
    """Factors enter once: doubling one doubles its term and leaves the others."""
    rng = generator(2, "factors")
    x = np.concatenate([rng.normal(0, 0.1, (16, 3, 2)), rng.dirichlet(np.ones(3), 16)[..., None]], -1)
    cond = np.concatenate([rng.uniform(50, 90, (16, 1)), rng.uniform(-1, 1, (16, 1)), x.reshape(16, -1)], 1)
    schema = Schema("cloud", FEATURES, (*SCALARS, *given_conditions(3, FEATURES, "gen")), points=3, given=3)
    batch = Batch(torch.tensor(x).float(), torch.tensor(cond).float(), mask=torch.ones(16, 3, dtype=torch.bool))
    found = []
    for changed in ({}, {"mass": 2.0}, {"kl": 0.65}):
        torch.manual_seed(4)
        model = build_model("reco-vae", schema, {"jets": jets, "width": 8, "latent": 2, **changed})
        model.begin_phase("autoencoder", batch, torch.Generator().manual_seed(1))
        losses = model.losses(batch, "autoencoder", torch.Generator().manual_seed(2))
        found.append({name: float(loss.detach()) for name, loss in losses.items()})
    usual, heavier, tighter = found
    assert heavier == pytest.approx({**usual, "mass": 2 * usual["mass"]})
    assert tighter["kl"] == pytest.approx(usual["kl"] * 0.65 / 0.3)
    assert tighter["chamfer"] == pytest.approx(usual["chamfer"] * 0.35 / 0.7)


def test_other_events_are_refused() -> None:
    schema = Schema("cloud", FEATURES, SCALARS, points=3)
    with pytest.raises(FacsimError, match=r"'reco-vae' takes jets .* 0 given points"):
        build_model("reco-vae", schema, {})
    turned = Schema("cloud", FEATURES, (*SCALARS[::-1], *given_conditions(2, FEATURES, "gen")), points=3, given=2)
    with pytest.raises(FacsimError, match="'reco-vae' takes jets"):
        build_model("reco-vae", turned, {})
    with pytest.raises(FacsimError, match=r"network.*epicc"):
        build_model("reco-vae", schema, {"network": "epicc"})
