"""Hidden units that can be taken out of a network: those that one dense layer makes and only dense layers read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from facsim.models.nets.layer_transformer import LayerTransformer
from facsim.models.nets.mlp import ResidualMLP

POINTWISE = (nn.SiLU, nn.ReLU, nn.ELU, nn.LeakyReLU, nn.Tanh, nn.GELU, nn.Dropout, nn.Identity)
"""What leaves each unit to itself."""


@dataclass(frozen=True)
class HiddenLayer:
    """Units that the dense layer `maker` makes, one of its rows each, and all `readers` read, one of their columns."""

    maker: str
    readers: tuple[str, ...]


def hidden_layers(model: nn.Module) -> list[HiddenLayer]:
    """The hidden layers of `model` that are known to be read by dense layers alone.

    Dense layers that follow one another in a `Sequential` (the network `mlp`, the densities of `autoregressive`, the
    feed-forward parts of transformers), and in `residual-mlp` and `layer-transformer` what lies inside of a block and
    what time and conditions become. The width between blocks stays: normalisations see all of it at once.
    """
    found = []
    for name, module in model.named_modules():
        prefix = f"{name}." if name else ""
        if isinstance(module, nn.Sequential):
            found += list(_chain(module, prefix))
        elif isinstance(module, ResidualMLP):
            depth = range(len(module.first))
            found += [HiddenLayer(f"{prefix}first.{k}", (f"{prefix}second.{k}",)) for k in depth]
            readers = tuple(f"{prefix}modulation.{k}.linear" for k in depth)
            found.append(HiddenLayer(f"{prefix}context.linear", readers))
        elif isinstance(module, LayerTransformer):
            readers = tuple(f"{prefix}blocks.{k}.modulation.linear" for k in range(len(module.blocks)))
            found.append(HiddenLayer(f"{prefix}condition.linear", readers))
    return found


def _chain(module: nn.Sequential, prefix: str) -> Iterator[HiddenLayer]:
    places = [k for k, part in enumerate(module) if not isinstance(part, POINTWISE)]
    for here, there in pairwise(places):
        if isinstance(module[here], nn.Linear) and isinstance(module[there], nn.Linear):
            yield HiddenLayer(f"{prefix}{here}", (f"{prefix}{there}",))
