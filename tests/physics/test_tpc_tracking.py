"""Track finding and fit on points whose errors are exactly known."""

from __future__ import annotations

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.physics import tpc
from facsim.physics.helix import Crossings, Helices, row_crossings
from facsim.physics.tpc_plane import plane_group
from facsim.physics.tpc_reco.clusters import Clusters
from facsim.physics.tpc_reco.dedx import truncated_mean
from facsim.physics.tpc_reco.finder import FinderSettings, find_tracks
from facsim.physics.tpc_reco.fit import FittedTracks, fit_tracks
from facsim.physics.tpc_reco.matching import truth_of_tracks
from facsim.physics.tpc_reco.points import PointErrors, calibrated_errors

ERRORS = PointErrors()


def gun(n: int, seed: int = 1, events: int = 1, pt: tuple[float, float] = (0.2, 2.5)) -> Helices:
    """Pions from near the beam line."""
    rng = np.random.default_rng(seed)
    event = np.repeat(np.arange(events), n)
    n = len(event)
    return Helices(event, rng.uniform(*pt, n), rng.uniform(-np.pi, np.pi, n), rng.uniform(-1, 1, n),
                   rng.choice([-1.0, 1.0], n), rng.normal(0, 0.2, n), rng.normal(0, 0.2, n), rng.normal(0, 3, n),
                   np.full(n, tpc.MASSES["pion"]))  # fmt: skip


def spreads(found: Crossings, errors: PointErrors) -> np.ndarray:
    angle, dip = np.radians(found.crossing), np.radians(found.dip)
    drift = tpc.DRIFT_LENGTH - np.abs(found.z)
    return np.sqrt(errors.variances(drift, np.tan(angle), np.tan(dip) / np.cos(angle), found.row))


def smeared(tracks: Helices, seed: int = 1, scale: float = 1.0) -> tuple[Clusters, np.ndarray]:
    """Clusters at the crossings with exactly the errors of `ERRORS`, and the track of each."""
    found, rng = row_crossings(tracks), np.random.default_rng(seed)
    spread = scale * spreads(found, ERRORS)
    x, drift = found.x + spread[0] * rng.standard_normal(len(found)), tpc.DRIFT_LENGTH - np.abs(found.z)
    drift = drift + spread[1] * rng.standard_normal(len(found))
    one, no = np.ones(len(found)), np.zeros(len(found), dtype=bool)
    group = plane_group(tracks.event[found.track], found.side * tpc.SECTORS + found.sector, found.row)
    pad, time = tpc.pad_coordinate(x, found.row), drift / tpc.BUCKET_LENGTH - tpc.BUCKET_SHIFT
    order = np.lexsort((pad, group))
    clusters = Clusters(group, pad, time, 400 * one, 50 * one, np.full(len(one), 18), one, one, no, no)
    return clusters[order], found.track[order]


def true_parameters(tracks: Helices) -> np.ndarray:
    """(d0, phi0, kappa, z0, tan lambda) from the centre of the circle."""
    kappa = tracks.curvature
    cx, cy = tracks.x - np.sin(tracks.phi) / kappa, tracks.y + np.cos(tracks.phi) / kappa
    d0 = np.sign(kappa) * np.hypot(cx, cy) - 1 / kappa
    phi0 = np.arctan2(-cx * np.sign(kappa), cy * np.sign(kappa))
    turned = (tracks.phi - phi0 + np.pi) % (2 * np.pi) - np.pi
    return np.stack([d0, phi0, kappa, tracks.z - turned / kappa * tracks.tan_lambda, tracks.tan_lambda], axis=1)


def differences(fitted: FittedTracks, tracks: Helices, truth: np.ndarray) -> np.ndarray:
    off = fitted.parameters - true_parameters(tracks)[truth]
    off[:, 1] = (off[:, 1] + np.pi) % (2 * np.pi) - np.pi
    return off


def test_single_tracks_are_all_found_with_all_their_clusters() -> None:
    tracks = gun(1, events=300)
    clusters, label = smeared(tracks)
    found = find_tracks(clusters)
    truth, part = truth_of_tracks(found.clusters, label)
    assert sorted(truth) == list(range(300))
    assert (part == 1).all()
    assert (found.clusters >= 0).sum() > 0.99 * len(clusters)


@pytest.mark.parametrize("pt", [(0.12, 0.2), (1e5, 1e6)])
def test_strongly_bent_and_straight_tracks_too(pt: tuple[float, float]) -> None:
    clusters, label = smeared(gun(1, events=100, pt=pt))
    found = find_tracks(clusters)
    assert len(np.unique(truth_of_tracks(found.clusters, label)[0])) >= 99
    assert len(found) <= 101


def test_exact_points_give_exact_helices() -> None:
    tracks = gun(1, events=50)
    clusters, label = smeared(tracks, scale=0.0)
    fitted = fit_tracks(find_tracks(clusters), clusters)
    truth, _ = truth_of_tracks(fitted.clusters, label)
    off = differences(fitted, tracks, truth)
    np.testing.assert_allclose(off, 0, atol=1e-5)
    np.testing.assert_allclose(fitted.pt, tracks.pt[truth], rtol=1e-5)
    np.testing.assert_array_equal(fitted.charge, tracks.charge[truth])
    np.testing.assert_allclose(fitted.chi2, 0, atol=1e-5)


def test_pulls_are_of_width_one() -> None:
    tracks = gun(1, events=1000)
    clusters, label = smeared(tracks)
    fitted = fit_tracks(find_tracks(clusters), clusters, ERRORS)
    truth, _ = truth_of_tracks(fitted.clusters, label)
    pulls = differences(fitted, tracks, truth) / np.sqrt(np.einsum("tii->ti", fitted.covariance))
    np.testing.assert_allclose(pulls.mean(axis=0), 0, atol=0.1)
    np.testing.assert_allclose(pulls.std(axis=0), 1, atol=0.07)
    assert (fitted.chi2 / (2 * fitted.points - 5)).mean() == pytest.approx(1, abs=0.02)
    # parameters are correlated as the covariance says
    chi2 = np.einsum("ti,tij,tj->t", (off := differences(fitted, tracks, truth)), np.linalg.inv(fitted.covariance), off)
    assert chi2.mean() == pytest.approx(5, abs=0.4)


def test_crowded_events_and_no_truth_in_them() -> None:
    tracks = gun(100, events=3)
    clusters, label = smeared(tracks)
    found = find_tracks(clusters)
    truth, part = truth_of_tracks(found.clusters, label)
    assert len(np.unique(truth[part > 0.9])) >= 0.98 * len(tracks)
    assert (part < 0.5).sum() <= 2
    taken = found.clusters[found.clusters >= 0]
    assert len(np.unique(taken)) == len(taken)


def test_noise_alone_makes_hardly_any_tracks() -> None:
    rng = np.random.default_rng(5)
    n = 4000
    sector, row = rng.integers(0, 24, n), rng.integers(0, 53, n)
    one, no = np.ones(n), np.zeros(n, dtype=bool)
    group = plane_group(np.zeros(n, dtype=np.int64), sector, row)
    pad, time = rng.uniform(0, tpc.pads_of_row(row) - 1), rng.uniform(0, 309, n)
    order = np.lexsort((pad, group))
    clusters = Clusters(group, pad, time, 400 * one, 50 * one, np.full(n, 18), one, one, no, no)[order]
    assert len(find_tracks(clusters)) <= 2


def test_outlying_clusters_are_dropped_from_the_fit() -> None:
    tracks = gun(1, events=60, pt=(0.5, 2.0))
    clusters, label = smeared(tracks)
    found = find_tracks(clusters)
    moved = np.unique(found.clusters[:, 20])
    pad = clusters.pad.copy()
    pad[moved[moved >= 0]] += 3.0
    values = {**vars(clusters), "pad": pad}
    fitted = fit_tracks(found, Clusters(**values), ERRORS)
    assert (fitted.clusters[:, 20] < 0).all()
    off = differences(fitted, tracks, truth_of_tracks(fitted.clusters, label)[0])
    pulls = off / np.sqrt(np.einsum("tii->ti", fitted.covariance))
    assert pulls.std() < 1.2


def test_no_clusters_no_tracks() -> None:
    clusters, _ = smeared(gun(1)[:0])
    found = find_tracks(clusters)
    assert len(found) == 0
    assert len(fit_tracks(found, clusters)) == 0


def test_few_clusters_are_no_track() -> None:
    clusters, _ = smeared(gun(1))
    assert len(find_tracks(clusters[np.arange(8)])) == 0
    assert len(find_tracks(clusters, FinderSettings(fewest=54))) == 0


def test_errors_are_found_again_from_residuals() -> None:
    rng = np.random.default_rng(3)
    n = 60_000
    true = PointErrors((1e-4, 8e-6, 5e-3), (1e-3, 3e-5, 8e-3))
    drift, slopes = rng.uniform(0, 170, n), (rng.normal(0, 0.3, n), rng.normal(0, 1, n))
    row = rng.integers(0, 53, n)
    variance = true.variances(drift, *slopes, row)
    residuals = np.sqrt(variance) * rng.standard_normal((2, n))
    residuals[:, : n // 50] *= 20
    found = calibrated_errors(residuals, drift, slopes, row)
    np.testing.assert_allclose(found.variances(drift, *slopes, row) / variance, 1, atol=0.3)
    assert np.mean(found.variances(drift, *slopes, row) / variance) == pytest.approx(1, abs=0.06)
    with pytest.raises(FacsimError, match="200 residuals"):
        calibrated_errors(residuals[:, :50], drift[:50], (slopes[0][:50], slopes[1][:50]), row[:50])


def test_truncated_mean_by_hand() -> None:
    values = np.array([[4.0, np.nan, 1.0, 100.0, 2.0, 3.0], [np.nan] * 6])
    found = truncated_mean(values, 0.5, fewest=5)
    assert found[0] == pytest.approx((1 + 2 + 0.5 * 3) / 2.5)
    assert np.isnan(found[1])
    with pytest.raises(FacsimError, match="at most 1"):
        truncated_mean(values, 0.0)
