"""Scores of showers that are point clouds: their observables as a table, and what a scorecard holds of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.events import EventSource, chunks
from facsim.core.geometry import FloatArray
from facsim.core.rng import generator
from facsim.core.schema import Schema
from facsim.core.sources import SubsetSource, batch_rows
from facsim.data.checks import check_alike
from facsim.data.showerdata import is_shower_cloud
from facsim.evaluate.files import truth_samples
from facsim.evaluate.histograms import FORMAT as HISTS_FORMAT
from facsim.evaluate.histograms import column_item
from facsim.evaluate.scorecard import FEWEST_SHOWERS, Scorecard
from facsim.evaluate.tables import TableScores, score_table
from facsim.metrics.classifier import FEWEST_EVENTS, C2STResult, classifier_test
from facsim.metrics.score import Score
from facsim.physics.cloud_observables import CLOUD_OBSERVABLES, cloud_table

BATCH_MB = 32.0
AUC = "auc_high"
ENERGY = "log_e_inc"
MOST = 10_000


def score_clouds(
    reference: EventSource,
    generated: EventSource,
    *,
    seed: int,
    name: str = "generated",
    null: EventSource | None = None,
) -> tuple[Scorecard, dict[str, Any]]:
    """Scorecard and histograms of point-cloud showers, as `files.score_files` of showers in cells.

    Each observable of `physics.cloud_observables` is compared by itself, and all of them with the logarithm of the
    incident energy (and the other conditions that vary) together: `auc_high`, `fpd`, `kpd` and what else
    `tables.score_table` computes. Everything streams.

    Args:
        reference: truth. generated: clouds at the same distribution of conditions.
        seed: of the division and of every other random choice.
        name: of the generated sample.
        null: a second truth sample, disjoint from the reference, which is then not divided.

    Raises:
        FacsimError: too few showers, other clouds than of x, y, z and energy, or broken events.
    """
    first, second, judged, note = truth_samples(reference, generated, null, seed)
    card, histograms = CloudJudge(first, second, seed=seed).judge(name, judged)
    card.notes.insert(0, note)
    return card, histograms


class CloudJudge:
    """Two truth samples of point-cloud showers, ready to judge generated ones; as `scorecard.Judge` is for cells.

    Args:
        reference: truth sample A.
        null: truth sample B, disjoint from A; generators are sampled at its conditions.
        seed: of every random choice.
        most: showers a sample that are compared, at most (a seeded subset).

    Raises:
        FacsimError: fewer than 50 showers, or other clouds than of x, y, z and energy.
    """

    def __init__(self, reference: EventSource, null: EventSource, *, seed: int, most: int = MOST) -> None:
        check_alike(reference.schema, null.schema, "reference", "null")
        if not is_shower_cloud(reference.schema):
            raise FacsimError(
                "scores of clouds are of energy deposits at x, y, z, and these have "
                f"{[feature.name for feature in reference.schema.features]}."
            )
        self.seed, self.most = seed, most
        self._schema = reference.schema
        self._reference, self._null = self._table(reference, "reference"), self._table(null, "null")
        self._names, self._kept = _columns(self._reference, self._schema)

    def judge(
        self, name: str, generated: EventSource, *, kind: str = "file", resamples_truth: bool = False
    ) -> tuple[Scorecard, dict[str, Any]]:
        """Scorecard and histograms of one generated sample; arguments as of `scorecard.Judge.judge`."""
        samples = {"reference": self._reference, "null": self._null, "generated": self._table(generated, "generated")}
        a, b, c = (table[:, self._kept] for table in samples.values())
        scores = score_table(
            a,
            c,
            null=b,
            names=self._names,
            seed=self.seed,
            conditions=self._conditions,
            classifier_from=FEWEST_EVENTS,
        )
        notes = ["These are clouds: give a read-out with 'geometry' to compare them cell by cell as well."]
        if len(generated) > self.most:
            notes.append(f"A seeded subset of {self.most} of {len(generated)} showers was compared.")
        if resamples_truth:
            notes.append("This generator hands out truth showers: it bounds what the scores can tell.")
        counts = {"reference": len(a), "generated": len(c), "null": len(b)}
        card = Scorecard(name, kind, self.seed, counts, [], _ordered(scores), validity=_validity(scores), notes=notes)
        return card, _histograms(name, samples)

    def headline(self, generated: EventSource) -> C2STResult:
        """The classifier test of a scorecard alone."""
        a, c = self._reference[:, self._kept], self._table(generated, "generated")[:, self._kept]
        return classifier_test(a, c[np.isfinite(c).all(axis=1)], self.seed, conditions=self._conditions)

    @property
    def _conditions(self) -> int:
        return len(self._names) - len(CLOUD_OBSERVABLES)

    def _table(self, source: EventSource, role: str) -> FloatArray:
        check_alike(self._schema, source.schema, "reference", role)
        if len(source) < FEWEST_SHOWERS:
            raise FacsimError(f"the {role} sample has {len(source)} showers; scores need at least {FEWEST_SHOWERS}.")
        if len(source) > self.most:
            picked = generator(self.seed, "clouds").choice(len(source), self.most, replace=False)
            source = SubsetSource(source, np.sort(picked))
        return _table(source)


def _ordered(tables: TableScores) -> list[Score]:
    """What compares all observables together first, the classifier at its head, under the names of other showers."""
    named = [replace(score, name=AUC) if score.name == "auc" else score for score in tables.scores]
    return sorted(named, key=lambda score: (score.name != AUC, "/" in score.name))


def _table(source: EventSource) -> FloatArray:
    """log10 of the incident energy, the other conditions, and all observables, (N, 1 + K + D)."""
    parts = []
    for batch in chunks(source, batch_rows(source, BATCH_MB)):
        incident = np.asarray(batch.condition("incident_energy"), dtype=np.float64)
        mask = np.ones(batch.x.shape[:2], dtype=bool) if batch.mask is None else batch.mask
        others = np.delete(batch.cond, batch.schema.condition_index("incident_energy"), axis=1)
        parts.append(np.hstack([np.log10(incident)[:, None], others, cloud_table(batch.x, mask, incident)]))
    return np.concatenate(parts)


def _columns(table: FloatArray, schema: Schema) -> tuple[list[str], list[int]]:
    """Names and positions of the columns that say something: observables, and conditions that vary."""
    conditions = [feature.name for feature in schema.conditions if feature.name != "incident_energy"]
    names = [ENERGY, *conditions, *CLOUD_OBSERVABLES]
    fixed = range(1 + len(conditions))
    kept = [i for i in range(len(names)) if i not in fixed or np.ptp(table[:, i]) > 0]
    return [names[i] for i in kept], kept


def _validity(scores: TableScores) -> dict[str, Any]:
    found = scores.validity
    return {
        "format": "facsim-cloud-validity-1",
        "showers": found.events,
        "showers_not_finite": len(found.not_finite),
        "exact_duplicates": len(found.duplicates),
        "features_outside": len(found.outliers.events),
        "valid": found.ok,
    }


def _histograms(name: str, samples: dict[str, FloatArray]) -> dict[str, Any]:
    first = next(iter(samples.values())).shape[1] - len(CLOUD_OBSERVABLES)
    items = [
        column_item(line.name, line.label, line.unit, {role: table[:, first + k] for role, table in samples.items()})
        for k, line in enumerate(CLOUD_OBSERVABLES.values())
    ]
    return {"format": HISTS_FORMAT, "name": name, "items": items, "profiles": [], "correlations": {}, "mean_shower": {}}
