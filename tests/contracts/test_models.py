"""The contract every registered generative model keeps, on a small cylinder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facsim.core.errors import FacsimError
from facsim.core.events import make_events
from facsim.core.geometry import CylinderGeometry, Layer, regular_cylinder
from facsim.core.rng import generator
from facsim.core.schema import Schema, calorimeter_schema
from facsim.models import MODELS, EventModel
from facsim.models.base import Batch, draw_noise
from facsim.models.checkpoint import build_model, load_model, save_model
from facsim.models.sampling import TorchSampler

SMALL_MLP = {"name": "residual-mlp", "width": 8, "depth": 1}
SMALL: dict[str, dict[str, Any]] = {
    "two-stage": {
        "layers": {
            "name": "flow-matching",
            "prior": "gaussian",
            "steps": 2,
            "network": SMALL_MLP,
        },
        "pattern": {
            "name": "flow-matching",
            "prior": "gaussian",
            "network": {"name": "layer-transformer", "width": 8, "heads": 2, "depth": 1},
        },
        "steps": 2,
    }
}


GEOMETRIES = {
    "grid": regular_cylinder("toy", "electron", 4, 6, 3, 5.0, 0.01),
    "ragged": CylinderGeometry(
        "toy",
        "photon",
        (Layer(0, (0, 5, 10, 30), 1), Layer(1, (0, 2, 4, 6, 8), 6), Layer(2, (0, 5, 30), 4), Layer(12, (0, 50), 1)),
        0.01,
    ),
}


@pytest.fixture(scope="module", params=sorted(GEOMETRIES))
def schema(request: pytest.FixtureRequest) -> Schema:
    return calorimeter_schema(GEOMETRIES[request.param])


@pytest.fixture(scope="module")
def batch(schema: Schema) -> Batch:
    assert schema.geometry is not None
    n_cells = schema.geometry.n_cells
    rng = generator(1, "toy-showers")
    energy = rng.uniform(1e3, 1e4, (32, 1))
    cells = rng.exponential(1.0, (32, n_cells)) * energy / 100
    cells[rng.random((32, n_cells)) < 0.6] = 0
    cells[:5, schema.geometry.offsets[-2] :] = 0
    cells[cells < 0.02] = 0
    x = torch.as_tensor(cells[..., None], dtype=torch.float32)
    return Batch(x, torch.as_tensor(energy, dtype=torch.float32))


def prepared(name: str, schema: Schema, batch: Batch) -> EventModel:
    torch.manual_seed(3)
    options = SMALL[name]
    if schema.geometry is not None and schema.geometry.shape is None:  # its own network for ragged layers
        options = {**options, "pattern": {"name": "flow-matching", "prior": "gaussian", "network": SMALL_MLP}}
    model = build_model(name, schema, options)
    rng = torch.Generator().manual_seed(5)
    for phase in model.phases:
        model.begin_phase(phase, batch, rng)
    return model


@pytest.mark.parametrize("name", sorted(MODELS))
def test_losses_are_finite_and_every_phase_trains_its_parameters(name: str, schema: Schema, batch: Batch) -> None:
    model = prepared(name, schema, batch)
    trained: set[int] = set()
    for phase in model.phases:
        parameters = model.parameters_of(phase)
        optimiser = torch.optim.SGD(parameters, 1e-2)
        reached = [False] * len(parameters)
        for seed in range(4):  # zero-initialised last layers pass gradients from the second step on
            losses = model.losses(batch, phase, torch.Generator().manual_seed(seed))
            assert all(loss.ndim == 0 and torch.isfinite(loss) for loss in losses.values())
            optimiser.zero_grad()
            sum(losses.values()).backward()
            reached = [
                r or (p.grad is not None and bool(p.grad.any())) for r, p in zip(reached, parameters, strict=True)
            ]
            optimiser.step()
        assert all(reached), f"{phase}: {reached.count(False)} parameters get no gradient"
        trained |= {id(p) for p in parameters}
    assert trained == {id(p) for p in model.parameters()}


@pytest.mark.parametrize("name", sorted(MODELS))
def test_samples_have_the_schemas_shape_and_follow_the_noise(name: str, schema: Schema, batch: Batch) -> None:
    model = prepared(name, schema, batch).eval()
    noise = draw_noise(model.noise_spec(8), torch.Generator().manual_seed(1))
    with torch.no_grad():
        first = model.sample(batch.cond[:8], noise)
        again = model.sample(batch.cond[:8], {k: v.clone() for k, v in noise.items()})
        single = model.sample(batch.cond[3:4], {k: v[3:4] for k, v in noise.items()})
    assert first.shape == (8, *batch.x.shape[1:])
    assert torch.isfinite(first).all()
    assert (first >= 0).all()
    assert torch.equal(first, again)
    torch.testing.assert_close(single[0], first[3], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_cells_are_zero_or_above_threshold(name: str, schema: Schema, batch: Batch) -> None:
    x = TorchSampler(prepared(name, schema, batch)).sample(batch.cond.numpy(), generator(2))
    assert ((x == 0) | (x >= 0.01 * (1 - 1e-5))).all()


@pytest.mark.parametrize("name", sorted(MODELS))
def test_many_showers_are_sampled_in_parts(
    name: str, schema: Schema, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampler = TorchSampler(prepared(name, schema, batch))
    cond = batch.cond.numpy()[:10]
    whole = sampler.sample(cond, generator(7))
    monkeypatch.setattr("facsim.models.sampling.CELLS_AT_ONCE", 3 * batch.x.shape[1])
    np.testing.assert_allclose(sampler.sample(cond, generator(7)), whole, rtol=1e-3, atol=1e-3)
    assert sampler.sample(cond[:0], generator(7)).shape == (0, *batch.x.shape[1:])


@pytest.mark.parametrize("name", sorted(MODELS))
def test_save_and_load_give_the_same_samples(name: str, schema: Schema, batch: Batch, tmp_path: Path) -> None:
    model = prepared(name, schema, batch)
    save_model(model, name, tmp_path)
    loaded = load_model(tmp_path)
    cond = batch.cond.numpy()
    np.testing.assert_array_equal(
        TorchSampler(model).sample(cond, generator(7)), TorchSampler(loaded).sample(cond, generator(7))
    )


def test_unknown_names_and_options_are_refused(tmp_path: Path) -> None:
    schema = calorimeter_schema(GEOMETRIES["grid"])
    with pytest.raises(FacsimError, match="unknown model 'two-stages': expected one of"):
        build_model("two-stages", schema, {})
    with pytest.raises(FacsimError, match=r"model.options.stepz"):
        build_model("two-stage", schema, {"stepz": 3})
    with pytest.raises(FacsimError, match=r"unknown method 'flow-macthing'.*did you mean 'flow-matching'"):
        build_model("two-stage", schema, {"pattern": {"name": "flow-macthing"}})
    network = {"name": "layer-transformer", "width": 30}
    with pytest.raises(FacsimError, match=r"the width 30 of 'layer-transformer' is not a multiple of its 4 heads"):
        build_model("two-stage", schema, {"pattern": {"name": "flow-matching", "network": network}})
    with pytest.raises(FacsimError, match="holds no trained model"):
        load_model(tmp_path)


def test_damaged_weights_are_refused(schema: Schema, batch: Batch, tmp_path: Path) -> None:
    save_model(prepared("two-stage", schema, batch), "two-stage", tmp_path)
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(FacsimError, match="cannot be loaded"):
        load_model(tmp_path)


def test_schema_without_energy_is_refused() -> None:
    geometry = regular_cylinder("toy", "electron", 2, 4, 2, 5.0, 0.01)
    events = make_events(Schema("grid", (), (), geometry), np.zeros((1, 16, 1)), np.zeros((1, 0)))
    with pytest.raises(FacsimError, match="no condition 'incident_energy'"):
        build_model("two-stage", events.schema, {})
