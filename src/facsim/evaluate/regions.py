"""Where in phase space two samples differ: the gap of log-likelihood ratios divided over bins of observables.

J = <log r>_candidate - <log r>_reference, with r = p_candidate / p_reference out of fold, estimates the symmetrised
Kullback-Leibler divergence. It is a sum over events, hence over the bins of any observable: a bin's part counts events
that are too many or too few there and differences inside the bin alike. Its expectation is 0 between equal samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from facsim.core.errors import FacsimError

FloatArray = NDArray[np.float64]
Observables = Mapping[str, NDArray[Any]]


def ranked_regions(
    log_ratio: FloatArray,
    is_candidate: NDArray[np.bool_],
    weight: FloatArray,
    groups: NDArray[np.int64],
    observables: Observables,
    bins: int,
    noise: float,
) -> list[dict[str, Any]]:
    """Bins of all observables, the most significant first; JSON-ready.

    Args:
        log_ratio: log p_candidate / p_reference, (N,). is_candidate: (N,). weight: (N,). groups: (N,).
        observables: name to finite values (N,), in the order of the events. bins: quantiles of the pooled sample.
        noise: factor on the errors for the overlap of training sets.

    Returns:
        For each bin `observable`, `low`, `high`, `share_reference` and `share_candidate` of the events, the mean
        `log_weight_reference` and `log_weight_candidate` (log p_reference / p_candidate; None without events), its
        part `gap` of J with `error`, `z`, and `p`: of so large a z in any of the bins of all observables.

    Raises:
        FacsimError: observables of another length.
    """
    mass = np.where(is_candidate, weight / weight[is_candidate].sum(), weight / weight[~is_candidate].sum())
    signed = np.where(is_candidate, mass, -mass)
    found = []
    for name, raw in observables.items():
        values = np.asarray(raw, dtype=np.float64)
        if values.shape != log_ratio.shape:
            raise FacsimError(f"the observable '{name}' needs {len(log_ratio)} values, one an event.")
        edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)))
        place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, max(len(edges) - 2, 0))
        for k in range(max(len(edges) - 1, 1)):
            inside = place == k
            if inside.any():
                low, high = float(edges[k]), float(edges[min(k + 1, len(edges) - 1)])
                row = _region(log_ratio, is_candidate, mass, signed, groups, inside, noise)
                found.append({"observable": name, "low": low, "high": high, **row})
    for row in found:
        row["p"] = min(1.0, len(found) * float(norm.sf(row["z"])))
    return sorted(found, key=lambda row: -row["z"])


def _region(
    log_ratio: FloatArray,
    is_candidate: NDArray[np.bool_],
    mass: FloatArray,
    signed: FloatArray,
    groups: NDArray[np.int64],
    inside: NDArray[np.bool_],
    noise: float,
) -> dict[str, Any]:
    terms = np.where(inside, signed * log_ratio, 0.0)
    gap = float(terms.sum())
    error = noise * float(np.sqrt(sum(_variance(terms, mass, groups, own) for own in (is_candidate, ~is_candidate))))
    row: dict[str, Any] = {"gap": gap, "error": error, "z": gap / error if error > 0 else 0.0}
    for name, own in (("reference", ~is_candidate), ("candidate", is_candidate)):
        share = mass[inside & own]
        row[f"share_{name}"] = float(share.sum())
        mean = None if share.sum() == 0 else float(-(share @ log_ratio[inside & own]) / share.sum())
        row[f"log_weight_{name}"] = mean
    return row


def _variance(terms: FloatArray, mass: FloatArray, groups: NDArray[np.int64], own: NDArray[np.bool_]) -> float:
    """Variance of a weighted mean over groups: the terms of a group, less what its weight lets one expect."""
    moved = terms[own] - mass[own] * terms[own].sum()
    sums = np.bincount(np.unique(groups[own], return_inverse=True)[1], weights=moved)
    return float(np.sum(sums**2) * len(sums) / max(len(sums) - 1, 1))
