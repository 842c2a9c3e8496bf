"""What the verbs of a farm print for a person."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

SCORES = {"auc_high": "AUC", "auc_cells": "AUC cells", "fpd": "FPD", "kpd": "KPD"}


def show_farmed(found: Mapping[str, Any]) -> None:
    """Shards, rate and results; of a job array the text to submit, of a dry run the plan."""
    if found["script"] and not found["plan"]:
        print(found["script"], end="")
        return
    console = Console(highlight=False)

    def say(text: str) -> None:
        console.print(text, soft_wrap=True, markup=False)

    if found["plan"]:
        say(found["plan"])
        if found["script"]:
            say(f"the job of each worker:\n\n{found['script']}")
        return
    say(f"{found['events']} {found['noun']} in {found['shards']} shards: {_work(found)}")
    for name, path in found["files"].items():
        if not path.endswith(".json") or name in ("histograms", "summary"):
            say(f"{name}: {path}")
    if not found["files"]:
        say(f"shards are in {found['out']}; the same command with --merge puts them together when all are there")


def _work(found: Mapping[str, Any]) -> str:
    if not found["made"]:
        return "all were there already"
    reused = f", {found['reused']} were there already" if found["reused"] else ""
    retried = f", {found['retried']} attempts were repeated" if found["retried"] else ""
    rate = f" at {found['rate']:.4g} {found['noun']}/s, start of workers included" if found["rate"] else ""
    return f"{found['made']} made in {found['seconds']:.1f} s{rate}{reused}{retried}"


def show_scored(found: Mapping[str, Any]) -> None:
    """As `show_farmed`, with a line for every file that was judged."""
    show_farmed(found)
    path = found["files"].get("summary")
    if path is None:
        return
    rows = json.loads(Path(path).read_text(encoding="utf-8"))
    names = [name for name in SCORES if any(name in row for row in rows)]
    table = Table(box=None, header_style="bold", pad_edge=False)
    for header in ("sample", "events", *(SCORES[name] for name in names)):
        table.add_column(header, no_wrap=True)
    for row in rows:
        values = [_value(row[name]) if name in row else "" for name in names]
        table.add_row(row["name"], str(row["n"]), *values)
    Console(highlight=False).print(table)


def _value(score: Mapping[str, Any]) -> str:
    value, error = score["value"], score.get("error")
    return "none" if value is None else f"{value:.4g}" if error is None else f"{value:.4g} ± {error:.2g}"
