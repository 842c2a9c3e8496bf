"""The top of a comparison's page: each surrogate's numbers, and which is best in what."""

from __future__ import annotations

from collections import Counter

from facsim.report.blocks import Tile
from facsim.report.headline import SCORE, auc_tile
from facsim.report.rundata import Json, RunData
from facsim.report.text import capital, count, duration, listing, plus_minus

BATCHES = (1, 100)
MOST_NAMED = 4


def tiles(run: RunData, content: Json) -> list[Tile]:
    """One large number a surrogate: its AUC, with what it costs below."""
    found = []
    for sample in run.surrogates:
        detail = capital("; ".join(_costs(content, sample.name)))
        found.append(auc_tile(sample, f"AUC against truth, {sample.label}", detail))
    return [tile for tile in found if tile]


def _costs(content: Json, name: str) -> list[str]:
    parts = []
    for batch in BATCHES:
        row = time_row(content, batch)["values"].get(name)
        if row is not None:
            parts.append(f"{duration(row['ms_per_shower'])} {'alone' if batch == 1 else f'in batches of {batch}'}")
    parameters = content["runs"][name]["parameters"]
    return parts + ([f"{count(parameters)} parameters"] if parameters else [])


def time_row(content: Json, batch: int, device: str = "cpu") -> Json:
    """The times at one batch size on one device; empty where none were taken."""
    rows = (row for row in content["times"] if (row["device"], row["batch"]) == (device, batch))
    return next(rows, {"values": {}, "best": None})


def verdict(run: RunData, content: Json) -> str:
    """Which surrogate is clearly best in quality, time and single scores, in sentences."""
    labels = {sample.name: sample.label for sample in run.surrogates}
    sentences = [_quality(content, labels), *(_time(content, labels, batch) for batch in BATCHES)]
    return " ".join(sentence for sentence in [*sentences, _count(content, labels)] if sentence)


def _quality(content: Json, labels: dict[str, str]) -> str:
    row = next((r for r in content["scores"] if r["name"] == SCORE and r["region"] == "all"), None)
    values = {name: row["values"][name] for name in labels if name in row["values"]} if row else {}
    known = {name: value for name, value in values.items() if value["value"] is not None}
    if row is None or len(known) < 2:
        return ""
    ordered = sorted(known, key=lambda name: known[name]["value"])
    told = [f"{labels[name]} {plus_minus(known[name]['value'], known[name]['error'])}" for name in ordered]
    if len(told) > MOST_NAMED:
        told = [*told[: MOST_NAMED - 1], f"{len(told) - MOST_NAMED + 1} more up to {told[-1]}"]
    null = "" if row["null"] is None else f"; truth against truth gives {plus_minus(row['null'], row['null_error'])}"
    best = row["best"]
    judgement = f"{labels[best]} is clearly the best" if best else "no surrogate is clearly the best"
    return f"By the AUC of a classifier on high-level observables {judgement}: {listing(told)}{null}."


def _time(content: Json, labels: dict[str, str], batch: int) -> str:
    row = time_row(content, batch)
    values = {name: row["values"][name] for name in labels if name in row["values"]}
    if len(values) < 2:
        return ""
    ordered = sorted(values, key=lambda name: values[name]["ms_per_shower"])
    first, second, last = (
        f"{labels[name]} {duration(values[name]['ms_per_shower'])}" for name in (*ordered[:2], ordered[-1])
    )
    how = "One shower at a time on one CPU thread" if batch == 1 else f"In batches of {batch}"
    return (
        f"{how}, {labels[row['best']]} is the fastest: {first}, then {second}."
        if row["best"]
        else (f"{how}, times lie between {first} and {last}, with no clear winner.")
    )


def _count(content: Json, labels: dict[str, str]) -> str:
    rows = [row for row in content["scores"] if row["region"] == "all" and _comparable(row, labels)]
    wins = Counter(row["best"] for row in rows if row["best"])
    if not rows or len(labels) < 2:
        return ""
    if not wins:
        return f"In none of {len(rows)} scores is one of them clearly the best."
    won = [f"{labels[name]} is clearly the best in {number}" for name, number in wins.most_common()]
    rest = f"in {len(rows) - wins.total()} the difference may be chance"
    return f"Of {len(rows)} scores {listing([*won, rest])}."


def _comparable(row: Json, labels: dict[str, str]) -> bool:
    return sum((row["values"].get(name) or {}).get("value") is not None for name in labels) > 1
