"""What a single-stage model learns: multiplicities given the condition, and a table with an atom."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.core.schema import Feature, Schema
from facsim.data import open_events
from facsim.data.jetnet import write_jetnet
from facsim.models.base import Batch, draw_noise
from facsim.models.checkpoint import build_model
from facsim.models.multiplicity import Multiplicity
from facsim.models.sampling import TorchSampler
from facsim.train.loop import Trainer
from facsim.train.settings import TrainSettings

MLP = {"name": "residual-mlp", "width": 48, "depth": 2}


def test_multiplicity_follows_its_inverse_distribution_function() -> None:
    model = Multiplicity(1, 3)
    model.fit(torch.tensor([0, 1, 1, 3]))
    uniform = torch.tensor([[0.1], [0.3], [0.7], [0.9], [1.0 - 1e-6]])
    assert model.draw(torch.zeros(5, 1), uniform)[:, 0].tolist() == [0, 1, 1, 3, 3]


def test_multiplicity_learns_a_dependence() -> None:
    rng = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    model = Multiplicity(1, 5)
    features = 2 * torch.rand(4000, 1, generator=rng) - 1
    count = (2.5 + 2 * features[:, 0] + torch.rand(4000, generator=rng)).long()
    model.fit(count)
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(150):
        optimiser.zero_grad()
        model.loss(features, count, None).backward()
        optimiser.step()
    drawn = model.draw(features, torch.rand(4000, 1, generator=rng))[:, 0]
    for part in (features[:, 0] < -0.5, features[:, 0] > 0.5):
        assert float(drawn[part].mean()) == pytest.approx(float(count[part].float().mean()), abs=0.1)


def test_negative_weights_of_multiplicities_take_events_out() -> None:
    model = Multiplicity(1, 3)
    count, weight = torch.tensor([0, 1, 2, 3]), torch.tensor([1.0, -1.0, 2.0, -2.0])
    model.fit(torch.tensor([0, 0, 1, 2, 3]))
    each = torch.stack([model.loss(torch.zeros(1, 1), one, None) for one in count.split(1)])
    torch.testing.assert_close(model.loss(torch.zeros(4, 1), count, weight), (each * weight).mean())


def test_a_first_condition_that_is_a_negative_energy_is_refused() -> None:
    schema = Schema("table", (Feature("a"),), (Feature("px", "GeV"),))
    model = build_model("single-stage", schema, {})
    batch = Batch(torch.randn(20, 1), torch.linspace(-10, 10, 20)[:, None])
    with pytest.raises(FacsimError, match="is negative in some events: put another one first"):
        model.begin_phase("flow", batch, torch.Generator())


def test_a_table_with_an_atom_that_depends_on_the_condition_is_learned() -> None:
    """The share of exact zeros rises with the condition from 0.1 to 0.9; what is not zero is around 30."""
    rng = torch.Generator().manual_seed(1)

    def truth(n: int) -> Batch:
        cond = torch.rand(n, 1, generator=rng)
        zero = torch.rand(n, 1, generator=rng) < 0.1 + 0.8 * cond
        return Batch(torch.where(zero, 0.0, 30 + torch.randn(n, 1, generator=rng)), cond)

    torch.manual_seed(1)
    schema = Schema("table", (Feature("e", "MeV"),), (Feature("u"),))
    model = build_model(
        "single-stage", schema, {"method": {"name": "flow-matching", "steps": 8, "solver": "heun", "network": MLP}}
    )
    model.begin_phase("flow", truth(4000), rng)
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(500):
        loss = model.losses(truth(256), "flow", rng)["flow"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    for u in (0.1, 0.9):
        with torch.no_grad():
            x = model.sample(torch.full((2000, 1), u), draw_noise(model.noise_spec(2000), rng))
        assert float((x == 0).float().mean()) == pytest.approx(0.1 + 0.8 * u, abs=0.06)
        assert float(x[x > 0].mean()) == pytest.approx(30, abs=0.3)


def test_jets_come_back_in_the_layout_of_jetnet(tmp_path: Path) -> None:
    rng = generator(1, "toy-jets")
    count = rng.integers(1, 6, 80)
    present = np.arange(5) < count[:, None]
    particles = np.concatenate([rng.normal(0, 0.1, (80, 5, 2)), rng.random((80, 5, 1)), present[..., None]], -1)
    particles = (particles * present[..., None]).astype(np.float32)
    jets = np.stack([rng.uniform(800, 1200, 80), rng.normal(0, 1, 80), rng.uniform(20, 90, 80), count], 1)
    write_jetnet(tmp_path / "truth.h5", particles, jets)
    truth = open_events(tmp_path / "truth.h5")
    options = {"method": {"name": "flow-matching", "steps": 2, "network": {"name": "epic", "width": 8, "depth": 1}}}
    settings = TrainSettings(steps=3, batch_size=16, device="cpu")
    model = Trainer("single-stage", options, truth, None, tmp_path / "model", 1, settings).run()
    sample = TorchSampler(model).sample(jets, generator(2))
    write_jetnet(tmp_path / "sample.h5", sample, jets)
    found = open_events(tmp_path / "sample.h5").read(0, 80)
    assert found.mask is not None
    np.testing.assert_array_equal(found.mask.sum(1), count)  # the multiplicity is one of the jets' conditions
    assert (found.x[..., 2] >= 0).all()
