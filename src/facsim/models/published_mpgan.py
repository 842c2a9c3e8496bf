"""The published weights of MPGAN (arXiv 2106.11535; its repository's `G_best_epoch.pt`) as a model of facsim's own."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import NamedTuple

import torch
from torch import Tensor

from facsim.core.errors import FacsimError
from facsim.core.schema import Schema
from facsim.models.checkpoint import build_model
from facsim.models.gan import GAN
from facsim.models.nets.message_passing import MessagePassing
from facsim.models.nets.mpgan import MPGAN
from facsim.models.single_stage import SingleStage

NAMES = ("etarel", "phirel", "ptrel")
POINTS = 30
LARGEST = {
    "g": (1.4532885551452637, 0.520724892616272, 0.8537549376487732),
    "q": (1.6211985349655151, 0.4568111002445221, 0.8896132111549377),
    "t": (1.4242753982543945, 0.4949831962585449, 0.8774275183677673),
}
"""By kind of jets: what etarel, phirel [rad] and ptrel were divided by for training, from the repository's `gen.py`."""
PT_SHIFT = 0.5
"""What was taken from the divided ptrel."""
NOISE = 0.2
"""Width of the published generator's noise; facsim's is 1, so that what reads noise is multiplied."""
LAYOUTS = (r"mp_layers\.(\d+)\.(fe|fn)\.net\.(\d+)\.(weight|bias)", r"()(fe|fn)\.(\d+)\.(\d+)\.(weight|bias)")
"""Names of arrays: those of `trained_models`, and those of `final_models` before."""


class Linear(NamedTuple):
    """A linear layer: weight (n_out, n_in) and bias (n_out,)."""

    weight: Tensor
    bias: Tensor


class Layer(NamedTuple):
    """The perceptrons of one layer of message passing: of a pair, and of a point."""

    edges: list[Linear]
    nodes: list[Linear]


def import_mpgan(weights: Path, kind: str, schema: Schema, count: Tensor) -> SingleStage:
    """The generator whose state dict is in `weights`, as a `single-stage` model with the method `gan`.

    No code in the file is run. The published generator knows no conditions: those of the schema have no influence, but
    `num_particles`, where there is one, gives the number of particles; else it is drawn from `count`. Particles come in
    the order of their first noise number. Negative ptrel becomes 0, as published.

    Args:
        weights: PyTorch file of names and arrays. kind: of the jets, a key of `LARGEST`.
        schema: of jets, with points of `NAMES`. count: numbers of particles (N,) of true jets.

    Raises:
        FacsimError: another kind, another schema, or a file that cannot be read or is of another layout.
    """
    if kind not in LARGEST:
        raise FacsimError(f"the published MPGAN makes jets of the kinds {list(LARGEST)}, not '{kind}'.")
    if tuple(feature.name for feature in schema.features) != NAMES or schema.points != POINTS:
        raise FacsimError(f"the published MPGAN makes jets of {POINTS} particles with the features {list(NAMES)}.")
    layers = published_layers(read_state(weights), str(weights))
    first = layers[0]
    network = {
        "name": "mpgan",
        "edges": [len(linear.bias) for linear in first.edges],
        "nodes": [len(linear.bias) for linear in first.nodes[:-1]],
        "hidden": len(first.nodes[-1].bias),
        "depth": len(layers),
        "tanh": True,
    }
    noise = {"element_noise": first.edges[0].weight.shape[1] // 2, "latent": 0, "ordered": True}
    method = {"name": "gan", "loss": "least-squares", **noise, "network": network}
    model = build_model("single-stage", schema, {"transform": "standard", "method": method})
    assert isinstance(model, SingleStage)
    _fill(model, layers, kind, count)
    return model.eval()


def read_state(path: Path) -> dict[str, Tensor]:
    """Names and arrays of a PyTorch file, without running code in it.

    Raises:
        FacsimError: there is no such file, it holds other things, or it is damaged.
    """
    if not path.is_file():
        raise FacsimError(f"'{path}' is no file: give the state dict of a generator, such as G_best_epoch.pt.")
    try:
        with warnings.catch_warnings():  # of kinds of files that are refused in any case
            warnings.simplefilter("ignore")
            found = torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError, OSError, ValueError):
        raise FacsimError(f"'{path}' is no PyTorch file of arrays alone, or damaged: expected a state dict.") from None
    if not isinstance(found, Mapping) or not all(isinstance(v, Tensor) for v in found.values()):
        raise FacsimError(f"'{path}' holds no state dict, which is a mapping of names to arrays.")
    return {str(name): value.float() for name, value in found.items()}


def published_layers(state: Mapping[str, Tensor], source: str) -> list[Layer]:
    """The layers of a state dict in one of the published layouts.

    Raises:
        FacsimError: another layout.
    """
    arrays: dict[tuple[str, int, int, str], Tensor] = {}
    for name, value in state.items():
        match = next((m for pattern in LAYOUTS if (m := re.fullmatch(pattern, name))), None)
        if match is None:
            raise _other(source, f"the name '{name}' is not known")
        parts = [part for part in match.groups() if part]
        layer, net = (parts[0], parts[1]) if parts[0].isdigit() else (parts[1], parts[0])
        arrays[net, int(layer), int(parts[2]), parts[3]] = value
    layers: list[Layer] = []
    while ("fe", len(layers), 0, "weight") in arrays:
        layers.append(Layer(*(_linears(arrays, net, len(layers), source) for net in ("fe", "fn"))))
    if arrays or len(layers) < 2:
        raise _other(source, f"it has {len(layers)} complete layers of message passing")
    _check(layers, source)
    return layers


def _linears(arrays: dict[tuple[str, int, int, str], Tensor], net: str, layer: int, source: str) -> list[Linear]:
    """Take the linear layers of one perceptron out of `arrays`."""
    found: list[Linear] = []
    while (net, layer, len(found), "weight") in arrays:
        key = (net, layer, len(found))
        weight, bias = arrays.pop((*key, "weight")), arrays.pop((*key, "bias"), None)
        if bias is None or weight.dim() != 2 or bias.shape != weight.shape[:1]:
            raise _other(source, f"layer {len(found)} of '{net}' {layer} is not linear")
        found.append(Linear(weight, bias))
    if len(found) < 2:
        raise _other(source, f"'{net}' {layer} has {len(found)} linear layers")
    return found


def _check(layers: list[Layer], source: str) -> None:
    """Refuse sizes that do not fit one another."""
    n_in = layers[0].edges[0].weight.shape[1] // 2
    widths = {tuple(len(x.bias) for x in (*layer.edges, *layer.nodes[:-1])) for layer in layers}
    if len(widths) > 1:
        raise _other(source, "its layers are not of equal widths")
    for layer in layers:
        sizes = [2 * n_in, *(len(x.bias) for x in layer.edges)]
        sizes[-1] += n_in
        wanted = [*sizes, *(len(x.bias) for x in layer.nodes)]
        for n, linear in zip(wanted, (*layer.edges, *layer.nodes), strict=False):
            if linear.weight.shape[1] != n:
                raise _other(source, f"a layer takes {linear.weight.shape[1]} numbers where {n} come")
        n_in = len(layer.nodes[-1].bias)
    if n_in < len(NAMES):
        raise _other(source, f"a particle has {n_in} numbers, not {len(NAMES)}")


def _other(source: str, what: str) -> FacsimError:
    return FacsimError(
        f"'{source}' is not laid out as the published generators of MPGAN without a latent layer or labels: {what}."
    )


@torch.no_grad()
def _fill(model: SingleStage, layers: list[Layer], kind: str, count: Tensor) -> None:
    """Give `model` the published weights, units and numbers of particles."""
    assert isinstance(model.method, GAN)
    network = model.method.net
    assert isinstance(network, MPGAN)
    for number, (own, layer) in enumerate(zip(network.layers, layers, strict=True)):
        assert isinstance(own, MessagePassing)
        _fill_layer(own, layer, NOISE if number == 0 else 1.0)
    largest = torch.tensor(LARGEST[kind])
    features = model.transform.get_submodule("features")
    given = {"std": largest, "mean": torch.tensor([0.0, 0.0, PT_SHIFT]) * largest, "positive": torch.tensor([0, 0, 1])}
    for name, value in given.items():
        features.get_buffer(name).copy_(value)
    if model.count is not None:
        model.count.fit(count)


def _fill_layer(own: MessagePassing, layer: Layer, scale: float) -> None:
    n, message = own.own.in_features, own.message.in_features
    first, node = layer.edges[0], layer.nodes[0]
    own.own.weight.copy_(scale * first.weight[:, :n])
    own.other.weight.copy_(scale * first.weight[:, n:])
    own.own.bias.copy_(first.bias)
    own.message.weight.copy_(node.weight[:, :message])
    own.node.weight.copy_(scale * node.weight[:, message:])
    own.node.bias.copy_(node.bias)
    for context in (own.edge_context, own.node_context):
        torch.nn.init.zeros_(context.weight)
    rest = [m for net in (own.edges, own.nodes) for m in net if isinstance(m, torch.nn.Linear)]
    for linear, (weight, bias) in zip(rest, [*layer.edges[1:], *layer.nodes[1:-1]], strict=True):
        linear.weight.copy_(weight)
        linear.bias.copy_(bias)
    last, n_out = layer.nodes[-1], own.out.out_features  # the first layout before had more numbers than were used
    own.out.weight.copy_(last.weight[:n_out])
    own.out.bias.copy_(last.bias[:n_out])
