"""The result of a demonstration of full against fast simulation, for a person at a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

WORDS = {"met": "[green]met[/green]", "missed": "[red]missed[/red]", "open": "[yellow]cannot be told[/yellow]"}


def show_demo(found: Mapping[str, Any]) -> None:
    """Times, goals, comparison and what became of the particles."""
    console, times, events = Console(highlight=False), found["times"], found["events"]
    console.print(
        f"full {times['full_ms']:.1f} ms, fast {times['fast_ms']:.2f} ms an event: {times['ratio']:.1f} times faster "
        f"({events['full']} and {events['fast']} events, CPU time on one thread)",
        soft_wrap=True,
    )
    parts = sorted(times["fast_parts"].items(), key=lambda part: -part[1])
    shares = ", ".join(f"{name.replace('_', ' ')} {ms / times['fast_ms']:.0%}" for name, ms in parts)
    console.print(f"the fast event's time: {shares}", soft_wrap=True)
    for goal in found["goals"]:
        console.print(f"  {_goal(goal)}: {WORDS[goal['verdict']]}", soft_wrap=True)
    console.print(_table(found["comparison"]))
    for row in found["particles"]:
        if row["per_event"]:
            energy = f"{row['MeV_per_event']:.4g} MeV"
            console.print(f"  {row['per_event']:8.3f} per event, {energy:>11}: {row['label']}", soft_wrap=True)
    console.print(f"page: {found['folder']}/index.html", soft_wrap=True)


def _goal(goal: Mapping[str, Any]) -> str:
    if goal["name"] == "speed":
        return f"{goal['label']} {goal['value']:.1f} ± {goal['error']:.1f}, wanted {goal['limit']:g}"
    value, error = 100 * goal["value"], 100 * goal["error"]
    return f"{goal['label']}, fast over full {value:+.2f} ± {error:.2f} %, wanted within {100 * goal['limit']:g} %"


def _table(rows: list[Mapping[str, Any]]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("")
    for header in ("full", "fast", "fast / full"):
        table.add_column(header, justify="right")
    for row in rows:
        unit = f" [{row['unit']}]" if row["unit"] else ""
        cells = [f"{row[role]:.5g} ± {row[f'{role}_error']:.2g}" for role in ("full", "fast", "ratio")]
        table.add_row(f"{row['label']}{unit}".replace("[", "\\["), *cells)
    return table
