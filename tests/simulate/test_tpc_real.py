"""The TPC digitiser against the public responses of MPD (arXiv 2012.04595)."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from facsim.data import open_events
from facsim.metrics.classifier import classifier_test
from facsim.physics.tpc_observables import MOMENTS, shapes, tpc_observables
from facsim.simulate.tpc_digitiser import digitise


@pytest.fixture(scope="module")
def samples() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """MPD's responses, simulated ones at the same conditions, and the conditions that vary."""
    if not os.environ.get("FACSIM_DATA"):
        pytest.skip("FACSIM_DATA names no folder of real data")
    path = Path(os.environ["FACSIM_DATA"]) / "mpd-tpc" / "v4plus_fixed_pt.npz"
    if not path.is_file():
        pytest.skip("the folder FACSIM_DATA has no mpd-tpc/v4plus_fixed_pt.npz")
    source = open_events(path)
    events = source.read(0, len(source))
    cond = events.cond[:, :4].copy()
    cond[:, 2:] %= 1
    return events.x, digitise(events.cond, np.random.default_rng(7)), np.column_stack([events.cond[:, 2], cond])


def test_bulk_of_the_charge(samples: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    real, made = (np.percentile(x.sum(axis=(1, 2)), (5, 25, 50, 75, 95)) for x in samples[:2])
    limits = np.array([0.06, 0.05, 0.04, 0.05, 0.2])
    assert (np.abs(made / real - 1) < limits).all()


def test_moments(samples: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    real, made = (tpc_observables(x) for x in samples[:2])
    np.testing.assert_allclose(made[:, [2, 3, 6, 8, 9]].mean(axis=0), real[:, [2, 3, 6, 8, 9]].mean(axis=0), rtol=0.03)
    np.testing.assert_allclose(made[:, 2:5].std(axis=0), real[:, 2:5].std(axis=0), rtol=0.06)


@pytest.mark.parametrize("amplitude", [True, False])
def test_a_classifier_cannot_tell(samples: tuple[np.ndarray, np.ndarray, np.ndarray], amplitude: bool) -> None:
    """Half of MPD's responses against simulated ones at the conditions of the other half."""
    real, made, cond = samples
    columns = slice(None) if amplitude else slice(len(MOMENTS))
    a, b = (tpc_observables(x if amplitude else shapes(x))[:, columns] for x in (real[::2], made[1::2]))
    found = classifier_test(np.hstack([cond[::2], a]), np.hstack([cond[1::2], b]), 1, conditions=cond.shape[1])
    assert found.auc < (0.58 if amplitude else 0.52) + found.error
