"""How a compressed model differs from what its options build: narrower layers, layers in half precision.

The difference is kept in `model.json` beside the options (`RunModel.compressed`), so that a folder of a compressed
model is loaded like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facsim.core.errors import FacsimError
from facsim.models.base import RunModel

NARROWED, BF16, FP16 = "narrowed", "bf16", "fp16"


class BFloat16Linear(nn.Module):
    """A dense layer that holds and multiplies in bfloat16: what goes in is rounded, what comes out is single precision.

    Args:
        n_in, n_out: numbers in and out. bias: whether there is one.
    """

    def __init__(self, n_in: int, n_out: int, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(n_out, n_in, dtype=torch.bfloat16))
        self.bias = nn.Parameter(torch.zeros(n_out, dtype=torch.bfloat16)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.bfloat16(), self.weight, self.bias).to(x.dtype)


def narrow_layers(model: RunModel, sizes: Mapping[str, tuple[int, int]]) -> None:
    """Put fresh dense layers with the numbers in and out of `sizes`, by name, in the place of those of `model`.

    Raises:
        FacsimError: there is no such layer.
    """
    for name, (n_in, n_out) in sizes.items():
        _replace(model, name, nn.Linear(n_in, n_out, bias=_linear(model, name).bias is not None))
    _note(model, NARROWED, {name: list(size) for name, size in sizes.items()})


@torch.no_grad()
def in_bfloat16(model: RunModel, names: Iterable[str]) -> None:
    """Let the dense layers `names` of `model` compute in bfloat16, their weights rounded to it.

    Raises:
        FacsimError: there is no such layer.
    """
    kept = list(names)
    for name in kept:
        old = _linear(model, name)
        new = BFloat16Linear(old.in_features, old.out_features, old.bias is not None)
        new.load_state_dict(old.state_dict())
        _replace(model, name, new)
    _note(model, BF16, kept)


@torch.no_grad()
def stored_in_half(model: RunModel, names: Iterable[str]) -> None:
    """Round the arrays `names` of `model` to float16, as which they are saved; it computes as before.

    Raises:
        FacsimError: there is no such array, or float16 does not reach as far as its numbers.
    """
    kept, arrays = list(names), model.state_dict()
    for name in kept:
        if name not in arrays:
            raise FacsimError(f"the compressed model has no array '{name}': compress it again.")
        half = arrays[name].half()
        if bool((half.isinf() & arrays[name].isfinite()).any()):
            raise FacsimError(
                f"'{name}' has numbers up to {float(arrays[name].abs().max()):.3g}, and float16 ends at 65504: choose "
                "bf16, which reaches as far as single precision."
            )
        arrays[name].copy_(half)
    _note(model, FP16, kept)


def stored(model: RunModel) -> dict[str, Tensor]:
    """The state of `model` in the precision in which it is saved."""
    half = set(model.compressed.get(FP16, ()))
    tensors = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    return {key: value.half() if key in half else value for key, value in tensors.items()}


def restore(model: RunModel, changes: Mapping[str, Any]) -> None:
    """Make the `changes` that were noted of another model of the same options; weights are loaded afterwards.

    Raises:
        FacsimError: they are not of such a model.
    """
    if not _described(changes):
        raise FacsimError(
            f"'compressed' in model.json should say what was changed, not {str(changes)[:100]}: compress it again."
        )
    if changes.get(NARROWED):
        narrow_layers(model, {name: (size[0], size[1]) for name, size in changes[NARROWED].items()})
    if changes.get(BF16):
        in_bfloat16(model, changes[BF16])
    if changes.get(FP16):
        stored_in_half(model, changes[FP16])


def _described(changes: Any) -> bool:
    """Whether `changes` has the form of what `_note` leaves; it may come from anyone."""
    if not isinstance(changes, Mapping) or not {NARROWED, BF16, FP16}.issuperset(changes):
        return False
    sizes, lists = changes.get(NARROWED, {}), (changes.get(BF16, []), changes.get(FP16, []))
    if not isinstance(sizes, Mapping) or not all(isinstance(one, list | tuple) for one in lists):
        return False
    pairs = all(
        isinstance(size, list | tuple) and len(size) == 2 and all(type(n) is int and n > 0 for n in size)
        for size in sizes.values()
    )
    return pairs and all(isinstance(name, str) for one in (sizes, *lists) for name in one)


def _linear(model: RunModel, name: str) -> nn.Linear:
    try:
        found = model.get_submodule(name)
    except AttributeError:
        found = None
    if not isinstance(found, nn.Linear):
        raise FacsimError(f"the compressed model has no dense layer '{name}': compress it again.")
    return found


def _replace(model: RunModel, name: str, new: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, new.train(model.training))


def _note(model: RunModel, kind: str, what: Any) -> None:
    known = model.compressed.get(kind)
    merged = {**known, **what} if isinstance(known, dict) else [*(known or []), *what] if known else what
    model.compressed = {**model.compressed, kind: merged}
