"""The contract every registered generative model keeps, on every representation it takes and with every method."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facsim.core.cell_geometry import CellGeometry, CellLayer
from facsim.core.errors import FacsimError
from facsim.core.events import make_events
from facsim.core.geometry import CylinderGeometry, Geometry, Layer, regular_cylinder
from facsim.core.rng import generator
from facsim.core.schema import Feature, Schema, calorimeter_schema, given_conditions
from facsim.export.check import check_export
from facsim.export.onnx import export_onnx
from facsim.models import MODELS, EventModel
from facsim.models.base import Batch, draw_noise
from facsim.models.checkpoint import build_model, load_model, save_model
from facsim.models.methods import METHODS
from facsim.models.sampling import TorchSampler

N, THRESHOLD = 32, 0.01
MLP = {"name": "residual-mlp", "width": 8, "depth": 1}
TRANSFORMER = {"name": "layer-transformer", "width": 8, "heads": 2, "depth": 1}
POINTS = {"name": "epic", "width": 8, "depth": 1}
NETWORKS = {"table": MLP, "grid": TRANSFORMER, "cells": MLP, "cloud": POINTS}

GEOMETRIES: dict[str, Geometry] = {
    "grid": regular_cylinder("toy", "electron", 4, 6, 3, 5.0, THRESHOLD),
    "ragged": CylinderGeometry(
        "toy",
        "photon",
        (Layer(0, (0, 5, 10, 30), 1), Layer(1, (0, 2, 4, 6, 8), 6), Layer(2, (0, 5, 30), 4), Layer(12, (0, 50), 1)),
        THRESHOLD,
    ),
    "cells": CellGeometry(
        "toy",
        "photon",
        tuple(CellLayer(i, np.linspace(-20.0, 20.0, 7 + i), np.zeros(7 + i)) for i in range(3)),
        np.array([0.0, 10.0, 30.0]),
        THRESHOLD,
    ),
}
ENERGY, THETA = Feature("incident_energy", "MeV"), Feature("theta", "rad")


def _grid(name: str) -> tuple[Schema, Batch]:
    schema = calorimeter_schema(GEOMETRIES[name])
    n_cells = GEOMETRIES[name].n_cells
    rng = generator(1, "toy-showers")
    energy = rng.uniform(1e3, 1e4, (N, 1))
    cells = rng.exponential(1.0, (N, n_cells)) * energy / 100
    cells[rng.random((N, n_cells)) < 0.6] = 0
    cells[:5, GEOMETRIES[name].offsets[-2] :] = 0
    cells[cells < 0.02] = 0
    return schema, Batch(_tensor(cells[..., None]), _tensor(energy))


def _table(conditions: tuple[Feature, ...] = (ENERGY, THETA)) -> tuple[Schema, Batch]:
    """A smooth feature, one with an atom at zero that spans decades, a count, and one that never varies."""
    rng = generator(2, "toy-table")
    values = [rng.normal(5, 2, N), np.where(rng.random(N) < 0.4, 0, np.exp(rng.normal(0, 3, N))), rng.poisson(20, N)]
    schema = Schema("table", (Feature("a", "mm"), Feature("b", "MeV"), Feature("n"), Feature("same")), conditions)
    cond = np.stack([rng.uniform(1e3, 1e4, N), rng.normal(0, 0.1, N)], 1)[:, : len(conditions)]
    return schema, Batch(_tensor(np.stack([*values, np.full(N, 2.5)], 1)), _tensor(cond))


def _cloud(counted: bool = False) -> tuple[Schema, Batch]:
    rng = generator(3, "toy-cloud")
    count = rng.integers(0, 7, N)
    mask = np.arange(6) < count[:, None]
    x = np.stack([rng.normal(0, 10, (N, 6)), rng.exponential(1.0, (N, 6))], -1) * mask[..., None]
    conditions = (ENERGY, Feature("num_particles")) if counted else (ENERGY,)
    cond = np.stack([rng.uniform(1e3, 1e4, N), count], 1)[:, : len(conditions)]
    schema = Schema("cloud", (Feature("x", "mm"), Feature("energy", "MeV")), conditions, points=6)
    return schema, Batch(_tensor(x), _tensor(cond), mask=torch.as_tensor(mask))


def _given() -> tuple[Schema, Batch]:
    """Points that are those given before, moved a little, where they are not lost; events without any, too."""
    _, batch = _cloud()
    assert batch.mask is not None
    rng = generator(4, "toy-given")
    size = np.sort(rng.exponential(0.2, (N, 4)), axis=1)[:, ::-1] * (np.arange(4) < rng.integers(0, 5, N)[:, None])
    points = np.concatenate([rng.normal(0, 0.3, (N, 4, 2)) * (size > 0)[..., None], size[..., None]], -1)
    names = (Feature("a"), Feature("b"), Feature("size"))
    schema = Schema("cloud", (Feature("x", "mm"), Feature("energy", "MeV")), (), points=6)
    schema = replace(schema, conditions=(ENERGY, *given_conditions(4, names, "g")), given=4)
    cond = torch.cat([batch.cond, _tensor(points.reshape(N, -1))], 1)
    return schema, replace(batch, cond=cond)


def _reco() -> tuple[Schema, Batch]:
    """Jets of which particles are lost and smeared."""
    rng = generator(5, "toy-reco")
    size = np.sort(rng.dirichlet(np.ones(5), N), axis=1)[:, ::-1]
    gen = np.concatenate([rng.normal(0, 0.1, (N, 5, 2)), size[..., None]], -1)
    mask = np.arange(6) < rng.integers(0, 6, N)[:, None]
    x = np.pad(gen * rng.normal(1, 0.1, gen.shape), ((0, 0), (0, 1), (0, 0)))
    names = tuple(Feature(name) for name in ("etarel", "phirel", "ptrel"))
    scalars = (Feature("gen_pt", "GeV"), Feature("gen_eta"))
    schema = Schema("cloud", names, (*scalars, *given_conditions(5, names, "gen")), points=6, given=5)
    cond = np.concatenate([rng.uniform(20, 100, (N, 1)), rng.uniform(-2, 2, (N, 1)), gen.reshape(N, -1)], 1)
    return schema, Batch(_tensor(np.abs(x) * mask[..., None]), _tensor(cond), mask=torch.as_tensor(mask))


def _tensor(values: Any) -> torch.Tensor:
    return torch.as_tensor(values, dtype=torch.float32)


EVENTS: dict[str, Callable[[], tuple[Schema, Batch]]] = {
    "grid": lambda: _grid("grid"),
    "ragged": lambda: _grid("ragged"),
    "cells": lambda: _grid("cells"),
    "table": _table,
    "table-of-one-condition": lambda: _table((Feature("theta", "rad"),)),
    "table-without-conditions": lambda: _table(()),
    "cloud": _cloud,
    "cloud-counted": lambda: _cloud(True),
    "cloud-given": _given,
    "cloud-given-attended": _given,
    "cloud-reco": _reco,
    "cloud-reco-totals": _reco,
}
TAKES = {"two-stage": ("grid", "ragged"), "single-stage": tuple(EVENTS), "reco-vae": ("cloud-reco",)}
OF_METHODS = ("two-stage", "single-stage")
SCORED = "scored"
"""Losses of two draws of a jet."""

Case = tuple[str, str, str]
"""Model, events, method."""
SELECTED = "selected"
"""Flow matching, several candidates and a ratio."""


def _cases() -> Iterator[Case]:
    """Every model on all it takes, with one method; every method in every model, on one kind of events."""
    for model in (name for name, kind in MODELS.items() if issubclass(kind, EventModel)):
        yield from ((model, events, "flow-matching") for events in TAKES[model])
        if "candidates" in MODELS[model].Options.model_fields:
            yield from ((model, events, SELECTED) for events in TAKES[model][:2])
        if model not in OF_METHODS:
            yield from ((model, events, SCORED) for events in TAKES[model])
            continue
        for index, method in enumerate(name for name in METHODS if name != "flow-matching"):
            if model == "single-stage" and method in ("gan", "vae", "distilled"):
                yield model, "cloud-given-attended", method
                yield model, "cloud-reco-totals", method
            fitting = [e for e in TAKES[model][:6] if _representation(e) in METHODS[method].representations]
            if fitting:
                yield model, fitting[index % len(fitting)], method


def _representation(events: str) -> str:
    first = events.partition("-")[0]
    return first if first in ("table", "cloud") else "grid"


def _options(case: Case) -> dict[str, Any]:
    model, events, method = case
    network = NETWORKS.get(events.partition("-")[0], TRANSFORMER)
    if model == "reco-vae":
        own = {"latent": 3, "width": 8, "network": network}
        return {**own, "jets": "energy-score"} if method == SCORED else own
    if (events, method) == ("ragged", "flow"):  # a coupling may leave all cells of one kind of layer alone
        network = MLP
    if model == "single-stage":
        given = {"given": {"outputs": 3, "width": 8, "attend": True}} if events.endswith(("attended", "totals")) else {}
        if events.endswith("totals"):
            given["totals"] = True
        return {"method": _small(method, network), **given}
    if method == SELECTED:
        return {**_options((model, events, "flow-matching")), "layer_candidates": 3, "candidates": 2}
    takes_table = "table" in METHODS[method].representations
    return {"layers": _small(method if takes_table else "flow-matching", MLP), "pattern": _small(method, network)}


def _small(method: str, network: dict[str, Any]) -> dict[str, Any]:
    steps = {"steps": 2} if "steps" in METHODS[method].Options.model_fields else {}
    prior = {"prior": "gaussian"} if method == "flow-matching" else {}
    return {"name": method, "network": network, **steps, **prior}


@cache
def _events(name: str) -> tuple[Schema, Batch]:
    return EVENTS[name]()


def prepared(case: Case) -> tuple[EventModel, Batch]:
    torch.manual_seed(3)
    schema, batch = _events(case[1])
    model = build_model(case[0], schema, _options(case))
    rng = torch.Generator().manual_seed(5)
    for phase in model.phases:
        model.begin_phase(phase, batch, rng)
    return model, batch


CASES = list(_cases())
EACH = pytest.mark.parametrize("case", CASES, ids=["-".join(case) for case in CASES])


@EACH
def test_losses_are_finite_and_every_phase_trains_its_parameters(case: Case) -> None:
    model, batch = prepared(case)
    names = {id(p): name for name, p in model.named_parameters()}
    trained: set[int] = set()
    missed: set[str] = set()
    for phase in model.phases:
        turns = {turn: model.parameters_of(turn) for turn in model.turns(phase)}
        reached: set[int] = set()
        for seed in range(4):  # zero-initialised last layers pass gradients from the second step on
            for turn, parameters in turns.items():
                losses = model.losses(batch, turn, torch.Generator().manual_seed(seed))
                assert all(loss.ndim == 0 and torch.isfinite(loss) for loss in losses.values())
                optimiser = torch.optim.Adam(parameters, 1e-3)
                optimiser.zero_grad()
                torch.stack(list(losses.values())).sum().backward()
                reached |= {id(p) for p in parameters if p.grad is not None and bool(p.grad.any())}
                optimiser.step()
        wanted = {id(p) for parameters in turns.values() for p in parameters}
        missed |= {names[p] for p in wanted - reached}
        trained |= wanted
    assert not missed
    assert trained == names.keys()


@EACH
def test_samples_have_the_schemas_shape_and_follow_the_noise(case: Case) -> None:
    model, batch = prepared(case)
    model.eval()
    noise = draw_noise(model.noise_spec(8), torch.Generator().manual_seed(1))
    with torch.no_grad():
        first = model.sample(batch.cond[:8], noise)
        again = model.sample(batch.cond[:8], {k: v.clone() for k, v in noise.items()})
        single = model.sample(batch.cond[3:4], {k: v[3:4] for k, v in noise.items()})
    assert first.shape == (8, *model.event_shape)
    assert torch.isfinite(first).all()
    assert torch.equal(first, again)
    torch.testing.assert_close(single[0], first[3], rtol=1e-3, atol=1e-3)


@EACH
def test_values_are_possible_ones(case: Case) -> None:
    """Cells are zero or above threshold; absent points are zero; counts are whole and what never varies does not."""
    model, batch = prepared(case)
    x = TorchSampler(model).sample(batch.cond.numpy(), generator(2))
    if model.schema.representation == "grid":
        assert ((x == 0) | (x >= THRESHOLD * (1 - 1e-5))).all()
    elif model.schema.representation == "cloud":
        present = x[..., -1]
        assert np.isin(present, (0, 1)).all()
        assert (np.diff(present, axis=1) <= 0).all()
        assert not x[present == 0].any()
        assert (x[..., -2] >= 0).all()
    else:
        assert (x[:, 1] >= 0).all()
        assert (x[:, 2] == x[:, 2].round()).all()
        assert (x[:, 3] == 2.5).all()


@EACH
def test_save_and_load_give_the_same_samples(case: Case, tmp_path: Path) -> None:
    model, batch = prepared(case)
    save_model(model, case[0], tmp_path)
    loaded = load_model(tmp_path)
    cond = batch.cond.numpy()
    np.testing.assert_array_equal(
        TorchSampler(model).sample(cond, generator(7)), TorchSampler(loaded).sample(cond, generator(7))
    )


@EACH
def test_many_events_are_sampled_in_parts(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch = prepared(case)
    sampler, cond = TorchSampler(model), batch.cond.numpy()[:10]
    whole = sampler.sample(cond, generator(7))
    monkeypatch.setattr("facsim.models.sampling.NUMBERS_AT_ONCE", 3 * int(np.prod(model.event_shape)))
    np.testing.assert_allclose(sampler.sample(cond, generator(7)), whole, rtol=1e-3, atol=1e-3)
    monkeypatch.setattr("facsim.models.sampling.NOISE_AT_ONCE", 1)  # noise of each event in its turn
    rng = generator(7)
    each = np.concatenate([sampler.sample(cond[k : k + 1], rng) for k in range(10)])
    np.testing.assert_array_equal(sampler.sample(cond, generator(7)), each)
    assert sampler.sample(cond[:0], generator(7)).shape == (0, *model.event_shape)


@EACH
def test_exported_graph_has_physical_units(case: Case, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    if case[2] in METHODS and not METHODS[case[2]].exports:
        pytest.skip("does not export")
    model, batch = prepared(case)
    export_onnx(model.eval(), tmp_path / "model.onnx")
    assert not any(module.training for module in model.modules())
    assert check_export(model, tmp_path / "model.onnx", batch.cond.numpy(), seed=1, batches=(1, 9))["passed"]


def test_weighted_events_are_taken_as_the_method_takes_them() -> None:
    model, batch = prepared(("single-stage", "cloud", "flow-matching"))
    assert model.weights == "signed"
    weight = torch.cat([torch.full((16,), 2.0), torch.zeros(16)])
    rng = torch.Generator()
    whole = model.losses(Batch(batch.x, batch.cond, weight, batch.mask), "flow", rng.manual_seed(1))
    changed = Batch(torch.cat([batch.x[:16], 3 * batch.x[16:]]), batch.cond, weight, batch.mask)
    other = model.losses(changed, "flow", rng.manual_seed(1))
    assert set(whole) == {"flow", "multiplicity"}
    for name, loss in whole.items():
        torch.testing.assert_close(loss, other[name])


def test_clouds_of_other_sizes_are_padded_and_too_large_ones_refused() -> None:
    model, batch = prepared(("single-stage", "cloud", "flow-matching"))
    assert batch.mask is not None
    x, mask = torch.nn.functional.pad(batch.x, (0, 0, 0, 3)), torch.nn.functional.pad(batch.mask, (0, 3))
    wide = Batch(x, batch.cond, mask=mask)
    rng = torch.Generator()
    narrow, padded = (model.losses(b, "flow", rng.manual_seed(1)) for b in (batch, wide))
    assert torch.equal(padded["multiplicity"], narrow["multiplicity"])
    full = Batch(torch.rand(4, 9, 2), batch.cond[:4])
    with pytest.raises(FacsimError, match=r"more than the 6 points .* raise model.points"):
        model.losses(full, "flow", rng)
    schema = Schema("cloud", (Feature("x"),), (ENERGY,))
    with pytest.raises(FacsimError, match=r"how many points .* set model.points"):
        build_model("single-stage", schema, {})
    assert build_model("single-stage", schema, {"points": 3}).event_shape == (3, 2)


def test_unknown_names_and_options_are_refused(tmp_path: Path) -> None:
    schema = calorimeter_schema(GEOMETRIES["grid"])
    with pytest.raises(FacsimError, match="unknown model 'two-stages': expected one of"):
        build_model("two-stages", schema, {})
    with pytest.raises(FacsimError, match=r"model.options.stepz"):
        build_model("two-stage", schema, {"stepz": 3})
    with pytest.raises(FacsimError, match=r"unknown method 'flow-macthing'.*did you mean 'flow-matching'"):
        build_model("two-stage", schema, {"pattern": {"name": "flow-macthing"}})
    with pytest.raises(FacsimError, match=r"unknown method 'flow-macthing'.*did you mean 'flow-matching'"):
        build_model("single-stage", schema, {"method": "flow-macthing"})
    network = {"name": "layer-transformer", "width": 30}
    with pytest.raises(FacsimError, match=r"the width 30 of 'layer-transformer' is not a multiple of its 4 heads"):
        build_model("two-stage", schema, {"pattern": {"name": "flow-matching", "network": network}})
    with pytest.raises(FacsimError, match="holds no trained model"):
        load_model(tmp_path)


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    save_model(prepared(("two-stage", "grid", "flow-matching"))[0], "two-stage", tmp_path)
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(FacsimError, match="no sound safetensors file"):
        load_model(tmp_path)


def test_schema_without_energy_is_refused() -> None:
    geometry = regular_cylinder("toy", "electron", 2, 4, 2, 5.0, 0.01)
    events = make_events(Schema("grid", (), (), geometry), np.zeros((1, 16, 1)), np.zeros((1, 0)))
    with pytest.raises(FacsimError, match="no condition 'incident_energy'"):
        build_model("two-stage", events.schema, {})


def test_events_that_two_stage_does_not_take_are_refused() -> None:
    for name in ("cells", "table"):
        with pytest.raises(FacsimError, match="two-stage' needs a cylinder of layers with a cell threshold"):
            build_model("two-stage", _events(name)[0], {})
