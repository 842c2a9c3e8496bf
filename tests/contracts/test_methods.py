"""The contract of every method on every representation it takes, and of every network.

New ones are found in the tables. Options that keep a method or network small, where its defaults are not, stand in
`SMALL` and `SMALL_NETWORKS`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from facsim.core.errors import FacsimError
from facsim.core.geometry import regular_cylinder
from facsim.core.rng import generator as numpy_generator
from facsim.core.schema import Feature, Schema
from facsim.evaluate.targets import TARGETS, generate, learn
from facsim.export.check import check_export
from facsim.export.onnx import export_onnx
from facsim.metrics import energy_distance
from facsim.models.base import Batch, EventModel, Method, MethodOptions, NoiseSpec, draw_noise
from facsim.models.choices import Choice
from facsim.models.methods import METHODS, build_method, method_phases
from facsim.models.nets import DEFAULTS, NETWORKS, build_network
from facsim.models.space import Space, cloud, cylinder, table

SMALL: dict[str, dict[str, Any]] = {
    "autoregressive": {"bins": 8},
    "diffusion": {"steps": 2},
    "flow": {"layers": 2},
    "flow-matching": {"steps": 2},
    "vq": {"codes": 2, "size": 8, "dim": 4, "width": 16, "depth": 1, "heads": 2},
}
VARIANTS: dict[str, dict[str, Any]] = {
    "autoregressive:own": {"network": None, "width": 16, "depth": 1, "bins": 5, "activation": "silu"},
    "flow-matching:library": {
        "prior": "library",
        "library_events": 16,
        "prediction": "x",
        "path": "linear",
        "steps": 2,
    },
    "flow-matching:transport": {
        "coupling": "optimal-transport",
        "times": "logit-normal",
        "prior": "gaussian",
        "steps": 2,
    },
    "flow:autoregressive": {"kind": "autoregressive", "layers": 2, "width": 16, "network": None},
    "flow:student": {"kind": "autoregressive", "student": True, "layers": 2, "width": 16, "network": None},
    "distilled:consistency": {"kind": "consistency", "steps": 2, "teacher": {"name": "diffusion"}},
    "diffusion:churn": {"sampler": "heun", "churn": 2, "steps": 2},
    "gan:wasserstein": {"loss": "wasserstein", "critic_steps": 2},
    "gan:cramer": {"loss": "cramer", "features": 8, "latent": 0},
    "gan:energy": {"loss": "energy"},
    "gan:latent": {"loss": "wasserstein", "noise": "latent", "one_sided": True},
    "gan:patches": {
        "loss": "least-squares",
        "noise": "latent",
        "energy": 1.0,
        "patches": [[1, 1], [2, 3]],
        "components": 5,
    },
    "gan:attention": {"spectral_norm": True, "critic": {"channels": 4, "width": 8, "attention": 1}},
    "gan:mpgan": {
        "loss": "least-squares",
        "element_noise": 5,
        "critic": {"name": "mpgan", "hidden": 4, "depth": 1},
        "network": {"name": "mpgan", "edges": [6], "nodes": [8], "hidden": 4},
    },
    "gan:gapt": {
        "critic": {"name": "gapt", "width": 8, "depth": 1, "heads": 2},
        "network": {"name": "gapt", "width": 8, "depth": 1, "heads": 2},
    },
    "gan:igapt": {
        "critic": {"name": "igapt", "width": 8, "depth": 1, "heads": 2},
        "network": {"name": "igapt", "width": 8, "depth": 1, "heads": 2},
    },
    "gan:epic": {
        "critic": {"name": "epic-gan", "width": 8, "latent": 2, "depth": 1},
        "network": {"name": "epic-gan", "width": 8, "latent": 2, "depth": 1},
    },
    "gan:straight": {"zeros": "straight", "network": {"name": "superposition", "width": 8, "depth": 1}},
    "vae:flow-matching": {"latent": 4, "prior": "flow-matching", "prior_steps": 2},
    "vq:codes": {"codes": 2, "size": 8, "dim": 2, "width": 16, "depth": 1, "heads": 2},
}
"""Other options of a method (named before the colon) that change its sampler or its parameters."""
SMALL_NETWORKS: dict[str, dict[str, Any]] = {
    "residual-mlp": {"width": 16, "depth": 1},
    "layer-transformer": {"width": 8, "heads": 2, "depth": 1},
    "patch-transformer": {"width": 8, "heads": 2, "depth": 1},
    "mlp": {"widths": [8]},
    "cylinder-conv": {"width": 4, "depth": 1},
    "image-conv": {"width": 4, "depth": 1},
    "superposition": {"width": 8, "depth": 1},
    "epic": {"width": 16, "latent": 4, "depth": 1},
    "induced-attention": {"width": 8, "heads": 2, "depth": 1, "inducing": 3},
    "attention": {"width": 8, "heads": 2, "depth": 1},
    "epic-gan": {"width": 8, "latent": 3, "depth": 1},
    "gapt": {"width": 8, "heads": 2, "depth": 1},
    "igapt": {"width": 8, "heads": 2, "depth": 1},
    "mpgan": {"edges": [6], "nodes": [8], "hidden": 4},
}
LEARNING_STEPS: dict[str, int] = {}
"""Optimiser steps of each phase on the known distribution, where 200 are too few."""

SPACES: dict[str, Space] = {
    "table": table(5),
    "grid": cylinder(regular_cylinder("toy", "electron", 4, 6, 3, 5.0, 0.01)),
    "ragged": Space("grid", (21, 1), ((1, 4), (4, 3), (1, 5))),
    "image": Space("grid", (20, 1), image=(4, 5)),
    "gapped": Space("grid", (20, 1), image=(4, 5), least=0.3),
    "cloud": cloud(7, 3),
}
N, K = 12, 2

Case = tuple[str, str, str | None]
"""Method, space, network (None for the representation's own)."""


def _network(name: str) -> Choice:
    return Choice(name=name, **SMALL_NETWORKS.get(name, {}))


def _takes(network: str, space: Space) -> bool:
    try:
        build_network(_network(network), space, 1, 1, K)
    except FacsimError:
        return False
    return True


def _choice(method: str, space: Space, network: str | None) -> Choice:
    usual = "image-conv" if space.image is not None else DEFAULTS[space.representation]
    chosen = _network(usual if network is None else network)
    options = VARIANTS.get(method, SMALL.get(method, {}))
    return Choice(name=method.split(":", maxsplit=1)[0], **{"network": chosen.model_dump(), **options})


def _varies(method: str, space: Space) -> bool:
    """Whether a variant takes the space: an autoregressive flow, say, no clouds."""
    try:
        build_method(_choice(method, space, None), space, K)
    except FacsimError:
        return False
    return True


def _cases() -> Iterator[Case]:
    """Every method on every space with the default network, variants too; every network with one method."""
    for method in [*METHODS, *VARIANTS]:
        kind = METHODS[method.split(":")[0]]
        for name, space in SPACES.items():
            if method in VARIANTS and (name == "ragged" or not _varies(method, space)):
                continue
            if name == ("image" if method in VARIANTS else "gapped"):
                continue  # variants of generators are tried on images with a gap
            if name == "gapped" and not method.startswith("gan"):
                continue
            if space.representation in kind.representations:
                yield method, name, None
    for network in NETWORKS:
        yield from (
            ("flow-matching", space, network)
            for space in SPACES
            if space != "gapped" and _takes(network, SPACES[space])
        )


CASES = list(_cases())
EACH = pytest.mark.parametrize("case", CASES, ids=["-".join(filter(None, case)) for case in CASES])


LAYERED = [case for case in CASES if SPACES[case[1]].layers]


def _on(representation: str) -> pytest.MarkDecorator:
    cases = [c for c in CASES if SPACES[c[1]].representation == representation]
    return pytest.mark.parametrize("case", cases, ids=["-".join(filter(None, case)) for case in cases])


@cache
def _batch(space: str) -> Batch:
    rng = torch.Generator().manual_seed(2)
    where = SPACES[space]
    x = torch.randn(N, *where.shape, generator=rng)
    if where.least > 0:
        x = torch.where(x < where.least, 0.0, x)
    mask = None
    if where.representation == "cloud":
        mask = torch.arange(where.shape[0]) < torch.tensor([7, 1, 0] + [5] * (N - 3))[:, None]
        x = x * mask[..., None]
    return Batch(x, torch.randn(N, K, generator=rng), mask=mask)


def _build(case: Case, seed: int = 0) -> Method:
    method, name, network = case
    torch.manual_seed(seed)
    return build_method(_choice(method, SPACES[name], network), SPACES[name], K)


def _steps(model: Method, phase: str, batch: Batch, rounds: int, lr: float = 1e-3) -> dict[str, set[int]]:
    """A few rounds of the turns of `phase`; the parameters that each turn's gradients reached."""
    rng = torch.Generator().manual_seed(4)
    turns = list(dict.fromkeys(model.turns(phase)))
    optimisers = {turn: torch.optim.Adam(model.parameters_of(turn), lr) for turn in turns}
    reached: dict[str, set[int]] = {turn: set() for turn in turns}
    for _ in range(rounds):
        for turn in model.turns(phase):
            losses = model.losses(batch, turn, rng)
            assert losses
            assert all(loss.ndim == 0 and torch.isfinite(loss) for loss in losses.values()), (turn, losses)
            optimisers[turn].zero_grad()
            torch.stack(list(losses.values())).sum().backward()
            reached[turn] |= {id(p) for p in model.parameters_of(turn) if p.grad is not None and bool(p.grad.any())}
            optimisers[turn].step()
    return reached


@cache
def _trained(case: Case) -> tuple[Method, list[str]]:
    """A model after some steps of every phase, and the parameters that no gradient reached."""
    model, batch = _build(case), _batch(case[1])
    names = {id(p): name for name, p in model.named_parameters()}
    missed: list[str] = []
    trained: set[int] = set()
    model.train()
    for phase in model.phases:
        model.begin_phase(phase, batch, torch.Generator().manual_seed(3))
        # zero-initialised last layers pass gradients from the second step on
        for turn, reached in _steps(model, phase, batch, 5).items():
            wanted = {id(p) for p in model.parameters_of(turn)}
            missed += [f"{phase}/{turn}: {names[p]}" for p in wanted - reached]
            trained |= wanted
    missed += [f"no phase: {name}" for p, name in names.items() if p not in trained]
    return model.eval(), missed


def _model(case: Case) -> Method:
    return copy.deepcopy(_trained(case)[0])


def _noise(model: Method, n: int = N, seed: int = 1) -> dict[str, Tensor]:
    return draw_noise(model.noise_spec(n), torch.Generator().manual_seed(seed))


@torch.no_grad()
def _sample(model: Method, cond: Tensor, noise: Mapping[str, Tensor], mask: Tensor | None) -> Tensor:
    x = model.sample(cond, noise, mask)
    return x if mask is None else x * mask[..., None]


def _losses(model: Method, batch: Batch, seed: int = 9) -> list[dict[str, float]]:
    """Losses of every turn; loss functions may keep running averages, so each begins from the same state."""
    found = []
    for phase in model.phases:
        for turn in dict.fromkeys(model.turns(phase)):
            losses = copy.deepcopy(model).losses(batch, turn, torch.Generator().manual_seed(seed))
            found.append({f"{turn}/{name}": float(loss.detach()) for name, loss in losses.items()})
    return found


def _same(a: list[dict[str, float]], b: list[dict[str, float]], rel: float = 1e-5) -> None:
    for first, second in zip(a, b, strict=True):
        assert first == pytest.approx(second, rel=rel, abs=1e-6)


@EACH
def test_losses_are_finite_and_reach_every_parameter(case: Case) -> None:
    model, missed = _trained(case)
    assert missed == []
    assert model.phases == method_phases(_choice(case[0], SPACES[case[1]], case[2]))


@EACH
def test_losses_follow_the_generator_and_are_the_same_in_both_modes(case: Case) -> None:
    model, batch = _model(case), _batch(case[1])
    first = _losses(model, batch)
    _same(first, _losses(model, batch))
    _same(first, _losses(model.train(), batch), rel=1e-3)


@EACH
def test_losses_in_evaluation_mode_change_nothing(case: Case) -> None:
    model, batch = _model(case), _batch(case[1])
    before = {key: value.clone() for key, value in model.state_dict().items()}
    for phase in model.phases:
        for turn in model.turns(phase):
            model.losses(batch, turn, torch.Generator().manual_seed(1))
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


@EACH
def test_samples_follow_noise_and_condition_and_know_no_neighbours(case: Case) -> None:
    model, batch = _model(case), _batch(case[1])
    noise, mask = _noise(model), batch.mask
    assert all(len(array) == N for array in noise.values())
    x = _sample(model, batch.cond, noise, mask)
    assert x.shape == batch.x.shape
    assert torch.isfinite(x).all()
    assert torch.equal(x, _sample(model, batch.cond, {k: v.clone() for k, v in noise.items()}, mask))
    assert not torch.equal(x, _sample(model, batch.cond, _noise(model, seed=2), mask))
    assert not torch.equal(x, _sample(model, batch.cond + 1, noise, mask))
    own = None if mask is None else mask[4:5]
    alone = _sample(model, batch.cond[4:5], {k: v[4:5] for k, v in noise.items()}, own)
    torch.testing.assert_close(alone[0], x[4], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(_sample(model.train(), batch.cond, noise, mask), x, rtol=1e-3, atol=1e-4)


@EACH
def test_no_events_are_no_error(case: Case) -> None:
    model, batch = _model(case), _batch(case[1])
    none = None if batch.mask is None else batch.mask[:0]
    assert _sample(model, batch.cond[:0], _noise(model, 0), none).shape == (0, *model.space.shape)


@EACH
def test_events_of_weight_zero_do_not_matter(case: Case) -> None:
    model, batch = _model(case), _batch(case[1])
    if model.weights == "none":
        pytest.skip("takes no weights")
    weight = torch.where(torch.arange(N) < 8, 1.0, 0.0)
    other = torch.where((weight > 0).reshape(-1, *[1] * len(model.space.shape)), batch.x, 3.0)
    _same(_losses(model, replace(batch, weight=weight)), _losses(model, replace(batch, weight=weight, x=other)))
    _same(_losses(model, replace(batch, weight=torch.ones(N))), _losses(model, batch), rel=1e-4)


@EACH
def test_losses_are_finite_where_weights_sum_to_zero(case: Case) -> None:
    """A batch of sWeights may sum to about nothing: losses do not divide by it."""
    model, batch = _model(case), _batch(case[1])
    if model.weights != "signed":
        pytest.skip("takes no negative weights")
    weight = torch.where(torch.arange(N) % 2 == 0, 1.0, -1.0)
    for losses in _losses(model, replace(batch, weight=weight)):
        assert np.isfinite(list(losses.values())).all()


@_on("cloud")
def test_points_outside_the_mask_do_not_matter(case: Case) -> None:
    model, batch = _model(case), _batch(case[1])
    assert batch.mask is not None
    real = batch.mask[..., None]
    _same(_losses(model, batch), _losses(model, replace(batch, x=torch.where(real, batch.x, 7.0))))
    noise = _noise(model)
    points = model.space.shape[0]
    other = {
        name: torch.where(real, array, 0.3) if array.dim() == 3 and array.shape[1] == points else array
        for name, array in noise.items()
    }
    x = _sample(model, batch.cond, noise, batch.mask)
    torch.testing.assert_close(_sample(model, batch.cond, other, batch.mask), x, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("case", LAYERED, ids=["-".join(filter(None, case)) for case in LAYERED])
def test_grids_take_a_condition_of_each_layer(case: Case) -> None:
    model, batch = _model(case), _batch(case[1])
    layers = len(model.space.layers)
    cond = batch.cond[:, None].expand(-1, layers, -1) + 0.1 * torch.arange(layers)[:, None]
    for losses in _losses(model, replace(batch, cond=cond)):
        assert np.isfinite(list(losses.values())).all()
    x = _sample(model, cond, _noise(model), None)
    assert x.shape == batch.x.shape
    assert torch.isfinite(x).all()


@EACH
def test_weights_on_disk_are_the_whole_model(case: Case, tmp_path: Path) -> None:
    model, batch = _model(case), _batch(case[1])
    save_file({k: v.contiguous().clone() for k, v in model.state_dict().items()}, tmp_path / "w.safetensors")
    loaded = _build(case, seed=1)
    loaded.load_state_dict(load_file(tmp_path / "w.safetensors"))
    noise = _noise(model)
    expected = _sample(model, batch.cond, noise, batch.mask)
    torch.testing.assert_close(_sample(loaded.eval(), batch.cond, noise, batch.mask), expected, rtol=0, atol=0)


class Bare(EventModel):
    """A method without units: what is needed to export it; the mask of clouds is noise."""

    Options = MethodOptions

    def __init__(self, method: Method) -> None:
        conditions = (Feature("incident_energy"), *(Feature(f"c{i}") for i in range(1, K)))
        super().__init__(Schema(method.space.representation, (Feature("x"),), conditions), MethodOptions())
        self.method = method

    def losses(self, batch: Batch, turn: str, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        return self.method.losses(batch, turn, generator)

    def noise_spec(self, n: int) -> dict[str, NoiseSpec]:
        spec = self.method.noise_spec(n)
        if self.method.space.representation != "cloud":
            return spec
        return spec | {"present": NoiseSpec((n, self.method.space.shape[0]), "uniform")}

    def sample(self, cond: Tensor, noise: Mapping[str, Tensor]) -> Tensor:
        cond = torch.tanh(1e-4 * cond)
        if self.method.space.representation != "cloud":
            return self.method.sample(cond, noise)
        mask = noise["present"] < 0.7
        return self.method.sample(cond, noise, mask) * mask[..., None]


@EACH
def test_exported_graph_is_the_sampler(case: Case, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    method = _model(case)
    if not method.exports:
        kind = type(method)
        assert "export" in (kind.__doc__ or ""), f"{kind.__name__} does not export: its docstring must say so and why"
        pytest.skip("documented: does not export")
    model = Bare(method)
    export_onnx(model, tmp_path / "model.onnx")
    cond = 1e4 * numpy_generator(1, "conditions").standard_normal((9, K))
    assert check_export(model, tmp_path / "model.onnx", cond, seed=1, batches=(1, 9))["passed"]


@pytest.mark.parametrize("name", [name for name, kind in METHODS.items() if "table" in kind.representations])
def test_a_known_distribution_is_learned(name: str) -> None:
    torch.manual_seed(0)
    network = {"name": "residual-mlp", "width": 48, "depth": 1}
    steps = {"steps": 16} if "steps" in METHODS[name].Options.model_fields else {}
    model = build_method(Choice(name=name, **{"network": network, **SMALL.get(name, {}), **steps}), table(2), 1)
    target = TARGETS["ramp"]
    truth = target.draw(600, torch.Generator().manual_seed(7))

    def distance() -> float:
        found = generate(model.eval(), truth)
        return energy_distance(target.features(truth).numpy(), target.features(found).numpy()).value

    before = distance()
    learn(model, target, steps=LEARNING_STEPS.get(name, 200), size=128, lr=3e-3)
    assert distance() < 0.3 * before
