"""Scores of anomaly on one sample of dark showers: every model, the counts to beat, contamination, public images.

OMP_NUM_THREADS=1 python benchmarks/anomaly.py OUT [--events 24000] [--only contrast codae ...] [--public FOLDER]

Truth is simulated once (or found) in OUT/base, half of the events QCD without weights, where all baselines are judged
too; each model gets a run directory OUT/<name> on that truth, and what is up to date is not done again. The table has
the AUC of every kind of signal and the signal efficiency at 2 % of background, with errors of the test sample, and how
many standard errors each score lies above the number of tracks on the same events. `--only held` has
other signals than those that any setting was chosen on, of its own truth; `--only contaminated` repeats the
contrast and the autoencoder with signal among the events that are learnt. With `--public`, the folder of the public
images (`n_tracks_*.npz` of Luca96/dark-autoencoders), models are trained on the public QCD as well, from nothing and
from the weights of the simulated sample (`<name>-public`, `<name>-started`).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import facsim

Json = dict[str, Any]
SIGNALS = {
    **{f"suep-{mass}": 1 for mass in (125, 200, 300, 400, 700, 1000)},
    **dict.fromkeys(("svj-2100", "svj-3100", "svj-4100"), 2 / 3),
}
ALL = ["tracks", "scalar-sum", "sphericity", "isolation-forest", "mixture", "neighbours", "supervised"]
AUTOENCODER = {"name": "autoencoder", "cells": "log", "error": "inverse-dice", "latent": 64}
HITS = {"name": "autoencoder", "cells": "hit", "error": "bce", "latent": 32}
SMALL = {"name": "conv", "channels": [2, 4], "kernels": [4, 8], "pools": [4, 2]}
WHAT = {
    "cells": "share",
    "error": "mse",
    "pooling": "average",
    "widths": [10, 10, 5, 5],
    "strides": [1, 1, 2, 1],
    "dense": [100, 32],
    "latent": 6,
}
MODELS: dict[str, tuple[Json, Json]] = {
    "contrast": ({"name": "contrast"}, {"steps": 200, "batch_size": 256, "lr": 1e-4}),
    "contrast-0": ({"name": "contrast", "count": 0}, {"steps": 200, "batch_size": 256, "lr": 1e-4}),
    "autoencoder": (AUTOENCODER, {"steps": 1500}),
    "hits": (HITS, {"steps": 1000}),
    "variational": ({**AUTOENCODER, "error": "mse", "latent": 32, "beta": 0.01}, {"steps": 1000}),
    "qcd-or-what": ({"name": "autoencoder", **WHAT}, {"steps": 1000}),
    "codae": ({"name": "codae", "latent": "deterministic"}, {"steps": 600}),
    "codae-categorical": ({"name": "codae", "latent": "categorical"}, {"steps": 600}),
    "codae-dirichlet": ({"name": "codae", "latent": "dirichlet"}, {"steps": 600}),
    "student": (
        {"name": "student", "teacher": HITS, "network": SMALL, "cells": "hit", "outliers": "mixed"},
        {"steps": {"teacher": 1000, "student": 3000}, "lr": 3e-3},
    ),
    "student-regional": (
        {
            "name": "student",
            "teacher": {"name": "trained", "folder": "contrast"},
            "input": "regional",
            "channels": ["tracker", "ecal", "hcal"],
            "maps": "each",
            "transform": "none",
        },
        {"steps": 1500, "lr": 2e-3},
    ),
    "student-half": (
        {
            "name": "student",
            "teacher": {"name": "trained", "folder": "hits"},
            "network": {**SMALL, "channels": [1, 2]},
            "cells": "hit",
        },
        {"steps": 1000, "lr": 3e-3},
    ),
}
"""Name to the model and its training; folders of trained teachers are those of other runs in OUT."""
CONTAMINATED = (0.001, 0.01, 0.05)
HELD = {
    "events": 5600,
    "weights": False,
    "processes": {"qcd": 9, **dict.fromkeys(("suep-150", "suep-250", "suep-500", "svj-1500", "svj-2600"), 1)},
    "mesons": {"mass": 3.0, "temperature": 1.5, "photon": 0.7},
    "sector": {"invisible": 0.5},
}
"""Other masses and another shower than any that settings were chosen on."""
PREPARE = {"validation": 0.08, "test": 0.25, "background": {"is_qcd": 1}}
JUDGED = {"anomaly": {"signals": ["is_suep", "is_svj", "mass"]}}


def config(model: Json, train: Json, data: Json, prepare: Json) -> Json:
    """A run of one model on the truth `data`."""
    baselines = ["teacher", "tracks"] if model["name"] == "student" else ["tracks"]
    return {
        "task": "dark-showers",
        "data": data,
        "prepare": prepare,
        "model": model,
        "train": {"batch_size": 64, "lr": 1e-3, "device": "cpu", **train},
        "baselines": baselines,
        "evaluate": JUDGED,
    }


def simulated(events: int) -> Json:
    """The run that holds the truth and judges all baselines."""
    signal = sum(SIGNALS.values())
    processes = {"qcd": signal, **SIGNALS}
    truth = {"simulate": {"events": events, "weights": False, "processes": processes}}
    made = config(*MODELS["contrast"], {}, PREPARE)
    return {**{key: value for key, value in made.items() if key != "data"}, **truth, "baselines": ALL}


def plan(args: argparse.Namespace) -> dict[str, Json]:
    """Name to configuration of all runs but the first."""
    truth = {"run": str((args.out / "base").absolute())}
    runs = {name: config(*of, truth, PREPARE) for name, of in MODELS.items()}
    for tree in runs.values():
        teacher = tree["model"].get("teacher", {})
        if "folder" in teacher:
            tree["model"] = {
                **tree["model"],
                "teacher": {**teacher, "folder": str((args.out / teacher["folder"]).absolute())},
            }
    for name in ("contrast", "autoencoder"):
        for share in CONTAMINATED:
            mixed = {**PREPARE, "contamination": share}
            runs[f"{name}-contaminated-{share:g}"] = config(*MODELS[name], truth, mixed)
    held = config(*MODELS["contrast"], {}, {"validation": 0.1, "test": 0.3, "background": {"is_qcd": 1}})
    runs["held"] = {**{key: value for key, value in held.items() if key != "data"}, "simulate": HELD, "seed": 7}
    if args.public:
        files = {"files": [str(path.absolute()) for path in sorted(args.public.glob("n_tracks_*.npz"))]}
        half = {"validation": 0.1, "test": 0.35, "background": {"is_qcd": 1}}
        for name in ("contrast", "autoencoder", "hits"):
            model, train = MODELS[name]
            short = {**train, "steps": min(train["steps"], 400)}
            runs[f"{name}-public"] = config(model, short, files, half)
            start = str((args.out / name).absolute())
            runs[f"{name}-started"] = config(model, {**short, "start": start}, files, half)
    wanted = args.only or list(runs)
    return {name: tree for name, tree in runs.items() if any(name == one or f"-{one}" in name for one in wanted)}


def rows(folder: Path, name: str) -> list[str]:
    """Lines of the table: AUC, efficiency at 2 %, and distance from the number of tracks."""
    card = json.loads((folder / "scores" / f"{name}.json").read_text())
    groups = list(card["events"]["signals"])
    found = {(row["name"], row["region"]): row for row in card["scores"]}
    label = card["chosen"] if name == "surrogate" else name
    auc = [f"{found['auc', g]['value']:.3f} ± {found['auc', g]['error']:.3f}" for g in groups]
    kept = [found["efficiency/0.02", g] for g in groups]
    efficiency = [
        "limit" if row["value"] is None else f"{100 * row['value']:.0f} ± {100 * row['error']:.0f} %" for row in kept
    ]
    against = card["against"].get("tracks", {})
    z = [f"{against[g][0] / max(against[g][1], 1e-9):+.1f}" if g in against else "" for g in groups]
    head = folder.name if name == "surrogate" else ""
    lines = [f"| {head} {label} | " + " | ".join(auc) + " |", "| at 2 % | " + " | ".join(efficiency) + " |"]
    return [*lines, "| from tracks | " + " | ".join(z) + " |"] if any(z) else lines


def table(folders: list[Path]) -> str:
    """All runs, the first with its baselines."""
    lines = []
    for k, folder in enumerate(folders):
        names = [
            path.stem for path in sorted((folder / "scores").glob("*.json")) if path.stem not in ("timing", "surrogate")
        ]
        card = json.loads((folder / "scores" / "surrogate.json").read_text())
        if k == 0:
            groups = list(card["events"]["signals"])
            lines += ["| score | " + " | ".join(groups) + " |", "|---" * (len(groups) + 1) + "|"]
        for name in ["surrogate", *(names if k == 0 else [name for name in names if name == "teacher"])]:
            lines += rows(folder, name)
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--events", type=int, default=24_000)
    parser.add_argument("--only", nargs="*", help="names, or parts such as 'contaminated' and 'public'")
    parser.add_argument("--public", type=Path)
    args = parser.parse_args()
    facsim.run(simulated(args.events), out=args.out / "base", seed=1)
    runs = plan(args)
    for name, tree in runs.items():
        facsim.run(tree, out=args.out / name, seed=tree.get("seed", 1))
    near = [name for name in runs if not any(word in name for word in ("public", "started", "held"))]
    print(table([args.out / name for name in ("base", *near)]))
    for name in sorted(set(runs) - set(near)):
        print(f"\n{name}\n" + table([args.out / name]))


if __name__ == "__main__":
    main()
