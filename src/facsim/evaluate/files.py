"""Scores of any two samples, with no configuration: truth is divided to be its own null, or a null is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.events import EventSource
from facsim.core.rng import generator
from facsim.core.sources import SubsetSource
from facsim.data.checks import check_alike
from facsim.data.conditions import ConditionsSource
from facsim.evaluate.physics import TaskPhysics
from facsim.evaluate.physics_judge import PhysicsJudge
from facsim.evaluate.scorecard import FEWEST_SHOWERS, Judge, Scorecard, ScorecardOptions
from facsim.physics.jet_schema import KIND


def score_files(
    reference: EventSource,
    generated: EventSource,
    *,
    seed: int,
    name: str = "generated",
    train: EventSource | None = None,
    null: EventSource | None = None,
    physics: TaskPhysics | None = None,
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
        null: a second truth sample, disjoint from the reference, which is then not divided.
        physics: of the events of a task; without it they are showers.
        options: see `ScorecardOptions`.

    Raises:
        FacsimError: fewer than 100 truth or 50 generated showers, different read-outs, broken events.
    """
    check_alike(reference.schema, generated.schema, "reference", "generated")
    first, second, judged, note = truth_samples(reference, generated, null, seed)
    card, hists = (
        Judge(first, second, train, seed=seed, options=options).judge(name, judged)
        if physics is None
        else PhysicsJudge(physics, first, second, train, seed=seed, options=options).judge(name, judged)
    )
    card.notes.insert(0, note)
    return card, hists


def with_shared_conditions(sources: Sequence[EventSource]) -> list[EventSource]:
    """Samples of jets with the conditions pT, eta and kind where all have them: mass and number of particles, which
    JetNet's files hold beside, are of the particles and judged as such."""
    names = [[feature.name for feature in source.schema.conditions] for source in sources]
    kept = [n for n in names[0] if all(n in own for own in names) and (n in ("pt", "eta") or n.startswith(KIND))]
    return [ConditionsSource(source, kept) for source in sources]


def truth_samples(
    reference: EventSource, generated: EventSource, null: EventSource | None, seed: int
) -> tuple[EventSource, EventSource, EventSource, str]:
    """Truth A and B and what is judged, of one size, and a sentence on it: `halves`, or with a null A is the reference.

    Raises:
        FacsimError: too few events, or a null that is the reference or the generated sample.
    """
    if null is None:
        return halves(reference, generated, seed)
    check_alike(reference.schema, null.schema, "reference", "null")
    named = {"reference": reference, "null": null, "generated": generated}
    n = min(len(source) for source in named.values())
    if n < FEWEST_SHOWERS:
        sizes = ", ".join(f"{name} {len(source)}" for name, source in named.items())
        raise FacsimError(f"scores need at least {FEWEST_SHOWERS} events of each sample, and these have {sizes}.")
    first = null.read(0, FEWEST_SHOWERS).x
    for name in ("reference", "generated"):
        if np.array_equal(first, named[name].read(0, FEWEST_SHOWERS).x):
            raise FacsimError(f"the null is the {name} sample itself: give truth of its own, disjoint from both.")
    parts = [_some(source, n, seed, name) for name, source in named.items()]
    note = f"{n} of {len(reference)} reference events were compared with {n} of {len(null)} of the null and with "
    return parts[0], parts[1], parts[2], f"{note}{n} of {len(generated)} generated ones."


def _some(source: EventSource, n: int, seed: int, name: str) -> EventSource:
    if len(source) == n:
        return source
    return SubsetSource(source, np.sort(generator(seed, name).choice(len(source), n, replace=False)))


def halves(
    reference: EventSource, generated: EventSource, seed: int
) -> tuple[EventSource, EventSource, EventSource, str]:
    """Two disjoint halves of `reference` and as many of `generated`, of the largest equal size, and a sentence on it.

    Raises:
        FacsimError: fewer than 100 truth or 50 generated showers.
    """
    if len(reference) < 2 * FEWEST_SHOWERS:
        raise FacsimError(
            f"the reference sample has {len(reference)} events; it is divided in two halves of at least "
            f"{FEWEST_SHOWERS}, so it needs {2 * FEWEST_SHOWERS}."
        )
    if len(generated) < FEWEST_SHOWERS:
        raise FacsimError(f"the generated sample has {len(generated)} events; scores need at least {FEWEST_SHOWERS}.")
    n = min(len(reference) // 2, len(generated))
    order = generator(seed, "halves").permutation(len(reference))
    first, second = (SubsetSource(reference, np.sort(part)) for part in (order[:n], order[n : 2 * n]))
    judged = _some(generated, n, seed, "generated")
    used = f"{n} of {len(reference)} reference events were compared with {n} others and with {n} of {len(generated)} "
    return first, second, judged, f"{used}generated ones."
