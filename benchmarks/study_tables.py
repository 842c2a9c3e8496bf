"""The tables of docs/metric-study.md from the results of `facsim study metrics`.

python benchmarks/study_tables.py studies/toy/study.json studies/jets/study.json studies/showers/study.json
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from facsim.core.store import read_json
from facsim.show import short


def table(found: dict[str, Any]) -> str:
    """One study as Markdown: significances, the published ones in brackets."""
    names = found["alternatives"]
    lines = ["| metric | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for metric in dict.fromkeys(row["metric"] for row in found["rows"]):
        rows = [row for row in found["rows"] if row["metric"] == metric]
        lines.append(_line(f"`{metric}`", [_with(row["significance"], row["published"], short) for row in rows]))
        if any(row["published_value"] is not None for row in rows):
            cells = [_with(row["value"], row["published_value"], "{:.2f}".format) for row in rows]
            lines.append(_line("its value", cells))
    return "\n".join(lines)


def _line(name: str, cells: list[str]) -> str:
    return f"| {name} | " + " | ".join(cells) + " |"


def _with(value: float | None, paper: float | None, form: Any) -> str:
    own = "-" if value is None else form(value)
    return own if paper is None else f"{own} ({form(paper)})"


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        found = read_json(Path(argument))
        print(f"{found['title']}: {found['events']} events, {found['repeats']} repeats, seed {found['seed']}\n")
        print(table(found), end="\n\n")
