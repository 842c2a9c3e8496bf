"""What compression costs in quality and gains in time: every method of `facsim compress`, on small surrogates.

OMP_NUM_THREADS=1 python benchmarks/compression.py [rich tpc calorimeter] --out DIR [--smoke]

Trains one surrogate for each task (`PLANS`), from facsim's own truth (Geant4 for the calorimeter), a few minutes of one
core each, and gives it to all of `METHODS` that fit it. Quality is the run's own scorecard; times are of one thread of
the processor, original and compressed models in turns in one process. DIR/<task>/compressed holds table and picture,
DIR/compression.md the tables of all tasks. Interrupted, it goes on when run again.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import yaml

import facsim
from facsim.config import recipe
from facsim.core.errors import FacsimError
from facsim.core.store import atomic_path
from facsim.models.checkpoint import load_model
from facsim.pipeline.compression.methods import fitting

Json = dict[str, Any]
FLOW = {"name": "flow-matching", "prior": "gaussian", "steps": 8}
WIDE = {"name": "mlp", "widths": [256, 256, 256], "activation": "silu"}
PLANS: dict[str, Json] = {
    "rich": {
        "simulate": {"events": 60_000},
        "model": {"name": "single-stage", "method": FLOW | {"network": {"name": "residual-mlp", "width": 192}}},
        "train": {"steps": 4000, "batch_size": 512},
        "evaluate": {"classifier_events": 6000},
    },
    "tpc": {
        "simulate": {"events": 40_000},
        "train": {"steps": 4000},
        "evaluate": {"classifier_events": 4000},
    },
    "calorimeter": {"simulate": {"events": 4000, "energy": {"log_uniform": [1, 10]}}, "sample": {"steps": []}},
}
"""What differs from the recipe of a task; there are no baselines."""
METHODS = (
    "fp16",
    "bf16",
    "int8-dynamic",
    "int8-static",
    "sparse",
    "narrow",
    "narrow:share=0.75",
    "narrow:share=0.9",
    "int8-dynamic:after=narrow-share=0.75",
    "distil",
    "few-steps",
    "few-steps:steps=1",
    "distil-steps",
)


def configuration(task: str) -> Json:
    """The recipe of `task` with what `PLANS` changes."""
    tree: Json = yaml.safe_load(recipe(task).read_text(encoding="utf-8"))
    for name, section in PLANS[task].items():
        tree[name] = section if name == "model" else {**tree.get(name, {}), **section}
    if task == "tpc":
        tree["model"]["method"]["network"] = WIDE
    return {**tree, "baselines": []}


def measured(task: str, out: Path, smoke: bool) -> Json:
    """The table of one task."""
    for verb in (facsim.simulate, facsim.prepare, facsim.train, facsim.sample, facsim.evaluate):
        verb(configuration(task), out=out / task, smoke=smoke)
    fits = fitting(load_model(out / task / "models" / "surrogate"))
    methods = [text for text in METHODS if text.partition(":")[0] in fits]
    return facsim.compress(out / task, methods, smoke=smoke)


def table(task: str, found: Json) -> str:
    """Markdown of one task."""
    names, batches = found["watched"], list(found["rows"][0]["times"])
    head = ["", *names, "sigma", *(f"batch {b}, µs" for b in batches), *(f"faster, batch {b}" for b in batches)]
    lines = ["| " + " | ".join([*head, "engine", "MB", "kept"]) + " |", "|" + "---|" * (len(head) + 3)]
    for row in found["rows"]:
        scores = [row["scores"][name] for name in names]
        values = ["no value" if s["value"] is None else f"{s['value']:.3f} ± {s['error']:.3f}" for s in scores]
        times = [row["times"][b] for b in batches]
        gains = [f"{t['ratio']:.2f} ({t['ratio_low']:.2f} to {t['ratio_high']:.2f})" for t in times]
        size = row["graph_MB"] or row["weights_MB"]
        cells = [row["name"], *values, f"{max(s['sigma'] for s in scores):+.1f}"]
        cells += [f"{1e3 * t['ms']:.3g}" for t in times] + (gains if row["method"] else ["", ""])
        cells += [times[-1]["engine"], f"{size:.2f}", "yes" if row["kept"] else "no"]
        lines.append("| " + " | ".join(cells) + " |")
    null = ", ".join(
        f"{name} {s['null']:.3f} ± {s['null_error']:.3f}" for name, s in found["rows"][0]["scores"].items()
    )
    told = f"{found['events']} events judged, seed {found['seed']}, one thread of {found['hardware']['cpu']}"
    told += ", in miniature: the numbers mean nothing" if found["smoke"] else ""
    failed = [f"{name} was not made: {why}" for name, why in found["failed"].items()]
    return "\n".join([f"## {task}\n", f"{told}; truth against truth: {null}.\n", *lines, "", *failed])


def main() -> None:
    """Measure, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", default=list(PLANS), choices=[*PLANS, []])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--smoke", action="store_true")
    given = parser.parse_args()
    tables = []
    try:
        for task in given.tasks:
            tables.append(table(task, measured(task, given.out, given.smoke)))
            with atomic_path(given.out / "compression.md") as temporary:
                temporary.write_text("\n".join(tables), encoding="utf-8")
    except FacsimError as error:
        raise SystemExit(f"compression: {error}") from None
    print("\n".join(tables))


if __name__ == "__main__":
    main()
