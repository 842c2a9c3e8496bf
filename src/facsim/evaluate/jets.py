"""Scores of a sample of generated jets: JetNet's whole suite from one pass over the polynomials, and the strict one.

Example:
    >>> from facsim.evaluate.jets import score_jets
    >>> scores = score_jets(reference, generated, null=more_truth)
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from facsim.core.arrays import Array
from facsim.evaluate.jet_measures import PROTOCOLS, JetNumber, JetOptions, JetSample, measure_jets
from facsim.metrics.protocols import JETNET
from facsim.metrics.score import Score

__all__ = ["JetOptions", "score_jets"]

RECOMMENDED = 50_000


def score_jets(
    reference: Array,
    candidate: Array,
    *,
    null: Array | None = None,
    reference_mask: Array | None = None,
    candidate_mask: Array | None = None,
    null_mask: Array | None = None,
    protocols: str | Sequence[str] = PROTOCOLS,
    jet_type: str | None = None,
    seed: int = 42,
    options: JetOptions | None = None,
) -> list[Score]:
    """All scores of generated jets.

    `jetnet-0.2.5`: `fpd`, `kpd`, `w1m`, `w1p` (mean, and `w1p/eta`, `w1p/phi`, `w1p/pt`), `w1efp` (mean, and each of
    its five polynomials), `coverage`, `mmd`, as the package jetnet 0.2.5 computes them. `strict`: unbiased `fpd` and
    `kpd`, `w1p` and `w1efp` of all jets in units of the reference's standard deviations, `w1/...` and `separation/...`
    of every observable of `physics.jet_observables`, `outliers`, `coverage` and `mmd` of batches that share no jet.

    Args:
        reference: (N, P, 3 or more), columns eta, phi, pT, relative to the jet as in JetNet; padding has pT = 0.
        candidate: (M, Q, 3 or more), jets to judge.
        null: more truth, disjoint from the reference; gives every score its null.
        reference_mask, candidate_mask, null_mask: 1 for a particle, 0 for padding.
        protocols: one or both of the two.
        jet_type: `g`, `q` or `t` adds FPND, for 30 particles; see `evaluate.fpnd`.
        seed: of all draws; 42 gives jetnet's own FPD and KPD.
        options: sizes of the resampled numbers.

    Raises:
        FacsimError: wrong jets, unknown protocol, samples too small, or FPND without its weights.
    """
    chosen = options or JetOptions()
    truth, judged = JetSample(reference, reference_mask), JetSample(candidate, candidate_mask)
    other = None if null is None else JetSample(null, null_mask)
    scores = []
    for protocol in [protocols] if isinstance(protocols, str) else protocols:
        found = measure_jets(truth, judged, protocol, chosen, seed)
        of_null = {} if other is None else {n.name: n for n in measure_jets(truth, other, protocol, chosen, seed)}
        few = protocol == JETNET and min(len(truth), len(judged)) < RECOMMENDED
        note = f"jetnet recommends at least {RECOMMENDED:,} jets." if few else ""
        for number in found:
            null_number = of_null.get(number.name, JetNumber(number.name, math.nan, math.nan))
            scores.append(_score(number, null_number, protocol, (len(truth), len(judged)), seed, note))
    if jet_type is not None:
        from facsim.evaluate.fpnd import fpnd  # noqa: PLC0415

        scores.append(fpnd(judged.particles, jet_type, null=None if other is None else other.particles))
    return scores


def _score(number: JetNumber, null: JetNumber, protocol: str, sizes: tuple[int, int], seed: int, note: str) -> Score:
    defined = math.isfinite(number.value)
    return Score(
        number.name,
        protocol,
        number.value,
        number.error,
        null.value,
        null.error,
        *sizes,
        seed,
        status="ok" if defined else "not computed" if number.note else "failed",
        better=number.better,
        note=note if defined else number.note or "This has no value where the reference does not vary.",
        p_value=number.p_value,
    )
