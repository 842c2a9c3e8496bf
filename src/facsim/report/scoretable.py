"""The scorecards of all samples side by side, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from facsim.report.blocks import Cell, Table
from facsim.report.rundata import Json, RunData, Sample
from facsim.report.text import DASH, MINUS, SIGMA, energy, plus_minus, score_label, significant

FAMILIES = (
    ("Classifier two-sample tests: 0.5 cannot be told from truth, 1 always can", ("auc",)),
    ("Distances between distributions of high-level features", ("fpd", "kpd", "frechet", "mmd")),
    ("Separation power of single observables: 0 same, 1 disjoint", ("separation",)),
    ("Wasserstein distance of single observables", ("w1", "wasserstein")),
    ("Memory and coverage", ("memor", "duplicate", "coverage", "recall", "precision", "density", "nearest")),
)
_REST = "Further scores"
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
    """All scores over the whole energy range."""
    rows = score_rows(run.with_scores)
    columns = ["score", f"{run.truth_name} against itself", *(sample.label for sample in run.with_scores)]
    parts = []
    for heading, keys in by_family(rows):
        lines = []
        for key in keys:
            found = rows[key]
            label = Cell(score_label(key[0]), small=key[1])
            lines.append([label, null_cell(found), *(score_cell(found.get(s.name)) for s in run.with_scores)])
        parts.append((heading, lines))
    return Table(columns, parts, "Scorecard", _legend_text())


def regions_table(run: RunData) -> Table | None:
    """Scores in bins of incident energy; None when there are none."""
    samples = run.with_scores
    edges: list[float] = next((e for s in samples if (e := (s.scorecard or {}).get("energy_bins_MeV"))), [])
    parts = []
    per_bin = [score_rows(samples, f"E{k + 1}") for k in range(max(len(edges) - 1, 0))]
    for key in dict.fromkeys(key for rows in per_bin for key in rows):
        lines = []
        for k, rows in enumerate(per_bin):
            found = rows.get(key, {})
            span = f"{energy(edges[k])} to {energy(edges[k + 1])}"
            lines.append([Cell(span), null_cell(found), *(score_cell(found.get(s.name)) for s in samples)])
        parts.append((f"{score_label(key[0])} ({key[1]})" if key[1] else score_label(key[0]), lines))
    if not parts:
        return None
    columns = ["incident energy", f"{run.truth_name} against itself", *(sample.label for sample in samples)]
    return Table(columns, parts, "Scores in bins of incident energy", folded=True)


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


def _legend_text() -> str:
    return (
        f"Value ± one standard error; {SIGMA} is the distance from truth against truth in standard errors, both "
        f"errors added in quadrature. ✓ below 2{SIGMA}, △ below 5{SIGMA}, ✕ above: a large {SIGMA} says that a "
        "difference is certain, the value says how large it is. “? underpowered” marks a test that did not see its "
        "own positive control: its value proves nothing. Small print names the protocol; sample sizes and seeds show "
        "when the pointer rests on a value."
    )
