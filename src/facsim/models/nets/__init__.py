"""Networks that know no method: they map (state, time, condition) to an array with the state's elements.

`NETWORKS` lists them. To add one: a subclass of `Network` in a file of this folder and a line here.
"""

from __future__ import annotations

import inspect
from typing import Any

from facsim.core.errors import FacsimError
from facsim.core.schema import Representation
from facsim.models.choices import Choice, known
from facsim.models.nets.attention import PointTransformer
from facsim.models.nets.base import Network
from facsim.models.nets.cylinder_conv import CylinderConvolution
from facsim.models.nets.epic import EPiC
from facsim.models.nets.epic_gan import EPiCGAN
from facsim.models.nets.gapt import GAPT, InducedGAPT
from facsim.models.nets.image_conv import ImageConvolution
from facsim.models.nets.induced_attention import InducedAttention
from facsim.models.nets.layer_transformer import LayerTransformer
from facsim.models.nets.mlp import ResidualMLP
from facsim.models.nets.mpgan import MPGAN
from facsim.models.nets.patch_transformer import PatchTransformer
from facsim.models.nets.plain_mlp import PlainMLP
from facsim.models.nets.superposition import Superposition
from facsim.models.space import Space

NETWORKS: dict[str, type[Network]] = {
    "residual-mlp": ResidualMLP,
    "mlp": PlainMLP,
    "layer-transformer": LayerTransformer,
    "patch-transformer": PatchTransformer,
    "cylinder-conv": CylinderConvolution,
    "image-conv": ImageConvolution,
    "superposition": Superposition,
    "epic": EPiC,
    "induced-attention": InducedAttention,
    "attention": PointTransformer,
    "epic-gan": EPiCGAN,
    "gapt": GAPT,
    "igapt": InducedGAPT,
    "mpgan": MPGAN,
}
DEFAULTS: dict[Representation, str] = {"table": "residual-mlp", "grid": "layer-transformer", "cloud": "epic"}
"""Of each representation; grids that are no cylinder have that of tables, images `image-conv`."""

__all__ = ["DEFAULTS", "NETWORKS", "Network", "build_network", "check_network", "without_input"]

_GIVEN = ("self", "space", "n_in", "n_out", "n_cond", "zero")


def check_network(choice: Choice) -> None:
    """Refuse an unknown network or option.

    Raises:
        FacsimError: it is unknown.
    """
    known(choice.name, NETWORKS, "network")
    names = [name for name in inspect.signature(NETWORKS[choice.name].__init__).parameters if name not in _GIVEN]
    for key in choice.options:
        known(key, names, f"option of the network '{choice.name}'")


def build_network(
    choice: Choice | None, space: Space, n_in: int, n_out: int, n_cond: int, zero: bool = True
) -> Network:
    """The network of `choice`, or the default one of the representation; arguments as of `Network`.

    Raises:
        FacsimError: an unknown name or option, or a network that does not take such events.
    """
    choice = choice or Choice(name=_default(space))
    check_network(choice)
    kind = NETWORKS[choice.name]
    if space.representation not in kind.representations:
        fitting = sorted(name for name, net in NETWORKS.items() if space.representation in net.representations)
        raise FacsimError(
            f"the network '{choice.name}' takes events that are a {' or a '.join(kind.representations)}, not a "
            f"{space.representation}: choose one of {fitting}."
        )
    options: dict[str, Any] = choice.options
    return kind(space, n_in, n_out, n_cond, zero=zero, **options)


def _default(space: Space) -> str:
    if space.image is not None:
        return "image-conv"
    return DEFAULTS["table" if space.representation == "grid" and not space.layers else space.representation]


def without_input(choice: Choice | None, space: Space) -> bool:
    """Whether the network of `choice` takes events without numbers (`n_in` 0), where noise is among the conditions."""
    return NETWORKS[(choice or Choice(name=_default(space))).name].without_input
