"""Make the folder of a shipped model from a run: python benchmarks/ship_model.py RUN NAME VERSION [--note TEXT]

Weights go in half precision and without what only training reads; the card takes schema, training ranges, provenance of
the training showers, and scores, times and the curve of steps where the run has them.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors.torch import save

from facsim.config import load_config
from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.core.sources import read_labels
from facsim.core.store import atomic_path, read_json, write_json
from facsim.data import open_events
from facsim.export.card import describe_model, file_facts, training_range
from facsim.models.base import EventModel
from facsim.models.checkpoint import load_model, small_weights
from facsim.models.sampling import TorchSampler
from facsim.models.shipped import FOLDER
from facsim.pipeline.truth import open_splits, truth_files
from facsim.repository.publish import make_manifest, write_manifest
from facsim.repository.summary import summarise
from facsim.run import SURROGATE, Run, saved_config

COMPARED = 500
"""Showers by which weights in half precision are compared with those of the run."""
LEFT_OUT = ("details", "note")
"""Fields of a score that the card does without."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("version")
    parser.add_argument("--note", default="")
    given = parser.parse_args()
    try:
        target = ship(given.run, FOLDER / given.name / given.version, given.note)
    except FacsimError as error:
        raise SystemExit(f"ship_model: {error}") from None
    print(f"{target}: {sum(f.stat().st_size for f in target.iterdir()) / 1e6:.2f} MB")


def ship(where: Path, target: Path, note: str = "") -> Path:
    """Write the folder `target`, <name>/<version>, of the model trained in the run directory `where`."""
    run = Run(where, load_config(saved_config(where)))
    model = load_model(run.model())
    with atomic_path(target / "weights.safetensors") as temporary:
        temporary.write_bytes(save(small_weights(model)))
    write_json(target / "model.json", read_json(run.model() / "model.json"))
    card = _card(run, model, target, note)
    write_json(target / "card.json", card)
    origin = {key: card["provenance"].get(key) for key in ("truth", "seed", "git")}
    facts: dict[str, Any] = {"licence": card["licence"], "model": card["model"], "provenance": origin}
    name, version = target.parent.name, target.name
    write_manifest(target, make_manifest(target, name, version, summary=summarise(card), **facts))
    return target


def _card(run: Run, model: EventModel, target: Path, note: str) -> dict[str, Any]:
    splits = open_splits(run)
    cond = read_labels(splits["train"]).cond
    ranges = training_range(model.schema, cond)
    trained = read_json(run.dir / "stamps" / "train.json")["finished"]
    # a choice among candidates may flip
    one = {key: 1 for key in ("layer_candidates", "candidates") if getattr(model.options, key, None)}
    return {
        "name": target.parent.name,
        "licence": "BSD-3-Clause",
        "trained": trained,
        "shipped": datetime.now(UTC).isoformat(timespec="seconds"),
        "note": note,
        **describe_model(model, run.config.model.name, ranges),
        "parameters": sum(tensor.numel() for tensor in small_weights(model).values()),
        "weights": {
            **file_facts(target / "weights.safetensors"),
            "half_precision": _loss(*(load_model(folder, **one) for folder in (run.model(), target)), cond),
        },
        "scores": _scores(run),
        "steps": _json(run.dir / "scores" / "steps.json"),
        "timing": _json(run.dir / "scores" / "timing.json"),
        "provenance": {
            "events": {name: len(split) for name, split in splits.items()},
            "truth": _truth(run),
            "training": run.config.model_dump(mode="json", include={"seed", "prepare", "train"}),
            **{key: value for key, value in _json(run.dir / "provenance.json").items() if key != "history"},
        },
    }


def _loss(whole: EventModel, small: EventModel, cond: NDArray[Any]) -> dict[str, float]:
    """What half precision changes in showers from the same noise."""
    pair = [TorchSampler(model).sample(cond[:COMPARED], generator(1, "half"))[..., 0] for model in (whole, small)]
    hits = [cells > 0 for cells in pair]
    totals = [cells.sum(1, dtype=float) for cells in pair]
    return {
        "showers": len(pair[0]),
        "fraction_of_hits_that_differ": float((hits[0] != hits[1]).sum() / hits[0].sum()),
        "max_relative_difference_of_totals": float(abs(totals[1] / totals[0] - 1).max()),
    }


def _scores(run: Run) -> list[dict[str, Any]]:
    """The scorecard as measured, over all energies and in the worst bin."""
    rows = _json(run.scores(SURROGATE)).get("scores", [])
    return [
        {key: value for key, value in row.items() if key not in LEFT_OUT}
        for row in rows
        if row["region"] in ("all", "worst")
    ]


def _truth(run: Run) -> dict[str, Any]:
    """What is the same in all files once, and of each file what is its own: events and seed."""
    sources = [open_events(path) for path in truth_files(run)]
    origins = [dict(source.schema.provenance) for source in sources]
    own = ("seed", "fingerprint", "cpu_seconds")
    shared = {key: _without_events(value) for key, value in origins[0].items() if key not in own}
    for origin in origins[1:]:
        if any(_without_events(origin.get(key)) != value for key, value in shared.items()):
            raise FacsimError(
                f"the truth of '{run.dir}' comes from simulations that differ: say so in the card by hand."
            )
    files = [
        {"events": len(source), **{key: origin[key] for key in own if key in origin}}
        for source, origin in zip(sources, origins, strict=True)
    ]
    return {**shared, "files": files}


def _without_events(value: Any) -> Any:
    """Settings without the number of showers and their chunks, which may differ."""
    return {k: v for k, v in value.items() if k not in ("events", "chunk")} if isinstance(value, dict) else value


def _json(path: Path) -> dict[str, Any]:
    """A file of the run; empty where the run has not made it."""
    found: dict[str, Any] = read_json(path) if path.is_file() else {}
    return found


if __name__ == "__main__":
    main()
