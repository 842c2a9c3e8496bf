"""Difference of two AUCs on the same events, with the error that their correlation leaves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.metrics._samples import FloatArray, check_values, check_weights
from facsim.metrics.auc import weight_below
from facsim.metrics.score import Estimate


def auc_difference(
    background: NDArray[Any],
    signal: NDArray[Any],
    background_weights: NDArray[Any] | None = None,
    signal_weights: NDArray[Any] | None = None,
) -> Estimate:
    """AUC of the first score less that of the second, and its error (DeLong, Biometrics 44 (1988) 837).

    Args:
        background: both scores of the same events, (N, 2). signal: likewise (M, 2).
        background_weights, signal_weights: not negative; by default 1.

    Raises:
        FacsimError: other shapes, empty samples, scores that are not finite, weights that do not fit.
    """
    a, b = np.asarray(background), np.asarray(signal)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != 2 or b.shape[1] != 2:
        raise FacsimError(f"a difference of AUCs needs two scores of each event, not arrays of {a.shape}, {b.shape}.")
    u = check_weights("background", len(a), background_weights, negative=False)
    v = check_weights("signal", len(b), signal_weights, negative=False)
    u, v = u / u.sum(), v / v.sum()
    below, above = np.zeros(len(b)), np.zeros(len(a))
    for column, sign in ((0, 1.0), (1, -1.0)):
        x, y = check_values("background", a[:, column]), check_values("signal", b[:, column])
        below += sign * weight_below(y, x, u)
        above += sign * (1 - weight_below(x, y, v))
    value = float(v @ below)
    variance = _variance(u * (above - value)) + _variance(v * (below - value))
    return Estimate((value, float(np.sqrt(variance))))


def _variance(influence: FloatArray) -> float:
    return float(np.sum(influence**2) * len(influence) / max(len(influence) - 1, 1))
