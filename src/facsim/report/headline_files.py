"""The top of a page of several files that were judged beside one truth, without a run around them."""

from __future__ import annotations

from facsim.report.blocks import Tile
from facsim.report.headline import SCORE, auc_tile, underpowered, worst_and_null
from facsim.report.rundata import Json, RunData, Sample
from facsim.report.text import capital, count, listing, plus_minus

MOST = 5
"""Files with a number of their own at the top, and in the sentence below."""


def subtitle(run: RunData) -> str:
    """How many events of each file were judged."""
    sizes = sorted({int(card["n"]["generated"]) for sample in run.with_scores if (card := sample.scorecard)})
    if not sizes:
        return ""
    number = count(sizes[0]) if len(sizes) == 1 else f"{count(sizes[0])} to {count(sizes[-1])}"
    return f"{number} {run.noun} of each file, judged beside as many of truth"


def tiles(run: RunData) -> list[Tile]:
    """One large number a file, its AUC; nearest to truth first."""
    found = [
        auc_tile(sample, f"AUC against truth, {sample.label}", capital("; ".join(worst_and_null(sample))))
        for sample, _ in _ordered(run)[:MOST]
    ]
    return [tile for tile in found if tile]


def verdict(run: RunData) -> str:
    """The files in the order of their AUC, and which were caught copying."""
    return " ".join(sentence for sentence in (_quality(run), _memory(run)) if sentence)


def _quality(run: RunData) -> str:
    ordered = _ordered(run)
    if not ordered:
        return ""
    told = [f"{sample.label} {plus_minus(row['value'], row.get('error'))}" for sample, row in ordered]
    if len(told) > MOST:
        told = [*told[: MOST - 1], f"{len(told) - MOST + 1} more up to {told[-1]}"]
    text = f"AUC of a classifier that sees high-level observables, nearest to truth first: {listing(told)}"
    nulls = {plus_minus(row["null"], row.get("null_error")) for _, row in ordered if row.get("null") is not None}
    if len(nulls) == 1:
        text += f"; truth against truth gives {nulls.pop()}"
    if any(underpowered(row) for _, row in ordered):
        text += ". Where the test missed its own positive control (“underpowered”) the number proves nothing"
    return f"{text}."


def _memory(run: RunData) -> str:
    caught = [s.label for s in run.with_scores if (s.score("memorisation") or {}).get("status") == "failed"]
    return f"{listing(caught)} did not pass the memorisation check." if caught else ""


def _ordered(run: RunData) -> list[tuple[Sample, Json]]:
    found = [(sample, row) for sample in run.with_scores if (row := sample.score(SCORE)) and row["value"] is not None]
    return sorted(found, key=lambda pair: float(pair[1]["value"]))
