"""Full pad planes and their clusters, where what is put in is known."""

from __future__ import annotations

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.physics import tpc
from facsim.physics.helix import Helices, conditions_of, row_crossings
from facsim.physics.tpc_plane import PadPlane, cell_key, fill_plane, plane_group
from facsim.physics.tpc_reco.clusters import find_clusters
from facsim.physics.tpc_reco.matching import majority, truth_of_clusters
from facsim.physics.tpc_window import DRIFT, PAD, PAD_LOW, PADS, TIME_LOW, TIMES

RNG = np.random.default_rng(0)


def clouds(cond: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A responder: 500 ADC, 0.6 pads and 1.2 buckets wide, centred on the track."""
    pad = np.arange(PADS) + PAD_LOW - (cond[:, PAD] % 1)[:, None]
    time = np.arange(TIMES) + TIME_LOW - (cond[:, DRIFT] % 1)[:, None]
    image = np.exp(-0.5 * (pad / 0.6) ** 2)[:, :, None] * np.exp(-0.5 * (time / 1.2) ** 2)[:, None, :]
    image *= 500 / image.sum(axis=(1, 2), keepdims=True)
    return image.reshape(len(cond), -1, 1).astype(np.float32)


def conditions(pad: float, drift: float, row: int = 20, n: int = 1) -> np.ndarray:
    return np.tile([0.0, 0.0, drift, pad, row, 1.0], (n, 1))


def put(cond: np.ndarray, **options: float) -> PadPlane:
    group = plane_group(np.zeros(len(cond), dtype=np.int64), np.full(len(cond), 3), cond[:, 4].astype(np.int64))
    return fill_plane(cond, group, np.arange(len(cond)), clouds, RNG, **options)


def plane_of(cells: dict[tuple[int, int, int], float]) -> PadPlane:
    """A plane of cells (pad row, pad, bucket) of event 0, sector 0."""
    keys = sorted(cells)
    row, pad, bucket = (np.array([key[k] for key in keys], dtype=np.int64) for k in range(3))
    none = np.zeros(0, dtype=np.int64)
    return PadPlane(row, pad, bucket, np.array([cells[key] for key in keys]), none, none, np.zeros(0))


def test_a_response_lies_where_its_track_is() -> None:
    plane = put(conditions(33.7, 120.3))
    assert set(plane.row) == {20}
    assert set(plane.sector) == {3}
    assert plane.pad.min() == 33 + PAD_LOW
    assert plane.bucket.max() == 120 + TIME_LOW + TIMES - 1
    assert plane.amplitude.sum() == pytest.approx(500, rel=1e-5)
    assert (plane.amplitude * plane.pad).sum() / 500 == pytest.approx(33.7, abs=5e-3)


def test_overlaps_add_and_know_their_tracks() -> None:
    one, two = put(conditions(33.7, 120.3)), put(conditions(33.7, 120.3, n=2))
    np.testing.assert_allclose(two.amplitude, 2 * one.amplitude)
    np.testing.assert_allclose(np.bincount(two.part_cell, two.part_amplitude), two.amplitude)
    np.testing.assert_array_equal(np.bincount(two.part_track), [len(one), len(one)])


def test_windows_end_at_the_edges_of_sector_and_readout() -> None:
    last = int(tpc.pads_of_row(20)) - 1
    for cond in (conditions(0.2, 100.0), conditions(last + 0.3, 100.0)):
        plane = put(cond)
        assert plane.pad.min() >= 0
        assert plane.pad.max() <= last
        assert plane.amplitude.sum() < 499
    for cond in (conditions(33.0, 0.0), conditions(33.0, 309.0)):
        plane = put(cond)
        assert plane.bucket.min() >= 0
        assert plane.bucket.max() < tpc.BUCKETS


def test_threshold_and_saturation() -> None:
    cond = conditions(33.0, 100.0)
    assert put(cond, threshold=5.0).amplitude.min() >= 5
    assert len(put(cond, threshold=5.0)) < len(put(cond))
    assert put(cond, saturation=40.0).amplitude.max() == 40


def test_neighbours_are_never_of_other_pads_rows_or_sectors() -> None:
    last = tpc.BUCKETS - 1
    group = plane_group(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 0]), np.array([0, 1, 0, 0]))
    keys = np.concatenate([cell_key(g, np.array([0, 119]), np.array([0, last])) for g in group])
    assert np.diff(np.sort(keys)).min() > 513


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (np.zeros((2, 128)), "2 responses at 1 conditions"),
        (np.full((1, 128), np.nan), "not finite"),
        (np.zeros((1, 100)), "8 x 16 cells"),
    ],
)
def test_responders_that_answer_wrongly(answer: np.ndarray, said: str) -> None:
    with pytest.raises(FacsimError, match=said):
        fill_plane(conditions(3.0, 9.0), np.array([0]), np.array([0]), lambda c, r: answer, RNG)


def test_lengths_must_agree() -> None:
    with pytest.raises(FacsimError, match="1 conditions came with 2"):
        fill_plane(conditions(3.0, 9.0), np.array([0, 1]), np.array([0]), clouds, RNG)


def test_an_empty_event() -> None:
    plane = fill_plane(np.zeros((0, 6)), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), clouds, RNG)
    assert len(plane) == 0
    clusters, of_cell = find_clusters(plane)
    assert len(clusters) == len(of_cell) == 0


def test_gaussian_clusters_are_found_where_they_are() -> None:
    rng = np.random.default_rng(4)
    n = 200
    tracks = Helices(np.arange(n), rng.uniform(0.3, 2, n), rng.uniform(-3, 3, n), rng.uniform(-1, 1, n),
                     rng.choice([-1.0, 1.0], n), *np.zeros((3, n)), np.full(n, 0.14))  # fmt: skip
    found = row_crossings(tracks)
    inside = np.abs(found.x) < 0.5 * tpc.PAD_WIDTH * tpc.pads_of_row(found.row) - 2.5
    found = found[inside & (np.abs(found.drift - 155) < 145)]
    group = plane_group(tracks.event[found.track], found.side * 12 + found.sector, found.row)
    plane = fill_plane(conditions_of(tracks, found), group, found.track, clouds, rng)
    clusters, of_cell = find_clusters(plane)
    truth, part = truth_of_clusters(plane, of_cell, len(clusters))
    assert len(clusters) == len(found)
    order = np.argsort(group)
    np.testing.assert_array_equal(clusters.group, group[order])
    np.testing.assert_array_equal(truth, found.track[order])
    np.testing.assert_array_equal(part, 1.0)
    np.testing.assert_allclose(clusters.x, found.x[order], atol=2e-3)
    np.testing.assert_allclose(clusters.z, found.z[order], atol=2e-3)
    np.testing.assert_allclose(clusters.charge, 500, rtol=1e-4)
    np.testing.assert_allclose(clusters.var_pad, 0.36, atol=0.03)
    assert not clusters.edge.any()
    assert not clusters.shared.any()


@pytest.mark.parametrize(("apart", "expected"), [(0.4, 1), (3.2, 2), (9.0, 2)])
def test_two_clusters_are_split_where_a_valley_is_between_them(apart: float, expected: int) -> None:
    plane = put(np.concatenate([conditions(33.5, 100.5), conditions(33.5 + apart, 100.5)]), threshold=0.5)
    clusters, of_cell = find_clusters(plane)
    assert len(clusters) == expected
    assert clusters.shared.all() == (apart == 3.2)
    if expected == 2:
        truth, _ = truth_of_clusters(plane, of_cell, 2)
        np.testing.assert_array_equal(truth, [0, 1])
        np.testing.assert_allclose(np.diff(clusters.pad), apart, atol=0.1)


def test_valleys_by_hand() -> None:
    line = {(0, 10, 50 + k): value for k, value in enumerate([5.0, 60, 30, 80, 10])}
    plane = plane_of(line)
    assert len(find_clusters(plane, valley=0.4, fewest_cells=1)[0]) == 1
    whole, parts = (find_clusters(plane, valley=valley, fewest_cells=1)[0] for valley in (0.0, 1.0))
    assert len(whole) == 1
    assert whole.charge[0] == 185
    assert whole.peak[0] == 80
    # the saddle itself belongs to the higher hill
    np.testing.assert_allclose(np.sort(parts.charge), [65, 120])


def test_equal_amplitudes_are_one_plateau() -> None:
    flat = plane_of({(0, pad, bucket): 1023.0 for pad in range(10, 13) for bucket in range(50, 56)})
    assert len(find_clusters(flat)[0]) == 1


def test_clusters_touch_by_corners_only_within_their_row() -> None:
    cells = {(0, 10, 50): 40.0, (0, 11, 51): 30.0, (1, 11, 51): 40.0}
    clusters, _ = find_clusters(plane_of(cells), fewest_cells=1)
    np.testing.assert_array_equal(clusters.charge, [70, 40])


def test_edges_and_small_clusters() -> None:
    cells = {(0, pad, bucket): 20.0 for pad in (0, 1) for bucket in (5, 6)} | {(0, 20, 9): 300.0}
    clusters, of_cell = find_clusters(plane_of(cells))
    assert clusters.edge.all()
    np.testing.assert_array_equal(of_cell, [0, 0, 0, 0, -1])


def test_majority() -> None:
    best, part = majority(np.array([0, 0, 0, 2]), np.array([7, 5, 5, 1]), np.array([3.0, 1, 1, 4]), 3)
    np.testing.assert_array_equal(best, [7, -1, 1])
    np.testing.assert_allclose(part, [0.6, 0, 1])
    assert majority(np.zeros(0, int), np.zeros(0, int), np.zeros(0), 2)[0].tolist() == [-1, -1]
