"""The Grindhammer-Peters formulas against numbers worked out by hand, limits and sampled distributions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.physics import gflash as gp
from facsim.physics.materials import MATERIALS, find_material

PAR04 = (gp.Slab(MATERIALS["tungsten"], 1.4, active=False), gp.Slab(MATERIALS["silicon"], 0.3))
LEAD = gp.homogeneous_medium(MATERIALS["lead"])


@pytest.mark.parametrize(
    ("name", "x0_mm", "critical_mev"),
    [
        ("W", 3.504, 8.00),
        ("G4_Pb", 5.612, 7.34),
        ("iron", 17.58, 20.65),
        ("G4_PbWO4", 8.903, 9.08),
        ("Si", 93.69, 36.7),
    ],
)
def test_materials_have_the_known_constants(name: str, x0_mm: float, critical_mev: float) -> None:
    material = find_material(name)
    assert material.x0 == pytest.approx(x0_mm, rel=2e-3)
    assert gp.critical_energy(material) == pytest.approx(critical_mev, rel=0.01)


@pytest.mark.parametrize("material", MATERIALS.values(), ids=lambda m: m.name)
def test_every_material_is_plausible(material) -> None:  # type: ignore[no-untyped-def]
    assert 0.38 < material.z_over_a < 0.56
    # Tsai's formula as approximated by the PDG holds to a few per cent for elements, less well for mean charges.
    a, z = material.a, material.z
    approximate = 716.4 * a / (z * (z + 1) * np.log(287 / np.sqrt(z)))
    assert material.x0_mass == pytest.approx(approximate, rel=0.25)


def test_unknown_material_lists_the_known_ones() -> None:
    with pytest.raises(FacsimError, match=r"unknown material 'unobtainium'.*tungsten"):
        find_material("unobtainium")


def test_sampling_medium_of_par04() -> None:
    medium = gp.effective_medium(PAR04)
    # W_W = 27.02 / 27.719; 1 / X0 = sum W / X0; F_S = X0 / 1.7 mm; e = 1 / (1 + 0.007 * 60)
    assert medium.z == pytest.approx(72.49, abs=0.01)
    assert medium.x0 == pytest.approx(4.219, abs=2e-3)
    assert medium.sampling_frequency == pytest.approx(2.482, abs=2e-3)
    assert medium.e_hat == pytest.approx(1 / 1.42)
    assert medium.moliere_radius == pytest.approx(10.87, abs=0.03)
    assert medium.is_sampling


def test_a_stack_of_one_active_material_is_homogeneous() -> None:
    crystal = MATERIALS["lead-tungstate"]
    medium = gp.effective_medium([gp.Slab(crystal, 10.0), gp.Slab(crystal, 30.0)])
    assert medium == gp.homogeneous_medium(crystal)
    assert not medium.is_sampling
    assert medium.moliere_radius == pytest.approx(19.6, rel=0.07)


@pytest.mark.parametrize(
    "period",
    [[], [gp.Slab(MATERIALS["lead"], 0.0)], [gp.Slab(MATERIALS["lead"], 2.0, active=False)]],
    ids=["empty", "no thickness", "nothing active"],
)
def test_impossible_periods_are_refused(period: list[gp.Slab]) -> None:
    with pytest.raises(FacsimError, match="positive thickness, at least one of them active"):
        gp.effective_medium(period)


def test_homogeneous_depths_at_y_1000() -> None:
    shape = gp.longitudinal_parameters(np.array([1000 * LEAD.critical_energy]), LEAD)
    assert shape.mean_ln_t[0] == pytest.approx(1.80760, abs=1e-4)
    assert shape.mean_ln_alpha[0] == pytest.approx(1.42651, abs=1e-4)
    assert shape.sigma_ln_t[0] == pytest.approx(0.13692, abs=1e-4)
    assert shape.sigma_ln_alpha[0] == pytest.approx(0.18653, abs=1e-4)
    assert shape.rho[0] == pytest.approx(0.54612, abs=1e-4)


def test_sampling_shifts_the_maximum_forward() -> None:
    medium = gp.effective_medium(PAR04)
    energy = np.array([1000 * medium.critical_energy])
    shape = gp.longitudinal_parameters(energy, medium)
    assert np.exp(shape.mean_ln_t[0]) == pytest.approx(6.09576 - 0.55 / 2.482 - 0.69 * (1 - 1 / 1.42), abs=1e-3)
    assert shape.sigma_ln_t[0] == pytest.approx(1 / (-2.5 + 1.25 * np.log(1000)), abs=1e-4)


def test_drawn_depths_have_the_stated_moments() -> None:
    shape = gp.longitudinal_parameters(np.full(40_000, 2e4), LEAD)
    t_max, alpha = gp.draw_longitudinal(shape, np.random.default_rng(1).standard_normal((40_000, 2)))
    ln_t, ln_alpha = np.log(t_max), np.log(alpha)
    assert ln_t.mean() == pytest.approx(shape.mean_ln_t[0], abs=0.003)
    assert ln_alpha.std() == pytest.approx(shape.sigma_ln_alpha[0], rel=0.02)
    assert np.corrcoef(ln_t, ln_alpha)[0, 1] == pytest.approx(shape.rho[0], abs=0.02)


@given(st.floats(50.0, 5e6), st.sampled_from(["lead", "tungsten", "iron", "lead-tungstate"]))
def test_parameters_stay_meaningful_outside_the_fitted_range(energy: float, name: str) -> None:
    slabs = (gp.Slab(MATERIALS[name], 2.0, active=False), gp.Slab(MATERIALS["plastic-scintillator"], 4.0))
    for medium in (gp.homogeneous_medium(MATERIALS[name]), gp.effective_medium(slabs)):
        shape = gp.longitudinal_parameters(np.array([energy]), medium)
        t_max, alpha = gp.draw_longitudinal(shape, np.array([[-4.0, 4.0]]))
        tau = gp.shower_age(np.linspace(0.1, 60, 30), t_max, alpha, shape.mean_ln_alpha)
        core, tail, weight = gp.radial_parameters(np.array([energy]), tau, medium)
        assert np.all((core > 0) & (tail >= core) & (weight >= 0) & (weight <= 1))
        assert np.all(np.isfinite(tail))
        assert t_max[0] >= 1
        assert alpha[0] > 1


@given(
    st.floats(0.01, 0.5),
    st.floats(0.01, 5.0),
    st.floats(0.0, 1.0),
    st.lists(st.floats(0.01, 20), min_size=2, max_size=9),
)
def test_ring_fractions_add_up_to_the_cdf(core: float, tail: float, weight: float, radii: list[float]) -> None:
    edges = np.concatenate([[0.0], np.sort(radii)])
    args = (np.array([[core]]), np.array([[tail]]), np.array([[weight]]))
    rings = gp.ring_fractions(edges, *args)
    assert rings.shape == (1, 1, len(radii))
    assert np.all(rings >= 0)
    assert rings.sum() == pytest.approx(float(gp.radial_cdf(edges[-1], *args)[0, 0]), abs=1e-12)
    assert float(gp.radial_cdf(np.float64(core), args[0], args[0], args[2])[0, 0]) == pytest.approx(0.5)


def test_core_at_the_shower_maximum() -> None:
    core, tail, weight = gp.radial_parameters(np.array([1e3]), np.array([[1.0]]), LEAD)
    assert core[0, 0] == pytest.approx(0.0251 + 0.1162 - 0.000381 * 82)
    assert tail[0, 0] == pytest.approx((0.659 - 0.00309 * 82) * (np.exp(-2.59 * 0.355) + np.exp(0.3585 * 0.355)))
    u = (0.401 + 0.00187 * 82 - 1) / 1.313
    assert weight[0, 0] == pytest.approx((2.632 - 0.00094 * 82) * np.exp(u - np.exp(u)))


def test_age_is_one_at_the_maximum_of_the_mean_shower() -> None:
    age = gp.shower_age(np.array([6.0]), np.array([6.0]), np.array([4.0]), np.log([4.0]))
    assert age[0, 0] == pytest.approx(1.0)


def test_spot_numbers() -> None:
    medium = gp.effective_medium(PAR04)
    assert gp.spot_count(np.array([1e3]), medium, 0.1)[0] == pytest.approx(103.0)
    assert gp.spot_count(np.array([1e3]), LEAD, 0.0)[0] == pytest.approx(93 * np.log(82))
    t_max, alpha = gp.spot_profile(np.array([5.0]), np.array([4.0]), LEAD)
    assert t_max[0] == pytest.approx(5 * (0.698 + 0.00212 * 82))
    assert alpha[0] == pytest.approx(4 * (0.639 + 0.00334 * 82))
