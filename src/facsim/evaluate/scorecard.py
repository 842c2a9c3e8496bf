"""Scorecards: every number about a generated sample beside what truth scores against truth.

The null of every score is the same comparison between two disjoint truth samples, A (reference) and B (null). It is
the same for all generators, so a `Judge` measures it once and then judges as many samples as there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from scipy.stats import ks_2samp
from threadpoolctl import threadpool_limits

from facsim.core.errors import FacsimError
from facsim.core.events import EventSource
from facsim.core.sources import held
from facsim.data.checks import check_alike
from facsim.evaluate.histograms import sample_histograms
from facsim.evaluate.measures import (
    Key,
    Measured,
    Measures,
    Regions,
    as_score,
    auc_numbers,
    classifiers,
    control_seen,
    measure,
)
from facsim.evaluate.memorisation import Distances, distances, memorisation
from facsim.evaluate.sample import ShowerSample, take_sample
from facsim.evaluate.shower_weights import shower_weights
from facsim.evaluate.validity import validity
from facsim.metrics.classifier import C2STResult, classifier_test
from facsim.metrics.outliers import outliers
from facsim.metrics.score import Score

FORMAT = "facsim-scorecard-1"
CONTROL_SCALE = 1.02
FEWEST_SHOWERS = 50
ENERGY_P_VALUE = 1e-3
MOST_NAMED = 20


@dataclass(frozen=True)
class ScorecardOptions:
    """How a sample is judged.

    Args:
        energy_bins: quantile bins of the reference's incident energy.
        most: showers a sample that classifiers and kernel metrics see, at most (a seeded subset).
        most_memory: generated showers in the memorisation check, at most.
        network: events a sample that a classifier network sees, for tasks that have one; 0 leaves the test out.
        community: compute the batched protocols of FPD and KPD where there are enough showers (minutes of one core).
    """

    energy_bins: int = 4
    most: int = 3000
    most_memory: int = 1000
    community: bool = True
    network: int = 0


@dataclass(frozen=True)
class Scorecard:
    """All scores of one generated sample; `to_dict` is what `scores/<name>.json` holds."""

    name: str
    kind: str
    seed: int
    n: dict[str, int]
    energy_bins: list[float]
    scores: list[Score]
    curves: dict[str, Any] = field(default_factory=dict)
    controls: dict[str, Any] = field(default_factory=dict)
    validity: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    weights: dict[str, Any] = field(default_factory=dict)
    leaderboard: dict[str, Any] = field(default_factory=dict)
    binned: dict[str, Any] = field(default_factory=dict)
    """Condition, unit and edges of the regions where these are not bins of incident energy."""
    task: str = ""
    """What the events are where they are no showers and no configuration says it."""

    def score(self, name: str, region: str = "all", protocol: str | None = None) -> Score:
        """The first score of that name, region and, if given, protocol.

        Raises:
            FacsimError: there is none.
        """
        for score in self.scores:
            if score.name == name and score.region == region and protocol in (None, score.protocol):
                return score
        known = sorted({score.name for score in self.scores})
        raise FacsimError(f"the scorecard of '{self.name}' has no score '{name}' in region '{region}'; it has {known}.")

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready mapping."""
        return {
            "format": FORMAT,
            "name": self.name,
            "kind": self.kind,
            "seed": self.seed,
            "n": self.n,
            "energy_bins_MeV": self.energy_bins,
            "scores": [score.to_dict() for score in self.scores],
            "curves": self.curves,
            "controls": self.controls,
            "validity": self.validity,
            "notes": self.notes,
            "weights": self.weights,
            **({"leaderboard": self.leaderboard} if self.leaderboard else {}),
            **({"binned": self.binned} if self.binned else {}),
            **({"task": self.task} if self.task else {}),
        }


class Judge:
    """Two truth samples and what they score against one another, ready to judge generated samples.

    Args:
        reference: truth sample A.
        null: truth sample B, disjoint from A and of the same size; generators are sampled at its conditions.
        train: what the generators were made from, for the memorisation check; without it that check is left out.
        seed: of every random choice.
        options: see `ScorecardOptions`.

    Raises:
        FacsimError: fewer than 50 showers, different read-outs, or energies that are not finite.
    """

    def __init__(
        self,
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
        _check_size("reference", reference)
        _check_size("null", null)
        self.seed, self.options = seed, options or ScorecardOptions()
        # showers that fit in memory are read once, not once for each generator
        self.reference_source, self.null_source = held(reference), held(null)
        self.train_source = None if train is None else held(train)

    @cached_property
    def reference(self) -> ShowerSample:
        return take_sample(self.reference_source, self.seed, self.options.most)

    @cached_property
    def null(self) -> ShowerSample:
        return take_sample(self.null_source, self.seed, self.options.most)

    @cached_property
    def regions(self) -> Regions:
        return Regions.quantiles(self.reference.observations.e_inc, self.options.energy_bins)

    @cached_property
    def null_measures(self) -> Measures:
        """Truth against truth."""
        return measure(self.reference, self.null, self.regions, self.seed, self.options.community)

    @cached_property
    def control(self) -> dict[Key, Measured]:
        """AUCs of sample B with every cell energy raised by 2 % before the threshold: the positive control."""
        distorted = take_sample(self.null_source, self.seed, self.options.most, scale=CONTROL_SCALE)
        found: dict[Key, Measured] = {}
        for name, result in classifiers(self.reference, distorted, self.seed).items():
            found.update(auc_numbers(name, result, self.reference, distorted, self.regions))
        return found

    @cached_property
    def truth_distances(self) -> Distances:
        """Distances of sample B for the memorisation check."""
        assert self.train_source is not None
        most = self.options.most_memory
        return distances(self.null_source, self.train_source, self.null_source, seed=self.seed, max_events=most)

    def seen(self, key: Key) -> bool:
        """Whether the test sees the positive control: 2 standard errors above truth against truth."""
        return control_seen(self.control.get(key), self.null_measures.numbers.get(key))

    def judge(
        self, name: str, generated: EventSource, *, kind: str = "file", resamples_truth: bool = False
    ) -> tuple[Scorecard, dict[str, Any]]:
        """Scorecard and histograms (`hists/<name>.json`) of one generated sample, read once.

        Args:
            name: of the generator.
            generated: showers at the conditions of the null sample.
            kind: `surrogate`, `baseline` or `file`.
            resamples_truth: the generator hands out truth showers, changed or not.

        Raises:
            FacsimError: fewer than 50 showers, another read-out, or energies that are not finite.
        """
        check_alike(self.reference_source.schema, generated.schema, "reference", "generated")
        _check_size("generated", generated)
        # thousands of small matrix products: threads would only get in each other's way
        with threadpool_limits(1):
            return self._judge(name, held(generated), kind, resamples_truth)

    def headline(self, generated: EventSource) -> C2STResult:
        """The headline test of a scorecard, `auc_high`, alone."""
        a, b = self.reference, take_sample(generated, self.seed, self.options.most)
        features = a.features[a.picked], b.features[b.picked]
        return classifier_test(*features, self.seed, groups_a=a.groups, groups_b=b.groups, conditions=1)

    def _judge(
        self, name: str, generated: EventSource, kind: str, resamples_truth: bool
    ) -> tuple[Scorecard, dict[str, Any]]:
        sample = take_sample(generated, self.seed, self.options.most)
        measures = measure(self.reference, sample, self.regions, self.seed, self.options.community)
        scores = [self._score(key, number) for key, number in measures.numbers.items()]
        if self.train_source is not None:
            scores += memorisation(
                generated,
                self.train_source,
                self.null_source,
                seed=self.seed,
                resamples_truth=resamples_truth,
                max_events=self.options.most_memory,
                truth=self.truth_distances,
            )
        counts = self._validity(generated, sample)
        notes = self._notes(sample, resamples_truth)
        if counts["shared_with_truth"]:
            scores = [replace(score, status="suspicious") if score.status == "ok" else score for score in scores]
            notes.insert(
                0, f"{counts['shared_with_truth']} showers are showers of truth itself: these scores mean nothing."
            )
        card = Scorecard(
            name,
            kind,
            self.seed,
            {"reference": len(self.reference), "generated": len(sample), "null": len(self.null)},
            list(self.regions.edges),
            scores,
            self._curves(measures),
            {f"{key[0]}/{key[2]}": self._control_row(key) for key in self.control},
            counts,
            notes,
            weights=shower_weights(measures.tests["auc_high"], self.reference, sample),
        )
        return card, sample_histograms(name, self.reference, self.null, sample, self.regions)

    def _score(self, key: Key, number: Measured) -> Score:
        null = self.null_measures.numbers.get(key)
        return as_score(key, number, null, self.seed, self.control.get(key), f"cells x {CONTROL_SCALE}")

    @cached_property
    def _truth_outside(self) -> int:
        """Showers of sample B far outside of the reference's high-level features."""
        return len(outliers(self.reference.features, self.null.features).events)

    def _validity(self, generated: EventSource, sample: ShowerSample) -> dict[str, Any]:
        """Counts of impossible showers, and of those far outside of truth's high-level features, the farthest named."""
        counts, far = validity(generated, self.null_source), outliers(self.reference.features, sample.features)
        counts["reference"]["features_outside"] = self._truth_outside
        farthest = far.events[:MOST_NAMED].tolist()
        return {**counts, "features_outside": len(far.events), "farthest_outside": farthest}

    def _control_row(self, key: Key) -> dict[str, Any]:
        number = self.control[key]
        return {
            "distortion": f"cells x {CONTROL_SCALE}",
            "value": number.value,
            "error": number.error,
            "seen": self.seen(key),
        }

    def _curves(self, measures: Measures) -> dict[str, Any]:
        """Value of each layer (by the experiment's id) or ring, truth against truth beside it."""
        ids = [layer.id for layer in self.reference.geometry.layers]
        out: dict[str, Any] = {"layer_separation": {}, "layer_w1": {}}
        for name, (where, values) in measures.curves.items():
            kind, observable = name.split("/")
            null = dict(zip(*self.null_measures.curves.get(name, ([], [])), strict=True))
            rings = observable.startswith("ring")
            out["layer_separation" if kind == "separation" else "layer_w1"][observable] = {
                "ring" if rings else "layer": where if rings else [ids[i] for i in where],
                "value": values,
                "null": [null.get(i) for i in where],
            }
        return out

    def _notes(self, sample: ShowerSample, resamples_truth: bool) -> list[str]:
        notes = []
        if resamples_truth:
            notes.append(
                "This generator hands out truth showers: it bounds what the scores can tell, and only the "
                "memorisation and duplicate checks can see that nothing in it is new."
            )
        if len(sample.picked) < len(sample):
            notes.append(f"Classifiers and KPD saw a seeded subset of {len(sample.picked)} of {len(sample)} showers.")
        if self.train_source is None:
            notes.append("No training sample was given: there is no memorisation check.")
        if any(source.read(0, 1).weight is not None for source in (self.reference_source, self.null_source)):
            notes.append("The events have weights, which these scores do not use.")
        test = ks_2samp(self.null.observations.e_inc, sample.observations.e_inc)
        if test.pvalue < ENERGY_P_VALUE:
            notes.append(
                f"The incident energies differ from the reference's (Kolmogorov-Smirnov p = {test.pvalue:.1g}): "
                "scores mix this difference with that of the showers."
            )
        return notes


def _check_size(name: str, source: EventSource) -> None:
    if len(source) < FEWEST_SHOWERS:
        raise FacsimError(f"the {name} sample has {len(source)} showers; scores need at least {FEWEST_SHOWERS}.")


def scorecard(
    name: str,
    reference: EventSource,
    generated: EventSource,
    *,
    null: EventSource,
    train: EventSource | None,
    seed: int,
    options: ScorecardOptions | Mapping[str, Any] | None = None,
    kind: str = "file",
    resamples_truth: bool = False,
) -> Scorecard:
    """Scorecard of one generated sample; to judge several against the same truth, keep a `Judge`.

    Arguments as for `Judge` and `Judge.judge`; `options` may be a mapping of `ScorecardOptions`' fields.

    Raises:
        FacsimError: as `Judge`, or an unknown option.
    """
    settings = options if isinstance(options, ScorecardOptions | None) else _options(options)
    judge = Judge(reference, null, train, seed=seed, options=settings)
    return judge.judge(name, generated, kind=kind, resamples_truth=resamples_truth)[0]


def _options(options: Mapping[str, Any]) -> ScorecardOptions:
    known = ScorecardOptions.__dataclass_fields__
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise FacsimError(f"unknown scorecard options {unknown}: expected some of {sorted(known)}.")
    return ScorecardOptions(**options)
