"""Area under the precision-recall curve of clusters."""

from __future__ import annotations

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.metrics.prd import _area, prd_auc


def test_alike_shares_give_one_and_disjoint_none() -> None:
    p = np.array([[0.2, 0.3, 0.5]])
    assert _area(p, p)[0] == pytest.approx(1.0, abs=1e-3)
    assert _area(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]))[0] == 0


def test_a_lost_mode_in_closed_form() -> None:
    """Half of the reference missing: precision min(t/2, 1), recall min(1/2, 1/t): precision 1 up to recall 1/2."""
    assert _area(np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]]))[0] == pytest.approx(0.5, abs=1e-3)


def test_a_missing_cluster_is_seen_and_its_share_is_lost() -> None:
    rng = np.random.default_rng(1)
    centres = 40.0 * np.eye(4)
    x = centres[rng.integers(4, size=4000)] + rng.normal(size=(4000, 4))
    y = centres[rng.integers(3, size=4000)] + rng.normal(size=(4000, 4))
    value, error = prd_auc(x, y, clusters=4)
    assert value == pytest.approx(0.75, abs=4 * error)
    assert error < 0.02


def test_error_covers_over_repeats() -> None:
    rng = np.random.default_rng(2)
    found = np.array(
        [prd_auc(rng.normal(size=(500, 2)), rng.normal(0.5, 1, (500, 2)), clusterings=3, seed=k) for k in range(30)]
    )
    assert 0.6 < found[:, 1].mean() / found[:, 0].std(ddof=1) < 1.8


def test_too_few_events_are_refused() -> None:
    rng = np.random.default_rng(3)
    with pytest.raises(FacsimError, match="as many events a sample as clusters"):
        prd_auc(rng.normal(size=(10, 2)), rng.normal(size=(30, 2)))
