"""The GFlash baseline: closed-form profiles, calibration of a known truth, choice of the medium."""

from __future__ import annotations

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.events import make_events
from facsim.core.geometry import CylinderGeometry, regular_cylinder
from facsim.core.schema import calorimeter_schema
from facsim.core.sources import MemorySource
from facsim.physics import gflash as gp
from facsim.simulate.detector_files import load_detector, preset_names
from facsim.simulate.gflash import GFlash
from facsim.simulate.gflash_base import layer_fractions
from facsim.simulate.gflash_media import readout

PAR04 = regular_cylinder("ds2-electrons", "electron", 45, 16, 9, 4.65, 0.01515)
CRYSTALS = regular_cylinder("crystals", "electron", 5, 8, 6, 5.0, 0.0)
CRYSTAL_OPTIONS = {
    "period": [("G4_PbWO4", 10.0, True)],
    "layer_depths": [(45.0 * i, 45.0 * (i + 1)) for i in range(5)],
}


def test_layer_fractions_of_an_exponential_profile() -> None:
    # alpha = 1 + 1e-9 would be a pure exponential; alpha = 2 has the CDF 1 - (1 + x) exp(-x)
    depths = np.array([[0.0, 1.0], [1.0, 3.0], [3.0, 200.0]])
    fractions = layer_fractions(depths, np.zeros(1), np.array([2.0]), np.array([2.0]))[0]
    cdf = [1 - (1 + x) * np.exp(-x) for x in (0.0, 0.5, 1.5)]
    np.testing.assert_allclose(fractions, [cdf[1], cdf[2] - cdf[1], 1 - cdf[2]], atol=1e-12)


def test_a_late_start_moves_the_profile() -> None:
    depths = np.column_stack([np.arange(10.0), np.arange(1.0, 11.0)])
    t_max, alpha = np.array([3.0, 3.0]), np.array([4.0, 4.0])
    early, late = layer_fractions(depths, np.array([0.0, 2.0]), t_max, alpha)
    np.testing.assert_allclose(late[2:], early[:-2])
    assert np.all(late[:2] == 0)


@pytest.mark.parametrize(("response", "resolution"), [(0.9, 0.15), (0.03, 0.25)])
def test_calibration_finds_a_known_truth(response: float, resolution: float) -> None:
    rng = np.random.default_rng(2)
    geometry = regular_cylinder("ds2-electrons", "electron", 45, 1, 9, 4.65, 0.0)
    schema = calorimeter_schema(geometry)
    energy = np.exp(rng.uniform(np.log(1e3), np.log(5e4), 1500))[:, None]
    x = GFlash.calibrated(schema, response, resolution).sample(energy, rng).x
    found = GFlash.fit(MemorySource(make_events(schema, x, energy)), seed=1, events=1500)
    assert found.response == pytest.approx(response, rel=0.015)
    assert found.resolution == pytest.approx(resolution, rel=0.1)


def test_sampled_means_follow_the_closed_form() -> None:
    schema = calorimeter_schema(CRYSTALS)
    flash = GFlash.calibrated(schema, 1.0, 0.0, **CRYSTAL_OPTIONS)
    n, energy = 2000, 1e4
    x = flash.sample(np.full((n, 1), energy), np.random.default_rng(1)).x.reshape(n, 5, 8, 6)
    out = readout(schema, **CRYSTAL_OPTIONS)
    rng = np.random.default_rng(2)
    shape = gp.longitudinal_parameters(np.full(n, energy), out.medium)
    t_max, alpha = gp.draw_longitudinal(shape, rng.standard_normal((n, 2)))
    fractions = layer_fractions(out.depths, np.zeros(n), t_max, alpha)
    tau = gp.shower_age(out.depths.mean(axis=1), t_max, alpha, shape.mean_ln_alpha)
    rings = gp.ring_fractions(out.edges, *gp.radial_parameters(np.full(n, energy), tau, out.medium))
    expected = energy * (fractions[..., None] * rings)
    measured = x.sum(axis=2)
    error = np.sqrt((measured.var(axis=0) + expected.var(axis=0)) / n)
    assert np.all(np.abs(measured.mean(axis=0) - expected.mean(axis=0)) < 5 * error + 1e-3)
    sectors = x.sum(axis=(1, 3))
    np.testing.assert_allclose(sectors.mean(axis=0), sectors.mean(), rtol=0.015)


def test_photons_start_later_than_electrons() -> None:
    depth = {}
    for particle in ("electron", "photon"):
        geometry = CylinderGeometry("g", particle, PAR04.layers)
        x = (
            GFlash.calibrated(calorimeter_schema(geometry), 1.0, 0.13)
            .sample(np.full((200, 1), 1e4), np.random.default_rng(1))
            .x
        )
        layers = geometry.layer_sum(x[..., 0])
        depth[particle] = float(np.mean(layers @ np.arange(45) / layers.sum(axis=1)))
    # 9/7 of a radiation length in layers of 0.806
    assert depth["photon"] - depth["electron"] == pytest.approx(9 / 7 / 0.806, abs=0.5)


def test_medium_comes_from_the_provenance_first() -> None:
    layers = [
        {"material": "G4_Pb", "thickness": 2.0, "active": False},
        {"material": "G4_lAr", "thickness": 4.0, "active": True},
    ]
    detector = {"stack": [{"repeat": 45, "layers": layers}], "block": None, "readout": {"depth": 6.0}}
    described = calorimeter_schema(PAR04, provenance={"settings": {"detector": detector}})
    out = readout(described)
    assert out.medium.x0 == pytest.approx(16.2, rel=0.05)
    assert out.depths[-1, 1] * out.medium.x0 == pytest.approx(270.0)
    assert readout(calorimeter_schema(PAR04)).medium.x0 == pytest.approx(4.219, abs=0.01)


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_understood(name: str) -> None:
    detector = load_detector(name)
    provenance = {"settings": {"detector": detector.model_dump(mode="json")}}
    schema = calorimeter_schema(detector.geometry("electron"), provenance=provenance)
    assert GFlash.unfit(schema) is None
    out = readout(schema)
    assert out.medium.is_sampling == (name != "pbwo4")
    assert out.depths[-1, 1] * out.medium.x0 == pytest.approx(detector.readout.z_edges[-1])
    showers = GFlash.calibrated(schema, 1.0, 0.1).sample(np.full((60, 1), 2e4), np.random.default_rng(1)).x
    contained = showers.sum(axis=(1, 2)).mean() / 2e4
    assert 0.8 < contained < 1.0


def test_unknown_detector_pions_and_wrong_depths_are_refused() -> None:
    schema = calorimeter_schema(CRYSTALS)
    with pytest.raises(FacsimError, match="nothing says what the detector of geometry 'crystals'"):
        GFlash.calibrated(schema, 1.0, 0.1)
    with pytest.raises(FacsimError, match="'layer_depths' has 1 entries for 5 layers"):
        GFlash.calibrated(schema, 1.0, 0.1, period=[("W", 1.0, True)], layer_depths=[(0.0, 5.0)])
    with pytest.raises(FacsimError, match=r"as \[\[material, mm, active\], ...\]"):
        GFlash.calibrated(schema, 1.0, 0.1, period="tungsten", layer_depths=[(0.0, 5.0)] * 5)
    with pytest.raises(FacsimError, match=r"front >= 0 and a back behind it"):
        GFlash.calibrated(schema, 1.0, 0.1, period=[("W", 1.0, True)], layer_depths=[(5.0, 5.0)] * 5)
    with pytest.raises(FacsimError, match="needs events to be a whole number >= 1, not 0"):
        GFlash(events=0)
    pions = CylinderGeometry("pions", "pion", PAR04.layers)
    assert "not pion showers" in (GFlash.unfit(calorimeter_schema(pions)) or "")


def test_empty_training_showers_are_refused() -> None:
    schema = calorimeter_schema(PAR04)
    dark = MemorySource(make_events(schema, np.zeros((4, 6480, 1), np.float32), np.full((4, 1), 1e3)))
    with pytest.raises(FacsimError, match="hold no energy"):
        GFlash.fit(dark, seed=1)
