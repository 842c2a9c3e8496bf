"""Selections and uncertainties of surrogates of RICH tracks elsewhere: an exact one, and one with a known defect."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.events import make_events
from facsim.core.rng import generator
from facsim.core.schema import Feature, Schema
from facsim.evaluate.ensemble import SurrogateEnsemble, ensemble_prediction
from facsim.evaluate.physics import Physics
from facsim.evaluate.reweighting import Labelled, density_ratios
from facsim.evaluate.rich_application import stability
from facsim.evaluate.selection import passed, selection_efficiency_ratio
from facsim.evaluate.tasks import find_application
from facsim.models.checkpoint import build_model, save_model
from facsim.models.sampling import TorchSampler
from facsim.simulate.rich import RichSimulation

SCHEMA = Schema("table", (Feature("a"), Feature("b")), (Feature("c"),))
TRUTH = RichSimulation(events=1, species=("k", "pi"))


def table(x: np.ndarray, c: np.ndarray, weight: np.ndarray | None = None) -> Any:
    return make_events(SCHEMA, x, c[:, None], weight=weight)


def test_cuts_by_name_and_ratios_in_bins() -> None:
    rng = generator(1, "events")
    c = rng.random(20_000)
    x, y = (np.stack([c + rng.standard_normal(len(c)), rng.random(len(c))], 1) for _ in range(2))
    y[:, 0] += 0.3 * (c > 0.5)
    cuts = {"a": (0.5, None), "b": (0.2, 0.9)}
    assert passed(table(x, c), cuts).mean() == pytest.approx(
        np.mean((x[:, 0] > 0.5) & (x[:, 1] > 0.2) & (x[:, 1] <= 0.9))
    )
    found = selection_efficiency_ratio(table(x, c), table(y, c), cuts, {"c": [0, 0.5, 1]})
    low, high = found.binned["c"].value
    assert low == pytest.approx(1, abs=4 * found.binned["c"].error[0])
    assert high - 1 > 8 * found.binned["c"].error[1]
    assert low < found.integrated.value[0] < high
    with pytest.raises(FacsimError, match=r"cuts on features of a table: expected some of \['a', 'b'\], not \['z'\]"):
        passed(table(x, c), {"z": (0, 1)})


def test_an_ensembles_spread_is_that_of_its_members_and_not_of_their_samples() -> None:
    rng = np.random.default_rng(0)
    truth = np.full(400, 0.5)
    noise = np.full((6, 400), 0.02)
    members = truth + 0.05 * rng.standard_normal((6, 400)) + 0.02 * rng.standard_normal((6, 400))
    found = ensemble_prediction(members, noise)
    assert np.sqrt(np.mean(found.model**2)) == pytest.approx(0.05, abs=0.004)
    single = members[0] - truth
    assert np.mean(np.abs(single) < np.hypot(found.model, 0.02)) == pytest.approx(0.68, abs=0.1)
    with pytest.raises(FacsimError, match="two members"):
        ensemble_prediction(members[:1], noise[:1])


def test_an_ensemble_of_runs(tmp_path: Any) -> None:
    model = build_model("single-stage", SCHEMA, {"method": "autoregressive"}).eval()
    for name in ("one", "two"):
        save_model(model, "single-stage", tmp_path / name / "models" / "surrogate")
    ensemble = SurrogateEnsemble.load([tmp_path / "one", tmp_path / "two"])
    assert ensemble.sample(np.ones((7, 1)), generator(1, "x")).shape == (7, 2)
    with pytest.raises(FacsimError, match="holds no trained model"):
        SurrogateEnsemble.load([tmp_path / "one", tmp_path])
    with pytest.raises(FacsimError, match="at least two members, not 1"):
        SurrogateEnsemble([TorchSampler(model)])


@pytest.mark.parametrize("signed", [False, True])
def test_ratios_of_densities_move_a_surrogate_to_truth(signed: bool) -> None:
    """Truth N(0.4 c, 1) against N(0, 1), learned at c in (0, 1) and used at 0.8; weights take out a background."""
    rng = np.random.default_rng(1)
    n = 6000
    c, far = rng.random(n), np.full(n, 0.8)
    truth = 0.4 * c + rng.standard_normal(n)
    weight = None
    if signed:
        out = rng.random(n) < 0.4
        truth, weight = np.where(out, -3.0, truth), np.where(out, rng.choice([-1.0, 1.0], n), 1.0)
    made, target = rng.standard_normal(n), rng.standard_normal(n)
    samples = [np.column_stack(pair) for pair in ((c, truth), (c, made), (far, target))]
    w = density_ratios(Labelled(samples[0], weight), Labelled(samples[1], weight), Labelled(samples[2]), seed=1)
    assert np.average(target, weights=w) == pytest.approx(0.32, abs=0.12)
    with pytest.raises(FacsimError, match="of the same columns"):
        density_ratios(Labelled(samples[0]), Labelled(samples[1][:, :1]), Labelled(samples[2]), seed=1)


def applied(defect: float, **settings: Any) -> Physics:
    """With a surrogate that is truth but for the DLLs of kaons, which are smaller by the share `defect`."""

    def sampler(cond: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return TRUTH.respond(cond, rng) * (1 - defect * cond[:, 3:4])

    return stability(TRUTH, sampler, {"events": 3000, **settings}, 1, lambda fraction, note: None)


def values(found: Physics) -> dict[str, Any]:
    return {score.name: score for score in found.scores}


@pytest.mark.slow
def test_an_exact_surrogate_is_stable_and_its_errors_cover() -> None:
    found = applied(0.0)
    scores = values(found)
    assert {name for name in scores if name.startswith("outside/")} == {
        "outside/b-zero/k", "outside/b-zero/pi", "outside/b-plus/pi", "outside/beyond/k", "outside/beyond/pi",
    }  # fmt: skip
    assert scores["outside/b-zero/k"].value < 0.05
    assert scores["outside/beyond/k"].value > 0.2
    for name, score in scores.items():
        if name.startswith("ratio_error/"):
            assert score.value < 4.5 * score.error, name
            assert score.null < 4.5 * score.null_error, name
    assert scores["coverage/statistical/inside"].value > 0.5
    assert "coverage/ensemble/inside" not in scores
    assert find_application("rich") is stability
    assert {curve.name for curve in found.curves} >= {"stability/b-zero/k/RichDLLk>0"}
    assert found.to_dict()["notes"]


@pytest.mark.slow
def test_a_defect_is_flagged_and_seen_by_the_classifier() -> None:
    found = applied(0.35, events=6000, samples=("b-zero",))
    scores = values(found)
    kaons = scores["ratio_error/b-zero/k/k>5"]
    assert kaons.value > 5 * kaons.error
    assert kaons.details["flagged"] == 1
    assert "ratio_error/b-zero/k/k>5" in found.notes[1]
    inside = [scores[f"coverage/{kind}/inside"] for kind in ("statistical", "classifier")]
    statistical, classifier = (score.details["mean_square_pull"] for score in inside)
    assert statistical > 3
    assert classifier < 0.5 * statistical
    assert inside[1].value >= inside[0].value


def test_broken_settings_are_one_sentence() -> None:
    with pytest.raises(FacsimError, match=r"'apply.events': .* \(got 3\)"):
        applied(0.0, events=3)
    with pytest.raises(FacsimError, match="conditions lie outside of the training domain of the surrogate"):
        applied(0.0, samples=("beyond",), outside="refuse")
    with pytest.raises(FacsimError, match="needs the truth simulation of the task 'rich'"):
        stability(None, lambda cond, rng: cond, {}, 1, lambda fraction, note: None)
