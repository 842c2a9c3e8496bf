"""Full TPC events through reconstruction: surrogates with known defects must show exactly those."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.evaluate import tpc_reconstructed
from facsim.evaluate.physics import ROLES, Physics
from facsim.evaluate.tasks import find_application
from facsim.evaluate.tpc_application import apply_tpc, as_responder, as_trained, outside_domain
from facsim.evaluate.tpc_reconstructed import Reading, Truth, reconstruct
from facsim.metrics.score import Score
from facsim.physics import tpc
from facsim.physics.helix import row_crossings
from facsim.physics.tpc_window import PAD, PADS, ROW, TIMES
from facsim.simulate.tpc import TPCSimulation
from facsim.simulate.tpc_events import TrackGun

TRUTH = TPCSimulation(events=1)
GUN = TrackGun(tracks=15, pt=(0.3, 1.5), eta=(-0.8, 0.8), species=("pion",))
SETTINGS = {"events": 2, "tracks": GUN.model_dump(), "replicas": 40}


def applied(sampler, seed: int = 3, **settings: object) -> Physics:
    return apply_tpc(TRUTH, sampler, {**SETTINGS, **settings}, seed)


def louder(cond: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One pad too high, and twice the charge."""
    images = 2 * TRUTH.respond(cond, rng).reshape(-1, PADS, TIMES)
    return np.concatenate([np.zeros_like(images[:, :1]), images[:, :-1]], axis=1).reshape(len(cond), -1, 1)


def lossy(cond: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Every second response is lost."""
    return TRUTH.respond(cond, rng) * (rng.random((len(cond), 1, 1)) < 0.5)


@cache
def faithful() -> Physics:
    return applied(TRUTH.respond)


def named(found: Physics) -> dict[str, Score]:
    return {score.name.removeprefix("tpc/"): score for score in found.scores}


def test_truth_in_the_place_of_the_surrogate() -> None:
    scores = named(faithful())
    assert scores["efficiency"].details["truth"] > 0.95
    assert scores["fake_rate"].details["truth"] < 0.05
    assert 0.9 < scores["clusters_per_row"].details["truth"] <= 1.0
    assert 0.1 < scores["residual_width/pad"].details["truth"] < 0.6
    assert 0.8 < scores["pull_width/pad"].details["truth"] < 1.25
    assert 0.002 < scores["resolution/pt"].details["truth"] < 0.03
    z = np.array([score.z for score in scores.values()])
    assert np.abs(z).max() < 4.5
    assert all(score.error > 0 and score.null_error > 0 for score in scores.values())


def test_plots_have_all_roles_and_are_json() -> None:
    found = faithful()
    assert json.loads(json.dumps(found.to_dict()))["format"] == "facsim-physics-1"
    assert len({curve.name for curve in found.curves}) == len(found.curves) >= 12
    for item in found.curves:
        assert set(item.series) == set(ROLES)
    plane = next(image for image in found.images if image.name == "plane")
    for values in plane.images.values():
        assert np.shape(values) == (53, 120)
        assert np.sum(values) > 0
    assert any("outside the ranges" in note for note in found.notes)


def test_the_same_seed_gives_the_same() -> None:
    again, other = applied(TRUTH.respond), applied(TRUTH.respond, seed=4)
    assert again.to_dict() == faithful().to_dict()
    assert other.to_dict() != again.to_dict()


def test_a_pad_too_high_and_twice_the_charge_are_seen() -> None:
    scores = named(applied(louder))
    assert scores["residual_mean/pad"].value == pytest.approx(5.0, abs=0.3)
    assert scores["residual_mean/pad"].z > 10
    assert scores["dedx/mean"].value == pytest.approx(1.0, abs=0.2)
    assert abs(scores["residual_mean/time"].value) < 0.3


def test_lost_responses_are_seen() -> None:
    scores = named(applied(lossy))
    assert scores["clusters_per_row"].value == pytest.approx(-0.48, abs=0.05)
    assert scores["resolution/pt"].details["surrogate"] > 0


def test_a_surrogate_that_answers_nothing() -> None:
    found = applied(lambda cond, rng: np.zeros((len(cond), 128, 1)))
    scores = named(found)
    assert scores["efficiency"].details["surrogate"] == 0
    assert scores["efficiency"].z < -10
    assert np.isnan(scores["resolution/pt"].value)
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize("outside", ["truth", "drop"])
def test_outside_of_the_domain(outside: str) -> None:
    asked = []

    def sampler(cond: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        asked.append(cond)
        return TRUTH.respond(cond, rng)

    applied(sampler, outside=outside)
    assert not outside_domain(TRUTH, np.concatenate(asked)).any()


def test_rows_and_pads_are_moved_to_those_that_were_trained() -> None:
    cond = np.array([[0, 0, 100, 3.25, 0, 1.0], [0, 0, 100, 100.75, 50, 1], [0, 0, 100, 30.5, 33, 1]])
    moved = as_trained(TRUTH, cond)
    np.testing.assert_array_equal(moved[:, ROW], [23, 33, 33])
    np.testing.assert_allclose(moved[:, PAD] % 1, cond[:, PAD] % 1)
    assert ((moved[:, PAD] >= 26.5) & (moved[:, PAD] <= 42.5)).all()
    assert moved[2, PAD] == 30.5
    answer = as_responder(TRUTH, TRUTH.respond)(cond, np.random.default_rng(0))
    assert (answer.sum(axis=1) > 0).all()


def test_blocks_of_events_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    tracks = TrackGun(tracks=2).draw(3, 1)
    truth = Truth.of(tracks, row_crossings(tracks), tpc.MASSES["pion"])

    def one(cond: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return TRUTH.respond(cond, np.random.default_rng(0)) if len(cond) == 0 else np.concatenate(
            [TRUTH.respond(row[None], np.random.default_rng(int(1e6 * (row[PAD] + 10)))) for row in cond])  # fmt: skip

    whole = reconstruct(truth, one, 1, "a", Reading())
    monkeypatch.setattr(tpc_reconstructed, "BLOCK", 100)
    parts = reconstruct(truth, one, 1, "a", Reading())
    assert (whole.cells, whole.found) == (parts.cells, parts.found)
    order = [np.lexsort((sample.tracks.points, sample.tracks.truth)) for sample in (whole, parts)]
    np.testing.assert_allclose(whole.tracks.parameters[order[0]], parts.tracks.parameters[order[1]], rtol=1e-9)
    np.testing.assert_array_equal(np.sort(whole.clusters.charge), np.sort(parts.clusters.charge))


def test_it_is_the_application_of_its_task() -> None:
    assert find_application("tpc") is apply_tpc


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"event": 1}, "apply.event"),
        ({"outside": "guess"}, "apply.outside"),
        ({"tracks": {"source": "gun", "pt": [0, 1]}}, "apply.tracks.gun"),
        ({"events": 1, "tracks": {"source": "gun", "tracks": 1, "eta": [4, 5]}}, "cross no pad row"),
    ],
)
def test_options_that_cannot_be(settings: dict[str, object], said: str) -> None:
    with pytest.raises(FacsimError, match=said):
        apply_tpc(TRUTH, TRUTH.respond, settings, 1)


def test_another_truth() -> None:
    with pytest.raises(FacsimError, match="truth simulation of the task 'tpc'"):
        apply_tpc(None, TRUTH.respond, {}, 1)


def test_crossings_outside_can_be_refused_before_anything_is_simulated() -> None:
    def never(cond: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        raise AssertionError("asked")

    with pytest.raises(FacsimError, match=r"apply\.outside"):
        applied(never, outside="refuse")


def test_pad_rows_of_a_kind_that_was_not_trained_lie_outside() -> None:
    inner = TPCSimulation(events=1, pad_rows=(23,))
    cond = np.array([[0, 0, 100, 30, 10, 1.0], [0, 0, 100, 30, 40, 1.0]])
    assert outside_domain(inner, cond).tolist() == [False, True]
    assert not outside_domain(TRUTH, cond).any()
