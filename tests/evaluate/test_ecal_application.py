"""A responder on the whole calorimeter: what is told of a right one, and of ones that are wrong in a known way."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy.special import erf

from facsim.core.errors import FacsimError
from facsim.core.image import regular_image
from facsim.core.rng import generator
from facsim.core.schema import Feature, Schema
from facsim.evaluate.ecal_application import ecal_application
from facsim.evaluate.ecal_reconstruction import Local, respond
from facsim.evaluate.physics import Physics
from facsim.metrics.score import Score
from facsim.physics.ecal_map import LHCB
from facsim.physics.ecal_photons import single_photons

SIDE = 24
HALF = SIDE / 2 * LHCB.pitch
EDGES = (np.arange(SIDE + 1) - SIDE / 2) * LHCB.pitch
NAMES = (*(Feature(p, "GeV") for p in ("px", "py", "pz")), Feature("x", "cm"), Feature("y", "cm"))
SCHEMA = Schema(
    "grid", (Feature("energy", "MeV"),), NAMES, regular_image("toy", (-HALF, HALF, SIDE), (-HALF, HALF, SIDE))
)
SMALL = {"photons": 600, "pions": 600, "collisions": 0}


@dataclass(frozen=True)
class Toy:
    """Two round Gaussians at a depth of 90 mm; energy fluctuates by 10 % / sqrt(E)."""

    scale: float = 1.0
    spread: float = 1.0
    noise: float = 0.1
    reach: float = 1.01

    def event_schema(self) -> Schema:
        return SCHEMA

    def conditions(self, n: int, rng: np.random.Generator) -> np.ndarray:
        slope, energy = rng.uniform(-0.3, 0.3, (n, 2)), np.exp(rng.uniform(0, np.log(100), n))
        pz = energy / np.sqrt(1 + (slope**2).sum(1))
        return np.column_stack([slope * pz[:, None], pz, rng.uniform(-self.reach, self.reach, (n, 2))])

    def respond(self, cond: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        momentum, local = cond[:, :3], 10 * cond[:, 3:]
        middle = local + 90 * momentum[:, :2] / momentum[:, 2:]
        cells = np.zeros((len(cond), SIDE, SIDE))
        for weight, sigma in ((0.7, 11.0), (0.3, 30.0)):
            inside = np.diff(0.5 * erf((EDGES - middle[..., None]) / (self.spread * sigma * np.sqrt(2))), axis=2)
            cells += weight * inside[:, 1, :, None] * inside[:, 0, None, :]
        energy = 1e3 * self.scale * np.linalg.norm(momentum, axis=1)
        width = self.noise / np.sqrt(energy / 1e3)
        energy = energy * rng.gamma(width**-2, width**2)
        return (cells * energy[:, None, None]).reshape(len(cond), -1, 1).astype(np.float32)


def applied(surrogate: Toy, **settings: Any) -> Physics:
    return ecal_application(Toy(), surrogate.respond, {**SMALL, **settings}, seed=3)


def by_name(physics: Physics) -> dict[str, Score]:
    return {score.name: score for score in physics.scores}


@pytest.fixture(scope="module")
def right() -> Physics:
    return applied(Toy())


def test_a_right_surrogate_differs_from_truth_no_more_than_truth_itself(right: Physics) -> None:
    found = by_name(right)
    assert len(found) == 21
    for kind in ("photons", "pions"):
        share = found.pop(f"outside/{kind}")
        assert share.value < 0.01
    for score in found.values():
        assert score.status == "ok"
        best = 0.0 if "difference" in score.name else 1.0
        for value, error in ((score.value, score.error), (score.null, score.null_error)):
            assert abs(value - best) < 4.5 * error + 1e-12, score.name
    assert found["pi0_mass_ratio"].error < 0.01
    assert found["merged_fraction_difference"].error < 0.02


def test_a_wrong_energy_scale_is_seen_in_mass_and_response() -> None:
    found = by_name(applied(Toy(scale=1.05)))
    for name in ("pi0_mass_ratio", *(f"cluster_response_ratio_{zone.name}" for zone in LHCB.zones)):
        assert abs(found[name].value - 1.05) < 4 * found[name].error + 0.005
        assert found[name].z > 4
    assert abs(found["cluster_resolution_ratio_middle"].z) < 4


def test_wider_showers_merge_pions_and_blurred_ones_lose_resolution() -> None:
    wide = by_name(applied(Toy(spread=1.5)))
    assert wide["merged_fraction_difference"].z > 3
    assert wide["cluster_response_ratio_inner"].value < 0.97
    blurred = by_name(applied(Toy(noise=0.2)))
    assert 1.6 < blurred["cluster_resolution_ratio_middle"].value < 2.3
    assert blurred["pi0_width_ratio"].value > 1.3


def test_curves_and_display_hold_all_samples(right: Physics) -> None:
    roles = {"reference", "null", "generated"}
    names = [curve.name for curve in right.curves]
    assert len(set(names)) == len(names) == 10
    for curve in right.curves:
        assert set(curve.series) == roles
        for x, y, error in curve.series.values():
            assert error is not None
            assert len(np.asarray(y)) == len(np.asarray(error)) == len(np.asarray(x)) - curve.steps
            assert len(np.asarray(y)) > 2
    (image,) = right.images
    assert set(image.images) == roles
    hole = np.asarray(image.images["generated"])[48 - 12 : 48 + 12, 72 - 16 : 72 + 16]
    assert not hole.any()
    assert all(np.any(np.asarray(values)) for values in image.images.values())
    mass = next(curve for curve in right.curves if curve.name == "pi0_mass")
    edges, counts, _ = (np.asarray(values) for values in mass.series["reference"])
    assert abs(edges[counts.argmax()] - 135) < 12
    json.dumps(right.to_dict(), allow_nan=False)


def test_particles_where_truth_was_not_asked_are_counted_or_refused() -> None:
    narrow = Toy(reach=0.5)
    found = by_name(ecal_application(narrow, Toy().respond, SMALL, seed=3))
    assert found["outside/photons"].value == pytest.approx(1 - 0.5**2, abs=0.1)
    with pytest.raises(FacsimError, match=r"outside of the training domain of the surrogate, the first at px = .*"):
        ecal_application(narrow, Toy().respond, {**SMALL, "outside": "refuse"}, seed=3)


def test_the_same_seed_gives_the_same_numbers(right: Physics) -> None:
    assert applied(Toy()).to_dict() == right.to_dict()


def test_collisions_of_pythia_are_compared() -> None:
    pytest.importorskip("pythia8mc")
    found = ecal_application(Toy(), Toy(scale=1.05).respond, {**SMALL, "photons": 500, "collisions": 50}, seed=3)
    scores = by_name(found)
    assert abs(scores["energy_of_collisions_ratio"].value - 1.05) < 0.01
    assert "collision_mass" in [curve.name for curve in found.curves]
    assert any("50 collisions of Pythia" in note for note in found.notes)


def test_showers_do_not_depend_on_the_order_of_calls_but_on_the_seed() -> None:
    photons = single_photons(700, (2e3, 5e4), LHCB, generator(1, "a"))
    local = Local(SCHEMA.conditions, LHCB, SIDE)
    first, again, other = (respond(photons, Toy().respond, local, seed, "b") for seed in (1, 1, 2))
    assert np.array_equal(first.energy, again.energy)
    assert first.energy.sum() != other.energy.sum()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pion": 3}, "unknown option 'apply.pion': expected one of .*'pions'"),
        ({"energy": [5, 2]}, r"'apply.energy': expected two increasing energies in GeV \(got \[5, 2\]\)"),
        ({"pion_energy": [3, 50]}, r"'apply.pion_energy': expected to start at twice apply.energy \(4 GeV\)"),
    ],
)
def test_options_that_cannot_be_are_told(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(FacsimError, match=message):
        applied(Toy(), **settings)


def test_responders_that_cannot_be_are_told() -> None:
    photons = single_photons(10, (2e3, 5e4), LHCB, generator(1, "a"))
    with pytest.raises(FacsimError, match=r"gave cells of shape \(10, 576\); expected \(10, 900\)"):
        respond(photons, Toy().respond, Local(SCHEMA.conditions, LHCB, 30), 1, "b")
    odd = (*NAMES, Feature("phase", "rad"))
    with pytest.raises(FacsimError, match=r"have the conditions \['phase'\]; known are"):
        Local(odd, LHCB, SIDE)(photons)
