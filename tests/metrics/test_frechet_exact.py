"""The Frechet distance of nearly singular covariances against forty digits; jetnet's own root is 1e-9 off there."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path

import numpy as np
import pytest

from facsim.metrics._samples import scale_by_largest
from facsim.metrics.frechet import frechet_distance
from facsim.physics.jets import efps

mp = pytest.importorskip("mpmath")

SAMPLES = run_path(str(Path(__file__).parent.parent / "golden" / "make_jetnet.py"))


def exact(mean1: np.ndarray, cov1: np.ndarray, mean2: np.ndarray, cov2: np.ndarray) -> float:
    """|m1 - m2|^2 + Tr(C1 + C2) - 2 Tr (R C2 R)^(1/2) with R the root of C1."""
    with mp.workdps(40):
        first, second = mp.matrix(cov1.tolist()), mp.matrix(cov2.tolist())
        values, vectors = mp.eigsy(first)
        root = vectors * mp.diag([mp.sqrt(max(value, 0)) for value in values]) * vectors.T
        product = root * second * root
        roots = mp.eigsy((product + product.T) / 2, eigvals_only=True)
        trace = sum(mp.sqrt(max(value, 0)) for value in roots)
        means = sum(mp.mpf(float(step)) ** 2 for step in mean1 - mean2)
        return float(means + sum(first[i, i] + second[i, i] for i in range(first.rows)) - 2 * trace)


def test_polynomials_of_jets() -> None:
    x, y = scale_by_largest(*(efps(jets) for jets in SAMPLES["jet_samples"]()))
    moments = (x.mean(axis=0), np.cov(x, rowvar=False), y.mean(axis=0), np.cov(y, rowvar=False))
    assert np.linalg.cond(moments[1]) > 1e9
    assert frechet_distance(*moments) == pytest.approx(exact(*moments), abs=1e-11)
