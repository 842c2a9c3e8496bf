"""Results for a person at a terminal, on standard output."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

LEAST = {"z": 6, "": 11, "value": 11, "truth itself": 12}
"""Widths of columns that must be read; names give way in a narrow terminal."""
COMPARED = {"auc_high": "AUC", "auc_cells": "AUC\ncells", "fpd": "FPD"}
"""Scores of a comparison at the terminal: name to header."""
MARKS = {"ok": "", "failed": "[red]failed[/red]", "underpowered": "[yellow]weak test[/yellow]"}


def show_run(result: Mapping[str, Any]) -> None:
    """Which stages ran, how long they took, and where the page is."""
    console = Console(highlight=False)
    ran = [stage for stage in result["stages"] if not stage["skipped"]]
    if len(result["stages"]) > 1:
        for stage in result["stages"]:
            took = "up to date" if stage["skipped"] else f"{stage['seconds']:.1f} s"
            console.print(f"  {stage['stage']:<10}{took:>12}")
    if not ran:
        console.print(f"everything in {result['run']} is up to date", soft_wrap=True)
    elif result["report"]:
        console.print(f"report: {result['report']}", soft_wrap=True)
    else:
        console.print(f"results are in {result['run']}", soft_wrap=True)


def show_any(found: Mapping[str, Any]) -> None:
    """What a verb did to a run, or with a shipped model."""
    show = show_run if "stages" in found else show_graph if "graph" in found else show_sampled
    show(found)


def show_sampled(found: Mapping[str, Any]) -> None:
    """Where the showers of a shipped model are, and what they cost."""
    console = Console(highlight=False)
    low, high = found["energy_GeV"]
    energies = f"{low:.3g} GeV" if low == high else f"{low:.3g} to {high:.3g} GeV"
    threads = "1 thread" if found["threads"] == 1 else f"{found['threads']} threads"
    number = "1 shower" if found["events"] == 1 else f"{found['events']} showers"
    console.print(
        f"{number} of '{found['model']}' at {energies}, seed {found['seed']}: "
        f"{found['ms_per_shower']:.2f} ms a shower on {threads}",
        soft_wrap=True,
    )
    console.print(f"showers: {found['file']}", soft_wrap=True)
    console.print(f"picture: {found['picture']}", soft_wrap=True)


def show_graph(found: Mapping[str, Any]) -> None:
    """Where the graph of a shipped model is."""
    console = Console(highlight=False)
    size = f"{found['bytes'] / 1e6:.1f} MB"
    console.print(f"{found['graph']} ({size}) agrees with torch", soft_wrap=True)
    console.print(f"card: {found['card']}", soft_wrap=True)


def show_recipes(found: Mapping[str, str]) -> None:
    """Names of configurations that ship, and what each is for."""
    console, width = Console(highlight=False), max(map(len, found))
    for name, words in found.items():
        console.print(f"  {name:<{width}}  {words}", soft_wrap=True)


def show_scorecard(card: Mapping[str, Any]) -> None:
    """The scores over all energies, each beside truth against truth."""
    console = Console(highlight=False)
    n = card["n"]
    console.print(f"{card['name']}: {n['generated']} events against {n['reference']} of truth, seed {card['seed']}")
    table = Table(box=None, header_style="bold", pad_edge=False, collapse_padding=True)
    for header in ("score", "protocol", "value", "truth itself", "z", ""):
        table.add_column(
            header, no_wrap=True, justify="right" if header == "z" else "left", min_width=LEAST.get(header)
        )
    for row in card["scores"]:
        if row["region"] == "all" and row["value"] is not None:
            table.add_row(
                row["name"],
                row["protocol"],
                with_error(row["value"], row["error"]),
                with_error(row["null"], row["null_error"]),
                "" if row["z"] is None else f"{row['z']:.1f}",
                MARKS.get(row["status"], row["status"]),
            )
    console.print(table)
    for note in card["notes"]:
        console.print(f"note: {note}", soft_wrap=True)
    if card.get("leaderboard"):
        _show_standings(card["leaderboard"], console)


def _show_standings(placed: Mapping[str, Any], console: Console) -> None:
    """Where the model stands among the published ones, and which of its scores do not compare."""
    console.print(f"\n{placed['title']}: where it stands among the published models", soft_wrap=True)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for header in ("metric", "value", "place", "+-1 error", "just better", "just worse", "published truth"):
        table.add_column(header, no_wrap=header in ("metric", "value", "place"))
    for row in placed["standings"]:
        better, worse = (
            f"{row[f'{side}_model']} {row[f'{side}_value']:.4g}" if row[f"{side}_model"] else ""
            for side in ("better", "worse")
        )
        span = "" if row["error"] is None else f"{row['best_rank']} to {row['worst_rank']}"
        place, truth = f"{row['rank']} of {row['models'] + 1}", with_error(row["truth"], row["truth_error"])
        table.add_row(row["metric"], with_error(row["value"], row["error"]), place, span, better, worse, truth)
    if placed["standings"]:
        console.print(table)
    else:
        console.print("nothing that was computed here compares with what is published.")
    for why in dict.fromkeys(row["why"] for row in placed["not_compared"]):
        names = ", ".join(row["metric"] for row in placed["not_compared"] if row["why"] == why)
        console.print(f"not compared: {names}: {why}", soft_wrap=True)
    console.print(f"note: {placed['caveat']}", soft_wrap=True)


def show_comparison(found: Mapping[str, Any]) -> None:
    """Each surrogate and baseline with its main scores and times; truth below. A star marks the clearly best."""
    console = Console(highlight=False)
    columns = _comparison_columns(found)
    table = Table(box=None, header_style="bold", pad_edge=False, collapse_padding=True)
    table.add_column("", min_width=12, overflow="fold")
    for header in columns:
        table.add_column(header, justify="right", no_wrap=True)
    for name in [*found["runs"], *found["baselines"], None]:
        label = name or "truth itself"
        table.add_row(label, *(cells.get(name, "") for cells in columns.values()), style=None if name else "dim")
    console.print(table)
    console.print("size: trained parameters; *: the best surrogate, by more than chance", soft_wrap=True)
    for name, why in found["failed"].items():
        console.print(f"failed: {name}: {why}", soft_wrap=True)
    console.print(f"report: {found['report']}", soft_wrap=True)


def _comparison_columns(found: Mapping[str, Any]) -> dict[str, dict[str | None, str]]:
    """Header to the cell of every sample, and of truth (None)."""
    columns: dict[str, dict[str | None, str]] = {
        "size": {name: short(run["parameters"]) for name, run in found["runs"].items() if run["parameters"]}
    }
    for name, header in COMPARED.items():
        row = next((row for row in found["scores"] if row["name"] == name and row["region"] == "all"), None)
        if row is not None:
            columns[header] = {
                sample: with_error(value["value"], value["error"]) + ("*" if row["best"] == sample else "")
                for sample, value in row["values"].items()
            }
            columns[header][None] = with_error(row["null"], row["null_error"])
    for row in found["times"]:
        if row["batch"] in (1, 100):
            header = f"{'ms' if row['device'] == 'cpu' else 'GPU ms'}\nbatch {row['batch']}"
            columns[header] = {
                sample: f"{value['ms_per_shower']:.3g}" + ("*" if row["best"] == sample else "")
                for sample, value in row["values"].items()
            }
            if found["geant4"] and row["device"] == "cpu":
                columns[header][None] = f"{found['geant4']['ms_per_shower']:.3g}"
    return columns


def show_leaderboard(found: Mapping[str, Any]) -> None:
    """The published models of one board, best first, those on the Pareto front marked; or the list of boards."""
    console = Console(highlight=False)
    table = Table(box=None, header_style="bold", pad_edge=False)
    if "boards" in found:
        for header in ("leaderboard", "models", "data"):
            table.add_column(header, justify="right" if header == "models" else "left")
        for board in found["boards"]:
            table.add_row(board["name"], str(board["models"]), board["title"])
        console.print(table)
        return
    console.print(f"{found['title']}: {found['models']} published models, by {found['y']}")
    rows, left_out = _board_rows(found, console.width)
    for number, header in enumerate(rows[0]):
        table.add_column(header, justify="left" if number < 2 or header == "protocol" else "right", no_wrap=True)
    for row in rows[1:]:
        table.add_row(*row)
    console.print(table)
    console.print(f"* no other published model is better in both {found['x']} and {found['y']}", soft_wrap=True)
    if left_out:
        console.print(f"for a wider terminal, or in --json: {', '.join(left_out)}", soft_wrap=True)
    console.print(f"note: {found['caveat']}", soft_wrap=True)
    for name, meaning in found["protocols"].items():
        console.print(f"{name}: {meaning}", soft_wrap=True)
    console.print(f"sources: {'; '.join(dict.fromkeys(row['source'] for row in found['rows']))}", soft_wrap=True)


def _board_rows(found: Mapping[str, Any], width: int) -> tuple[list[list[str]], list[str]]:
    """Header and rows, truth first, that fit in `width` characters; and the columns that do not."""
    several = len(found["protocols"]) > 1
    front = {(row["model"], row["protocol"]) for row in found["front"]}
    sign = -1 if found["better"][found["y"]] == "higher" else 1
    ordered = sorted(
        found["rows"], key=lambda row: (not row["truth"], sign * row["values"].get(found["y"], sign * math.inf))
    )
    start = [["", "model", *(["protocol"] if several else [])]]
    for row in ordered:
        mark = "*" if (row["model"], row["protocol"]) in front else ""
        start.append([mark, row["model"], *([row["protocol"]] if several else [])])
    columns = {
        name: [name, *(with_error(row["values"].get(name), row["errors"].get(name)) for row in ordered)]
        for name in found["columns"]
    }
    widths = {name: 2 + max(len(text) for text in texts) for name, texts in columns.items()}
    room = width - sum(2 + max(len(line[i]) for line in start) for i in range(len(start[0])))
    room -= widths[found["x"]] + widths[found["y"]]
    left_out = []
    for name in found["columns"]:
        if name in (found["x"], found["y"]):
            continue
        room -= widths[name]
        if room < 0:
            left_out.append(name)
    kept = [columns[name] for name in found["columns"] if name not in left_out]
    return [[*line, *(texts[i] for texts in kept)] for i, line in enumerate(start)], left_out


def show_study(found: Mapping[str, Any]) -> None:
    """Significances: one row a metric, one column a difference; the paper's in brackets."""
    console = Console(highlight=False)
    console.print(f"{found['title']}: {found['events']} events, {found['repeats']} repeats, seed {found['seed']}")
    console.print(
        "standard deviations from truth against truth"
        + (", the paper's (with 50 000 events) in brackets" if _paper(found) else "")
    )
    metrics = list(dict.fromkeys(row["metric"] for row in found["rows"]))
    table = Table(box=None, header_style="bold", pad_edge=False, collapse_padding=True)
    table.add_column("metric", no_wrap=True, min_width=max(map(len, metrics)))
    for header in found["alternatives"]:
        table.add_column(header.replace(" ", "\n"), justify="right")
    for metric in metrics:
        rows = [row for row in found["rows"] if row["metric"] == metric]
        table.add_row(metric, *map(_significance, rows))
        if any(row["published_value"] is not None for row in rows):
            table.add_row("  value", *map(_value, rows))
    console.print(table)


def show_studies(found: Mapping[str, Any]) -> None:
    """Several studies, one below the other."""
    for each in found["studies"]:
        show_study(each)


def _paper(found: Mapping[str, Any]) -> bool:
    return any(row[key] is not None for row in found["rows"] for key in ("published", "published_value"))


def _significance(row: Mapping[str, Any]) -> str:
    if row["significance"] is None:
        return "-"
    return _with_paper(short(row["significance"]), None if row["published"] is None else short(row["published"]))


def _value(row: Mapping[str, Any]) -> str:
    paper = row["published_value"]
    return _with_paper(f"{row['value']:.2f}", None if paper is None else f"{paper:.2f}")


def _with_paper(value: str, paper: str | None) -> str:
    return value if paper is None else f"{value} ({paper})"


def short(value: float) -> str:
    """A number not below 0 in at most four characters up to a million: 3.4, 120, 57k."""
    if value < 9.95:
        return f"{value:.1f}"
    return f"{value:.0f}" if value < 9999.5 else f"{value / 1000:.0f}k"


def show_sweep(found: Mapping[str, Any]) -> None:
    """The trials, best first, and where the best configuration is."""
    console = Console(highlight=False)
    names = list(found["parameters"])
    table = Table(box=None, header_style="bold", pad_edge=False)
    label = next((trial["score"] for trial in found["trials"] if "score" in trial), found["objective"])
    for header in ("trial", label, *names):
        table.add_column(header, justify="left" if header == "trial" else "right")
    sign = 1 if found["direction"] == "minimize" else -1
    order = sorted(found["trials"], key=lambda t: math.inf if t["value"] is None else sign * t["value"])
    for trial in order:
        values = [f"{v:.4g}" if isinstance(v, float) else str(v) for v in map(trial["parameters"].get, names)]
        failed = "[red]failed[/red]" if "failure" in trial else ""
        table.add_row(str(trial["number"]), with_error(trial["value"], trial.get("error")) or failed, *values)
    console.print(table)
    console.print(f"picture: {found['picture']}", soft_wrap=True)
    console.print(f"the best, with another seed: facsim run {found['config']}", soft_wrap=True)


def show_facts(facts: Mapping[str, Any]) -> None:
    """Versions, extras, shipped models, hardware and cache."""
    console = Console(highlight=False)
    for name, value in facts["versions"].items():
        console.print(f"  {name:<14}{value}")
    console.print("extras")
    for name, present in facts["extras"].items():
        how = "installed" if present else f"missing: pip install 'facsim\\[{name}]'"
        console.print(f"  {name:<14}{how}")
    console.print("trained models that ship: facsim sample NAME")
    for name, words in facts["models"].items():
        console.print(f"  {name:<14}{words}", soft_wrap=True)
    hardware = facts["hardware"]
    console.print("machine")
    console.print(f"  {hardware['cpu']}, {hardware['cores']} cores, {hardware['memory_GB']} GB", soft_wrap=True)
    console.print(f"  accelerator   {hardware['accelerator'] or 'none'}")
    console.print(f"  cache         {facts['cache']}", soft_wrap=True)


def with_error(value: float | None, error: float | None) -> str:
    """`0.989(10)`: the error counts in the last digits given, as in the particle data tables."""
    if value is None:
        return ""
    if not error:
        return f"{value:.4g}"
    decimals = 1 - math.floor(math.log10(float(f"{error:.1e}")))
    if decimals > 0:
        return f"{value:.{decimals}f}({round(error * 10**decimals)})"
    return f"{value:.0f}({error:.0f})" if abs(value) < 1e6 else f"{value:.2g}({error:.1g})"
