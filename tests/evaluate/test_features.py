"""Low-level features, families of observables and histograms, against closed forms."""

from __future__ import annotations

import json

import hist
import numpy as np
import pytest

from facsim.core.events import make_events
from facsim.core.geometry import CylinderGeometry, Layer, regular_cylinder
from facsim.core.schema import calorimeter_schema
from facsim.core.sources import MemorySource
from facsim.evaluate import families
from facsim.evaluate.cells import CellFeatures
from facsim.evaluate.histograms import comparison_histograms
from facsim.evaluate.measures import Measures, Regions, batched_distances
from facsim.evaluate.sample import take_sample
from facsim.metrics.kernel import kpd
from facsim.physics.calo import collect
from facsim.physics.geometries import GEOMETRIES
from facsim.physics.observables import OBSERVABLES

RAGGED = CylinderGeometry(
    "ragged", "photon", (Layer(0, (0, 5, 10), 1), Layer(1, (0, 2, 4, 9), 10), Layer(12, (0, 9), 1)), 0.1
)


def showers_on(geometry: CylinderGeometry, n: int = 40, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).exponential(1.0, (n, geometry.n_cells))


@pytest.mark.parametrize("name", sorted(GEOMETRIES))
def test_cell_features_are_finite_and_few_on_every_geometry(name):
    geometry = GEOMETRIES[name]
    features = CellFeatures(geometry)(showers_on(geometry, 3), np.full(3, 1e4))
    assert features.shape[0] == 3
    assert features.shape[1] <= 475
    assert np.isfinite(features).all()
    assert np.allclose(features[:, 0], 4.0)


def test_cell_features_hold_the_totals():
    cells = showers_on(RAGGED)
    kept = np.where(cells < 0.1, 0, cells)
    features = CellFeatures(RAGGED)(cells, np.full(len(cells), 1e3))
    assert np.allclose(features[:, 1], np.log10(kept.sum(axis=1) + 0.1), rtol=1e-5)
    assert np.allclose(features[:, 2], np.log1p((kept > 0).sum(axis=1)), rtol=1e-5)


def test_cell_features_do_not_know_the_azimuth():
    geometry = regular_cylinder("round", "electron", 3, 8, 2, 5.0, 0.1)
    cells = showers_on(geometry).reshape(-1, 3, 8, 2)
    turned = np.roll(cells, 3, axis=2)
    first, second = (CellFeatures(geometry)(c.reshape(len(c), -1), np.full(len(c), 1e3)) for c in (cells, turned))
    assert np.allclose(first, second, atol=1e-4)


def test_empty_showers_have_features():
    features = CellFeatures(RAGGED)(np.zeros((2, RAGGED.n_cells)), np.full(2, 1e3))
    assert np.isfinite(features).all()


def test_batches_do_not_change_a_sample(toy_showers):
    source = toy_showers(60, 1)
    whole, part = take_sample(source, 1, 100), take_sample(source, 1, 25)
    assert len(whole.picked) == 60
    assert len(part.picked) == 25
    assert np.array_equal(part.cells, whole.cells[part.picked])
    assert np.array_equal(part.observations.e_inc, whole.observations.e_inc)


def test_the_control_scales_before_the_threshold():
    geometry = regular_cylinder("two", "electron", 1, 1, 2, 5.0, 1.0)
    events = make_events(calorimeter_schema(geometry), np.array([[0.99, 5.0]])[..., None], np.array([[10.0]]))
    assert take_sample(MemorySource(events), 0, 5).observations.obs["e_total"][0] == 5.0
    scaled = take_sample(MemorySource(events), 0, 5, scale=1.02)
    assert scaled.observations.obs["e_total"][0] == pytest.approx(0.99 * 1.02 + 5.1)


def test_families_are_means_over_layers(toy_showers):
    a, b = (collect(toy_showers(200, seed)) for seed in (1, 2))
    for family in (families.separation(OBSERVABLES["e_layer"], a, b, "strict"),
                   families.wasserstein(OBSERVABLES["e_layer"], a, b)):  # fmt: skip
        assert family.indices == list(range(6))
        assert family.value == pytest.approx(np.mean(family.values))
        assert family.error > 0
    assert families.separation(OBSERVABLES["hits"], a, b, "calochallenge-2022") is None


@pytest.mark.parametrize("name", ["e_ratio", "e_layer", "ring_share"])
def test_errors_of_families_are_the_spread_of_repetitions(name, toy_showers):
    whole = collect(toy_showers(8000, 1))
    found = []
    for k in range(20):
        a, b = whole.select(slice(400 * k, 400 * k + 200)), whole.select(slice(400 * k + 200, 400 * k + 400))
        shifted = {**b.obs, "e_ratio": b.obs["e_ratio"] * 1.04, "e_layer": b.obs["e_layer"] * 1.5}
        other = collect(toy_showers(200, 100 + k, width=7.0))
        b = b if name != "ring_share" else other
        b.obs.update(shifted if name != "ring_share" else {})
        family = families.wasserstein(OBSERVABLES[name], a, b)
        found.append((family.value, family.error))
    values, errors = np.array(found).T
    assert 0.5 < errors.mean() / values.std(ddof=1) < 2.0


def test_an_observable_that_never_varies_has_no_distance(toy_showers):
    a = collect(toy_showers(60, 1))
    a.obs["e_ratio"][:] = 1.0
    assert families.wasserstein(OBSERVABLES["e_ratio"], a, a) is None


def test_batched_protocols_run_from_the_size_they_are_defined_at(toy_showers):
    a, b = (take_sample(toy_showers(5000, seed), 1, 50) for seed in (1, 2))
    found = Measures()
    batched_distances(found, a, b, 1, community=True)
    number = found.numbers["kpd", "jetnet-0.2.5", "all"]
    assert (number.value, number.error) == kpd(a.features, b.features, "jetnet-0.2.5", seed=1)
    assert "10000 showers" in found.numbers["kpd", "calochallenge-2022", "all"].note
    batched_distances(found, a, b, 1, community=False)
    assert "switched off" in found.numbers["kpd", "jetnet-0.2.5", "all"].note


def test_regions_are_quantiles_and_cover_everything():
    energies = np.geomspace(1, 100, 400)
    regions = Regions.quantiles(energies, 4)
    bounds = list(regions.bounds())
    assert [name for name, _, _ in bounds] == ["E1", "E2", "E3", "E4"]
    assert (bounds[0][1], bounds[-1][2]) == (-np.inf, np.inf)
    counts = [((energies >= low) & (energies < high)).sum() for _, low, high in bounds]
    assert counts == pytest.approx([100] * 4, abs=1)
    assert list(Regions.quantiles(np.ones(50), 4).bounds()) == []


@pytest.fixture(scope="module")
def histograms(toy_showers):
    return comparison_histograms(
        toy_showers(200, 1), toy_showers(200, 2), toy_showers(150, 3), name="toy", energy_bins=2
    )


def test_histograms_are_uhi_and_lose_no_shower(histograms):
    assert json.loads(json.dumps(histograms, allow_nan=False)) == histograms
    ratio = next(i for i in histograms["items"] if i["observable"] == "e_ratio" and i["region"] == "all")
    for role, n in (("reference", 200), ("null", 200), ("generated", 150)):
        assert hist.Hist(ratio[role]).sum(flow=True) == n


def test_histograms_cover_observables_layers_and_bins(histograms):
    names = {item["observable"] for item in histograms["items"]}
    assert names == (set(OBSERVABLES) - {"ring_share"}) | {"cells"}
    assert {i["region"] for i in histograms["items"] if i["observable"] == "e_ratio"} == {"all", "E1", "E2"}
    assert [i["layer"] for i in histograms["items"] if i["observable"] == "e_layer"] == list(range(6))


def test_cell_spectrum_counts_every_lit_cell(histograms, toy_showers):
    lit = int((toy_showers(150, 3).read(0, 150).cells > 0).sum())
    spectrum = next(i for i in histograms["items"] if i["observable"] == "cells")
    assert hist.Hist(spectrum["generated"]).sum(flow=True) == lit


def test_profiles_and_means_are_those_of_the_showers(histograms, toy_showers):
    cells = toy_showers(150, 3).read(0, 150).cells.astype(np.float64)
    profile = {p["name"]: p for p in histograms["profiles"]}
    assert np.allclose(profile["longitudinal"]["generated"], cells.reshape(150, 6, 32).sum(2).mean(0), rtol=1e-4)
    assert np.allclose(profile["radial"]["generated"], cells.reshape(150, 48, 4).sum(1).mean(0), rtol=1e-4)
    assert profile["radial"]["centres"] == [2.5, 7.5, 12.5, 17.5]
    assert np.allclose(histograms["mean_shower"]["generated"], cells.mean(0), rtol=1e-4)
    assert np.shape(histograms["correlations"]["null"]) == (6, 6)


def test_a_layer_in_which_truth_hardly_varies_cannot_decide_the_mean(toy_showers):
    a, b = (collect(toy_showers(200, seed, 5000), 100) for seed in (1, 2))
    constant = np.full_like(a.obs["e_layer"][:, 0], 3.0)
    constant[:100] += 1e-4
    a.obs["e_layer"][:, 0] = constant
    family = families.wasserstein(OBSERVABLES["e_layer"], a, b)
    assert 0.5 < family.values[0] <= 40
    assert np.isfinite(family.error)
