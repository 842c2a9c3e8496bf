"""The table of jet observables: agrees with the plain functions, shares work, takes tensors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facsim.physics import jet_observables
from facsim.physics.jet_observables import JET_OBSERVABLES, Jets
from facsim.physics.jet_substructure import tau21, tau32
from facsim.physics.jets import d2, efps, jet_features


def jets(n: int = 20) -> np.ndarray:
    rng = np.random.default_rng(1)
    found = np.concatenate([0.2 * rng.normal(size=(n, 8, 2)), rng.exponential(size=(n, 8, 1))], axis=2)
    found[::3, 5:, 2] = 0.0
    found[0, 1:, 2] = 0.0
    return found


def test_values_are_those_of_the_functions() -> None:
    particles = jets()
    sample = Jets(particles)
    want = {**jet_features(particles), "tau21": tau21(particles), "tau32": tau32(particles), "d2": d2(particles)}
    eta, phi, pt = np.moveaxis(particles, 2, 0)
    total = pt.sum(axis=1)
    want |= {
        "width": (pt * np.hypot(eta, phi)).sum(axis=1) / total,
        "ptd": np.sqrt((pt**2).sum(axis=1)) / total,
        "leading": pt.max(axis=1),
    }
    names = {"mass", "pt", "multiplicity", "tau21", "tau32", "width", "ptd", "leading", "d2"}
    assert set(JET_OBSERVABLES) == names
    for name, observable in JET_OBSERVABLES.items():
        assert (observable.name, len(sample)) == (name, 20)
        np.testing.assert_allclose(observable.values(sample), want[name], rtol=1e-12)
    np.testing.assert_array_equal(sample.efps, efps(particles))


def test_masks_and_tensors() -> None:
    particles = jets()
    mask = particles[:, :, 2] > 0
    filled = np.where(mask[:, :, None], particles, 7.0)
    for observable in JET_OBSERVABLES.values():
        plain = observable.values(Jets(particles))
        np.testing.assert_allclose(observable.values(Jets(filled, mask)), plain, rtol=1e-12)
        tensor = observable.values(Jets(torch.tensor(particles)))
        assert isinstance(tensor, torch.Tensor)
        np.testing.assert_allclose(tensor.numpy(), plain, rtol=1e-9, atol=1e-12)


def test_clustering_is_done_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    compute = jet_observables.subjettiness
    monkeypatch.setattr(jet_observables, "subjettiness", lambda *given: calls.append(1) or compute(*given))
    sample = Jets(jets())
    for observable in JET_OBSERVABLES.values():
        observable.values(sample)
    assert len(calls) == 1
