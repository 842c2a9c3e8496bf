"""Simple scores on the images published with arXiv 2306.12955: what any anomaly score is to be compared with."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from facsim.metrics.roc import roc_band, roc_curve
from facsim.metrics.sculpting import sculpting
from facsim.metrics.sign_free import Combination, sign_free
from facsim.metrics.signal_groups import by_group
from facsim.metrics.working_points import working_points

MASSES = (125, 200, 300, 400, 700, 1000)
PUBLISHED = {125: (0.772, 0.09), 300: (0.979, 0.82), 400: (0.996, 0.99), 700: (0.999, 0.99), 1000: (0.999, 0.99)}
"""AUC and efficiency at 2 % background of the number of tracks, on all 682 test and 1002 training events of QCD."""
Sample = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def samples() -> dict[str, Sample]:
    """Number of tracks and scalar sum [GeV] of QCD and of each mass."""
    folder = Path(os.environ.get("FACSIM_DATA", "")) / "cms-dark-showers"
    if not os.environ.get("FACSIM_DATA") or not folder.is_dir():
        pytest.skip("FACSIM_DATA names no folder with cms-dark-showers")
    return {name: read(folder, f"n_tracks_*{name}_*.npz") for name in ("qcd", *(f"h{mass}" for mass in MASSES))}


def read(folder: Path, pattern: str) -> Sample:
    tracks, sums = [], []
    for path in sorted(folder.glob(pattern)):
        with np.load(path) as data:
            tracks.append(data["n_tracks"][:, 0].astype(np.float64))
            sums.append(data["images"].sum(axis=(1, 2, 3), dtype=np.float64))
    return np.concatenate(tracks), np.concatenate(sums)


def joined(samples: dict[str, Sample], of: int) -> tuple[np.ndarray, np.ndarray]:
    """A score of all signal, and the masses."""
    parts = [samples[f"h{mass}"][of] for mass in MASSES]
    return np.concatenate(parts), np.repeat(MASSES, [len(part) for part in parts])


def test_the_number_of_tracks_is_a_strong_baseline(samples: dict[str, Sample]) -> None:
    background, (signal, masses) = samples["qcd"][0], joined(samples, 0)
    assert (len(background), len(signal)) == (1339, 656)
    found = {one.group: one for one in by_group(background, signal, masses, targets=[0.02, 1e-3])}
    values = {mass: (one.auc.value, one.points[0].signal.value) for mass, one in found.items()}
    assert values[125] == pytest.approx((0.781, 0.05), abs=1e-3)
    assert values[300] == pytest.approx((0.981, 0.771), abs=1e-3)
    assert all(values[mass][0] > 0.996 and values[mass][1] > 0.98 for mass in (400, 700, 1000))
    for mass, (auc, efficiency) in PUBLISHED.items():
        one, point = found[mass], found[mass].points[0]
        assert one.auc.value == pytest.approx(auc, abs=2 * one.auc.error)
        assert point.signal.low - 0.02 <= efficiency <= point.signal.high + 0.02
        assert (point.status, point.tied) == ("measured", True)
        assert point.background.value == pytest.approx(0.0187, abs=1e-4)
        assert one.points[1].status == "limit"


def test_the_scalar_sum_ranks_them_the_wrong_way_round(samples: dict[str, Sample]) -> None:
    background, (signal, _) = samples["qcd"][1], joined(samples, 1)
    curve = roc_curve(background, signal)
    assert curve.auc.value + 5 * curve.auc.error < 0.5
    distance = roc_curve(sign_free(background[::2], background[1::2]), sign_free(signal, background[1::2]))
    assert abs(distance.auc.value - 0.5) < abs(curve.auc.value - 0.5)
    band = roc_band(background, signal, replicas=50)
    assert np.all(band.low <= band.signal)
    assert np.all(band.signal <= band.high)


def test_both_without_a_sign_find_heavy_mediators_and_not_light_ones(samples: dict[str, Sample]) -> None:
    background = np.stack(samples["qcd"], axis=1)
    signal, masses = np.stack([joined(samples, of)[0] for of in (0, 1)], axis=1), joined(samples, 0)[1]
    fitted = Combination(background[::2])
    assert np.mean(fitted.p_values(background[1::2]) <= 0.1) == pytest.approx(0.1, abs=0.03)
    found = by_group(fitted.statistic(background[1::2]), fitted.statistic(signal), masses, targets=[0.02])
    efficiency = {one.group: one.points[0].signal for one in found}
    assert efficiency[1000].low > 0.95
    assert efficiency[125].high < 0.3


def test_a_cut_on_tracks_sculpts_the_scalar_sum(samples: dict[str, Sample]) -> None:
    tracks, sums = samples["qcd"]
    (point,) = working_points(tracks, tracks, targets=[0.1])
    found = sculpting(tracks, point.threshold.value, sums, permutations=199)
    assert found.test.p_value == pytest.approx(1 / 200)
    assert found.divergence == pytest.approx(0.141, abs=1e-3)
