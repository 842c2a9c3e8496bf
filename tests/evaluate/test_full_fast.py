"""Numbers of full against fast simulation: closed forms, errors that cover, verdicts."""

from __future__ import annotations

import numpy as np
import pytest

from facsim.evaluate.full_fast import Moments, Observed, compare, distributions, goal, mean_profiles, quotient
from facsim.simulate.detector_files import load_detector

GEOMETRY = load_detector("par04-w-si").geometry()


def events(n: int, scale: float, seed: int) -> Observed:
    rng = np.random.default_rng(seed)
    cells = np.zeros((n, GEOMETRY.n_cells), dtype=np.float32)
    cells[:, GEOMETRY.offsets[4]] = scale * rng.normal(800.0, 40.0, n)
    cells[:, GEOMETRY.offsets[6] + 1] = scale * 200.0
    cells[:, 100] = 0.9 * GEOMETRY.threshold
    return Observed.of(cells, 1000.0, GEOMETRY)


def test_columns_are_those_of_the_cells() -> None:
    found = events(50, 1.0, 1)
    total = found.columns["e_total"]
    np.testing.assert_array_equal(found.columns["hits"], 2)
    np.testing.assert_allclose(found.columns["depth"], (4 * (total - 200) + 6 * 200) / total, rtol=1e-5)
    np.testing.assert_allclose(found.columns["radius"], 4.65 * (0.5 * (total - 200) + 1.5 * 200) / total, rtol=1e-5)
    np.testing.assert_allclose(found.layers.sum(1), total, rtol=1e-6)
    joined = Observed.joined([found, events(7, 1.0, 2)])
    assert (len(joined), joined.rings.shape) == (57, (57, 9))


def test_rings_that_differ_between_layers_have_radii_in_mm_all_the_same() -> None:
    geometry = load_detector("pb-lar-ds1").geometry()
    cells = np.zeros((3, geometry.n_cells), dtype=np.float32)
    cells[:, geometry.offsets[1] + 2] = 300.0  # ring from 4 to 6 mm
    cells[:, geometry.offsets[4]] = 100.0  # from 0 to 100 mm
    found = Observed.of(cells, 1000.0, geometry)
    np.testing.assert_allclose(found.columns["radius"], (3 * 5.0 + 50.0) / 4, rtol=1e-5)
    labels = [item["label"] for item in mean_profiles(found, found, geometry)]
    assert labels == ["layer number", "ring number, layer after layer"]


def test_what_is_zero_in_all_events_is_left_out() -> None:
    readout = {"n_layers": 1, "n_alpha": 1, "n_r": 2, "depth": 100.0, "width": 5.0}
    block = {"material": "G4_PbWO4", "thickness": 100.0}
    geometry = load_detector({"name": "one layer", "block": block, "readout": readout}).geometry()
    full, fast = (
        Observed.of(np.random.default_rng(seed).normal(500, 10, (20, 2)), 1000.0, geometry) for seed in (1, 2)
    )
    names = [row["name"] for row in compare(full, fast, 1000.0)]
    assert names == ["response", "resolution", "e_total", "hits", "radius"]
    assert [item["observable"] for item in distributions(full, fast)] == names[2:]


def test_comparison_finds_a_shift_of_the_response_and_not_of_the_resolution() -> None:
    rows = {row["name"]: row for row in compare(events(2000, 1.0, 1), events(4000, 1.01, 2), 1000.0)}
    assert rows["response"]["ratio"] == pytest.approx(1.01, abs=4 * rows["response"]["ratio_error"])
    assert rows["response"]["ratio_error"] == pytest.approx(0.04 * np.sqrt(1 / 2000 + 1 / 4000), rel=0.1)
    assert rows["resolution"]["full"] == pytest.approx(0.04, abs=4 * rows["resolution"]["full_error"])
    assert rows["resolution"]["ratio"] == pytest.approx(1.0, abs=4 * rows["resolution"]["ratio_error"])
    assert rows["resolution"]["ratio_error"] == pytest.approx(np.sqrt(1 / 4000 + 1 / 8000), rel=0.1)


def test_errors_cover() -> None:
    rng = np.random.default_rng(3)
    pulls = []
    for _ in range(400):
        found = Moments.of(rng.exponential(1.0, 400) + 9.0)
        value, error = found.relative
        pulls.append(((found.mean - 10) / found.mean_error, (value - 0.1) / error))
    widths = np.std(pulls, axis=0)
    assert np.all((widths > 0.85) & (widths < 1.25))
    assert quotient((2.0, 0.2), (4.0, 0.0)) == pytest.approx((0.5, 0.05))
    assert quotient((0.0, 0.2), (4.0, 1.0)) == pytest.approx((0.0, 0.05))


@pytest.mark.parametrize("n", [2, 3, 5, 10])
def test_the_width_of_a_few_events_is_no_precise_one(n: int) -> None:
    rng = np.random.default_rng(4)
    found = [Moments.of(rng.normal(0.0, 1.0, n)) for _ in range(1000)]
    assert min(one.width_error / one.width for one in found) >= 0.999 / np.sqrt(2 * (n - 1))
    assert Moments.of(np.full(3, 2.0)).relative == (0.0, 0.0)


def test_a_goal_is_open_where_the_error_does_not_let_it_be_told() -> None:
    assert goal("a", "a", 60.0, 2.0, 50.0, True)["verdict"] == "met"
    assert goal("a", "a", 49.0, 2.0, 50.0, True)["verdict"] == "open"
    assert goal("a", "a", 40.0, 2.0, 50.0, True)["verdict"] == "missed"
    assert goal("a", "a", -0.004, 0.001, 0.01, False)["verdict"] == "met"
    assert goal("a", "a", -0.012, 0.001, 0.01, False)["verdict"] == "missed"
    assert goal("a", "a", 0.0, 0.02, 0.01, False)["verdict"] == "open"


def test_profiles_and_distributions_are_those_of_both() -> None:
    full, fast = events(30, 1.0, 1), events(40, 1.1, 2)
    along = next(item for item in mean_profiles(full, fast, GEOMETRY) if item["name"] == "layers")
    assert along["reference"][4] == pytest.approx(full.layers[:, 4].mean())
    assert along["generated_error"][4] == pytest.approx(fast.layers[:, 4].std(ddof=1) / np.sqrt(40))
    assert {item["observable"] for item in distributions(full, fast)} == set(full.columns)
