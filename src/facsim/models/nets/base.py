"""What every network of a generative method has in common."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from facsim.core.errors import FacsimError
from facsim.core.schema import Representation
from facsim.models.space import Space


class Network(nn.Module):
    """Base class: `(x (N, *elements, n_in), t, cond, mask) -> (N, *elements, n_out)`.

    `t` is a time in [0, 1], (N,) or (1,), or None where a method has none, which is read as 0. `cond` is (N, K); on
    grids with layers also (N, L, K), a condition of each layer. `mask` (N, P) says which points of a cloud are real:
    others have no influence on them, and what comes out for them is of no meaning. Further arguments of the constructor
    are options with defaults.

    Args:
        space: the events; `elements` and `layers` of it count, its channels do not.
        n_in, n_out: numbers of each element.
        n_cond: K.
        zero: whether the last layer starts at zero, so that the output does.

    Raises:
        FacsimError: options that do not fit one another or the space.
    """

    representations: ClassVar[tuple[Representation, ...]]
    without_input: ClassVar[bool] = False
    """Whether `n_in` may be 0."""

    def __init__(self, space: Space, n_in: int, n_out: int, n_cond: int, *, zero: bool = True) -> None:
        super().__init__()
        self.space, self.n_in, self.n_out, self.n_cond = space, n_in, n_out, n_cond

    def forward(self, x: Tensor, t: Tensor | None, cond: Tensor, mask: Tensor | None = None) -> Tensor:
        raise NotImplementedError


def check_sizes(network: str, **sizes: int) -> None:
    """Refuse options of `network` that are not whole numbers of at least 1.

    Raises:
        FacsimError: one is not.
    """
    for name, value in sizes.items():
        if type(value) is not int or value < 1:
            raise FacsimError(
                f"the option '{name}' of the network '{network}' must be a whole number of at least 1, not {value!r}."
            )


def check_heads(network: str, width: int, heads: int) -> None:
    """Refuse heads that do not share the width.

    Raises:
        FacsimError: they do not.
    """
    if width % heads:
        raise FacsimError(f"the width {width} of '{network}' is not a multiple of its {heads} heads.")


def check_cylinder(network: str, space: Space) -> None:
    """Refuse grids whose layers are not known.

    Raises:
        FacsimError: the space has none.
    """
    if not space.layers:
        raise FacsimError(f"the network '{network}' needs the cells of a cylinder: choose 'residual-mlp' for others.")


def of_layers(cond: Tensor, n_layers: int) -> Tensor:
    """Conditions of each of `n_layers` layers (N, L, K), from them or from those of the event (N, K)."""
    return cond if cond.dim() == 3 else cond[:, None].expand(-1, n_layers, -1)


def last_layer(n_in: int, n_out: int, zero: bool) -> nn.Linear:
    """A linear layer that starts at zero if `zero`."""
    layer = nn.Linear(n_in, n_out)
    if zero:
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    return layer
