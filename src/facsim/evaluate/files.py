"""Scores of any two samples of showers, with no configuration: truth is divided so that it can be its own null."""

from __future__ import annotations

from typing import Any

import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.events import EventSource
from facsim.core.rng import generator
from facsim.core.sources import SubsetSource
from facsim.data.checks import check_alike
from facsim.data.conditions import ConditionsSource
from facsim.evaluate.scorecard import FEWEST_SHOWERS, Judge, Scorecard, ScorecardOptions
from facsim.physics.jet_schema import KIND

MOST_JETS = 10_000
"""Jets that classifiers see."""


def score_files(
    reference: EventSource,
    generated: EventSource,
    *,
    seed: int,
    name: str = "generated",
    train: EventSource | None = None,
    options: ScorecardOptions | None = None,
) -> tuple[Scorecard, dict[str, Any]]:
    """Scorecard and histograms of `generated` against `reference`.

    The reference is divided at random in two halves A and B of n showers; n showers of the generated sample are judged
    against A, with B against A as null; n is the largest number that both samples allow. Everything streams.

    Args:
        reference: truth. generated: showers at the same distribution of incident energy.
        seed: of the division and of every other random choice.
        name: of the generated sample.
        train: what the generator was made from, for the memorisation check.
        options: see `ScorecardOptions`.

    Raises:
        FacsimError: fewer than 100 truth or 50 generated showers, different read-outs, broken events.
    """
    check_alike(reference.schema, generated.schema, "reference", "generated")
    first, second, judged, note = halves(reference, generated, seed)
    card, hists = Judge(first, second, train, seed=seed, options=options).judge(name, judged)
    card.notes.insert(0, note)
    return card, hists


def score_jet_files(
    reference: EventSource, generated: EventSource, *, seed: int, name: str = "generated"
) -> tuple[Scorecard, dict[str, Any]]:
    """As `score_files`, of jets in JetNet's coordinates; see `jets_physics`.

    Conditions are pT, eta and kind of the jets where both samples have them; mass and number of particles are computed
    from the particles.
    """
    from facsim.evaluate.jets_physics import JetsPhysics  # noqa: PLC0415  the judge is heavy
    from facsim.evaluate.physics_judge import PhysicsJudge  # noqa: PLC0415

    check_alike(reference.schema, generated.schema, "reference", "generated")
    names = [[feature.name for feature in source.schema.conditions] for source in (reference, generated)]
    kept = [n for n in names[0] if n in names[1] and (n in ("pt", "eta") or n.startswith(KIND))]
    sources = [ConditionsSource(source, kept) for source in (reference, generated)]
    first, second, judged, note = halves(sources[0], sources[1], seed)
    options = ScorecardOptions(most=MOST_JETS)
    card, hists = PhysicsJudge(JetsPhysics(), first, second, seed=seed, options=options).judge(name, judged)
    card.notes.insert(0, note.replace("showers", "jets"))
    return card, hists


def halves(
    reference: EventSource, generated: EventSource, seed: int
) -> tuple[EventSource, EventSource, EventSource, str]:
    """Two disjoint halves of `reference` and as many of `generated`, of the largest equal size, and a sentence on it.

    Raises:
        FacsimError: fewer than 100 truth or 50 generated showers.
    """
    if len(reference) < 2 * FEWEST_SHOWERS:
        raise FacsimError(
            f"the reference sample has {len(reference)} showers; it is divided in two halves of at least "
            f"{FEWEST_SHOWERS}, so it needs {2 * FEWEST_SHOWERS}."
        )
    if len(generated) < FEWEST_SHOWERS:
        raise FacsimError(f"the generated sample has {len(generated)} showers; scores need at least {FEWEST_SHOWERS}.")
    n = min(len(reference) // 2, len(generated))
    order = generator(seed, "halves").permutation(len(reference))
    first, second = (SubsetSource(reference, np.sort(part)) for part in (order[:n], order[n : 2 * n]))
    judged: EventSource = generated
    if len(generated) > n:
        picked = generator(seed, "generated").choice(len(generated), n, replace=False)
        judged = SubsetSource(generated, np.sort(picked))
    used = f"{n} of {len(reference)} reference showers were compared with {n} others and with {n} of {len(generated)} "
    return first, second, judged, f"{used}generated ones."
