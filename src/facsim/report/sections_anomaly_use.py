"""Sections of an anomaly page on its use: what a cut does to background, the time of one event, cheaper graphs."""

from __future__ import annotations

from typing import Any

from facsim.evaluate.anomaly.records import restored
from facsim.metrics.drift import RunDrift
from facsim.metrics.sculpting import Sculpting
from facsim.metrics.stability import Stability
from facsim.report.blocks import Block, Cell, Gallery, Note, Picture, Section, Table
from facsim.report.figures_anomaly_checks import drift_figure, sculpting_figure, stability_figure
from facsim.report.figures_anomaly_events import latency_figure
from facsim.report.render import to_svg
from facsim.report.rundata import RunData
from facsim.report.text import capital, count, duration, plus_minus


def checks_section(run: RunData) -> Section | None:
    """Stability, sculpting and drift at the first working point."""
    sample = run.surrogate or next(iter(run.with_scores), None)
    found = ((sample.scorecard if sample else None) or {}).get("checks")
    if not found:
        return None
    pictures = []
    for name, item in found["stability"].items():
        if item:
            label = _axis(run, name)
            body = to_svg(stability_figure(restored(Stability, item), label), f"stability-{name}", f"against {name}")
            pictures.append(Picture(body, f"Background efficiency against {_words(name)}", "Flat is stable."))
    for name, item in found["sculpting"].items():
        if item:
            label = _axis(run, name)
            body = to_svg(sculpting_figure(restored(Sculpting, item), label), f"sculpting-{name}", f"shape of {name}")
            pictures.append(Picture(body, f"Shape of {_words(name)}", "Of background that passes and of all."))
    runs = [restored(RunDrift, item) for item in found["drift"]]
    if runs:
        body = to_svg(drift_figure(runs, float(found["target"])), "drift", "drift between runs")
        pictures.append(Picture(body, "Drift", "Parts of the second truth sample as if they were runs of data."))
    blocks: list[Block] = [Note(f"{capital(note)}.", "aside") for note in found["notes"]]
    if pictures:
        blocks.append(Gallery(pictures, 3))
    if not blocks:
        return None
    lead = (
        f"At a background efficiency of {100 * found['target']:g} %; the threshold is set on one truth sample and "
        "looked at on the other."
    )
    return Section("checks", "What a cut does to background", lead, blocks)


def _words(name: str) -> str:
    return {"n_tracks": "number of tracks", "ht": "HT", "pile_up": "pile-up"}.get(name, name.replace("_", " "))


def _axis(run: RunData, name: str) -> str:
    columns = dict((run.data.get("schema") or {}).get("conditions") or [])
    unit = columns.get(name, "")
    return f"{_words(name)} [{unit}]" if unit else _words(name)


def latency_section(run: RunData) -> Section | None:
    """Distribution of the time of one event, of the graph and its variants."""
    found = run.timing.get("latency")
    if not found:
        return None
    rows = [
        [
            Cell(name),
            Cell(duration(row["median_ms"])),
            Cell(duration(row["p99_ms"])),
            Cell(duration(row["p999_ms"])),
            Cell(count(row["calls"])),
            Cell(f"{row['bytes'] / 1e6:.3g} MB" if row.get("bytes") else ""),
        ]
        for name, row in found.items()
    ]
    body = to_svg(latency_figure(found), "latency", "latency of one event")
    table = Table(["", "median", "99 %", "99.9 %", "calls", "size"], [("", rows)], "One event at a time, one thread")
    cpu = (run.timing.get("hardware") or {}).get("cpu", "")
    lead = f"Calls with one event each, on one thread{f' of {cpu}' if cpu else ''}, after a warm-up."
    return Section("latency", "Latency", lead, [Gallery([Picture(body, "Latency", "")], 2), table])


def variants_section(run: RunData) -> Section | None:
    """What variants of the graph lose of each signal, and how they order background."""
    found = run.check.get("variants")
    if not found or run.surrogate is None:  # a check may be left of a model that the run had
        return None
    first = next(iter(found.values()))
    signals = [
        [
            Cell(name),
            Cell(plus_minus(row["full"], None)),
            *(Cell(plus_minus(*each["auc"][name]["difference"])) for each in found.values()),
        ]
        for name, row in first["auc"].items()
    ]
    background = first["background"]
    ordered = [
        [Cell(words), Cell(""), *(Cell(plus_minus(*each["background"][key])) for each in found.values())]
        for words, key in (
            ("rank correlation", "spearman"),
            (f"overlap of the top {100 * background['share']:g} %", "overlap"),
        )
    ]
    parts = [("AUC, and its change", signals)] if signals else []
    parts.append((f"With the graph on {count(background['events'])} background events", ordered))
    lead = "Scores of the same test events by the graph and its variants. " + " ".join(
        map(_made, found, found.values())
    )
    return Section("variants", "Variants of the graph", lead, [Table(["", "graph", *found], parts, "What they cost")])


def _made(name: str, facts: dict[str, Any]) -> str:
    if "share" in facts:
        zeros, weights = count(facts["zeros"]), count(facts["weights"])
        return f"{capital(name)}: {zeros} of {weights} weights are 0, without training again."
    ranges = "fixed by background of the validation split" if facts["method"] == "static" else "found in each event"
    layers = f"{facts['layers']} layers of 8-bit whole numbers" if facts["layers"] > 1 else "one layer of 8-bit numbers"
    return f"{capital(name)}: {layers}, their ranges {ranges}."
