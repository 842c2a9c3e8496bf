"""Pruning: the smallest weights held at zero, or whole hidden units taken out of a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from facsim.models.base import EventModel
from facsim.models.compressed import narrow_layers
from facsim.models.hidden_units import HiddenLayer, hidden_layers
from facsim.models.sampled_layers import LAYERS, sample_once, watched

RIDGE = 1e-4
"""Of the least squares, as a share of the mean variance of the units that stay."""


def kept_weights(layers: Mapping[str, nn.Module], share: float, *, together: bool = False) -> dict[str, Tensor]:
    """Which weights of `layers` stay, by name, when the `share` of smallest magnitude goes.

    It goes of each layer, or with `together` of all of them at once, which may leave little of a layer whose weights
    are small because what it reads is large.
    """
    found = {f"{name}.weight": weight for name, layer in layers.items() if isinstance(weight := layer.weight, Tensor)}
    if not together:
        return {name: weight.detach().abs() > _limit([weight], share) for name, weight in found.items()}
    limit = _limit(list(found.values()), share)
    return {name: weight.detach().abs() > limit for name, weight in found.items()}


def _limit(weights: Sequence[Tensor], share: float) -> float:
    """The magnitude up to which the `share` of smallest `weights` go."""
    sizes = torch.cat([weight.detach().abs().flatten() for weight in weights])
    gone = int(share * len(sizes))
    return float(sizes.kthvalue(gone).values) if gone else -1.0


@torch.no_grad()
def hold_zero(model: nn.Module, kept: Mapping[str, Tensor]) -> None:
    """Set the weights of `model` that are not `kept` to zero, where training by gradients leaves them."""
    parameters = dict(model.named_parameters())
    for name, mask in kept.items():
        parameters[name].mul_(mask)
        parameters[name].register_hook(lambda gradient, mask=mask: gradient * mask)  # type: ignore[no-untyped-call]


@dataclass
class Units:
    """What the units of one hidden layer did in samples: means (W,) and covariance (W, W)."""

    n: int
    total: Tensor
    squares: Tensor

    @classmethod
    def of(cls, width: int) -> Units:
        """Of nothing yet."""
        return cls(0, torch.zeros(width, dtype=torch.float64), torch.zeros(width, width, dtype=torch.float64))

    def see(self, x: Tensor) -> None:
        """Take in activations (..., W)."""
        rows = x.detach().reshape(-1, x.shape[-1]).double()
        self.n, self.total = self.n + len(rows), self.total + rows.sum(0)
        self.squares = self.squares + rows.T @ rows

    @property
    def mean(self) -> Tensor:
        return self.total / max(self.n, 1)

    @property
    def covariance(self) -> Tensor:
        return self.squares / max(self.n, 1) - torch.outer(self.mean, self.mean)


@torch.no_grad()
def take_out_units(model: EventModel, share: float, cond: Tensor) -> dict[str, tuple[int, int]]:
    """Take the `share` of units that matter least out of every hidden layer of `model`, in place; at least one stays.

    A unit matters by the spread that it gives to what reads it: the standard deviation of its activation, over samples
    at conditions (N, K), times the norm of the weights that read it. What the others say of a unit that goes, by linear
    least squares, is added to their weights and to the bias (as in arXiv 1707.06168), so that units that nothing reads,
    that are constant, or that repeat another one go without a change.

    Returns:
        Numbers in and out of the layers that changed, by name.
    """
    modules = {name: module for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    layers = [layer for layer in hidden_layers(model) if layer.maker in modules]
    seen = {layer.readers[0]: Units.of(modules[layer.maker].out_features) for layer in layers}
    with watched({name: modules[name] for name in seen}, lambda name, x: seen[name].see(x)):
        sample_once(model, cond)
    arrays, sizes = model.state_dict(), dict[str, tuple[int, int]]()
    for layer in layers:
        units = seen[layer.readers[0]]
        if units.n and (gone := min(round(share * len(units.total)), len(units.total) - 1)):
            _take_out(arrays, sizes, layer, units, gone)
    if sizes:
        narrow_layers(model, sizes)
        model.load_state_dict(arrays)
    return sizes


def _take_out(
    arrays: dict[str, Tensor], sizes: dict[str, tuple[int, int]], layer: HiddenLayer, units: Units, gone: int
) -> None:
    covariance, mean = units.covariance, units.mean
    readers = [f"{name}.weight" for name in layer.readers]
    read = torch.cat([arrays[name] for name in readers]).double()
    order = (covariance.diagonal().clamp(min=0).sqrt() * read.norm(dim=0)).argsort(stable=True)
    out, stay = order[:gone].sort().values, order[gone:].sort().values
    inner = covariance[stay][:, stay]
    ridge = RIDGE * inner.diagonal().mean().clamp(min=1e-12) * torch.eye(len(stay), dtype=inner.dtype)
    told = torch.linalg.solve(inner + ridge, covariance[stay][:, out])
    for name, weight in zip(layer.readers, readers, strict=True):
        old = arrays[weight].double()
        arrays[weight] = (old[:, stay] + old[:, out] @ told.T).to(arrays[weight])
        moved = old[:, out] @ (mean[out] - told.T @ mean[stay])
        bias = f"{name}.bias"
        arrays[bias] = (arrays[bias].double() + moved).to(arrays[bias])
        sizes[name] = (len(stay), len(arrays[weight]))
    for end in ("weight", "bias"):
        arrays[f"{layer.maker}.{end}"] = arrays[f"{layer.maker}.{end}"][stay]
    sizes[layer.maker] = (arrays[f"{layer.maker}.weight"].shape[1], len(stay))


def left_of(model: nn.Module) -> int:
    """Weights of layers of `model` that are not zero, and all its other numbers."""
    weights = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, LAYERS)}
    arrays = model.state_dict()
    return sum(int((a != 0).sum()) if name in weights else a.numel() for name, a in arrays.items())
