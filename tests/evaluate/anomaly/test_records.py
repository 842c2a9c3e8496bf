"""Results of metrics survive JSON, with what is not finite as null on disk and NaN in memory."""

from __future__ import annotations

import json
import math
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import pytest

from facsim.evaluate.anomaly.records import plain, restored
from facsim.metrics.drift import RunDrift, monitor
from facsim.metrics.intervals import Interval
from facsim.metrics.roc import RocBand, RocCurve, roc_band, roc_curve
from facsim.metrics.score import Estimate
from facsim.metrics.sculpting import Sculpting, sculpting
from facsim.metrics.signal_groups import GroupResult, by_group
from facsim.metrics.stability import Stability, efficiency_stability

RNG = np.random.default_rng(1)
BACKGROUND, SIGNAL, BY = RNG.normal(size=300), RNG.normal(1, 1, 80), RNG.uniform(0, 1, 300)


def results() -> dict[type, Any]:
    """One of each kind that the page draws, with limits, an empty bin and a threshold that is not finite among them."""
    return {
        RocCurve: roc_curve(BACKGROUND, SIGNAL),
        RocBand: roc_band(BACKGROUND, SIGNAL, replicas=20),
        GroupResult: by_group(BACKGROUND, SIGNAL, np.full(80, "suep 125 GeV"), targets=[0.1, 1e-4])[0],
        Stability: efficiency_stability(BACKGROUND, 1.0, BY, [0.0, 0.5, 1.0, 2.0], permutations=9),
        Sculpting: sculpting(BACKGROUND, 1.0, BY, permutations=9),
        RunDrift: monitor(BACKGROUND, {"B1": BACKGROUND[:40]}, 1.0, permutations=9)[0],
    }


def assert_same(found: Any, expected: Any) -> None:
    assert type(found) is type(expected) or np.isscalar(expected)
    if is_dataclass(expected):
        for field in fields(expected):
            assert_same(getattr(found, field.name), getattr(expected, field.name))
    elif isinstance(expected, np.ndarray):
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, np.where(np.isfinite(expected), expected, np.nan), rtol=1e-6)
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    elif isinstance(expected, float) and not math.isfinite(expected):
        assert math.isnan(found)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-6)
    else:
        assert found == expected


@pytest.mark.parametrize("kind", [RocCurve, RocBand, GroupResult, Stability, Sculpting, RunDrift])
def test_what_is_drawn_comes_back_from_disk(kind: type) -> None:
    expected = results()[kind]
    text = json.dumps(plain(expected), allow_nan=False)
    found = restored(kind, json.loads(text))
    assert_same(found, expected)
    assert plain(found) == plain(expected)


def test_properties_work_on_what_came_back() -> None:
    found = {kind: restored(kind, plain(value)) for kind, value in results().items()}
    assert found[Sculpting].divergence == pytest.approx(results()[Sculpting].divergence, rel=1e-6)
    assert found[Sculpting].test.p_value == results()[Sculpting].test.p_value
    assert isinstance(found[RunDrift].rate, Interval)
    assert found[RunDrift].rate.error > 0
    assert isinstance(found[GroupResult].auc, Estimate)
    assert found[GroupResult].auc.error > 0


def test_the_results_hold_what_is_hard_to_write() -> None:
    """The round trip is of NaN and infinities too."""
    made = results()
    assert np.isinf(made[RocCurve].threshold).sum() == 1
    assert np.isnan(made[Stability].value).sum() == 1
    assert [point.status for point in made[GroupResult].points] == ["measured", "limit"]
    assert math.isnan(made[GroupResult].points[1].signal.value)


def test_an_improvement_that_is_nowhere_comes_back() -> None:
    few = by_group(BACKGROUND[:12], SIGNAL, np.full(80, "few"), targets=[0.1], within=(1e-4, 0.5))[0]
    assert not len(few.improvement.value)
    assert_same(restored(GroupResult, json.loads(json.dumps(plain(few), allow_nan=False))), few)


def test_numbers_of_numpy_are_plain() -> None:
    data = {1: np.float32(0.5), "a": [np.int64(3), np.bool_(True), None, "text"], "b": (np.nan, np.inf, -np.inf)}
    assert plain(data) == {"1": 0.5, "a": [3, True, None, "text"], "b": [None, None, None]}
    assert type(plain(np.int64(3))) is int
    assert plain(1 / 3) == 0.3333333
    drift = replace(results()[RunDrift], p_online=math.nan)
    assert math.isnan(restored(RunDrift, plain(drift)).p_online)
