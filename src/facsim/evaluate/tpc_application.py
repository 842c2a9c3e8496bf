"""The surrogate of the TPC's local response in full events, reconstructed, beside the detailed digitiser.

The same tracks go through the digitiser twice (reference and null) and through the surrogate once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.evaluate.physics import ROLES, Physics
from facsim.evaluate.tasks import Advance, Sampler
from facsim.evaluate.tpc_curves import curves, images
from facsim.evaluate.tpc_performance import Performance, numbers
from facsim.evaluate.tpc_reconstructed import Reading, Truth, calibrate, reconstruct
from facsim.metrics.protocols import STRICT
from facsim.metrics.replicas import replica_weights, spread
from facsim.metrics.score import Score
from facsim.models.choices import checked
from facsim.physics import tpc
from facsim.physics.helix import row_crossings
from facsim.physics.tpc_plane import Responder
from facsim.physics.tpc_reco.finder import FinderSettings
from facsim.physics.tpc_window import CONDITIONS, CROSSING, DIP, DRIFT, PAD, PADS, PT, ROW, TIMES
from facsim.simulate.tpc import TPCSimulation
from facsim.simulate.tpc_events import TrackGun, TrackSource
from facsim.simulate.truth import TruthSimulation

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

RATES = ("efficiency", "efficiency_soft", "fake_rate", "clone_rate")
RATIOS = ("residual_width", "resolution", "pull_width", "dedx")
"""Families of numbers that are compared by their ratio less 1; all others by their difference."""


class TPCApplication(BaseModel):
    """Options of the application.

    Args:
        events: number of full events.
        tracks: a particle gun or Pythia, see `simulate.tpc_events`.
        turns: part of a turn that tracks are followed at most.
        threshold, saturation: of a cell of the pad plane after all responses are added, ADC.
        outside: what answers crossings outside the ranges that truth was simulated in: the `surrogate` (extrapolating),
            the `truth`, or nothing, in all samples (`drop`); `refuse` stops.
        replicas: of the bootstrap.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    events: Annotated[int, Field(ge=1)] = 10
    tracks: TrackSource = TrackGun()
    turns: Annotated[float, Field(gt=0, le=1)] = 1.0
    threshold: Annotated[float, Field(ge=0)] = 3.0
    saturation: Annotated[float, Field(gt=0)] | None = 1023.0
    outside: Literal["surrogate", "truth", "drop", "refuse"] = "surrogate"
    replicas: Annotated[int, Field(ge=10)] = 100


def apply_tpc(
    truth: TruthSimulation | None,
    sampler: Sampler,
    settings: Mapping[str, Any],
    seed: int,
    advance: Advance | None = None,
) -> Physics:
    """Efficiencies, residuals, resolutions, energy loss and pulls of reconstructed events of the surrogate.

    A score is the surrogate's number less truth's (efficiencies, rates, biases in mm) or their ratio less 1 (widths,
    resolutions, energy loss), its null the same of truth with other random numbers. Errors are of a bootstrap over
    simulated tracks, which are the same in all samples.

    Args:
        truth: the digitiser. sampler: the surrogate. settings: of `TPCApplication`. seed: of all random numbers.
        advance: called with the fraction done and what is being done.

    Raises:
        FacsimError: another truth, options that cannot be, tracks that cross nothing, or, where they shall be refused,
            crossings outside of the ranges that truth was simulated in.
    """
    if not isinstance(truth, TPCSimulation):
        raise FacsimError("full TPC events need the truth simulation of the task 'tpc', which this run does not have.")
    options = checked(TPCApplication, dict(settings), "apply")
    tell = advance or (lambda fraction, note: None)
    tracks = options.tracks.draw(options.events, seed)
    whole = Truth.of(tracks, row_crossings(tracks, options.turns), tpc.MASSES[truth.digitiser.species])
    shares = {name: float(off.mean()) for name, off in _outside(truth, whole.cond).items()} if len(whole.cond) else {}
    outside = outside_domain(truth, whole.cond)
    if options.outside == "refuse" and outside.any():
        raise FacsimError(
            f"{int(outside.sum())} of {len(outside)} crossings lie outside the ranges that truth was simulated in "
            f"({_listed(shares)}): narrow 'tracks', or choose what answers there with apply.outside."
        )
    if options.outside == "drop":
        whole = Truth(whole.tracks, whole.crossings[~outside], whole.cond[~outside])
    if not len(whole.cond):
        raise FacsimError(f"the {len(tracks)} tracks of the application cross no pad row: widen 'tracks'.")
    reading = Reading(options.threshold, options.saturation)
    errors = calibrate(whole, truth.respond, seed, reading)
    reading = replace(reading, finder=FinderSettings(errors=errors))
    surrogate = as_responder(truth, sampler, outside_to_truth=options.outside == "truth")
    responders: dict[str, Responder] = {"reference": truth.respond, "null": truth.respond, "generated": surrogate}
    samples = {}
    for k, (role, responder) in enumerate(responders.items()):
        tell(k / len(ROLES), f"events of {role}")
        made = reconstruct(whole, responder, seed, role, reading, partial(_tell_part, tell, k))
        samples[role] = Performance(whole, made)
    weights = replica_weights(len(tracks), options.replicas, generator(seed, "tpc", "replicas"))
    return Physics(
        scores(samples, weights, seed),
        curves(samples, weights),
        images(samples),
        _notes(samples, options, shares, float(np.mean(outside))),
    )


def _tell_part(tell: Advance, role: int, part: float) -> None:
    tell((role + 0.95 * part) / len(ROLES), "")


def outside_domain(truth: TPCSimulation, cond: FloatArray) -> BoolArray:
    """Conditions (K, 6) at angles, drift lengths, kinds of pad rows or pT that the truth's events do not have, (K,)."""
    return np.asarray(np.any(list(_outside(truth, cond).values()), axis=0))


def _outside(truth: TPCSimulation, cond: FloatArray) -> dict[str, BoolArray]:
    ranges = {CROSSING: truth.crossing_angle, DIP: truth.dip_angle, DRIFT: truth.drift_length, PT: truth.pt}
    found = {CONDITIONS[k].name: (cond[:, k] < low) | (cond[:, k] > high) for k, (low, high) in ranges.items()}
    unknown = ~np.isin(tpc.row_type(cond[:, ROW]), tpc.row_type(np.asarray(truth.pad_rows)))
    return {**found, CONDITIONS[ROW].name: unknown}


def _listed(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {100 * share:.1f} %" for name, share in shares.items())


def as_trained(truth: TPCSimulation, cond: FloatArray) -> FloatArray:
    """Conditions with the pad row and the pad, of which a response knows only the row's type and the place in the pad,
    moved to those of the truth's events."""
    moved = cond.copy()
    kinds = tpc.row_type(np.asarray(truth.pad_rows))
    wanted = tpc.row_type(cond[:, ROW])
    known = np.asarray(truth.pad_rows)
    for kind in np.unique(wanted):
        if (kinds == kind).any():
            same = (wanted == kind) & ~np.isin(cond[:, ROW], known)
            moved[same, ROW] = known[kinds == kind][0]
    low, high = truth.pad_coordinate
    off = (cond[:, PAD] < low) | (cond[:, PAD] > high)
    moved[off, PAD] = cond[off, PAD] % 1 + np.ceil(low)
    return moved


def as_responder(truth: TPCSimulation, sampler: Sampler, *, outside_to_truth: bool = False) -> Responder:
    """The surrogate as a responder for all pads and rows of the TPC."""

    def respond(cond: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        outside = outside_domain(truth, cond) if outside_to_truth else np.zeros(len(cond), dtype=bool)
        out = np.zeros((len(cond), PADS * TIMES), dtype=np.float64)
        for some, answer in (
            (~outside, lambda c: sampler(as_trained(truth, c), rng)),
            (outside, lambda c: truth.respond(c, rng)),
        ):
            if some.any():
                out[some] = np.asarray(answer(cond[some]), dtype=np.float64).reshape(-1, PADS * TIMES)
        return out

    return respond


def scores(samples: Mapping[str, Performance], weights: FloatArray, seed: int) -> list[Score]:
    """Numbers of the surrogate against truth, with those of truth against truth as nulls."""
    found = {role: numbers(sample, weights) for role, sample in samples.items()}
    reference, made = found["reference"], []
    for name, truth in reference.items():
        compared = {}
        for role in ("generated", "null"):
            other = found[role].get(name, np.full_like(truth, np.nan))
            ratio = name.split("/")[0] in RATIOS
            replicas = other / truth - 1 if ratio else other - truth
            error = spread(replicas)
            compared[role] = (float(replicas[0]), max(error, _least(name, samples[role])))
        (value, error), (null, null_error) = compared["generated"], compared["null"]
        details = {"truth": float(truth[0]), "surrogate": float(found["generated"].get(name, truth * np.nan)[0])}
        counts = (len(samples["reference"].sample.tracks.truth), len(samples["generated"].sample.tracks.truth))
        how = "ratio to truth less 1" if name.split("/")[0] in RATIOS else "less truth's"
        note = f"{how}; truth {details['truth']:.4g}, surrogate {details['surrogate']:.4g}."
        made.append(
            Score(
                f"tpc/{name}",
                STRICT,
                value,
                error,
                null,
                null_error,
                *counts,
                seed,
                better="null",
                note=note,
                details=details,
            )
        )
    return made


def _least(name: str, sample: Performance) -> float:
    """Error of a rate of which no case was seen."""
    return 1 / max(len(sample.truth.tracks), 1) if name in RATES else 0.0


def _notes(
    samples: Mapping[str, Performance], options: TPCApplication, shares: Mapping[str, float], outside: float
) -> list[str]:
    truth = samples["reference"].truth
    answer = {
        "surrogate": "the surrogate extrapolates there",
        "truth": "truth answers there",
        "drop": "they are left out",
        "refuse": "they would have been refused",
    }
    errors = {role: sample.sample.found / max(len(sample.truth.cond), 1) for role, sample in samples.items()}
    return [
        f"{options.events} events of {len(truth.tracks)} tracks in all, {len(truth.cond)} crossings of pad rows.",
        f"{100 * outside:.1f} % of the crossings lie outside the ranges that truth was simulated in "
        f"({_listed(shares)}): {answer[options.outside]}.",
        "Clusters per crossing: " + ", ".join(f"{role} {value:.3f}" for role, value in errors.items()) + ".",
    ]
