"""Sections of an anomaly page: ROC curves, efficiencies of every kind of signal, and the choice among scores."""

from __future__ import annotations

import math
from typing import Any

from facsim.evaluate.anomaly.records import restored
from facsim.metrics.roc import RocBand, RocCurve
from facsim.metrics.signal_groups import GroupResult
from facsim.metrics.working_points import MEASURED, WorkingPoint
from facsim.report.blocks import Block, Cell, Gallery, Note, Picture, Section, Table
from facsim.report.figures_anomaly import groups_figure, roc_figure
from facsim.report.figures_anomaly_events import distribution_figure
from facsim.report.render import to_svg
from facsim.report.rundata import Json, RunData, Sample
from facsim.report.text import DASH, MINUS, capital, count, plus_minus, significant

MOST_CURVES = 5
UNSURE = "fewer than ten background events lie above the threshold: limits at 95 % confidence"


def label_of(sample: Sample) -> str:
    """What a score is called: the chosen one of a predictor, a baseline by its name."""
    card = sample.scorecard or {}
    return str(card.get("chosen", sample.name)) if sample.kind != "baseline" else sample.name


def groups_of(run: RunData) -> list[str]:
    """Kinds of signal."""
    found: dict[str, None] = {}
    for sample in run.with_scores:
        found |= dict.fromkeys(((sample.scorecard or {}).get("events") or {}).get("signals", {}))
    return list(found)


def roc_section(run: RunData) -> Section | None:
    """A panel for each kind of signal with all scores, and efficiencies of all kinds at the first working point."""
    groups = groups_of(run)
    if not groups:
        return None
    blocks: list[Block] = []
    wide = _overview(run)
    if wide:
        blocks.append(Gallery(wide, 2))
    panels = []
    for group in groups:
        curves, bands = {}, {}
        for sample in run.with_scores[:MOST_CURVES]:
            item = ((sample.scorecard or {}).get("roc") or {}).get(group)
            if item:
                curves[label_of(sample)] = restored(RocCurve, item["curve"])
                if item["band"]:
                    bands[label_of(sample)] = restored(RocBand, item["band"])
        first = next(iter(bands), None)
        shown = {first: bands[first]} if first else {}
        body = to_svg(roc_figure(curves, shown), f"roc-{group}".replace(" ", "-").replace(".", "-"), f"ROC, {group}")
        panels.append(Picture(body, capital(group), "Band: 95 % for the whole curve of the first score."))
    blocks.append(Gallery(panels, 3))
    lead = "Signal against background efficiency on events that no training saw; further left is a rarer trigger."
    return Section("roc", "Signal against background", lead, blocks)


def _overview(run: RunData) -> list[Picture]:
    """Efficiency of all kinds of signal at the first working point, and the distribution of the score."""
    found: list[Picture] = []
    results = {
        label_of(sample): [restored(GroupResult, item) for item in (sample.scorecard or {}).get("groups", [])]
        for sample in run.with_scores[:MOST_CURVES]
    }
    results = {name: items for name, items in results.items() if items}
    main = run.surrogate or (run.with_scores[0] if run.with_scores else None)
    if main is None:
        return found
    checks = (main.scorecard or {}).get("checks") or {}
    if results and checks:
        target = float(checks["target"])
        body = to_svg(groups_figure(results, target, "signal"), "groups", "efficiency of each kind of signal")
        found.append(Picture(body, f"Efficiency at {100 * target:g} % of background", "Bars are one standard error."))
    for item in (main.histograms or {}).get("items", []):
        figure = distribution_figure(item, label_of(main), checks.get("threshold"))
        body = to_svg(figure, "score", "distribution of the score")
        found.append(Picture(body, "Score", "Dashed: the threshold of the checks."))
    return found


def numbers_section(run: RunData) -> Section | None:
    """AUC of every score and working points of the first one, where there is signal; thresholds for rates."""
    groups = groups_of(run)
    main = run.surrogate or next(iter(run.with_scores), None)
    if main is None:
        return None
    blocks: list[Block] = [_auc_table(run, groups), _points_table(main)] if groups else []
    agreed = (main.scorecard or {}).get("fidelity") or []
    if agreed:
        blocks.append(_fidelity_table(agreed))
    rates = (main.scorecard or {}).get("rates") or []
    if rates:
        blocks.append(_rates_table(rates))
    return Section("numbers", "Numbers", "", blocks) if blocks else None


def _auc_table(run: RunData, groups: list[str]) -> Table:
    samples = run.with_scores
    rows = []
    for group in groups:
        found = {sample.name: sample.score("auc", group) for sample in samples}
        values = {name: row["value"] for name, row in found.items() if row and row.get("value") is not None}
        best = max(values, key=lambda name: values[name]) if values else None
        cells = [Cell(capital(group), small=f"{count(_events(samples, group))} events")]
        for sample in samples:
            row = found[sample.name]
            text = plus_minus(row["value"], row["error"]) if row else DASH
            cells.append(Cell(text, best=sample.name == best))
        rows.append(cells)
    null = samples[0].scores[0] if samples[0].scores else {}
    caption = "The largest of a row is marked."
    if null.get("null") is not None:
        caption += f" Background against background: {plus_minus(null['null'], null['null_error'])}."
    return Table(["AUC", *map(label_of, samples)], [("", rows)], "Area under the ROC curve", caption)


def _events(samples: list[Sample], group: str) -> int:
    return int(((samples[0].scorecard or {}).get("events") or {}).get("signals", {}).get(group, 0))


def _points_table(sample: Sample) -> Table:
    """Efficiencies at the working points: values with intervals, or limits."""
    results = [restored(GroupResult, item) for item in (sample.scorecard or {}).get("groups", [])]
    targets = sorted({point.target for result in results for point in result.points}, reverse=True)
    rows = []
    for result in results:
        cells = [Cell(capital(str(result.group)))]
        by_target = {point.target: point for point in result.points}
        cells += [_point_cell(by_target[target]) for target in targets]
        best = result.improvement.best
        cells.append(Cell(plus_minus(best[0], best[1]) if math.isfinite(best[0]) else DASH))
        rows.append(cells)
    columns = ["", *(f"{100 * target:g} %" for target in targets), "improvement"]
    caption = (
        "Signal efficiency in per cent at background efficiencies; with errors of signal and threshold. "
        "Improvement: signal efficiency over the root of background's, at a threshold chosen on other events."
    )
    return Table(columns, [("", rows)], f"Working points of {label_of(sample)}", caption)


def _point_cell(point: WorkingPoint) -> Cell:
    low, high = 100 * point.signal.low, 100 * point.signal.high
    if point.status == MEASURED:
        value = 100 * point.signal.value
        return Cell(f"{value:.3g}", small=f"+{high - value:.2g} {MINUS}{value - low:.2g}")
    return Cell(f"{low:.2g} to {high:.2g}", mark="void", mark_text="limit", hint=UNSURE)


def _fidelity_table(agreed: list[Json]) -> Table:
    rows = [
        [
            Cell(f"{100 * row['share']:g} %", small=f"{count(row['events'])} events"),
            *(Cell(plus_minus(*row[name])) for name in ("spearman", "kendall", "overlap")),
        ]
        for row in agreed
    ]
    caption = (
        "On background, of the share that the teacher calls most unusual: correlations of ranks among these events, "
        "and the part of them that the student selects at the same background efficiency."
    )
    return Table(["Top", "Spearman", "Kendall", "overlap"], [("", rows)], "Student and teacher", caption)


def _rates_table(rates: list[Json]) -> Table:
    rows = []
    for rate in rates:
        threshold = rate["threshold"][0]
        rows.append(
            [
                Cell(f"{rate['wanted']:g} Hz", small="" if rate["status"] == MEASURED else "limit"),
                Cell(DASH if threshold is None else significant(threshold, 5)),
                Cell(DASH if rate["rate"][1] is None else f"{rate['rate'][1]:.3g} to {rate['rate'][2]:.3g} Hz"),
                Cell(f"{rate['events']:.1f}"),
            ]
        )
    columns = ["Wanted", "threshold", "rate", "effective events above"]
    return Table(columns, [("", rows)], "Thresholds for a trigger's rate", "Of background with its cross section.")


def choice_section(run: RunData) -> Section | None:
    """All scores of the predictor, by how well they see changed background; with what signal says, told apart."""
    sample = run.surrogate
    choice: list[Any] = ((sample.scorecard if sample else None) or {}).get("choice") or []
    if sample is None or len(choice) < 2:
        return None
    kinds, groups = list(choice[0]["changed"]), list(choice[0]["auc"])
    card = sample.scorecard or {}
    rows = []
    for row in choice:
        marks = [word for word, name in (("chosen", card["chosen"]), ("oracle", card["oracle"])) if row["name"] == name]
        cells = [Cell(row["name"], small=", ".join(marks)), Cell(significant(row["merit"]))]
        cells += [Cell(significant(row["changed"][kind][0])) for kind in kinds]
        cells += [Cell(significant(row["auc"][group][0])) for group in groups]
        rows.append(cells)
    columns = ["", "merit", *kinds, *groups]
    table = Table(
        columns, [("", rows)], "AUC of every score", "Merit is the mean over the kinds of changed background."
    )
    note = Note(
        "The score is chosen by how well it tells background from background that was changed (blended, thinned, "
        "exchanged, scattered); signal is not looked at. The oracle is the best score on signal, which nobody knows "
        "beforehand.",
        "aside",
    )
    return Section("choice", "Choice of the score", "", [note, table])
