"""The scorecards of all samples side by side, as tables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from facsim.evaluate.comparison import best_of
from facsim.report.blocks import Cell, Table
from facsim.report.rundata import Bins, Json, RunData, Sample
from facsim.report.text import DASH, MINUS, SIGMA, count, listing, plus_minus, score_label, significant

FAMILIES = (
    ("Classifier two-sample tests: 0.5 cannot be told from truth, 1 always can", ("auc",)),
    ("Distances between distributions of high-level features", ("fpd", "kpd", "frechet", "fpnd", "mmd")),
    ("Correlations", ("correlation",)),
    ("Number of truth showers that come as close to truth", ("equivalent_size",)),
    ("Memory and coverage", ("memor", "duplicate", "coverage", "recall", "precision", "density")),
    ("Separation power of single observables, mean over layers: 0 same, 1 disjoint", ("separation",)),
    ("Wasserstein distances of jet masses, particles and energy flow polynomials", ("w1m", "w1p", "w1efp")),
    ("Wasserstein distance of single observables, mean over layers", ("w1",)),
)
SINGLE = ("separation", "w1/")
WORST = "worst"
_VALIDITY = {
    "cells_not_finite": "cells that are not finite",
    "negative_cells": "cells with negative energy",
    "cells_below_threshold": "cells with energy below the read-out threshold",
    "empty_showers": "showers without any energy",
    "exact_duplicates": "showers equal to an earlier one, cell by cell",
    "cell_above_incident": "showers with a cell above the incident energy",
    "response_outside": "showers with a response outside truth's range",
    "features_outside": "showers with an observable far outside truth's range",
}
_IMPOSSIBLE = ("cells_not_finite", "negative_cells", "cells_below_threshold")
_REST = "Further scores"
_BIN = re.compile(r"E\d+")
Key = tuple[str, str]


def score_rows(samples: Sequence[Sample], region: str = "all") -> dict[Key, dict[str, Json]]:
    """Rows of `region`: (score name, protocol) to the JSON of each sample by name."""
    rows: dict[Key, dict[str, Json]] = {}
    for sample in samples:
        for row in sample.scores:
            if row.get("region", "all") == region and "name" in row:
                rows.setdefault((str(row["name"]), str(row.get("protocol", ""))), {})[sample.name] = row
    return rows


def by_family(rows: Mapping[Key, dict[str, Json]]) -> list[tuple[str, list[Key]]]:
    """Score keys under the heading of their family, families in reading order."""
    found: dict[str, list[Key]] = {}
    for key in rows:
        found.setdefault(_family(key[0]), []).append(key)
    order = [heading for heading, _ in FAMILIES] + [_REST]
    return [(heading, found[heading]) for heading in order if heading in found]


def _family(name: str) -> str:
    return next((heading for heading, starts in FAMILIES if name.lower().startswith(starts)), _REST)


def scorecard_table(run: RunData) -> Table:
    """Scores of whole showers over the whole energy range, and of the worst energy bin."""
    return Table(_columns(run), _parts(run, single=False), "Scorecard", _legend_text(run))


def observables_table(run: RunData) -> Table | None:
    """Scores of single observables over the whole energy range; None when there are none."""
    parts = _parts(run, single=True)
    return Table(_columns(run), parts, "Scores of single observables", folded=True) if parts else None


def _columns(run: RunData, first: str = "score") -> list[str]:
    return [first, f"{run.truth_name} against itself", *(sample.label for sample in run.with_scores)]


def _parts(run: RunData, single: bool) -> list[tuple[str, list[list[Cell]]]]:
    rows, worst = score_rows(run.with_scores), score_rows(run.with_scores, WORST)
    one = next((sample.bins.one for sample in run.with_scores if sample.bins.edges), "bin")
    parts = []
    for heading, keys in by_family(rows):
        lines = []
        for key in keys:
            if key[0].startswith(SINGLE) is not single or not _computed(rows[key]):
                continue
            lines.append(_line(run, Cell(score_label(key[0]), small=key[1]), rows[key]))
            if key in worst:
                label = Cell(f"{score_label(key[0])}, worst {one}", small=key[1])
                lines.append(_line(run, label, worst[key]))
        if lines:
            parts.append((heading, lines))
    return parts


def _computed(found: Mapping[str, Json]) -> bool:
    return any(row.get("value") is not None for row in found.values())


def not_computed(run: RunData) -> str:
    """A sentence on the scores that have no value in any sample; empty when there are none."""
    reasons: dict[str, list[str]] = {}
    for key, found in score_rows(run.with_scores).items():
        if not _computed(found):
            note = next((str(row["note"]) for row in found.values() if row.get("note")), "no reason is given.")
            reasons.setdefault(note.rstrip("."), []).append(full_label(key))
    return " ".join(f"Not computed: {listing(labels)}: {note}." for note, labels in reasons.items())


def _line(run: RunData, label: Cell, found: Mapping[str, Json]) -> list[Cell]:
    surrogates = {sample.name: found[sample.name] for sample in run.surrogates if sample.name in found}
    best = best_of(surrogates)
    cells = ((sample.name, score_cell(found.get(sample.name))) for sample in run.with_scores)
    return [label, null_cell(found), *(replace(cell, best=True) if name == best else cell for name, cell in cells)]


def regions_table(run: RunData) -> Table | None:
    """Scores in bins of incident energy; None when there are none."""
    samples = run.with_scores
    bins = next((s.bins for s in samples if s.bins.edges), Bins("", "", []))
    parts = []
    per_bin = [score_rows(samples, f"E{k + 1}") for k in range(max(len(bins.edges) - 1, 0))]
    for key in dict.fromkeys(key for rows in per_bin for key in rows):
        lines = []
        for k, rows in enumerate(per_bin):
            found = rows.get(key, {})
            lines.append(_line(run, Cell(bins.words(k)), found))
        parts.append((full_label(key), lines))
    if not parts:
        return None
    return Table(_columns(run, bins.condition), parts, f"Scores in bins of {bins.condition}", folded=True)


def kinds_table(run: RunData) -> Table | None:
    """Scores of events of one kind each; None when there is only one."""
    samples = run.with_scores
    regions = dict.fromkeys(str(row.get("region", "all")) for sample in samples for row in sample.scores)
    kinds = [name for name in regions if name not in ("all", WORST) and not _BIN.fullmatch(name)]
    parts = []
    for kind in kinds:
        rows = score_rows(samples, kind)
        lines = [
            _line(run, Cell(score_label(key[0]), small=key[1]), found)
            for key, found in rows.items()
            if _computed(found)
        ]
        parts.append((kind, lines))
    return Table(_columns(run), parts, f"Scores of each kind of {run.noun}", folded=True) if parts else None


def full_label(key: Key) -> str:
    """Family, observable and protocol of a score in one line."""
    name, protocol = key
    family = {"separation": "separation, ", "w1": "Wasserstein, "}.get(name.partition("/")[0], "")
    return f"{family}{score_label(name)} ({protocol})" if protocol else f"{family}{score_label(name)}"


def validity_table(run: RunData) -> Table | None:
    """Counts of impossible or suspicious showers; None when nothing was counted."""
    samples = [sample for sample in run.with_scores if (sample.scorecard or {}).get("validity")]
    lines = []
    for key, words in _VALIDITY.items():
        found = [(sample.scorecard or {})["validity"] for sample in samples]
        counts = [(found[0].get("reference") or {}).get(key) if found else None, *(part.get(key) for part in found)]
        if any(value is not None for value in counts):
            lines.append([Cell(words), *(_count_cell(value, key in _IMPOSSIBLE) for value in counts)])
    if not lines:
        return None
    columns = ["count", run.truth_name, *(sample.label for sample in samples)]
    return Table(columns, [("", lines)], "Are the showers possible at all?")


def _count_cell(value: int | None, impossible: bool) -> Cell:
    if value is None:
        return Cell(DASH)
    return Cell(count(value), mark="poor", mark_text="✕ impossible") if value and impossible else Cell(count(value))


def null_cell(found: Mapping[str, Json]) -> Cell:
    """What truth itself scores, from the first sample that says so."""
    row = next((row for row in found.values() if row.get("null") is not None), None)
    return Cell(DASH) if row is None else Cell(plus_minus(row["null"], row.get("null_error")))


def score_cell(row: Json | None) -> Cell:
    """Value ± error with a mark for its distance from truth against truth."""
    if row is None or row.get("value") is None:
        note = str((row or {}).get("note") or "")
        return Cell(DASH, hint=note)
    mark, words = verdict(row)
    hint = (
        f"{row.get('n_reference', '?')} truth and {row.get('n_generated', '?')} generated showers, "
        f"seed {row.get('seed', '?')}. {row.get('note') or ''}"
    )
    return Cell(plus_minus(row["value"], row.get("error")), mark=mark, mark_text=words, hint=hint.strip())


def verdict(row: Json) -> tuple[str, str]:
    """Mark and words: `good` below 2 standard errors, `fair` below 5, `poor` above; `void` when not to be used."""
    status = str(row.get("status", "ok"))
    if status == "failed":
        return "poor", "✕ failed"
    if status == "capped":
        return "good", "✓ all that can be told"
    if status != "ok":
        return "void", f"? {status}"
    z = row.get("z")
    if z is None:
        return "", ""
    distance = abs(z) if row.get("better") == "null" else (-z if row.get("better") == "higher" else z)
    text = f"{z:.1f}{SIGMA}".replace("-", MINUS) if abs(z) < 10 else f"{significant(z, 2)}{SIGMA}"
    if distance < 2:
        return "good", f"✓ {text}"
    return ("fair", f"△ {text}") if distance < 5 else ("poor", f"✕ {text}")


def _legend_text(run: RunData) -> str:
    several = (
        " ★: the best surrogate, ahead of the second best by two combined standard errors; without a star the "
        "difference may be chance. Errors are those of the showers: one training of each was judged."
    )
    return (
        f"Value ± one standard error; {SIGMA} is the distance from truth against truth in standard errors, both "
        f"errors added in quadrature. ✓ below 2{SIGMA}, △ below 5{SIGMA}, ✕ above: a large {SIGMA} says that a "
        "difference is certain, the value says how large it is. “? underpowered” marks a test that did not see its "
        "own positive control: its value proves nothing. Small print names the protocol; sample sizes and seeds show "
        "when the pointer rests on a value."
    ) + (several if len(run.surrogates) > 1 else "")
