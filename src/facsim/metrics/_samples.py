"""Checks and scalings that the metrics of two samples share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.arrays import Array, as_type, namespace, quantiles, to_numpy
from facsim.core.errors import FacsimError

FloatArray = NDArray[np.float64]

SIGMA_QUANTILES = (0.15865525393145707, 0.5, 0.8413447460685429)
CLIP = 8.0
LARGEST = 1e150
SAME = 1e-6
"""Relative difference from a constant below which a value is the constant: rounding in float32."""


def check_values(name: str, values: NDArray[Any]) -> FloatArray:
    """One-dimensional sample as float64.

    Raises:
        FacsimError: empty, not one-dimensional, or not finite.
    """
    array = as_numbers(name, values)
    if array.ndim != 1 or len(array) == 0:
        raise FacsimError(f"the {name} sample must be a list of numbers, not an array of shape {array.shape}.")
    return np.asarray(_finite(name, array))


def check_features(real: Array, gen: Array) -> tuple[Array, Array]:
    """Two feature arrays (N, D) and (M, D) as float64, D alike, at least two events each.

    Tensors of torch stay tensors on their device.

    Raises:
        FacsimError: shapes that do not fit, values that are no numbers, not finite or beyond 1e150 (their squares would
            overflow), one tensor and one array.
    """
    xp = namespace(real)
    if xp is not namespace(gen) or (xp is not np and real.device != gen.device):
        raise FacsimError("both samples must be numpy arrays, or both torch tensors on one device.")
    x, y = (
        as_numbers(name, s) if xp is np else as_type(s.detach(), xp.float64)
        for name, s in (("reference", real), ("generated", gen))
    )
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < 2 or not x.shape[1]:
        raise FacsimError(
            f"two samples of features need shapes (N, D) and (M, D) with at least two events, not {tuple(x.shape)} "
            f"and {tuple(y.shape)}."
        )
    return _small(_finite("reference", x)), _small(_finite("generated", y))


def check_weights(name: str, events: int, weights: Array | None, *, negative: bool = True) -> FloatArray:
    """Event weights (N,) as float64 on the host, ones by default.

    Raises:
        FacsimError: another length, values that are not finite, a sum that is not positive, or negative weights where
            they have no meaning.
    """
    if weights is None:
        return np.ones(events)
    given = as_numbers(f"weights of the {name}", weights)
    if given.shape != (events,) or not np.isfinite(given).all() or not given.sum() > 0:
        raise FacsimError(
            f"weights of the {name} sample must be {events} finite numbers with a positive sum, not an array of "
            f"shape {given.shape} with the sum {given.sum():.4g}."
        )
    if not negative and np.any(given < 0):
        raise FacsimError(f"weights of the {name} sample must not be negative here; {np.sum(given < 0)} of them are.")
    return given


def check_different(x: Array, y: Array) -> None:
    """Refuse one sample given twice: estimates without bias would call it better than truth.

    Raises:
        FacsimError: the samples hold the same numbers in the same order.
    """
    if x.shape == y.shape and bool((x == y).all()):
        raise FacsimError(
            "reference and generated sample are the same events; compare with a sample of its own (for the null, with "
            "other truth events)."
        )


def as_numbers(name: str, values: Any) -> FloatArray:
    """As float64 on the host.

    Raises:
        FacsimError: a masked array, text, lists of different lengths, or named fields.
    """
    if np.ma.is_masked(values):
        raise FacsimError(f"the {name} sample is a masked array; remove the masked events.")
    try:
        return np.asarray(to_numpy(values), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise FacsimError(f"the {name} sample must be a plain array of numbers ({error}).") from None


def _small(array: Array) -> Array:
    largest = float(namespace(array).abs(array).max())
    if largest > LARGEST:
        raise FacsimError(f"a sample holds the value {largest:.3g}: expected less than {LARGEST:g}; take another unit.")
    return array


def _finite(name: str, array: Array) -> Array:
    bad = int((~namespace(array).isfinite(array)).sum())
    if bad:
        raise FacsimError(f"the {name} sample holds {bad} values that are not finite numbers; remove those events.")
    return array


def scale_by_largest(real: Array, gen: Array) -> tuple[Array, Array]:
    """Both samples divided by the largest |value| of the reference, feature by feature (jetnet 0.2.5)."""
    xp = namespace(real)
    largest = xp.amax(xp.abs(real), 0)
    largest = xp.where(largest == 0, xp.ones_like(largest), largest)
    return real / largest, gen / largest


def scale_robustly(real: Array, gen: Array, clip: float | None = CLIP) -> tuple[Array, Array]:
    """Both samples in units of the reference's central 68 % half-width around its median, limited to +-`clip`.

    A few extreme events decide neither the scale nor the result. Where the central half-width is below a tenth
    of the standard deviation (a feature that is mostly constant), the latter is the unit. Where the reference is
    constant there is no unit: events that differ count as 8 units away, others as 0.

    Raises:
        FacsimError: a limit that is not above 0.
    """
    if clip is not None and not clip > 0:
        raise FacsimError(f"the limit of robust units is {clip}: expected a number above 0, or None for no limit.")
    xp = namespace(real)
    low, centre, high = quantiles(real, SIGMA_QUANTILES)
    width, mean = 0.5 * (high - low), real.mean(axis=0)
    spread = xp.sqrt(((real - mean) ** 2).mean(axis=0))
    unit = xp.where(width < 0.1 * spread, spread, width)
    constant = unit <= 1e-12 * xp.clip(xp.abs(centre), 1e-300, None)
    unit = xp.where(constant, xp.ones_like(unit), unit)
    alone = np.flatnonzero(to_numpy(constant))
    scaled = []
    for sample in (real, gen):
        z = (sample - centre) / unit
        if len(alone):
            away = xp.where(xp.abs(z[:, alone]) > SAME * xp.abs(centre[alone]), xp.sign(z[:, alone]), 0.0 * z[:, alone])
            z[:, alone] = CLIP * away
        scaled.append(z if clip is None else xp.clip(z, -clip, clip))
    return scaled[0], scaled[1]


def count_limited(sample: Array) -> int:
    """Events of a sample scaled with `clip=None` that the limit would change."""
    return int((namespace(sample).amax(namespace(sample).abs(sample), 1) > CLIP).sum())
