"""Folds for cross-fitting: whole groups of dependent events lie in one fold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError

IntArray = NDArray[np.int64]


def group_numbers(groups: NDArray[Any] | None, n: int, name: str, folds: int) -> IntArray:
    """Groups numbered from 0, (n,); each event is its own where `groups` is None.

    Raises:
        FacsimError: another number of events, or fewer groups than folds.
    """
    if groups is None:
        return np.arange(n, dtype=np.int64)
    numbers = np.unique(np.asarray(groups), return_inverse=True)[1].astype(np.int64)
    if numbers.shape != (n,):
        raise FacsimError(f"the {name} sample has {n} events but groups of shape {np.shape(groups)}.")
    if numbers.max() + 1 < folds:
        raise FacsimError(
            f"the {name} sample has only {numbers.max() + 1} groups of events; {folds} folds need as many."
        )
    return numbers


def group_folds(groups: IntArray, rng: np.random.Generator, folds: int) -> IntArray:
    """Fold of each event: groups in random order, large ones first, each to the fold with the fewest events."""
    sizes = np.bincount(groups)
    order = rng.permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    if sizes.max() == 1:
        fold_of_group = np.empty(len(sizes), dtype=np.int64)
        fold_of_group[order] = np.arange(len(sizes)) % folds
        return np.asarray(fold_of_group[groups])
    filled = np.zeros(folds, dtype=np.int64)
    fold_of_group = np.zeros(len(sizes), dtype=np.int64)
    for group in order:
        fold = int(filled.argmin())
        fold_of_group[group] = fold
        filled[fold] += sizes[group]
    return np.asarray(fold_of_group[groups])
