"""Scores and the table of metrics."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.metrics import METRICS, Score


def test_z_is_the_distance_from_the_null_in_joint_errors() -> None:
    score = Score("fpd", "strict", 5.0, 0.3, null=3.0, null_error=0.4)
    assert score.z == pytest.approx(4.0)


@pytest.mark.parametrize(("error", "null_error", "null"), [(0.0, 0.0, 1.0), (0.1, math.nan, 1.0), (0.1, 0.1, math.nan)])
def test_z_without_error_or_null_is_undefined(error: float, null_error: float, null: float) -> None:
    assert math.isnan(Score("w1", "strict", 1.0, error, null=null, null_error=null_error).z)


def test_dictionary_is_strict_json_and_comes_back() -> None:
    score = Score(
        "separation/e_layer", "strict", np.float64(0.25), math.inf, n_reference=10, n_generated=12, seed=3, region="E2"
    )
    text = json.dumps(score.to_dict(), allow_nan=False)
    data = json.loads(text)
    assert data["value"] == 0.25
    assert data["error"] is None
    assert data["z"] is None
    back = Score.from_dict(data)
    assert (back.name, back.region, back.n_generated, back.seed) == ("separation/e_layer", "E2", 12, 3)
    assert math.isnan(back.error)
    assert math.isnan(back.null)
    full = Score("kpd", "strict", 1.0, 0.5, null=0.0, null_error=0.5, status="ok", better="lower", note="n")
    assert Score.from_dict(json.loads(json.dumps(full.to_dict()))) == full


def test_incomplete_dictionary_is_named() -> None:
    with pytest.raises(FacsimError, match=r"\['value'\]"):
        Score.from_dict({"name": "a", "protocol": "strict", "error": 1.0})


@pytest.mark.parametrize("name", sorted(METRICS))
def test_every_metric_of_the_table_knows_its_protocols(name: str) -> None:
    metric = METRICS[name]
    rng = np.random.default_rng(0)
    if metric.sample == "values":
        samples = (rng.normal(size=300), rng.normal(1.0, 1.0, size=300))
    elif metric.sample == "features":
        samples = (rng.normal(size=(300, 3)), 1.0 + rng.normal(size=(300, 3)) @ np.tri(3))
    else:
        samples = (rng.poisson(20, size=(32, 12)), rng.poisson(np.linspace(5, 60, 12), size=(32, 12)))
    for protocol in metric.protocols:
        options: dict[str, object] = {"protocol": protocol} if len(metric.protocols) > 1 else {}
        if name == "separation":
            options["bins"] = np.linspace(-3, 3, 20)
        if name in ("fpd", "kpd") and protocol != "strict":
            options |= {"num_batches": 2} | ({"min_samples": 100, "max_samples": 300} if name == "fpd" else {})
            options |= {"batch_size": 100} if name == "kpd" else {}
        value, error = metric.function(*samples, **options)
        assert value > 0
        assert error >= 0
