"""Markdown tables of a finished run, for RESULTS.md: python benchmarks/summary.py runs/demo"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from facsim.core.store import read_json

FAMILIES = ["separation/e_ratio", "separation/e_layer", "separation/width_r", "separation/cells", "w1/e_ratio"]
ROWS = [
    "auc_high",
    "auc_cells",
    "fpd",
    "kpd",
    "equivalent_size/e_layer",
    *FAMILIES,
    "memorisation",
    "memorisation/copies",
]


def pick(card: dict[str, Any], name: str, region: str = "all") -> dict[str, Any] | None:
    """The first score called `name` in `region`, in the strict protocol where there are several."""
    found = [s for s in card["scores"] if s["name"] == name and s["region"] == region]
    return next((s for s in found if "calochallenge" not in s["protocol"] and "jetnet" not in s["protocol"]), None)


def show(score: dict[str, Any] | None) -> str:
    """`value ± error` of a score, or its status where there is no value."""
    if score is None or score["value"] is None:
        return "-" if score is None else str(score["status"])
    return f"{score['value']:.4g} ± {score['error']:.2g}"


def scores_table(cards: dict[str, dict[str, Any]]) -> list[str]:
    """One row per score, one column per generator, the null last."""
    names = list(cards)
    lines = ["| score | " + " | ".join(names) + " | truth against truth |", "|---" * (len(names) + 2) + "|"]
    surrogate = cards["surrogate"]
    for row in ROWS:
        null = pick(surrogate, row)
        truth = "-" if null is None or null["null"] is None else f"{null['null']:.4g} ± {null['null_error'] or 0:.2g}"
        lines.append(f"| {row} | " + " | ".join(show(pick(cards[n], row)) for n in names) + f" | {truth} |")
    for region in sorted({s["region"] for s in surrogate["scores"]} - {"all"}):
        null = pick(surrogate, "auc_high", region)
        if null is not None and null["value"] is not None:
            cells = " | ".join(show(pick(cards[n], "auc_high", region)) for n in names)
            lines.append(f"| auc_high, {region} | {cells} | {null['null']:.4g} ± {null['null_error'] or 0:.2g} |")
    return lines


def timing_table(timing: dict[str, Any]) -> list[str]:
    """One row per sampler, engine, batch and thread count."""
    lines = ["| sampler | engine | steps | batch | threads | ms a shower | peak RSS, MB |", "|---" * 7 + "|"]
    for row in timing["rows"]:
        columns = [row["name"], row["engine"], row.get("steps") or "", row["batch"], row["threads"]]
        span = f"{row['ms_per_shower']:.3g} ({row['low']:.3g} to {row['high']:.3g})"
        lines.append("| " + " | ".join(map(str, [*columns, span, round(row.get("peak_rss_MB") or 0)])) + " |")
    return lines


def main() -> None:
    """Print the tables of the run directory named on the command line."""
    run = Path(sys.argv[1])
    cards = {path.stem: read_json(path) for path in sorted((run / "scores").glob("*.json")) if path.stem != "timing"}
    cards = {name: card for name, card in cards.items() if card.get("format", "").startswith("facsim-scorecard")}
    ordered = {"surrogate": cards.pop("surrogate"), **cards}
    print("\n".join(scores_table(ordered)), end="\n\n")
    steps = sorted((run / "scores" / "steps").glob("*.json"), key=lambda path: int(path.stem))
    print("| steps | auc_high |\n|---|---|")
    for path in steps:
        row = read_json(path)
        print(f"| {path.stem} | {row['auc_high']:.4g} ± {row['auc_error']:.2g} |")
    if (run / "scores" / "timing.json").is_file():
        print()
        print("\n".join(timing_table(read_json(run / "scores" / "timing.json"))))


if __name__ == "__main__":
    main()
