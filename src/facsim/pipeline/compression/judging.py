"""Samples of a compressed model, by the engine it is made for, and their scorecard by the judge of the run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.sources import read_labels
from facsim.core.store import read_json, write_json
from facsim.data import open_events
from facsim.export.card import describe_model, make_card, training_domain, training_range
from facsim.export.check import open_session
from facsim.models.base import EventModel
from facsim.models.checkpoint import load_model
from facsim.models.sampling import TorchSampler, draw_noise
from facsim.pipeline.compression.job import Job
from facsim.pipeline.evaluate import AnyJudge
from facsim.pipeline.sample import Samples, target_of, write_samples
from facsim.provenance import provenance
from facsim.run import SURROGATE, Run

AT_ONCE = 500
"""Events that a graph makes at once."""


@dataclass(frozen=True)
class GraphSampler:
    """A graph with the interface of a sampler, given the same noise as `model`, which it was made of."""

    model: EventModel
    path: Path

    def sample(self, cond: NDArray[Any], rng: np.random.Generator) -> NDArray[np.float32]:
        """Events (N, *event_shape) at the conditions (N, K)."""
        session = open_session(self.path)
        given = {"condition": np.asarray(cond, np.float32), **draw_noise(self.model, len(cond), rng)}
        parts = [
            session.run(None, {name: array[first : first + AT_ONCE] for name, array in given.items()})[0]
            for first in range(0, len(cond), AT_ONCE)
        ]
        found: NDArray[np.float32] = np.concatenate(parts)
        return found


@dataclass(frozen=True)
class Finite:
    """`sampler`, of which every number has to be finite; `name` is for messages."""

    sampler: Samples
    name: str

    def sample(self, cond: NDArray[Any], rng: np.random.Generator) -> NDArray[np.float32]:
        """Events (N, *event_shape) at the conditions (N, K).

        Raises:
            FacsimError: infinite numbers or NaN among them, on the way to which a sampler may have ended by itself.
        """
        instead = "choose another method or other options, such as bf16, whose numbers reach far, in place of fp16."
        try:
            found = self.sampler.sample(cond, rng)
        except (IndexError, RuntimeError) as error:  # tables looked up at NaN
            detail = str(error).strip().partition("\n")[0]
            raise FacsimError(f"'{self.name}' cannot be sampled ({detail}): {instead}") from error
        lost = int((~np.isfinite(found.reshape(len(found), -1)).all(1)).sum())
        if lost:
            raise FacsimError(
                f"{lost} of {len(found)} events of '{self.name}' have numbers that are not finite: {instead}"
            )
        return found


def has_weights(place: Run) -> bool:
    """Whether a model of torch lies in `place`; else there is a graph alone."""
    return (place.model() / "model.json").is_file()


def sampler_of(job: Job) -> Samples:
    """The compressed model: by torch where it has weights, else its graph by ONNX Runtime."""
    if has_weights(job.place):
        return TorchSampler(load_model(job.place.model()))
    return GraphSampler(job.start(), job.place.onnx)


def judge_result(job: Job, judge: AnyJudge) -> list[dict[str, Any]]:
    """Write samples, scorecard and histograms of the result; return its scores.

    Noise, conditions and truth are those of the original's samples, so that most chance is common to both.

    Raises:
        FacsimError: its events are not finite.
    """
    place, target = job.place, target_of(job.run, job.splits["null"])
    with job.run.reporter.progress(f"{place.dir.name}, samples") as advance:
        sampler = Finite(sampler_of(job), place.dir.name)
        write_samples(place.samples(SURROGATE), SURROGATE, sampler, target, advance)
    with job.run.reporter.progress(f"{place.dir.name}, judging") as advance:
        advance(0.0, "")
        card, histograms = judge.judge(SURROGATE, open_events(place.samples(SURROGATE)), kind="surrogate")
        advance(1.0, "")
    write_json(place.scores(SURROGATE), card.to_dict())
    write_json(place.hists(SURROGATE), histograms)
    scores: list[dict[str, Any]] = read_json(place.scores(SURROGATE))["scores"]
    return scores


def write_card(job: Job, told: dict[str, Any], scores: list[dict[str, Any]]) -> None:
    """Write the card of the result, with what was `told` of the compression."""
    place, name = job.place, job.run.config.surrogate.name
    model = load_model(place.model()) if has_weights(place) else job.start()
    cond = read_labels(job.splits["train"]).cond
    origin = {**provenance(job.seed), "truth": dict(job.splits["train"].schema.provenance)}
    if place.onnx.is_file():
        card = make_card(model, name, place.onnx, cond, scores, origin)
    else:
        card = {
            **describe_model(model, name, training_range(model.schema, cond)),
            "domain": training_domain(model.schema, cond),
            "scores": scores,
            "provenance": origin,
        }
    write_json(place.card, {**card, "compression": told})
