"""Networks that read a whole event into a few numbers: critics of adversarial methods, encoders of autoencoders."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from facsim.models.choices import known
from facsim.models.nets.base import check_sizes, of_layers
from facsim.models.nets.classifiers import NETWORKS, Inputs
from facsim.models.nets.given import own_conditions, own_number
from facsim.models.space import Space

_GIVEN = ("self", "inputs", "outputs", "dropout", "lit", "pooled")
OTHERS = {"cloud": ("epic-gan", "gapt", "igapt", "mpgan"), "table": ("plain",)}
"""Classifier networks that may take the place of the usual one."""


class EventReader(nn.Module):
    """(x (N, *space.shape), cond, mask) -> (N, outputs), by the classifier network that suits the events.

    That is `grid` for regular cylinders, `layers` for ragged ones, `image`, `cloud`, and `table` for the rest; clouds
    and tables have `OTHERS` too. `cond` is (N, K) or, on cylinders, (N, L, K): the condition of a layer reads as
    further cells of it. Given points among the conditions are left out: what is to be read of them stands among the
    others.

    Args:
        space: the events. n_cond: K. outputs: numbers of an event.
        spectral: divide every weight matrix by its largest singular value (Miyato et al., arXiv 1802.05957).
        options: of the classifier network, such as `width`; `name` is that of another one.

    Raises:
        FacsimError: an unknown network or option, or a bad value.
    """

    def __init__(self, space: Space, n_cond: int, outputs: int, spectral: bool = False, /, **options: Any) -> None:
        super().__init__()
        self.space = space
        n_cond = own_number(n_cond, space)
        cells = tuple(a * r * space.channels for a, r in space.layers)
        if space.representation == "cloud":
            name, inputs = "cloud", Inputs(space.shape, n_cond)
        elif space.cylinder is not None:
            layers, alpha, rings = space.cylinder
            name, inputs = "grid", Inputs((layers, alpha, rings * space.channels + n_cond), n_cond)
        elif space.layers:
            with_cond = tuple(n + n_cond for n in cells)
            name, inputs = "layers", Inputs((sum(with_cond),), n_cond, with_cond)
        elif space.image is not None:
            name, inputs = "image", Inputs((*space.image, space.channels), n_cond)
        else:
            name, inputs = "table", Inputs((space.size,), n_cond)
        self.name, self.cells = name, cells
        chosen = options.pop("name", name)
        known(chosen, [name, *OTHERS.get(name, ())], f"network that reads a {name}")
        names = inspect.signature(NETWORKS[chosen].__init__).parameters
        for key in options:
            known(key, [n for n in names if n not in _GIVEN], f"option of the network that reads a {chosen}")
        check_sizes(chosen, **options)
        fixed = {key: value for key, value in (("lit", False), ("pooled", False), ("dropout", 0.0)) if key in names}
        self.net = NETWORKS[chosen](inputs, outputs, **fixed, **options)
        if spectral:
            _normalise(self.net)

    def forward(self, x: Tensor, cond: Tensor, mask: Tensor | None = None) -> Tensor:
        cond = own_conditions(cond, self.space)
        whole = cond.mean(1) if cond.dim() == 3 else cond
        if self.name == "table":
            x = x.flatten(1)
        elif self.name == "image":
            x = x.reshape(len(x), *self.net.inputs.x)
        elif self.name != "cloud":
            x = self._with_condition(x, of_layers(cond, len(self.cells)))
        out: Tensor = self.net(x, whole, mask)
        return out

    @torch.no_grad()
    def standardise(self, mean: Tensor, std: Tensor) -> None:
        """Shift and scale the first outputs, whose mean and deviation are given, to 0 and 1 in the last layer."""
        last = [module for module in self.net.modules() if isinstance(module, nn.Linear)][-1]
        n = len(mean)
        last.weight[:n] /= std[:, None]
        last.bias[:n] = (last.bias[:n] - mean) / std

    def _with_condition(self, x: Tensor, cond: Tensor) -> Tensor:
        if self.name == "grid":
            layers, alpha = self.net.inputs.x[:2]
            cells = x.reshape(len(x), layers, alpha, -1)
            return torch.cat([cells, cond[:, :, None].expand(-1, -1, alpha, -1)], -1)
        parts = torch.split(x.flatten(1), list(self.cells), dim=1)
        return torch.cat([part for k, cells in enumerate(parts) for part in (cells, cond[:, k])], dim=1)


def _normalise(net: nn.Module) -> None:
    for module in list(net.modules()):
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d):
            if not module.weight.any():  # a matrix of zeros has no direction to divide by
                nn.init.normal_(module.weight, std=0.01)
            spectral_norm(module)


def with_numbers(cond: Tensor, z: Tensor) -> Tensor:
    """Conditions (N, K) or (N, L, K) with the numbers `z` (N, D) of the whole event after them."""
    if cond.dim() == 3:
        z = z[:, None].expand(-1, cond.shape[1], -1)
    return torch.cat([cond, z], -1)


def flat_condition(cond: Tensor, space: Space) -> Tensor:
    """Conditions (N, K) without given points, those of layers (N, L, K) side by side: of one length for a `space`."""
    cond = own_conditions(cond, space)
    return of_layers(cond, len(space.layers)).flatten(1) if space.layers else cond
