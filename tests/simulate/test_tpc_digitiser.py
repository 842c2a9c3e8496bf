"""The TPC digitiser against what its constants say in closed form, and its effects one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.physics import tpc
from facsim.physics.tpc_observables import TPC_QUANTITIES, tpc_observables
from facsim.simulate.tpc_digitiser import digitise
from facsim.simulate.tpc_electrons import _clusters, _sizes
from facsim.simulate.tpc_readout import GAUSSIAN_WIDTH, shaper
from facsim.simulate.tpc_settings import DigitiserSettings, TPCEffects

NAMES = [quantity.name for quantity in TPC_QUANTITIES]
QUIET = DigitiserSettings(threshold=0.0, extension=16)
"""No cell is lost to the threshold, so that closed forms hold."""


def conditions(n: int, **values: Any) -> np.ndarray:
    base = {"crossing": 0.0, "dip": 0.0, "drift": 150.3, "pad": 35.25, "row": 23, "pt": 0.5, **values}
    return np.column_stack([np.broadcast_to(value, n) for value in base.values()]).astype(np.float64)


def run(n: int, settings: DigitiserSettings = QUIET, seed: int = 1, **values: Any) -> np.ndarray:
    return digitise(conditions(n, **values), np.random.default_rng(seed), settings)


def observed(x: np.ndarray, name: str) -> np.ndarray:
    return tpc_observables(x)[:, NAMES.index(name)]


def charge(x: np.ndarray) -> np.ndarray:
    return x.sum(axis=(1, 2), dtype=np.float64)


def test_responses_depend_on_the_seed_only() -> None:
    np.testing.assert_array_equal(run(50), run(50))
    assert not np.array_equal(run(50), run(50, seed=2))


def test_shape_and_threshold() -> None:
    x = run(300, DigitiserSettings(), crossing=np.linspace(-20, 20, 300))
    assert (x.shape, x.dtype) == ((300, 128, 1), np.float32)
    assert x[x > 0].min() >= 0.9
    assert 0.1 < (x > 0).mean() < 0.2


def test_the_barycentre_is_the_track() -> None:
    x = run(2500, pad=35 + np.linspace(0, 0.999, 2500), drift=150 + np.linspace(0, 0.999, 2500)[::-1])
    pad, time = observed(x, "mean_pad"), observed(x, "mean_time")
    shift = pad - np.linspace(0, 0.999, 2500), time - np.linspace(0, 0.999, 2500)[::-1]
    assert abs(shift[0].mean()) < 5 * shift[0].std() / 50
    # A bucket begins 0.4935, not 0.5 before its integer.
    assert shift[1].mean() == pytest.approx(-0.0065, abs=5 * shift[1].std() / 50)


def test_diffusion_widens_responses_as_the_root_of_the_drift() -> None:
    """The spread of single electrons, read off the variances at two drifts: the slopes are D^2 over the cell's size."""
    rise = {}
    for name in ("var_pad", "var_time"):
        means = []
        for drift in (60.0, 260.0):
            x = run(3000, pad=35 + np.linspace(0, 1, 3000), drift=drift + np.linspace(0, 1, 3000))
            weight = charge(x) < np.quantile(charge(x), 0.9)
            means.append(np.average(observed(x, name), weights=weight))
        rise[name] = (means[1] - means[0]) / (200 * tpc.BUCKET_LENGTH)
    # The barycentre takes its share of the spread of few electrons: some per cent are missing.
    assert rise["var_pad"] == pytest.approx((tpc.DIFFUSION_TRANSVERSE / tpc.PAD_WIDTH) ** 2, rel=0.12)
    assert rise["var_time"] == pytest.approx((tpc.DIFFUSION_LONGITUDINAL / tpc.BUCKET_LENGTH) ** 2, rel=0.12)


def test_inclined_tracks_lean() -> None:
    cov = [observed(run(600, crossing=a, dip=b), "cov").mean() for a, b in ((15, 40), (15, -40), (-15, 40), (0, 0))]
    assert cov[0] < -0.05 < 0.05 < cov[1]
    assert cov[2] > 0.05
    assert abs(cov[3]) < 0.02


def test_the_charge_of_a_given_deposit() -> None:
    """A deposit of 10 keV in the row sets free 10 keV / W electrons; each gives the sum of the shaper, on all pads."""
    cond = conditions(2000, drift=5.0, pad=35 + np.linspace(0, 1, 2000))
    span, deposit = np.tile([-0.1, 0.1], (2000, 1)), np.full(2000, 10.0)
    found = charge(digitise(cond, np.random.default_rng(3), QUIET, span=span, deposit=deposit))
    electrons = 10_000 / tpc.W_VALUE
    wanted = electrons * QUIET.scale * np.sqrt(2 * np.pi) * GAUSSIAN_WIDTH
    assert found.mean() == pytest.approx(wanted, rel=0.01)
    assert found.std() / found.mean() < 0.1


def test_deposits_that_are_not_given_are_drawn() -> None:
    cond = conditions(400)
    deposit = np.where(np.arange(400) < 200, 20.0, np.nan)
    found = charge(digitise(cond, np.random.default_rng(3), QUIET, deposit=deposit))
    assert np.median(found[:200]) > 3 * np.median(found[200:])


def test_a_track_outside_of_the_row_leaves_nothing() -> None:
    cond = conditions(20, drift=1.0)
    assert not digitise(cond, np.random.default_rng(1), span=np.tile([3.0, 4.0], (20, 1))).any()
    half = digitise(conditions(800), np.random.default_rng(1), QUIET, span=np.tile([0.0, 9.0], (800, 1)))
    # Less than half: the most probable loss grows faster than the path.
    assert 0.35 < np.median(charge(half)) / np.median(charge(run(800))) < 0.5


def test_outer_rows_collect_half_as_much_again() -> None:
    inner, outer = (np.median(charge(run(3000, row=row))) for row in (26, 27))
    assert outer / inner == pytest.approx(1.5, abs=0.12)


def test_protons_ionise_more_than_pions() -> None:
    pion, proton = (
        np.median(charge(run(800, QUIET.model_copy(update={"species": species})))) for species in ("pion", "proton")
    )
    assert proton > 2 * pion


@pytest.mark.parametrize(("crossing", "dip"), [(89.9, 0), (90, 0), (0, 89.9), (0, 90), (-70, -85), (135, 10), (0, -90)])
def test_steep_tracks(crossing: float, dip: float) -> None:
    x = run(20, DigitiserSettings(), crossing=crossing, dip=dip)
    assert np.isfinite(x).all()
    assert x.any()


def test_places_at_the_ends_of_the_drift() -> None:
    x = run(30, DigitiserSettings(), drift=np.linspace(-0.4, 0.4, 30), pad=np.linspace(0, 0.5, 30))
    assert np.isfinite(x).all()
    assert x.any(axis=(1, 2)).all()


def test_no_responses() -> None:
    assert digitise(np.zeros((0, 6)), np.random.default_rng(0)).shape == (0, 128, 1)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (4, 53, "no pad row 53"),
        (4, 3.5, r"no pad row 3\.5"),
        (5, 0.0, "pT of a track must be above 0"),
        (0, np.nan, "'crossing_angle' of response 1 is nan"),
        (2, np.inf, "'drift_length' of response 1 is inf"),
    ],
)
def test_wrong_conditions(column: int, value: float, message: str) -> None:
    cond = conditions(3)
    cond[1, column] = value
    with pytest.raises(FacsimError, match=message):
        digitise(cond, np.random.default_rng(0))


def test_too_few_conditions() -> None:
    with pytest.raises(FacsimError, match=r"needs the conditions .crossing_angle"):
        digitise(np.zeros((4, 5)), np.random.default_rng(0))


def test_clusters_share_out_all_electrons() -> None:
    electrons = np.array([0, 1, 7, 5000, 40])
    step, place, size = _clusters(electrons, np.random.default_rng(1))
    np.testing.assert_array_equal(np.bincount(step, size, 5), electrons)
    assert (size > 0).all()
    assert place.max() <= 1
    assert place.min() > 0
    assert np.sort(place[step == 3])[-1] == 1


def test_cluster_sizes_are_those_of_the_gas_file() -> None:
    share = np.bincount(_sizes(), minlength=101) / len(_sizes())
    np.testing.assert_allclose(share[1:7], [0.634, 0.190, 0.0733, 0.0333, 0.0179, 0.0104], rtol=0.01)
    assert share[100] == pytest.approx(0.0015, abs=1e-4)


# --- effects ---------------------------------------------------------------------------------------------------------


def effects(**values: Any) -> DigitiserSettings:
    return QUIET.model_copy(update={"effects": TPCEffects(**values)})


def test_attachment_eats_electrons_with_the_drift() -> None:
    cond, deposit = conditions(1000, drift=250.0), np.full(1000, 5.0)
    far, full = (
        charge(digitise(cond, np.random.default_rng(3), settings, deposit=deposit)).mean()
        for settings in (effects(attachment=0.01), QUIET)
    )
    length = tpc.drift_cm(250.0)
    assert far / full == pytest.approx(np.exp(-0.01 * length), rel=0.03)


def test_gem_gains_fluctuate_more() -> None:
    cond, deposit = conditions(3000), np.full(3000, 1.0)
    spread = []
    for gain in ("polya", "gem"):
        found = charge(
            digitise(
                cond,
                np.random.default_rng(5),
                effects(gain=gain),
                span=np.tile([-0.1, 0.1], (3000, 1)),
                deposit=deposit,
            )
        )
        spread.append(found.std() / found.mean())
    electrons = 1000 // tpc.W_VALUE
    assert spread[0] == pytest.approx(np.sqrt(1 / 2.5 / electrons), rel=0.15)
    assert spread[1] == pytest.approx(0.78 / np.sqrt(electrons), rel=0.15)


def test_noise_lights_cells_anywhere() -> None:
    settings = effects(noise=1.0).model_copy(update={"threshold": 0.9})
    lit = (run(500, settings) > 0).mean()
    assert lit == pytest.approx(0.184 * 0.85 + 0.15, abs=0.04)


def test_the_gain_map_belongs_to_the_pads() -> None:
    pads = np.repeat([30.0, 40.0], 1500)
    ratio = [
        charge(run(3000, effects(gain_map=0.3), seed=seed, pad=pads)) / charge(run(3000, seed=seed, pad=pads))
        for seed in (1, 2)
    ]
    found = [[np.median(each[:1500]), np.median(each[1500:])] for each in ratio]
    np.testing.assert_allclose(found[0], found[1], rtol=0.03)
    assert abs(found[0][0] - found[0][1]) > 0.02


def test_saturation() -> None:
    assert run(500, effects(saturation=50.0)).max() == 50.0


def test_second_tracks() -> None:
    alone, both = (np.median(charge(run(800, effects(second_track=p)))) for p in (0.0, 1.0))
    assert both > 1.3 * alone
    assert observed(run(800, effects(second_track=1.0)), "var_time").mean() > 2 * observed(run(800), "var_time").mean()


def test_exb_at_the_wires_widens_along_the_pads() -> None:
    plain, turned = (observed(run(1500, effects(exb=t)), "var_pad").mean() for t in (0.0, 2.0))
    # A uniform shift of +-exb * pitch / 2.
    assert turned - plain == pytest.approx((2.0 * 0.3) ** 2 / 12 / tpc.PAD_WIDTH**2, rel=0.3)


def test_shapers() -> None:
    gaussian, semi = shaper("gaussian"), shaper("semi-gaussian")
    assert gaussian[8 + 7, 7] == semi[8 + 7, 7] == 1
    assert gaussian[8 + 7, 8] == pytest.approx(np.exp(-0.5 * (100 / 80.686) ** 2), rel=1e-4)
    assert semi[8 + 7, 9] > gaussian[8 + 7, 9]
    assert semi[8 + 7, 5] < semi[8 + 7, 9]


def test_only_buckets_near_electrons_are_read() -> None:
    narrow = DigitiserSettings(extension=0, threshold=0.0)
    assert (run(300, narrow) > 0).sum() < (run(300) > 0).sum()
