"""The guard: what a surrogate may take, and why the rest goes back to full simulation."""

from __future__ import annotations

import numpy as np
import pytest

from facsim.simulate.detector import Detector
from facsim.simulate.detector_files import load_detector
from facsim.simulate.hook.guard import MAX_TILT, REASONS, WHY, Guard
from facsim.simulate.hook.pairs import convert, shiftable
from facsim.simulate.hook.records import Records, make_records

GUARD = Guard(1000.03, 49_998.1)


def particle(pid: int, energy: float, theta: float = 0.0, z: float = 0.0) -> Records:
    return make_records([3], [pid], [energy], [[0.0, 0.0, z]], [[np.sin(theta), 0.0, np.cos(theta)]])


def fate(one: Records, guard: Guard = GUARD) -> str:
    found = guard.sort(one)
    assert sum(len(some) for some in found.values()) == 1
    return next(name for name, some in found.items() if len(some))


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (particle(11, 50_000.0), "electrons"),
        (particle(-11, 50_000.0), "electrons"),
        (particle(11, 1000.0), "electrons"),
        (particle(11, 980.0), "low"),
        (particle(11, 51_000.0), "high"),
        (particle(22, 2500.0), "photons"),
        (particle(22, 80_000.0), "photons"),
        (particle(22, 1900.0), "low"),
        (particle(-211, 10_000.0), "kind"),
        (particle(13, 10_000.0), "kind"),
        (particle(2112, 1.0), "kind"),
        (particle(11, 10_000.0, theta=0.9 * MAX_TILT), "electrons"),
        (particle(11, 10_000.0, theta=1.1 * MAX_TILT), "angle"),
        (particle(11, 10_000.0, theta=np.pi), "angle"),
        (particle(22, 10_000.0, z=5.0), "angle"),
    ],
)
def test_each_particle_has_one_fate(one: Records, expected: str) -> None:
    assert fate(one) == expected


def test_photons_go_back_where_showers_cannot_be_moved() -> None:
    assert fate(particle(22, 10_000.0), Guard(1000.0, 50_000.0, photons=False)) == "kind"
    assert "photon" not in WHY["kind"]
    assert shiftable(load_detector("par04-w-si"))
    assert not shiftable(load_detector("pb-lar-ds1"))


def crystal(material: str, n_layers: int) -> Detector:
    """200 mm of a material in layers of equal depth."""
    readout = {"n_layers": n_layers, "n_alpha": 1, "n_r": 1, "depth": 200.0 / n_layers, "width": 50.0}
    return load_detector({"name": "x", "block": {"material": material, "thickness": 200.0}, "readout": readout})


def test_showers_are_moved_only_by_thin_layers_of_known_materials() -> None:
    assert shiftable(load_detector("pbwo4"))
    assert shiftable(crystal("G4_PbWO4", 20))  # 1.1 radiation lengths each
    assert not shiftable(crystal("G4_PbWO4", 10))
    assert not shiftable(crystal("G4_GLASS_PLATE", 200))
    nothing = convert(particle(22, 1e4)[:0], crystal("G4_GLASS_PLATE", 200), np.random.default_rng(1))
    assert len(nothing) == 0


def test_nothing_is_lost_or_counted_twice() -> None:
    rng = np.random.default_rng(1)
    n = 2000
    direction = np.array([0.0, 0.0, 1.0]) + rng.normal(0, 0.06, (n, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    energy = np.exp(rng.uniform(np.log(1), np.log(1e5), n))
    records = make_records(np.arange(n), rng.choice([11, -11, 22, 211, 13], n), energy, np.zeros((n, 3)), direction)
    found = GUARD.sort(records)
    events = np.sort(np.concatenate([some["event"] for some in found.values()]))
    np.testing.assert_array_equal(events, np.arange(n))
    assert all(len(found[reason]) for reason in REASONS)


def test_pairs_begin_where_their_photon_converts() -> None:
    detector, n = load_detector("par04-w-si"), 20_000
    tilt = [np.sin(0.05), 0.0, np.cos(0.05)]
    photons = make_records(np.arange(n), np.full(n, 22), np.full(n, 1e4), np.full((n, 3), [1.0, 2.0, 0.0]), [tilt] * n)
    pairs = convert(photons, detector, np.random.default_rng(1))
    assert len(pairs) == 2 * n
    np.testing.assert_array_equal(pairs["event"], np.repeat(np.arange(n), 2))
    np.testing.assert_array_equal(pairs["pid"][:2], [11, -11])
    np.testing.assert_allclose(pairs["energy"].reshape(n, 2).sum(1), 1e4 - 1.022, atol=1e-3)
    np.testing.assert_array_equal(pairs["position"][::2], pairs["position"][1::2])
    path = (pairs["position"] - [1.0, 2.0, 0.0])[::2]
    length = np.linalg.norm(path, axis=1)
    np.testing.assert_allclose(path, length[:, None] * tilt, atol=1e-9)
    per_period = (1.4 / 3.504 + 0.3 / 93.7) / np.cos(0.05)  # radiation lengths along the path
    for period in (1, 3, 8):
        share = np.exp(-7 / 9 * period * per_period)
        beyond = np.mean(pairs["position"][::2, 2] > 1.7 * period)
        assert beyond == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / n))


def test_photons_that_cross_a_thin_calorimeter_leave_no_pair() -> None:
    stack = [{"layers": [{"material": "G4_Si", "thickness": 1.0, "active": True}]}]
    readout = {"n_layers": 1, "n_alpha": 1, "n_r": 1, "depth": 1.0, "width": 10.0}
    thin = load_detector({"name": "thin", "stack": stack, "size": 100, "readout": readout})
    n = 20_000
    photons = make_records(np.arange(n), np.full(n, 22), np.full(n, 1e4), np.zeros((n, 3)), [[0.0, 0.0, 1.0]] * n)
    share = len(convert(photons, thin, np.random.default_rng(1))) / (2 * n)
    assert share == pytest.approx(1 - np.exp(-7 / 9 / 93.7), rel=0.25)
