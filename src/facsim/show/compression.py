"""Compressed models at the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from facsim.report.compression import MINIATURE, fate, sigmas
from facsim.show import with_error


def show_compression(found: Mapping[str, Any]) -> None:
    """Quality, time and size of the original and of all that was made of it."""
    console = Console(highlight=False)
    batches, names = list(found["rows"][0]["times"]), list(found["watched"])
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("", overflow="fold", min_width=12, max_width=30)
    for header in [*names, "sigma", *(f"batch {batch}" for batch in batches), "MB"]:
        table.add_column(header, justify="right", no_wrap=True)
    for row in found["rows"]:
        scores = [row["scores"].get(name) for name in names]
        sigma = [score["sigma"] for score in scores if score is not None]
        table.add_row(
            row["name"] + _fate(row, found["limits"]),
            *(
                "" if score is None or score["value"] is None else with_error(score["value"], score["error"])
                for score in scores
            ),
            "" if row["method"] is None or not sigma else sigmas(max(sigma)),
            *(_time(row, batch) for batch in batches),
            f"{row['graph_MB'] or row['weights_MB'] or 0:.3g}",
        )
    if head := _head(found):
        console.print(head, style="yellow")
    console.print(table)
    console.print(
        "sigma: how much worse than the original, of the score that is worst. Batches: the processor's ms an event on "
        "one thread, in turns; how many times faster than the original, and what holds 68 % of the calls. MB: of the "
        "graph, of the weights where there is none.",
        style="dim",
        soft_wrap=True,
    )
    console.print(f"picture: {found['picture']}", soft_wrap=True)


def show_methods(found: Mapping[str, Any]) -> None:
    """All methods with their options."""
    console = Console(highlight=False)
    for name, method in found["methods"].items():
        console.print(f"[bold]{name}[/bold]  {method['does']}", soft_wrap=True)
        for key, option in method["options"].items():
            console.print(
                f"  {key}={option['default']}  {option['meaning']}", style="dim", soft_wrap=True, markup=False
            )


def _time(row: Mapping[str, Any], batch: str) -> str:
    time = row["times"][batch]
    if row["method"] is None:
        return f"{time['ms']:.3g} ms"
    return f"{time['ms']:.3g} ms\n{time['ratio']:.2f} x\n{time['ratio_low']:.2f}-{time['ratio_high']:.2f}"


def _head(found: Mapping[str, Any]) -> str:
    """What holds for the whole table and is not as usual."""
    seeds = sorted({row["seed"] for row in found["rows"] if row["method"] is not None})
    told = [f"compressed with seed {seed}" for seed in seeds if seed != found["seed"]]
    return ", ".join([*told, MINIATURE] if found["smoke"] else told)


def _fate(row: Mapping[str, Any], limits: Mapping[str, Any]) -> str:
    what = fate(dict(row), dict(limits))
    colour = "red" if not row["kept"] else "yellow" if row["worse"] else "dim"
    return f"\n[{colour}]{what}[/{colour}]" if what else ""
