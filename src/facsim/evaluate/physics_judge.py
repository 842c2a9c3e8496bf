"""Scorecards of events whose physics a `TaskPhysics` describes: tables and images of any detector."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim import metrics
from facsim.core.errors import FacsimError
from facsim.core.events import Events, EventSource
from facsim.core.geometry import FloatArray
from facsim.core.rng import generator
from facsim.core.sources import SubsetSource
from facsim.data.checks import check_alike
from facsim.evaluate.histograms import FORMAT as HISTS_FORMAT
from facsim.evaluate.histograms import column_item
from facsim.evaluate.measures import FEWEST_IN_REGION, WORST, Measured, Regions
from facsim.evaluate.physics import TaskPhysics
from facsim.evaluate.scorecard import CONTROL_SIGMAS, FEWEST_SHOWERS, SEEN_SIGMAS, Scorecard, ScorecardOptions
from facsim.metrics.classifier import PROTOCOL, C2STResult, classifier_test
from facsim.metrics.protocols import STRICT
from facsim.metrics.score import Score
from facsim.metrics.validity import validity
from facsim.physics.observables import strict_bins

HIGH, LOW = "auc_high", "auc_cells"
MOST = 20_000


@dataclass(frozen=True)
class Judged:
    """One sample, read once: events (at most `MOST`), quantities (N, D), classifier inputs, and weights."""

    events: Events
    values: FloatArray
    features: FloatArray
    pixels: FloatArray | None
    picked: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.events)

    @property
    def weight(self) -> FloatArray | None:
        return None if self.events.weight is None else np.asarray(self.events.weight, dtype=np.float64)

    def inputs(self, name: str) -> FloatArray:
        """What the classifier test `name` sees, of the picked events."""
        values = self.features if name == HIGH else self.pixels
        assert values is not None
        return values[self.picked]


class PhysicsJudge:
    """Two truth samples of a task's events, ready to judge generated ones; as `scorecard.Judge` is for showers.

    Args:
        physics: what the task says of its events.
        reference: truth sample A.
        null: truth sample B, disjoint from A; generators are sampled at its conditions.
        seed: of every random choice.
        options: see `ScorecardOptions`; `most` events are seen by classifiers and kernel metrics.

    Raises:
        FacsimError: fewer than 50 events, or events of another task.
    """

    def __init__(
        self,
        physics: TaskPhysics,
        reference: EventSource,
        null: EventSource,
        *,
        seed: int,
        options: ScorecardOptions | None = None,
    ) -> None:
        check_alike(reference.schema, null.schema, "reference", "null")
        self.physics, self.seed, self.options = physics, seed, options or ScorecardOptions()
        self.schema = reference.schema
        self.reference, self.null = self.take(reference, "reference"), self.take(null, "null")
        self._n_conditions = physics.conditions(self.reference.events.cond[:1]).shape[1]

    def take(self, source: EventSource, role: str) -> Judged:
        """What is kept of a sample.

        Raises:
            FacsimError: too few events, or of another kind.
        """
        check_alike(self.schema, source.schema, "reference", role)
        if len(source) < FEWEST_SHOWERS:
            raise FacsimError(f"the {role} sample has {len(source)} events; scores need at least {FEWEST_SHOWERS}.")
        rng = generator(self.seed, "judged")
        if len(source) > MOST:
            source = SubsetSource(source, np.sort(rng.choice(len(source), MOST, replace=False)))
        events = source.read(0, len(source))
        self.physics.check(events)
        values = np.asarray(self.physics.observe(events), dtype=np.float64)
        conditions = self.physics.conditions(events.cond)
        pixels = self.physics.pixels(events)
        picked = np.sort(rng.choice(len(events), min(self.options.most, len(events)), replace=False))
        low = None if pixels is None else np.hstack([conditions, pixels])
        features = np.hstack([conditions, self.physics.features(events, values)])
        return Judged(events, values, features, low, picked)

    @cached_property
    def regions(self) -> Regions:
        if not self.physics.region:
            return Regions(())
        return Regions.quantiles(self._region_values(self.reference), self.options.energy_bins)

    @cached_property
    def null_numbers(self) -> dict[tuple[str, str, str], Measured]:
        """Truth against truth."""
        return self._numbers(self.reference, self.null)

    @cached_property
    def control(self) -> dict[tuple[str, str, str], Measured]:
        """AUCs of sample B with its known defect: the positive control."""
        events = self.physics.distorted(self.null.events)
        values = self.physics.observe(events)
        conditions, pixels = self.physics.conditions(events.cond), self.physics.pixels(events)
        low = None if pixels is None else np.hstack([conditions, pixels])
        features = np.hstack([conditions, self.physics.features(events, values)])
        distorted = Judged(events, values, features, low, self.null.picked)
        return self._aucs(self.reference, distorted, self._tests(self.reference, distorted))

    def judge(
        self, name: str, generated: EventSource, *, kind: str = "file", resamples_truth: bool = False
    ) -> tuple[Scorecard, dict[str, Any]]:
        """Scorecard and histograms of one generated sample; arguments as of `scorecard.Judge.judge`."""
        sample = self.take(generated, "generated")
        numbers = self._numbers(self.reference, sample)
        counts = {"reference": len(self.reference), "generated": len(sample), "null": len(self.null)}
        card = Scorecard(
            name,
            kind,
            self.seed,
            counts,
            [],
            [self._score(key, number) for key, number in numbers.items()],
            controls={f"{key[0]}/{key[2]}": self._control_row(key) for key in self.control},
            validity=self._validity(sample),
            notes=self._notes(sample, len(generated), resamples_truth),
            binned=self._binned(),
        )
        return card, self._histograms(name, sample)

    def headline(self, generated: EventSource) -> C2STResult:
        """The classifier test `auc_high` alone."""
        return self._test(self.reference, self.take(generated, "generated"), HIGH)

    def _test(self, a: Judged, b: Judged, name: str) -> C2STResult:
        weights = [None if s.weight is None else s.weight[s.picked] for s in (a, b)]
        return classifier_test(
            a.inputs(name),
            b.inputs(name),
            self.seed,
            a.events.group_id[a.picked],
            b.events.group_id[b.picked],
            conditions=self._n_conditions,
            weights_a=weights[0],
            weights_b=weights[1],
        )

    def _tests(self, a: Judged, b: Judged) -> dict[str, C2STResult]:
        return {name: self._test(a, b, name) for name in (HIGH, LOW) if name == HIGH or a.pixels is not None}

    def _aucs(self, a: Judged, b: Judged, tests: Mapping[str, C2STResult]) -> dict[tuple[str, str, str], Measured]:
        found: dict[tuple[str, str, str], Measured] = {}
        for name, result in tests.items():
            note = f"{result.architecture}; trained on {result.n_train}."
            counts = (len(result.scores_a), len(result.scores_b))
            found[name, PROTOCOL, "all"] = Measured(result.auc, result.error, counts, note=note)
            binned = {}
            for region, low, high in self.regions.bounds():
                inside = [self._inside(s, low, high)[s.picked] for s in (a, b)]
                if min(np.count_nonzero(part) for part in inside) >= FEWEST_IN_REGION:
                    auc, error = result.region(*inside)
                    binned[region] = Measured(auc, error, (int(inside[0].sum()), int(inside[1].sum())))
            found.update({(name, PROTOCOL, region): number for region, number in binned.items()})
            if binned:
                region, worst = max(binned.items(), key=lambda pair: pair[1].value)
                found[name, PROTOCOL, WORST] = replace(worst, note=f"largest in {region}.")
        return found

    def _numbers(self, a: Judged, b: Judged) -> dict[tuple[str, str, str], Measured]:
        tests = self._tests(a, b)
        found = self._aucs(a, b, tests)
        for name, number in self.physics.tested(tests[HIGH], a.events[a.picked], b.events[b.picked]).items():
            found[name, PROTOCOL, "all"] = number
        counts = (len(a), len(b))
        # conditions are among the features: what is compared is how quantities go with them
        whole, few = (slice(None), slice(None)), (a.picked, b.picked)
        for function, rows in ((metrics.fpd, whole), (metrics.kpd, few)):
            score = function(
                a.features[rows[0]],
                b.features[rows[1]],
                seed=self.seed,
                reference_weights=_part(a.weight, rows[0]),
                candidate_weights=_part(b.weight, rows[1]),
            )
            found[score.name, score.protocol, "all"] = Measured(
                score.value, score.error, (score.n_reference, score.n_generated), p_value=score.p_value
            )
        for k, quantity in enumerate(self.physics.quantities):
            for score in _single(a.values[:, k], b.values[:, k], a.weight, b.weight, self.seed):
                found[f"{score.name}/{quantity.name}", STRICT, "all"] = Measured(
                    score.value, score.error, counts, p_value=score.p_value
                )
        for name, number in self.physics.measures(a.events, b.events, self.seed).items():
            found[name, STRICT, "all"] = number
        return found

    def _score(self, key: tuple[str, str, str], number: Measured) -> Score:
        name, protocol, region = key
        null = self.null_numbers.get(key, Measured(math.nan, math.nan, (0, 0)))
        status, note = number.status, number.note
        if name in (HIGH, LOW) and key in self.control:
            control = self.control[key]
            seen = control.value - null.value >= CONTROL_SIGMAS * math.hypot(control.error, null.error)
            if not seen and number.value - null.value <= SEEN_SIGMAS * math.hypot(number.error, null.error):
                status = "underpowered"
            note = f"Positive control: {control.value:.3f} ± {control.error:.3f}. {note}"
        return Score(
            name,
            protocol,
            number.value,
            number.error,
            null.value,
            null.error,
            *number.counts,
            self.seed,
            region,
            status,
            number.better,
            note.strip(),
            number.p_value,
        )

    def _control_row(self, key: tuple[str, str, str]) -> dict[str, Any]:
        number, null = self.control[key], self.null_numbers[key]
        seen = number.value - null.value >= CONTROL_SIGMAS * math.hypot(number.error, null.error)
        return {"distortion": self.physics.distortion, "value": number.value, "error": number.error, "seen": bool(seen)}

    def _region_values(self, sample: Judged) -> FloatArray:
        return np.asarray(sample.events.condition(self.physics.region), dtype=np.float64)

    def _inside(self, sample: Judged, low: float, high: float) -> NDArray[np.bool_]:
        values = self._region_values(sample)
        inside: NDArray[np.bool_] = (values >= low) & (values < high)
        return inside

    def _binned(self) -> dict[str, Any]:
        if not self.physics.region:
            return {}
        feature = self.schema.conditions[self.schema.condition_index(self.physics.region)]
        return {"condition": feature.name, "unit": feature.unit, "edges": list(self.regions.edges)}

    def _validity(self, sample: Judged) -> dict[str, Any]:
        found = validity(self.reference.values, sample.values, seed=self.seed)
        flat = sample.events.x.reshape(len(sample), -1)
        same = len(flat) - len(np.unique(flat, axis=0))
        return {
            "format": "facsim-events-validity-1",
            "events": len(sample),
            "exact_duplicates": same,
            "features_outside": len(found.outliers.events),
            "valid": bool(np.isfinite(flat).all()),
        }

    def _notes(self, sample: Judged, n: int, resamples_truth: bool) -> list[str]:
        notes = []
        if resamples_truth:
            notes.append("This generator hands out events of truth: it bounds what the scores can tell.")
        if n > len(sample):
            notes.append(f"A seeded subset of {len(sample)} of {n} {self.physics.noun} was compared.")
        if len(sample.picked) < len(sample):
            notes.append(f"Classifiers and KPD saw {len(sample.picked)} of {len(sample)} {self.physics.noun}.")
        return notes

    def _histograms(self, name: str, sample: Judged) -> dict[str, Any]:
        judged = {"reference": self.reference, "null": self.null, "generated": sample}
        samples: Mapping[str, Events] = {role: one.events for role, one in judged.items()}
        items = [
            column_item(
                q.name,
                q.label,
                q.unit,
                {role: one.values[:, k] for role, one in judged.items()},
                log=q.log,
                weights={role: one.weight for role, one in judged.items()},
            )
            for k, q in enumerate(self.physics.quantities)
        ]
        return {
            "format": HISTS_FORMAT,
            "name": name,
            "items": items,
            "profiles": [],
            "correlations": {},
            "mean_shower": {},
            "curves": [curve.to_dict() for curve in self.physics.curves(samples)],
            "images": [image.to_dict() for image in self.physics.images(samples)],
        }


def _part(weight: FloatArray | None, rows: Any) -> FloatArray | None:
    return None if weight is None else weight[rows]


def _single(x: FloatArray, y: FloatArray, wx: FloatArray | None, wy: FloatArray | None, seed: int) -> list[Score]:
    """Distances of one quantity; those that need a density or quantiles take no negative weights."""
    found = [metrics.ks(x, y, reference_weights=wx, candidate_weights=wy)]
    if any(weight is not None and weight.min() < 0 for weight in (wx, wy)):
        return found
    bins, normalise = strict_bins(x), bool(np.ptp(x) > 0)
    return [
        metrics.separation(x, y, bins, seed=seed, reference_weights=wx, candidate_weights=wy),
        metrics.w1(x, y, normalise=normalise, reference_weights=wx, candidate_weights=wy),
        *found,
    ]
