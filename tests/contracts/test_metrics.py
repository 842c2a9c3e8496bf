"""What every metric of two samples must do: tensors as arrays, weights, seeds, clear words about broken input."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

import facsim.metrics as m
from facsim.core.errors import FacsimError

BINS = np.linspace(-4, 4, 17)
FEATURES: dict[str, Callable[..., Any]] = {
    "fpd": partial(m.fpd, permutations=19),
    "kpd": partial(m.kpd, permutations=19),
    "energy_distance": partial(m.energy_distance, permutations=19),
    "sliced_w1": m.sliced_w1,
    "correlations": partial(m.correlations, permutations=19),
    "prd_auc": m.prd_auc,
    "precision": lambda *a, **k: m.prdc(*a, **k)["precision"],
    "recall": lambda *a, **k: m.prdc(*a, **k)["recall"],
    "density": lambda *a, **k: m.prdc(*a, **k)["density"],
    "coverage": lambda *a, **k: m.prdc(*a, **k)["coverage"],
}
VALUES: dict[str, Callable[..., Any]] = {
    "w1": m.w1,
    "separation": partial(m.separation, bins=BINS),
    "ks": m.ks,
    "chi2": partial(m.chi2, bins=BINS),
    "roc_auc": m.roc_auc,
    "efficiency": partial(m.efficiency, cut=0.5),
}
ALL = FEATURES | VALUES
SIGNED = sorted(set(ALL) - {"sliced_w1", "w1", "prd_auc"})
DEBIASED = ("fpd", "kpd", "energy_distance", "correlations")


def samples(name: str, n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    shape = (n, 3) if name in FEATURES else (n,)
    reference, other = rng.normal(size=shape), rng.normal(size=shape)
    if name in FEATURES:
        other[:, 1] = 0.8 * other[:, 0] + 0.6 * other[:, 1]
    return reference, 1.2 * other + 0.2


@pytest.mark.parametrize("name", sorted(ALL))
def test_tensors_give_what_arrays_give(name: str) -> None:
    x, y = samples(name)
    ours, theirs = ALL[name](x, y), ALL[name](torch.from_numpy(x), torch.from_numpy(y))
    assert (theirs.value, theirs.error) == pytest.approx((ours.value, ours.error), rel=1e-8, abs=1e-12)
    assert theirs.p_value == pytest.approx(ours.p_value, nan_ok=True)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no accelerator")
@pytest.mark.parametrize("name", sorted(FEATURES))
def test_tensors_of_a_gpu_give_what_arrays_give(name: str) -> None:
    x, y = samples(name)
    ours, theirs = ALL[name](x, y), ALL[name](torch.from_numpy(x).cuda(), torch.from_numpy(y).cuda())
    assert (theirs.value, theirs.error) == pytest.approx((ours.value, ours.error), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", sorted(ALL))
def test_equal_weights_are_no_weights(name: str) -> None:
    x, y = samples(name)
    plain = ALL[name](x, y)
    weighted = ALL[name](x, y, reference_weights=np.full(len(x), 0.5), candidate_weights=np.full(len(y), 2.0))
    assert weighted.value == pytest.approx(plain.value, rel=1e-8, abs=1e-12)
    assert weighted.error == pytest.approx(plain.error, rel=0.3)


@pytest.mark.parametrize("name", SIGNED)
def test_negative_weights_cancel_what_is_too_much(name: str) -> None:
    """An event with weight -1 beside the same event with weight 1 is no event."""
    x, y = samples(name, 400)
    far = y[:10] + 0.5
    signed = np.repeat([1.0, 1.0, -1.0], [len(y), 10, 10])
    found = ALL[name](x, np.concatenate([y, far, far]), candidate_weights=signed)
    assert found.value == pytest.approx(ALL[name](x, y).value, abs=0.25 * abs(found.error) + 0.02)


@pytest.mark.parametrize("name", sorted(set(ALL) - set(SIGNED)))
def test_negative_weights_are_refused_where_they_mean_nothing(name: str) -> None:
    x, y = samples(name)
    with pytest.raises(FacsimError, match="must not be negative"):
        ALL[name](x, y, candidate_weights=np.where(np.arange(len(y)) < 3, -1.0, 1.0))


@pytest.mark.parametrize("name", sorted(ALL))
def test_the_seed_decides(name: str) -> None:
    x, y = samples(name)
    if name in ("w1", "ks", "chi2", "roc_auc", "efficiency", "precision", "recall", "density", "coverage"):
        assert ALL[name](x, y) == ALL[name](x, y)
    else:
        assert ALL[name](x, y, seed=4) == ALL[name](x, y, seed=4)


@pytest.mark.parametrize("name", sorted(ALL))
def test_broken_input_is_one_sentence(name: str) -> None:
    x, y = samples(name)
    broken = y.copy()
    broken[7] = np.inf
    with pytest.raises(FacsimError, match="not finite"):
        ALL[name](x, broken)
    with pytest.raises(FacsimError, match="positive sum"):
        ALL[name](x, y, candidate_weights=np.zeros(len(y)))
    with pytest.raises(FacsimError, match=f"must be {len(y)} finite numbers"):
        ALL[name](x, y, candidate_weights=np.ones(5))
    with pytest.raises(FacsimError):
        ALL[name](x, y[:0])
    if name in FEATURES:
        with pytest.raises(FacsimError, match="shapes"):
            ALL[name](x, y[:, :2])
        with pytest.raises(FacsimError, match="both torch tensors"):
            ALL[name](x, torch.from_numpy(y))


@pytest.mark.parametrize("name", sorted(ALL))
def test_one_sample_twice_is_refused_or_exactly_equal(name: str) -> None:
    x, _ = samples(name)
    if name in DEBIASED:
        with pytest.raises(FacsimError, match="same events"):
            ALL[name](x, x)
    elif name in ("w1", "sliced_w1", "ks", "chi2"):
        assert ALL[name](x, x).value == 0
    elif name in ("roc_auc", "efficiency"):
        assert ALL[name](x, x).value == pytest.approx({"roc_auc": 0.5, "efficiency": 0.0}[name])
    elif name in ("precision", "recall", "coverage", "prd_auc"):
        assert ALL[name](x, x).value == pytest.approx(1.0)


@pytest.mark.parametrize("name", sorted(FEATURES))
def test_a_constant_feature_changes_no_distance(name: str) -> None:
    """A feature that is the same in all events of both samples says nothing."""
    x, y = samples(name)
    wide = [np.column_stack([s, np.full(len(s), 0.3)]) for s in (x, y)]
    plain, padded = ALL[name](x, y), ALL[name](*wide)
    assert np.isfinite(padded.value)
    if name in ("fpd", "energy_distance", "precision", "recall", "density", "coverage"):
        assert padded.value == pytest.approx(plain.value, rel=1e-6)


@pytest.mark.parametrize("name", sorted(ALL))
def test_what_is_no_plain_array_of_numbers(name: str) -> None:
    x, y = samples(name)
    masked = np.ma.masked_array(y, mask=np.abs(y) > 2)
    for broken in (masked, [["a", "b"], ["c"]], np.zeros(len(y), dtype=[("a", float), ("b", float)])):
        with pytest.raises(FacsimError, match=r"masked|plain array|shape"):
            ALL[name](x, broken)
    with pytest.raises(FacsimError, match="weights of the generated"):
        ALL[name](x, y, candidate_weights=["a"] * len(y))


@pytest.mark.parametrize("name", sorted(FEATURES))
def test_values_whose_squares_overflow(name: str) -> None:
    x, y = samples(name)
    with pytest.raises(FacsimError, match="another unit"):
        FEATURES[name](1e200 * x, 1e200 * y)


@pytest.mark.parametrize("name", DEBIASED)
def test_weights_that_leave_no_effective_event(name: str) -> None:
    x, y = samples(name)
    weights = np.where(np.arange(len(y)) % 2, 1.0, -1.0)
    weights[:4] = 1.0  # sum 4, effective events 0.05
    with pytest.raises(FacsimError, match="a few events hold all the weight"):
        FEATURES[name](x, y, candidate_weights=weights)


@pytest.mark.parametrize("function", [m.fpd, m.kpd])
def test_options_that_would_make_nothing_of_the_samples(function: Callable[..., Any]) -> None:
    x, y = samples("fpd")
    for clip in (0.0, -1.0, float("nan")):
        with pytest.raises(FacsimError, match="above 0"):
            function(x, y, clip=clip)
    with pytest.raises(FacsimError, match="permutations"):
        function(x, y, permutations=-1)


def test_the_classifiers_null_is_not_the_reference() -> None:
    x, y = samples("fpd")
    with pytest.raises(FacsimError, match="null is the reference"):
        m.c2st(x, y, null=x)


@pytest.mark.parametrize("name", sorted(ALL))
def test_the_null_is_neither_the_reference_nor_the_candidate(name: str) -> None:
    x, y = samples(name)
    for null in (x, y):
        with pytest.raises(FacsimError, match="the null is the"):
            ALL[name](x, y, null=null.copy())


@pytest.mark.parametrize("name", sorted(FEATURES))
def test_events_of_the_reference_among_the_candidates_are_suspicious(name: str) -> None:
    x, y = samples(name)
    mixed = np.concatenate([y[:200], x[100:40:-1]])
    score = ALL[name](x, mixed)
    assert score.status == "suspicious"
    assert score.note.startswith("60 of 260 events")
    assert ALL[name](x, y).status == "ok"
    rounded = ALL[name](np.round(x), np.round(y))
    assert rounded.status == "ok"
