"""Scorecards of events whose physics a `TaskPhysics` describes: tables and images of any detector."""

from __future__ import annotations

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
from facsim.core.sources import MemorySource, SubsetSource, held
from facsim.data.checks import check_alike
from facsim.evaluate.event_memory import EventMemory, keys_of
from facsim.evaluate.histograms import FORMAT as HISTS_FORMAT
from facsim.evaluate.histograms import column_item
from facsim.evaluate.measures import AUCS, NETWORK, Key, Measured, Regions, as_score, auc_numbers, control_seen
from facsim.evaluate.physics import TaskPhysics
from facsim.evaluate.scorecard import FEWEST_SHOWERS, Scorecard, ScorecardOptions
from facsim.metrics.classifier import PROTOCOL, C2STResult, classifier_test
from facsim.metrics.protocols import STRICT
from facsim.metrics.score import Score
from facsim.metrics.validity import validity
from facsim.physics.observables import strict_bins

HIGH, LOW = AUCS
SHARED = 0.01


@dataclass(frozen=True)
class Judged:
    """One sample, read once: events, quantities (N, D), classifier inputs, and the condition (N,) by
    which there are regions."""

    events: Events
    values: FloatArray
    features: FloatArray
    pixels: FloatArray | None
    picked: NDArray[np.int64]
    region: FloatArray

    def __len__(self) -> int:
        return len(self.events)

    @property
    def weight(self) -> FloatArray | None:
        return None if self.events.weight is None else np.asarray(self.events.weight, dtype=np.float64)

    def inside(self, low: float, high: float) -> NDArray[np.bool_]:
        """Which events lie in a region, (N,)."""
        found: NDArray[np.bool_] = (self.region >= low) & (self.region < high)
        return found

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
        train: what the generators were made from, for the memorisation check; without it that check is left out.
        seed: of every random choice.
        options: see `ScorecardOptions`; `most` events are seen by classifiers and kernel metrics.

    Raises:
        FacsimError: fewer than 50 events, other conditions, or events of another task.
    """

    def __init__(
        self,
        physics: TaskPhysics,
        reference: EventSource,
        null: EventSource,
        train: EventSource | None = None,
        *,
        seed: int,
        options: ScorecardOptions | None = None,
    ) -> None:
        check_alike(reference.schema, null.schema, "reference", "null")
        if train is not None:
            check_alike(reference.schema, train.schema, "reference", "training")
        self.physics, self.seed, self.options = physics, seed, options or ScorecardOptions()
        self.schema = reference.schema
        self.reference, self.null = self.take(reference, "reference"), self.take(null, "null")
        self._memory: EventMemory | None = None
        if train is not None:
            truth = (held(train), held(reference), held(null))
            self._memory = EventMemory(*truth, seed=seed, most=self.options.most_memory)
        self._n_conditions = physics.conditions(self.reference.events.cond[:1]).shape[1]

    def take(self, source: EventSource, role: str) -> Judged:
        """What is kept of a sample.

        Raises:
            FacsimError: too few events, or of another kind.
        """
        check_alike(self.schema, source.schema, "reference", role)
        names = [[feature.name for feature in schema.conditions] for schema in (self.schema, source.schema)]
        if names[0] != names[1]:
            raise FacsimError(f"the reference sample has the conditions {names[0]}, the {role} sample {names[1]}.")
        if len(source) < FEWEST_SHOWERS:
            raise FacsimError(f"the {role} sample has {len(source)} events; scores need at least {FEWEST_SHOWERS}.")
        rng = generator(self.seed, "judged")
        if len(source) > self.physics.most:
            source = SubsetSource(source, np.sort(rng.choice(len(source), self.physics.most, replace=False)))
        events = source.read(0, len(source))
        self.physics.check(events)
        picked = np.sort(rng.choice(len(events), min(self.options.most, len(events)), replace=False))
        return self._judged(events, picked)

    def _judged(self, events: Events, picked: NDArray[np.int64]) -> Judged:
        values = np.asarray(self.physics.observe(events), dtype=np.float64)
        conditions, pixels = self.physics.conditions(events.cond), self.physics.pixels(events)
        low = None if pixels is None else np.hstack([conditions, pixels])
        features = np.hstack([conditions, self.physics.features(events, values)])
        region = np.zeros(len(events))
        if self._region:
            region = np.asarray(events.condition(self._region), dtype=np.float64)
        return Judged(events, values, features, low, picked, region)

    @cached_property
    def _region(self) -> str:
        """The condition by which there are regions; empty where the events do not have it."""
        names = [feature.name for feature in self.schema.conditions]
        return self.physics.region if self.physics.region in names else ""

    @cached_property
    def regions(self) -> Regions:
        if not self._region:
            return Regions(())
        return Regions.quantiles(self.reference.region, self.options.energy_bins)

    @cached_property
    def null_numbers(self) -> dict[Key, Measured]:
        """Truth against truth."""
        return self._numbers(self.reference, self.null)

    @cached_property
    def floors(self) -> dict[Key, tuple[float, float]]:
        """Truth against truth, divided anew."""
        return self.physics.floors(self.reference.events, self.null.events, self.seed)

    @cached_property
    def control(self) -> dict[Key, Measured]:
        """AUCs of sample B with its known defect: the positive control."""
        distorted = self._judged(self.physics.distorted(self.null.events), self.null.picked)
        found = self._aucs(self.reference, distorted, self._tests(self.reference, distorted))
        return found | self._network(self.reference, distorted)

    def judge(
        self, name: str, generated: EventSource, *, kind: str = "file", resamples_truth: bool = False
    ) -> tuple[Scorecard, dict[str, Any]]:
        """Scorecard and histograms of one generated sample; arguments as of `scorecard.Judge.judge`."""
        sample = self.take(generated, "generated")
        numbers = self._numbers(self.reference, sample)
        scores = [self._score(key, number) for key, number in numbers.items()]
        if self._memory is not None:
            scores += self._memory.scores(held(generated), self.physics.noun, resamples_truth)
        checks, notes = self._validity(sample), self._notes(sample, len(generated), resamples_truth)
        if checks["shared_with_truth"]:
            scores = [replace(score, status="suspicious") if score.status == "ok" else score for score in scores]
            notes.insert(
                0,
                f"{checks['shared_with_truth']} {self.physics.noun} are {self.physics.noun} of truth itself: "
                "these scores mean nothing.",
            )
        counts = {"reference": len(self.reference), "generated": len(sample), "null": len(self.null)}
        card = Scorecard(
            name,
            kind,
            self.seed,
            counts,
            [],
            scores,
            controls={f"{key[0]}/{key[2]}": self._control_row(key) for key in self.control},
            validity=checks,
            notes=notes,
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

    def _aucs(self, a: Judged, b: Judged, tests: Mapping[str, C2STResult]) -> dict[Key, Measured]:
        parts = (auc_numbers(name, result, a, b, self.regions) for name, result in tests.items())
        return {key: number for part in parts for key, number in part.items()}

    def _numbers(self, a: Judged, b: Judged) -> dict[Key, Measured]:
        tests = self._tests(a, b)
        found = self._aucs(a, b, tests)
        for name, number in self.physics.tested(tests[HIGH], a.events[a.picked], b.events[b.picked]).items():
            found[name, PROTOCOL, "all"] = number
        found |= self._network(a, b)
        counts = (len(a), len(b))
        # conditions are among the features: what is compared is how quantities go with them
        whole, few = (slice(None), slice(None)), (a.picked, b.picked)
        for function, rows in ((metrics.fpd, whole), (metrics.kpd, few)) if self.physics.distances else ():
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
        found |= self.physics.scored(a.events, b.events, self.seed)
        return found | self.physics.derived(found, self.floors)

    def _network(self, a: Judged, b: Judged) -> dict[Key, Measured]:
        """The classifier test with a network, of the first `options.network` events that classifiers see."""
        most = self.options.network
        if most < FEWEST_SHOWERS:
            return {}
        few = [sample.events[sample.picked[:most]] for sample in (a, b)]
        samples = [self.physics.network_sample(events) for events in few]
        if samples[0] is None or samples[1] is None:
            return {}
        from facsim.evaluate.network_auc import NETWORK_PROTOCOL, network_auc  # noqa: PLC0415  torch is heavy

        return {(NETWORK, NETWORK_PROTOCOL, "all"): network_auc(samples[0], samples[1], self.seed)}

    def _score(self, key: Key, number: Measured) -> Score:
        null, control = self.null_numbers.get(key), self.control.get(key)
        return as_score(key, number, null, self.seed, control, self.physics.distortion)

    def _control_row(self, key: Key) -> dict[str, Any]:
        number, seen = self.control[key], control_seen(self.control[key], self.null_numbers[key])
        return {"distortion": self.physics.distortion, "value": number.value, "error": number.error, "seen": seen}

    def _binned(self) -> dict[str, Any]:
        if not self._region:
            return {}
        feature = self.schema.conditions[self.schema.condition_index(self._region)]
        return {"condition": feature.name, "unit": feature.unit, "edges": list(self.regions.edges)}

    def _validity(self, sample: Judged) -> dict[str, Any]:
        found = validity(self.reference.values, sample.values, seed=self.seed)
        flat = sample.events.x.reshape(len(sample), -1)
        same = len(flat) - len(np.unique(flat, axis=0))
        return {
            "format": "facsim-events-validity-1",
            "events": len(sample),
            "exact_duplicates": same,
            "shared_with_truth": self._shared(sample),
            "features_outside": len(found.outliers.events),
            "valid": bool(np.isfinite(flat).all()),
        }

    @cached_property
    def _truth_keys(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Of samples A and B."""
        return keys_of(MemorySource(self.reference.events)), keys_of(MemorySource(self.null.events))

    def _shared(self, sample: Judged) -> int:
        """Events that are events of sample A or B; 0 where there are no more than discrete values make equal by chance,
        as those of B and A."""
        first, second = self._truth_keys
        count = int(np.isin(keys_of(MemorySource(sample.events)), np.concatenate([first, second])).sum())
        chance = min(1.0, 2 * float(np.isin(second, first).mean()))
        n = len(sample)
        few = n * chance + 5 * np.sqrt(n * chance * (1 - chance) + 1) + SHARED * n
        return count if count > few else 0

    def _notes(self, sample: Judged, n: int, resamples_truth: bool) -> list[str]:
        notes = []
        if self._memory is None:
            notes.append("No training sample was given: there is no memorisation check.")
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
            "displays": [display.to_dict() for display in self.physics.displays(samples)],
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
