"""Coverage and MMD: jetnet's numbers, cases known by hand, the strict protocol's errors, broken input."""

from __future__ import annotations

import json
from pathlib import Path
from runpy import run_path
from typing import Any

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.metrics.clouds import _draws, coverage_mmd

GOLDEN_FOLDER = Path(__file__).parent.parent / "golden"
GOLDEN = json.loads((GOLDEN_FOLDER / "jetnet_0_2_5.json").read_text(encoding="utf-8"))
SAMPLES = run_path(str(GOLDEN_FOLDER / "make_jetnet.py"))


@pytest.mark.parametrize("case", GOLDEN["jets"]["cov_mmd"])
def test_jetnet_protocol_gives_jetnets_numbers(case: dict[str, Any]) -> None:
    options = {key: given for key, given in case.items() if key != "value"}
    found = coverage_mmd(*SAMPLES["jet_samples"](), "jetnet-0.2.5", **options)
    assert (found.coverage, found.mmd) == pytest.approx(case["value"], rel=1e-12)


def points(eta: np.ndarray) -> np.ndarray:
    """Jets of one particle of pT 1 at these eta, the second one padding."""
    found = np.zeros((len(eta), 2, 3))
    found[:, 0, 0], found[:, 0, 2] = eta, 1.0
    return found


def test_a_generator_of_one_jet_covers_one() -> None:
    """Candidates all at 0, references 0, 1 ... 9: one of ten is covered, and the mean distance is 4.5."""
    found = coverage_mmd(points(np.tile(np.arange(10.0), 2)), points(np.zeros(20)), num_eval_samples=20, num_batches=2,
                         protocol="jetnet-0.2.5", seed=1)  # fmt: skip
    assert found.coverage == 1 / 20
    assert found.mmd == pytest.approx(4.5, abs=1.5)


def test_strict_batches_share_no_jet() -> None:
    draws = _draws("strict", (17, 10), 3, 100, 3)
    assert len(draws) == 3
    for drawn in zip(*draws, strict=True):
        assert len(np.unique(np.concatenate(drawn))) == 9


def test_strict_error_is_that_of_the_mean() -> None:
    rng = np.random.default_rng(1)
    got = []
    for seed in range(25):
        x, y = points(rng.normal(size=200)), points(rng.normal(size=200))
        found = coverage_mmd(x, y, num_eval_samples=20, num_batches=10, seed=seed)
        got.append((found.coverage, found.coverage_error, found.mmd, found.mmd_error))
    values = np.array(got)
    assert values[:, 1].mean() == pytest.approx(values[:, 0].std(), rel=0.4)
    assert values[:, 3].mean() == pytest.approx(values[:, 2].std(), rel=0.4)


def test_broken_input_is_refused() -> None:
    jets = points(np.arange(10.0))
    with pytest.raises(FacsimError, match="unknown protocol"):
        coverage_mmd(jets, jets, "jetnet", num_eval_samples=2)
    with pytest.raises(FacsimError, match="two batches of 6 jets"):
        coverage_mmd(jets, jets, num_eval_samples=6)
    with pytest.raises(FacsimError, match="at least one batch"):
        coverage_mmd(jets, jets, num_batches=0)
