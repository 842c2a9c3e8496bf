"""Fraction of generated events far outside the reference."""

from __future__ import annotations

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.metrics.outliers import outlier_fraction


def test_counts_events_beyond_half_a_range() -> None:
    x = np.linspace(0, 1, 11)[:, None] * np.ones((1, 2))
    y = np.full((4, 2), 0.5)
    y[1, 0], y[2, 1], y[3] = 1.4, 1.6, (-0.6, 9.0)
    assert outlier_fraction(x, y) == 0.5
    assert outlier_fraction(x, x) == 0.0


def test_broken_input_is_refused() -> None:
    with pytest.raises(FacsimError, match="shapes"):
        outlier_fraction(np.ones((3, 2)), np.ones((3, 1)))
