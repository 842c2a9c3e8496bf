"""Scores of jets: jetnet's numbers through the one entry, nulls, nothing computed twice, distortions seen."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from runpy import run_path

import numpy as np
import pytest
import torch

from facsim.core.errors import FacsimError
from facsim.evaluate.jets import JetOptions, score_jets
from facsim.metrics.score import Score
from facsim.physics import jet_observables
from facsim.physics.jet_observables import JET_OBSERVABLES

GOLDEN_FOLDER = Path(__file__).parent.parent / "golden"
GOLDEN = json.loads((GOLDEN_FOLDER / "jetnet_0_2_5.json").read_text(encoding="utf-8"))
SAMPLES = run_path(str(GOLDEN_FOLDER / "make_jetnet.py"))
X, Y = SAMPLES["jet_samples"]()
QUICK = JetOptions(
    w1_samples=300,
    fpd={"min_samples": 200, "max_samples": 400, "num_batches": 2, "num_points": 3},
    kpd={"batch_size": 200, "num_batches": 3},
    cloud=False,
)


def found(scores: list[Score], protocol: str) -> dict[str, Score]:
    return {score.name: score for score in scores if score.protocol == protocol}


def test_jetnet_protocol_is_jetnets_suite() -> None:
    w1, cloud = GOLDEN["jets"]["w1p"][0], GOLDEN["jets"]["cov_mmd"][0]
    options = JetOptions(
        w1_samples=w1["num_eval_samples"],
        w1_batches=w1["num_batches"],
        fpd=QUICK.fpd,
        kpd=QUICK.kpd,
        cloud=False,
    )
    scores = found(score_jets(X, Y, protocols=["jetnet-0.2.5"], seed=w1["seed"], options=options), "jetnet-0.2.5")
    assert list(scores)[:3] == ["fpd", "kpd", "w1m"]
    assert scores["w1m"].value == pytest.approx(GOLDEN["jets"]["w1m"][0]["value"][0], rel=1e-9)
    for part, value, error in zip(("eta", "phi", "pt"), *w1["value"], strict=True):
        assert (scores[f"w1p/{part}"].value, scores[f"w1p/{part}"].error) == pytest.approx((value, error), rel=1e-9)
    assert scores["w1p"].value == pytest.approx(np.mean(w1["value"][0]), rel=1e-9)
    assert scores["w1efp"].value == pytest.approx(np.mean(GOLDEN["jets"]["w1efp"][0]["value"][0]), rel=1e-9)
    assert "50,000" in scores["fpd"].note
    options = replace(QUICK, cloud=True, cloud_samples=cloud["num_eval_samples"], cloud_batches=cloud["num_batches"])
    again = found(score_jets(X, Y, protocols=["jetnet-0.2.5"], seed=cloud["seed"], options=options), "jetnet-0.2.5")
    assert [again[name].value for name in ("coverage", "mmd")] == pytest.approx(cloud["value"], rel=1e-12)


def test_strict_sees_a_wider_jet_and_not_more_truth() -> None:
    truth, more, wide = (SAMPLES["toy_jets"](600, seed, width) for seed, width in ((1, 0.1), (2, 0.1), (3, 0.13)))
    scores = found(score_jets(truth, wide, null=more, protocols=["strict"], options=QUICK), "strict")
    assert {f"{kind}/{name}" for kind in ("w1", "separation") for name in JET_OBSERVABLES} <= set(scores)
    for name in ("w1p/eta", "w1p/phi", "w1efp", "w1/mass", "separation/mass"):
        assert scores[name].z > 3, name
    for name in ("w1p/pt", "w1/multiplicity", "separation/multiplicity"):
        assert abs(scores[name].z) < 3, name
    assert all(
        abs(score.null) < 6 * score.null_error for name, score in scores.items() if name.startswith("separation")
    )
    assert not scores["w1/mass"].note


def test_polynomials_are_computed_once_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    compute = jet_observables.efps
    monkeypatch.setattr(jet_observables, "efps", lambda *given: calls.append(1) or compute(*given))
    score_jets(X[:100], Y[:100], options=QUICK)
    assert len(calls) == 2


def test_masks_and_tensors_change_nothing() -> None:
    rng = np.random.default_rng(1)
    plain = score_jets(X[:100], Y[:100], options=QUICK)
    mask = Y[:100, :, 2] > 0
    garbage = np.where(mask[:, :, None], Y[:100], rng.normal(size=(100, 30, 3)))
    masked = score_jets(torch.tensor(X[:100]), torch.tensor(garbage), candidate_mask=torch.tensor(mask), options=QUICK)
    for one, two in zip(plain, masked, strict=True):
        assert (one.name, one.protocol) == (two.name, two.protocol)
        assert two.value == pytest.approx(one.value, rel=1e-5, abs=1e-9)


def test_what_does_not_vary_in_the_reference_is_said_to_have_no_value() -> None:
    """Thirty particles in every jet, as in most top jets of JetNet; and jets without particles are scored, too."""
    rng = np.random.default_rng(2)
    full = np.concatenate([0.1 * rng.normal(size=(80, 30, 2)), rng.dirichlet(np.ones(30), size=80)[:, :, None]], axis=2)
    some = full.copy()
    some[:3] = 0.0
    scores = found(score_jets(full, some, protocols=["strict"], options=QUICK), "strict")
    assert (scores["w1/multiplicity"].status, scores["w1/mass"].status) == ("failed", "ok")
    assert "does not vary" in scores["w1/multiplicity"].note
    assert scores["separation/multiplicity"].value > 0


def test_broken_input_is_refused() -> None:
    with pytest.raises(FacsimError, match="unknown protocol"):
        score_jets(X, Y, protocols=["jetnet"])
    with pytest.raises(FacsimError, match="columns eta, phi, pT"):
        score_jets(X, Y[:, :, :2])
    with pytest.raises(FacsimError, match="negative pT"):
        score_jets(X, -Y)
    with pytest.raises(FacsimError, match="four events"):
        score_jets(X[:3], Y, protocols=["strict"], options=QUICK)


def test_too_few_jets_leave_out_the_batched_distances_and_say_so() -> None:
    scores = {
        (s.protocol, s.name): s for s in score_jets(X[:60], Y[:60], options=JetOptions(cloud=False, w1_samples=60))
    }
    left_out = scores["jetnet-0.2.5", "fpd"]
    assert (left_out.status, "20000 jets" in left_out.note) == ("not computed", True)
    assert scores["jetnet-0.2.5", "w1m"].status == "ok"
    assert 0 < scores["strict", "kpd"].p_value <= 1
    assert {s.protocol for s in score_jets(X[:60], Y[:60], protocols="strict", options=QUICK)} == {"strict"}
