"""The contract every network keeps, on every representation it takes."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from facsim.core.errors import FacsimError
from facsim.core.geometry import CylinderGeometry, Layer, regular_cylinder
from facsim.models.choices import Choice
from facsim.models.nets import _GIVEN, NETWORKS, Network, build_network
from facsim.models.space import Space, cloud, cylinder, table
from facsim.physics.geometries import GEOMETRIES

N_IN, N_OUT, N_COND = 2, 3, 4
EDGES = (0.0, 1.0, 2.0, 4.0)
RAGGED = CylinderGeometry(
    "ragged", "photon", tuple(Layer(i, EDGES[: n_r + 1], a) for i, (a, n_r) in enumerate([(4, 2), (1, 3), (4, 2)]))
)
SPACES = {
    "table": table(5),
    "regular": cylinder(regular_cylinder("regular", "electron", 4, 4, 3, 1.0, 0.0)),
    "ragged": cylinder(RAGGED),
    "cells": Space("grid", (7, 1)),
    "image": Space("grid", (15, 1), image=(3, 5)),
    "cloud": cloud(6, 3),
}
SMALL: dict[str, dict[str, Any]] = {
    "residual-mlp": {"width": 8, "depth": 1},
    "epic": {"width": 8, "depth": 2, "latent": 3},
    "induced-attention": {"width": 8, "depth": 1, "heads": 2, "inducing": 3},
    "attention": {"width": 8, "depth": 1, "heads": 2},
    "epic-gan": {"width": 8, "depth": 2, "latent": 3},
    "gapt": {"width": 8, "depth": 1, "heads": 2},
    "igapt": {"width": 8, "depth": 2, "heads": 2},
    "mpgan": {"edges": [5, 6], "nodes": [7], "hidden": 4, "depth": 2},
    "mlp": {"widths": [8, 8]},
    "cylinder-conv": {"width": 4, "depth": 1, "levels": 2},
    "image-conv": {"width": 4, "depth": 1, "levels": 2},
    "superposition": {"width": 8, "depth": 1, "deposits": 2},
    "patch-transformer": {"width": 8, "depth": 1, "heads": 2},
    "layer-transformer": {"width": 8, "depth": 1, "heads": 2},
}


def small(name: str, space: Space, zero: bool = False, n_cond: int = N_COND) -> Network:
    torch.manual_seed(3)
    return build_network(Choice(name=name, **SMALL.get(name, {})), space, N_IN, N_OUT, n_cond, zero=zero)


def stirred(network: Network) -> Network:
    """The network with no parameter at zero, as after some training."""
    rng = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=rng), alpha=0.2)
    return network


CYLINDERS = ("cylinder-conv", "layer-transformer", "patch-transformer")
REFUSED = {(name, kind) for name in CYLINDERS for kind in ("cells", "image")}
REFUSED |= {("image-conv", kind) for kind in ("regular", "ragged", "cells")}
"""Grids that are not for networks of grids."""
CASES = [
    (name, kind)
    for name, network in NETWORKS.items()
    for kind, space in SPACES.items()
    if space.representation in network.representations and (name, kind) not in REFUSED
]
CLOUDS = [name for name in NETWORKS if "cloud" in NETWORKS[name].representations]
GRIDS = [(name, kind) for name, kind in CASES if SPACES[kind].layers]


def inputs(space: Space, n: int = 5, seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """State, times, conditions and mask of `n` events; one cloud is empty, one full."""
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn((n, *space.elements, N_IN), generator=rng)
    t, cond = torch.rand(n, generator=rng), torch.randn((n, N_COND), generator=rng)
    if space.representation != "cloud":
        return x, t, cond, None
    count = torch.tensor([0, space.shape[0], 3, 1, 4])[:n]
    return x, t, cond, torch.arange(space.shape[0]) < count[:, None]


def per_layer(space: Space, n: int, seed: int = 0) -> Tensor:
    return torch.randn((n, len(space.layers), N_COND), generator=torch.Generator().manual_seed(seed))


def test_every_network_has_a_case_and_every_space_a_network() -> None:
    assert {name for name, _ in CASES} == set(NETWORKS)
    assert {kind for _, kind in CASES} == set(SPACES)


@pytest.mark.parametrize("kind", SPACES)
def test_every_space_has_a_default_network(kind: str) -> None:
    space = SPACES[kind]
    x, t, cond, mask = inputs(space)
    assert build_network(None, space, N_IN, N_OUT, N_COND)(x, t, cond, mask).shape == (5, *space.elements, N_OUT)


@pytest.mark.parametrize(("name", "kind"), sorted(REFUSED))
def test_grids_that_do_not_fit_are_refused_in_one_sentence(name: str, kind: str) -> None:
    with pytest.raises(FacsimError, match=rf"^the network '{name}' needs .*\.$"):
        small(name, SPACES[kind])


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_shapes_with_and_without_time_and_of_no_events(name: str, kind: str) -> None:
    space = SPACES[kind]
    network = stirred(small(name, space))
    x, t, cond, mask = inputs(space)
    out = network(x, t, cond, mask)
    assert out.shape == (5, *space.elements, N_OUT)
    assert torch.isfinite(out).all()
    assert not torch.allclose(network(x, None, cond, mask), out)
    torch.testing.assert_close(network(x, None, cond, mask), network(x, torch.zeros(1), cond, mask))
    torch.testing.assert_close(network(x, t[2:3], cond, mask)[2], out[2])
    none = (x[:0], t[:0], cond[:0], None if mask is None else mask[:0])
    assert network(*none).shape == (0, *space.elements, N_OUT)
    assert network(none[0], t[:1], *none[2:]).shape == (0, *space.elements, N_OUT)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_events_do_not_see_one_another_and_modes_agree(name: str, kind: str) -> None:
    space = SPACES[kind]
    network = stirred(small(name, space))
    x, t, cond, mask = inputs(space)
    alone = network(x[2:3], t[2:3], cond[2:3], None if mask is None else mask[2:3])
    torch.testing.assert_close(alone[0], network(x, t, cond, mask)[2], rtol=1e-4, atol=1e-5)
    trained = network.train()(x, t, cond, mask)
    torch.testing.assert_close(network.eval()(x, t, cond, mask), trained)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_zero_start_gives_exactly_zero(name: str, kind: str) -> None:
    space = SPACES[kind]
    assert not small(name, space, zero=True)(*inputs(space)).any()
    assert small(name, space, zero=False)(*inputs(space)).any()


@pytest.mark.parametrize(("name", "kind"), CASES)
@pytest.mark.parametrize("zero", [True, False])
def test_gradients_reach_every_parameter(name: str, kind: str, zero: bool) -> None:
    space = SPACES[kind]
    network = small(name, space, zero=zero)
    reached: set[str] = set()
    optimiser = torch.optim.SGD(network.parameters(), 0.1)
    for seed in range(4):  # what starts at zero lets gradients through from the next step on
        x, t, cond, mask = inputs(space, seed=seed)
        optimiser.zero_grad()
        ((network(x, t, cond, mask) - torch.randn(N_OUT)) ** 2).mean().backward()
        reached |= {key for key, p in network.named_parameters() if p.grad is not None and bool(p.grad.any())}
        optimiser.step()
    assert reached == {key for key, _ in network.named_parameters()}


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_time_condition_and_state_all_matter(name: str, kind: str) -> None:
    space = SPACES[kind]
    network = stirred(small(name, space))
    x, t, cond, mask = inputs(space)
    out = network(x, t, cond, mask)[1]
    for other in ((x + 1, t, cond), (x, 1 - t, cond), (x, t, cond + 1)):
        assert not torch.allclose(network(*other, mask)[1], out, atol=1e-4)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_there_may_be_no_conditions(name: str, kind: str) -> None:
    space = SPACES[kind]
    network = stirred(small(name, space, n_cond=0))
    x, t, cond, mask = inputs(space)
    assert network(x, t, cond[:, :0], mask).shape == (5, *space.elements, N_OUT)


@pytest.mark.parametrize(("name", "kind"), GRIDS)
def test_conditions_of_every_layer_matter_and_equal_ones_are_those_of_the_event(name: str, kind: str) -> None:
    space = SPACES[kind]
    network = stirred(small(name, space))
    x, t, cond, _ = inputs(space)
    layers = per_layer(space, 5)
    out = network(x, t, layers)
    for layer in range(len(space.layers)):
        changed = layers.clone()
        changed[:, layer] += 1.0
        assert not torch.allclose(network(x, t, changed), out, atol=1e-4)
    swapped = layers[:, torch.arange(len(space.layers)).roll(1)]  # of the same mean
    assert not torch.allclose(network(x, t, swapped), out, atol=1e-4)
    same = cond[:, None].expand(-1, len(space.layers), -1)
    torch.testing.assert_close(network(x, t, same), network(x, t, cond), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_half_precision_gives_nearly_the_same(name: str, kind: str) -> None:
    space = SPACES[kind]
    network = small(name, space)
    x, t, cond, mask = inputs(space)
    with torch.autocast("cpu", torch.bfloat16):
        half = network(x, t, cond, mask)
    torch.testing.assert_close(half.float(), network(x, t, cond, mask), rtol=0.1, atol=0.1)


@pytest.mark.parametrize("name", sorted(name for name, kind in CASES if kind == "ragged"))
def test_data_set_1_of_the_challenge_is_taken(name: str) -> None:
    for geometry in ("ds1-photons", "ds1-pions"):
        space = cylinder(GEOMETRIES[geometry])
        options = {key: value for key, value in SMALL[name].items() if key != "levels"}
        network = build_network(Choice(name=name, **options), space, 1, 1, N_COND, zero=False)
        x = torch.randn(2, *space.shape)
        assert network(x, None, per_layer(space, 2)).shape == x.shape


@pytest.mark.parametrize("name", CLOUDS)
def test_masked_points_have_no_influence(name: str) -> None:
    space = SPACES["cloud"]
    network = stirred(small(name, space))
    x, t, cond, mask = inputs(space)
    assert mask is not None
    out = network(x, t, cond, mask)
    for filler in (0.0, 1e6, float("inf"), float("nan")):
        other = network(x.masked_fill(~mask[..., None], filler), t, cond, mask)
        assert torch.equal(other[mask], out[mask])
        assert torch.isfinite(other).all()
    fewer = network(x[2:3, :3], t[2:3], cond[2:3], mask[2:3, :3])
    torch.testing.assert_close(fewer[0], out[2, :3], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CLOUDS)
def test_no_mask_means_that_all_points_are_real(name: str) -> None:
    space = SPACES["cloud"]
    network = stirred(small(name, space))
    x, t, cond, _ = inputs(space)
    everything = torch.ones(x.shape[:2], dtype=torch.bool)
    torch.testing.assert_close(network(x, t, cond), network(x, t, cond, everything))


@pytest.mark.parametrize("name", CLOUDS)
def test_permuted_points_give_permuted_outputs_and_speak_with_one_another(name: str) -> None:
    space = SPACES["cloud"]
    network = stirred(small(name, space))
    x, t, cond, mask = inputs(space)
    assert mask is not None
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    out = network(x, t, cond, mask)
    torch.testing.assert_close(network(x[:, order], t, cond, mask[:, order]), out[:, order], rtol=1e-4, atol=1e-5)
    moved = x.clone()
    moved[1, 0] += 3.0
    assert not torch.allclose(network(moved, t, cond, mask)[1, 1:], out[1, 1:], atol=1e-4)
    one_less = mask.clone()
    one_less[1, 0] = False
    assert not torch.allclose(network(x, t, cond, one_less)[1, 1:], out[1, 1:], atol=1e-4)


class _Graph(nn.Module):
    """A network with its arguments in the order of the graph's inputs."""

    def __init__(self, network: Network, masked: bool) -> None:
        super().__init__()
        self.network, self.masked = network, masked

    def forward(self, x: Tensor, t: Tensor, cond: Tensor, *mask: Tensor) -> Tensor:
        out: Tensor = self.network(x, t, cond, *mask)
        return out


@pytest.mark.parametrize(("name", "kind"), CASES)
@pytest.mark.filterwarnings("ignore")
def test_the_exported_graph_computes_the_same(name: str, kind: str, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    space = SPACES[kind]
    network = stirred(small(name, space)).eval()
    names = ["x", "t", "cond", *(["mask"] if space.representation == "cloud" else [])]

    def arguments(n: int, seed: int) -> list[Tensor]:
        x, t, cond, mask = inputs(space, n, seed)
        cond = per_layer(space, n, seed) if space.layers else cond
        return [x, t, cond, *([] if mask is None else [mask])]

    with torch.no_grad():
        torch.onnx.export(
            _Graph(network, space.representation == "cloud"),
            tuple(arguments(3, 0)),
            str(tmp_path / "net.onnx"),
            input_names=names,
            output_names=["out"],
            dynamic_axes={key: {0: "batch"} for key in [*names, "out"]},
            opset_version=17,
            dynamo=False,
        )
        session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
        for n in (1, 3, 5):
            given = arguments(n, 1)
            (found,) = session.run(None, {key: value.numpy() for key, value in zip(names, given, strict=True)})
            np.testing.assert_allclose(found, network(*given).numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_bad_options_are_refused_in_one_sentence(name: str, kind: str) -> None:
    space = SPACES[kind]
    for option in SMALL[name]:
        for bad in (0, -1, 1.5, "much", True):
            choice = Choice(name=name, **{**SMALL[name], option: bad})
            with pytest.raises(FacsimError, match=f"the option '{option}' of the network '{name}' must be .*\\.$"):
                build_network(choice, space, N_IN, N_OUT, N_COND)
    if "heads" in SMALL[name]:
        with pytest.raises(FacsimError, match=f"the width 8 of '{name}' is not a multiple of its 3 heads"):
            build_network(Choice(name=name, **{**SMALL[name], "heads": 3}), space, N_IN, N_OUT, N_COND)


def test_unknown_networks_options_and_events_are_refused() -> None:
    with pytest.raises(FacsimError, match=r"unknown network 'epik': expected one of .*; did you mean 'epic'"):
        build_network(Choice(name="epik"), SPACES["cloud"], 1, 1, 1)
    with pytest.raises(FacsimError, match="unknown option of the network 'epic' 'widht'"):
        build_network(Choice(name="epic", widht=3), SPACES["cloud"], 1, 1, 1)
    with pytest.raises(FacsimError, match="'residual-mlp' takes events that are a table or a grid, not a cloud"):
        build_network(Choice(name="residual-mlp"), SPACES["cloud"], 1, 1, 1)


def test_the_page_names_every_network_its_events_and_all_its_options() -> None:
    page = (Path(__file__).parents[2] / "docs" / "networks.md").read_text(encoding="utf-8")
    rows = {row[1].strip(" `"): row for line in page.splitlines() if len(row := line.split("|")) == 7}
    for name, kind in NETWORKS.items():
        options = inspect.signature(kind.__init__).parameters.values()
        told = [f"`{o.name}` {o.default}" if o.default else f"`{o.name}`" for o in options if o.name not in _GIVEN]
        assert rows[name][4].strip() == ", ".join(told)
        events = {"grid": ["grid", "cylinder"]}
        assert all(any(word in rows[name][2] for word in events.get(r, [r])) for r in kind.representations)
