"""How unlike an image and its reconstruction are: errors of each event, that autoencoders minimise and score by."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

LEAST = 1e-6
MOST = 1 - 1e-6


def inverse_dice(target: Tensor, image: Tensor) -> Tensor:
    """(sum t^2 + sum p^2 + e) / (2 sum t p + e) - 1 of events (N, ...), e = 1e-6: 0 where they are equal, else above.

    The inverse of Dice's coefficient, of real numbers (arXiv 2306.13595, section 4): it counts overlap alone, so that
    empty cells, 99.5 % of an image, do not dilute it. It rises without end as the overlap falls to nothing, and of an
    image that is a times the target it is (1 + a^2) / (2 a) - 1.
    """
    t, p = target.flatten(1), image.flatten(1)
    return inverse_dice_of_sums((t * t).sum(1), (p * p).sum(1), (t * p).sum(1), t.shape[1])


def inverse_dice_of_sums(tt: Tensor, pp: Tensor, tp: Tensor, cells: int) -> Tensor:
    """`inverse_dice` of the sums of t^2, p^2 and t p over the cells of each event (N,)."""
    return (tt + pp + LEAST) / (2 * tp + LEAST) - 1


def mean_square_of_sums(tt: Tensor, pp: Tensor, tp: Tensor, cells: int) -> Tensor:
    """`mean_square` of the sums of t^2, p^2 and t p over the `cells` of each event (N,)."""
    return (tt + pp - 2 * tp) / cells


def mean_square(target: Tensor, image: Tensor) -> Tensor:
    """Mean square difference of all cells of events (N, ...)."""
    return (target - image).square().flatten(1).mean(1)


def hit_entropy(target: Tensor, image: Tensor) -> Tensor:
    """Binary cross-entropy, summed over cells, of whether a cell of `target` is hit; `image` is the probability."""
    p = image.clamp(LEAST, MOST)
    # in functions that an exported graph has
    return -torch.where(target > 0, p, 1 - p).log().flatten(1).sum(1)


ERRORS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "inverse-dice": inverse_dice,
    "mse": mean_square,
    "bce": hit_entropy,
}
OF_SUMS: dict[str, Callable[[Tensor, Tensor, Tensor, int], Tensor]] = {
    "inverse-dice": inverse_dice_of_sums,
    "mse": mean_square_of_sums,
}
