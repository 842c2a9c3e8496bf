"""What a description of a trained model may ask for, whoever wrote it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from facsim.core.errors import FacsimError
from facsim.core.schema import Schema
from facsim.models.teacher import TRAINED

SPARE = 1 << 27
"""Numbers that a model may make beside those of its weights: arrays that only training reads, masks, tables."""
PER_WEIGHT = 8
MOST_ARRAYS = 30_000
MOST_CELLS = 20_000_000
MOST_POINTS = 1_000_000
RESHAPES = ("aten.view.", "aten._unsafe_view.", "aten.reshape.")
"""Operations that are given a shape and make no number."""


def check_description(found: Mapping[str, Any], where: str) -> tuple[str, Schema, dict[str, Any]]:
    """Name, schema and options that the file `where`, a `model.json`, holds.

    Raises:
        FacsimError: it describes no model, events of absurd size, or a model made from other files of this machine.
    """
    kinds = {"model": str, "options": dict, "schema": dict}
    if not all(isinstance(found.get(key), kind) for key, kind in kinds.items()):
        raise FacsimError(f"'{where}' does not describe a model: train the model again.")
    teacher = next((part for part in _mappings(found["options"]) if part.get("name") == TRAINED), None)
    if teacher is not None:
        raise FacsimError(
            f"'{where}' describes a model made from the folder '{str(teacher.get('folder'))[:80]}', which facsim does "
            "not write and does not open: train the model again."
        )
    try:
        schema = Schema.from_dict(found["schema"])
        cells = 0 if schema.geometry is None else schema.geometry.n_cells
        sizes = {"cells": (cells, MOST_CELLS), "points": (schema.points or 0, MOST_POINTS)}
        absurd = [f"{n} {what}" for what, (n, most) in sizes.items() if not 0 <= n <= most]
    except (TypeError, ValueError, AttributeError, IndexError, MemoryError, OverflowError) as error:
        words = " ".join(str(error).split())[:120]
        raise FacsimError(f"the schema in '{where}' is none ({words}): train the model again.") from None
    if absurd:
        raise FacsimError(f"'{where}' describes events of {absurd[0]}, which is more than facsim takes.")
    return found["model"], schema, found["options"]


def _mappings(tree: Any) -> Iterator[Mapping[str, Any]]:
    """All mappings in `tree`, itself first."""
    if isinstance(tree, Mapping):
        yield tree
    for inner in tree.values() if isinstance(tree, Mapping) else tree if isinstance(tree, list) else ():
        yield from _mappings(inner)


class BuildLimit(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While it is on, arrays of more numbers than `weights` weights can need are refused before they are made.

    Args:
        where: the model, for the sentence. weights: numbers in its file of weights.
    """

    def __init__(self, where: str, weights: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.where, self.left, self.arrays = where, SPARE + PER_WEIGHT * weights, MOST_ARRAYS

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled here: to skip the compiler would import it, which takes longer than loading a model."""
        return False

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Count what `func` makes, if it makes an array of a size."""
        self.left -= _asked(str(func), args)
        self.arrays -= 1
        if min(self.left, self.arrays) < 0:
            raise FacsimError(
                f"the description in '{self.where}' asks for a model far larger than its weights: its 'options' are "
                "not those that it was trained with."
            )
        return func(*args, **(kwargs or {}))


def _asked(name: str, args: tuple[Any, ...]) -> int:
    """Numbers of the array that the operation `name` is asked for; of those on arrays the ones of a large array."""
    first = args[0] if args else 0
    if name.startswith(RESHAPES):
        return 0
    if isinstance(first, Tensor):  # a view may be of any size, and the next operation makes it real
        numbers = first.numel() * _asked(name, args[1:2])  # what repeats or fills a size has it second
        return numbers if numbers > SPARE else first.numel() if first.numel() > SPARE else 0
    if isinstance(first, list | tuple) and all(isinstance(n, int) for n in first):
        return math.prod(first)
    if isinstance(first, int) and name.startswith("aten.eye"):
        return first * (args[1] if len(args) > 1 and isinstance(args[1], int) else first)
    return max((n for n in args[:2] if isinstance(n, int)), default=0)
