"""RICH surrogates where they were not trained: other decays, and beyond; what truth says there, and what was promised.

A surrogate learns from calibration channels and is used for decays such as B0 -> K*0 mu mu, whose tracks have other
momenta. The application samples it at such tracks and compares the efficiencies of selections with those of the truth
simulation: in all, and in bins of momentum. It counts the tracks outside of the training domain, and how often the
difference lies within what the uncertainties announce.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.rng import generator, integer_seed
from facsim.evaluate.physics import Curve, Physics
from facsim.evaluate.rich_coverage import Bins, Coverage
from facsim.evaluate.rich_transfer import StabilitySettings, Transfer, transfer
from facsim.evaluate.tasks import Advance, Sampler
from facsim.metrics.domain import ConditionDomain, outside_score
from facsim.metrics.protocols import STRICT
from facsim.metrics.score import Score
from facsim.models.choices import checked
from facsim.physics.rich_observables import MOMENTUM_EDGES, NAMES
from facsim.simulate.rich import RichSimulation
from facsim.simulate.truth import TruthSimulation

TOLERANCE = 0.02
"""Difference of a ratio from one above which it is flagged."""
TITLES = {
    "calibration": "calibration channels",
    "b-zero": r"B$^0 \to$ K$^{*0} \mu\mu$",
    "b-plus": r"B$^+ \to$ K$^{*+} \mu\mu$",
    "beyond": "beyond the training domain",
}


def stability(
    truth: TruthSimulation | None, sampler: Sampler, settings: Mapping[str, Any], seed: int, advance: Advance
) -> Physics:
    """Scores, curves and notes of a surrogate of RICH tracks at kinematics that it was not trained on.

    Scores, for each sample, species and cut: `ratio_error/...`, the difference of the ratio of efficiencies (surrogate
    over truth) from one, beside that of truth and truth; `outside/...`, the share of tracks outside of the training
    domain; `coverage/...`, the share of bins, inside or outside of the domain, whose efficiency is within one standard
    deviation of truth's: with statistical errors alone, with the shift of the classifier's weights, and with the
    spread of the ensemble where there is one. Its null is 0.683.

    Args:
        truth: the simulation that the surrogate was trained on. sampler: the surrogate.
        settings: see `StabilitySettings`. seed: of all random numbers. advance: is told of progress.

    Raises:
        FacsimError: settings that are none, another truth, or tracks outside of the domain that shall be refused.
    """
    if not isinstance(truth, RichSimulation):
        raise FacsimError("the stability of RICH surrogates needs the truth simulation of the task 'rich'.")
    chosen = checked(StabilitySettings, dict(settings), "apply")
    training = truth.generate(chosen.events, generator(seed, "stability", "training"))
    names = [feature.name for feature in truth.schema_of().conditions]
    domain = ConditionDomain.fit(training.cond, names, integer_seed(seed, "domain"))
    found: list[Transfer] = []
    for number, sample in enumerate(chosen.samples):
        advance(number / len(chosen.samples), sample)
        found += transfer(truth, sampler, domain, sample, chosen, seed)
    if not found:
        raise FacsimError(f"none of {list(chosen.samples)} has tracks of {list(truth.species)}: choose other samples.")
    scores = [score for one in found for score in _scores(one, seed)]
    scores += Coverage([row for one in found for row in one.rows]).scores(seed)
    curves = [curve for one in found for curve in _curves(one)]
    return Physics(scores, curves, (), _notes(found, scores))


def _scores(one: Transfer, seed: int) -> list[Score]:
    """Of one sample and species."""
    n = len(one.cond)
    place = f"{one.sample}/{one.species}"
    scores = [outside_score(place, one.outside, seed)]
    for selection, bins in one.bins.items():
        ratio, null = bins.integrated, bins.null
        value = float(ratio.value[0])
        worst = _worst(bins)
        note = f"ratio {value:.4f}, efficiency {float(ratio.reference[0]):.4f} in truth; {worst}"
        off, truth_off = abs(value - 1), abs(float(null.value[0]) - 1)
        flagged = off > TOLERANCE and off > 2 * float(ratio.error[0])
        if flagged:
            note += " More than 2 % from one: flagged."
        scores.append(
            Score(
                f"ratio_error/{place}/{selection.hypothesis}>{selection.cut:g}",
                STRICT,
                off,
                float(ratio.error[0]),
                truth_off,
                float(null.error[0]),
                n,
                n,
                seed,
                note=note,
                details={"ratio": value, "flagged": float(flagged)},
            )
        )
    return scores


def _worst(bins: Bins) -> str:
    """The bin whose ratio is farthest from one, in words."""
    off = np.abs(bins.binned.value - 1)
    usable = np.isfinite(off) & (bins.binned.events >= 100)
    if not usable.any():
        return "no bin with enough tracks."
    k = int(np.where(usable, off, -1).argmax())
    low, high = (1e-3 * edge for edge in MOMENTUM_EDGES[k : k + 2])
    return f"worst bin {bins.binned.value[k]:.3f} +- {bins.binned.error[k]:.3f} at {low:g} to {high:g} GeV."


def _curves(one: Transfer) -> list[Curve]:
    """Efficiencies against the momentum, truth, truth again and surrogate."""
    edges = 1e-3 * np.asarray(MOMENTUM_EDGES)
    middle = np.sqrt(edges[1:] * edges[:-1])
    return [
        Curve(
            f"stability/{one.sample}/{selection.name}",
            f"{TITLES[one.sample]}: {NAMES[one.species]}",
            "P [GeV]",
            f"share with {selection.label}",
            {
                "reference": (middle, bins.binned.reference, bins.binned.reference_error),
                "null": (middle, bins.null_binned.generated, bins.null_binned.generated_error),
                "generated": (middle, bins.binned.generated, bins.binned.generated_error),
            },
            log_x=True,
            ratio=True,
            caption=f"{100 * one.outside.mean():.1f} % of the tracks lie outside of the training domain.",
        )
        for selection, bins in one.bins.items()
    ]


def _notes(found: Sequence[Transfer], scores: Sequence[Score]) -> list[str]:
    flagged = [score.name for score in scores if score.details.get("flagged")]
    tracks, outside = sum(len(one.cond) for one in found), sum(int(one.outside.sum()) for one in found)
    notes = [f"{outside} of {tracks} tracks lie outside of the training domain."]
    if flagged:
        notes.append(f"Ratios of efficiencies more than 2 % from one: {', '.join(flagged)}.")
    return notes
