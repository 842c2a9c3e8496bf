"""Diagnostics of classifier weights w = p_reference / p_candidate (Das et al., arXiv 2305.16774).

An AUC says that a classifier sees something; the weights say what: how many events are badly wrong (tails), whether
the classifier can be believed (calibration), how much reweighting would cost (effective size), whether it would help
(observables after it), and where the candidate fails (regions).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import chi2

from facsim.core.errors import FacsimError
from facsim.evaluate.regions import ranked_regions
from facsim.metrics.auc_bootstrap import WeightedAuc
from facsim.metrics.wasserstein import wasserstein_1d

FloatArray = NDArray[np.float64]
FORMAT = "facsim-weights-1"
LIMITS = (5.0, 0.2)
FARTHEST = 100.0
EDGES = np.linspace(-5.0, 5.0, 201)


class Comparison(Protocol):
    """What a classifier test leaves: `auc` and `error`, and for each event, the reference's first, the calibrated
    `log_ratio` log p_candidate / p_reference out of fold, `label` (1: candidate), `fold`, `groups` and `weight`, (N,).
    """

    @property
    def auc(self) -> float: ...
    @property
    def error(self) -> float: ...
    @property
    def log_ratio(self) -> FloatArray: ...
    @property
    def label(self) -> NDArray[np.int64]: ...
    @property
    def fold(self) -> NDArray[np.int64]: ...
    @property
    def groups(self) -> NDArray[np.int64]: ...
    @property
    def weight(self) -> FloatArray: ...


@dataclass(frozen=True)
class WeightDiagnostics:
    """What the weights of one comparison say; every field is JSON-ready.

    Attributes:
        auc, error: of the comparison.
        auc_after: AUC of the same scores when the candidate's events carry their weights: 0.5 where they are right.
        mean_weight: [mean of w over the candidate, error]; 1 for a calibrated classifier of overlapping samples.
        mean_inverse: the same of 1 / w over the reference.
        tails: share of events with w above 5 and below 0.2: {"reference": [..., ...], "candidate": [..., ...]}.
        effective_size: (sum w)^2 / sum w^2 of the candidate over the same without w, in (0, 1].
        histogram: `edges` of log w (natural), shares of `reference` and `candidate` as [underflow, bins, overflow].
        reliability: bins of the predicted probability of being the candidate's: `predicted`, `observed`, `error`, and
            `chi2`, `degrees`, `p` of their agreement.
        observables: name, W1 `before` and `after` reweighting and `floor`, in standard deviations of the reference.
        regions: see `facsim.evaluate.regions`.
    """

    auc: float
    error: float
    auc_after: float
    mean_weight: list[float]
    mean_inverse: list[float]
    tails: dict[str, list[float]]
    effective_size: float
    histogram: dict[str, list[float]]
    reliability: dict[str, Any]
    observables: list[dict[str, Any]]
    regions: list[dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready mapping."""
        return {"format": FORMAT, **asdict(self)}


def weight_diagnostics(
    test: Comparison,
    reference: Mapping[str, NDArray[Any]] | None = None,
    candidate: Mapping[str, NDArray[Any]] | None = None,
    *,
    bins: int = 8,
) -> WeightDiagnostics:
    """Diagnose the out-of-fold log-likelihood ratios of a classifier test.

    Args:
        test: of the reference against the candidate, e.g. `evaluate.c2st.NetworkTest`.
        reference, candidate: the same named observables of both samples, values (N,) and (M,) in the order of the
            events of the test; they need not be features of the classifier.
        bins: quantile bins of each observable, and of the reliability curve.

    Raises:
        FacsimError: observables that only one sample has, or of the wrong length, or not finite.
    """
    if not hasattr(test, "log_ratio"):
        raise FacsimError("weights are of one comparison: give `network_test(...).test`.")
    if np.min(test.weight) < 0:
        raise FacsimError(
            "the diagnosis of classifier weights needs events without negative weights: its densities are not defined."
        )
    is_candidate, weight = test.label == 1, test.weight
    observables = _joined(reference or {}, candidate or {}, int((~is_candidate).sum()), int(is_candidate.sum()))
    w = np.exp(np.clip(-test.log_ratio, -FARTHEST, FARTHEST))
    moved = np.where(is_candidate, weight * w, weight)
    folds = int(test.fold.max()) + 1
    overlap = math.sqrt(1 + folds / (folds - 1))
    own = weight[is_candidate]
    return WeightDiagnostics(
        test.auc,
        test.error,
        WeightedAuc(test.log_ratio, test.label, test.fold)(moved),
        _mean(w[is_candidate], own, test.groups[is_candidate]),
        _mean(1 / w[~is_candidate], weight[~is_candidate], test.groups[~is_candidate]),
        {
            name: _tails(w[part], weight[part])
            for name, part in (("reference", ~is_candidate), ("candidate", is_candidate))
        },
        float(_kish(own * w[is_candidate]) / _kish(own)),
        _histogram(-test.log_ratio, is_candidate, weight),
        _reliability(test.log_ratio, is_candidate, weight, bins),
        [_moved(name, x, is_candidate, weight, moved) for name, x in observables.items()],
        ranked_regions(test.log_ratio, is_candidate, weight, test.groups, observables, bins, overlap),
    )


def _joined(
    reference: Mapping[str, NDArray[Any]], candidate: Mapping[str, NDArray[Any]], n: int, m: int
) -> dict[str, NDArray[Any]]:
    if reference.keys() != candidate.keys():
        raise FacsimError(f"both samples need the same observables, not {sorted(reference)} and {sorted(candidate)}.")
    for name in reference:
        if (np.shape(reference[name]), np.shape(candidate[name])) != ((n,), (m,)):
            raise FacsimError(f"the observable '{name}' needs {n} values of the reference and {m} of the candidate.")
    joined = {name: np.concatenate([reference[name], candidate[name]]) for name in reference}
    for name, values in joined.items():
        if not np.isfinite(values).all():
            raise FacsimError(f"the observable '{name}' needs finite values; leave out or mark events without it.")
    return joined


def _mean(values: FloatArray, weight: FloatArray, groups: NDArray[np.int64]) -> list[float]:
    """Weighted mean and its standard error over groups."""
    share = weight / weight.sum()
    mean = float(share @ values)
    sums = np.bincount(np.unique(groups, return_inverse=True)[1], weights=share * (values - mean))
    return [mean, float(np.sqrt(np.sum(sums**2) * len(sums) / (len(sums) - 1)))]


def _tails(w: FloatArray, weight: FloatArray) -> list[float]:
    share = weight / weight.sum()
    return [float(share[w > LIMITS[0]].sum()), float(share[w < LIMITS[1]].sum())]


def _kish(weight: FloatArray) -> float:
    return float(weight.sum() ** 2 / np.sum(weight**2))


def _histogram(log_w: FloatArray, is_candidate: NDArray[np.bool_], weight: FloatArray) -> dict[str, list[float]]:
    place = np.searchsorted(EDGES, log_w, side="right")
    shares = {}
    for name, part in (("reference", ~is_candidate), ("candidate", is_candidate)):
        counts = np.bincount(place[part], weights=weight[part], minlength=len(EDGES) + 1)
        shares[name] = (counts / counts.sum()).tolist()
    return {"edges": EDGES.tolist(), **shares}


def _reliability(
    log_ratio: FloatArray, is_candidate: NDArray[np.bool_], weight: FloatArray, bins: int
) -> dict[str, Any]:
    p = expit(log_ratio)
    edges = np.unique(np.quantile(p, np.linspace(0, 1, bins + 1)))
    place = np.clip(np.searchsorted(edges, p, side="right") - 1, 0, max(len(edges) - 2, 0))
    rows = []
    for k in np.unique(place):
        inside = place == k
        w = weight[inside]
        mean = float(np.average(p[inside], weights=w))
        observed = float(np.average(is_candidate[inside], weights=w))
        rows.append((mean, observed, math.sqrt(mean * (1 - mean) / _kish(w))))
    predicted, seen, error = (list(column) for column in zip(*rows, strict=True))
    total = float(np.sum(((np.array(seen) - predicted) / np.maximum(error, 1e-12)) ** 2))
    test = {"chi2": total, "degrees": len(rows), "p": float(chi2.sf(total, len(rows)))}
    return {"predicted": predicted, "observed": seen, "error": error, **test}


def _moved(
    name: str, x: NDArray[Any], is_candidate: NDArray[np.bool_], weight: FloatArray, moved: FloatArray
) -> dict[str, Any]:
    """W1 of one observable; the floor is its error before reweighting."""
    values = []
    for w in (weight, moved):
        a, b = ~is_candidate, is_candidate
        values.append(wasserstein_1d(x[a], x[b], w[a], w[b], normalise=True))
    finite = [float(v) if math.isfinite(v) else None for v in (values[0][0], values[1][0], values[0][1])]
    return {"name": name, "before": finite[0], "after": finite[1], "error": finite[2]}
