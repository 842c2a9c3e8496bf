"""The plainest network: all numbers of an event and the conditions through a few linear layers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from facsim.core.errors import FacsimError
from facsim.core.schema import Representation
from facsim.models.choices import known
from facsim.models.nets.base import Network, last_layer, of_layers
from facsim.models.space import Space

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "elu": nn.ELU,
    "leaky-relu": nn.LeakyReLU,
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


class PlainMLP(Network):
    """Linear layers of the given widths; event, time and conditions go in side by side. For arguments see `Network`.

    The network for speed: with its defaults and images of 8 x 16 it has some 20 000 numbers, as the generator of arXiv
    2012.04595. An event may have no numbers (`n_in` 0), where a generator's noise is among the conditions.

    Args:
        widths: of the hidden layers. activation: between them, a name in `ACTIVATIONS`.
    """

    representations: ClassVar[tuple[Representation, ...]] = ("table", "grid")
    without_input: ClassVar[bool] = True

    def __init__(
        self,
        space: Space,
        n_in: int,
        n_out: int,
        n_cond: int,
        *,
        zero: bool = True,
        widths: Sequence[int] = (32, 64, 64, 64),
        activation: str = "elu",
    ) -> None:
        super().__init__(space, n_in, n_out, n_cond)
        if not isinstance(widths, list | tuple) or not all(type(n) is int and n > 0 for n in widths):
            raise FacsimError(
                f"the option 'widths' of the network 'mlp' must be a list of whole numbers, not {widths!r}."
            )
        if not isinstance(activation, str):
            raise FacsimError(f"the option 'activation' of the network 'mlp' must be a name, not {activation!r}.")
        known(activation, ACTIVATIONS, "activation of the network 'mlp'")
        elements = space.size // space.channels
        sizes = [elements * n_in + 1 + n_cond * max(1, len(space.layers)), *widths]
        layers = [part for n, m in pairwise(sizes) for part in (nn.Linear(n, m), ACTIVATIONS[activation]())]
        self.layers = nn.Sequential(*layers, last_layer(sizes[-1], elements * n_out, zero))

    def forward(self, x: Tensor, t: Tensor | None, cond: Tensor, mask: Tensor | None = None) -> Tensor:
        if self.space.layers:
            cond = of_layers(cond, len(self.space.layers)).flatten(1)
        time = (cond.new_zeros(1) if t is None else t)[:, None].expand(cond.shape[0], 1)
        given = [time, cond] if self.n_in == 0 else [x.flatten(1), time, cond]
        out: Tensor = self.layers(torch.cat(given, 1))
        return out.reshape(-1, *self.space.elements, self.n_out)
