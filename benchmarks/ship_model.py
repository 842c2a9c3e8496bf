"""Make the folder of a shipped model from a run: python benchmarks/ship_model.py RUN NAME [--note TEXT]

Weights go in half precision and without what only training reads; the card takes schema, training ranges, provenance of
the training showers, and scores and times where the run has them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from facsim.config import load_config
from facsim.core.sources import read_labels
from facsim.core.store import read_json, write_json
from facsim.models.checkpoint import count_parameters, load_model
from facsim.models.shipped import FOLDER
from facsim.pipeline.truth import open_splits
from facsim.provenance import provenance
from facsim.run import Run

KEPT = ("auc_high", "auc_cells", "fpd", "kpd", "memorisation", "separation/e_ratio", "separation/cells")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--note", default="")
    given = parser.parse_args()
    run = Run(given.run, load_config(given.run / "config.yaml"))
    target = FOLDER / given.name
    target.mkdir(parents=True, exist_ok=True)
    model = load_model(run.model())
    weights = load_file(run.model() / "weights.safetensors")
    kept = {
        name: tensor.half() if tensor.dtype == torch.float32 and tensor.numel() > 10_000 else tensor
        for name, tensor in weights.items()
        if not name.startswith(model.training_only)
    }
    save_file(kept, target / "weights.safetensors")
    (target / "model.json").write_text((run.model() / "model.json").read_text())
    write_json(target / "card.json", _card(run, model, target, given.note))
    print(f"{target}: {sum(f.stat().st_size for f in target.iterdir()) / 1e6:.2f} MB")


def _card(run: Run, model: Any, target: Path, note: str) -> dict[str, Any]:
    splits = open_splits(run)
    cond = read_labels(splits["train"]).cond
    scores = read_json(run.scores("surrogate"))["scores"] if run.scores("surrogate").is_file() else []
    return {
        "name": target.name,
        "licence": "BSD-3-Clause",
        "weights_sha256": hashlib.sha256((target / "weights.safetensors").read_bytes()).hexdigest(),
        "parameters": count_parameters(model),
        "units": "energies in MeV; cells in the order of the CaloChallenge, ring fastest, then sector, then layer",
        "training_range": [
            {"name": feature.name, "unit": feature.unit, "min": float(low), "max": float(high)}
            for feature, low, high in zip(
                model.schema.conditions, np.min(cond, axis=0), np.max(cond, axis=0), strict=True
            )
        ],
        "events": {name: len(split) for name, split in splits.items()},
        "truth": json.loads(json.dumps(dict(splits["train"].schema.provenance), default=str)),
        "configuration": run.config.model_dump(mode="json", include={"model", "train", "prepare"}),
        "scores": [s for s in scores if s["name"] in KEPT and s["region"] in ("all", "worst")],
        "made_with": provenance(run.config.seed),
        "note": note,
    }


if __name__ == "__main__":
    main()
