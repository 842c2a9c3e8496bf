"""train: fit the surrogate, into `models/surrogate/`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from facsim.core.plugins import identity
from facsim.core.rng import integer_seed
from facsim.core.store import read_json, write_json
from facsim.pipeline.truth import open_splits, read_data, truth_files
from facsim.run import Run
from facsim.stamps import fingerprint
from facsim.train.loop import Trainer, TrainProgress


def train(run: Run) -> None:
    """Train the model of the configuration; an interrupted training with the same settings goes on.

    Raises:
        FacsimError: the model cannot describe the events, or the loss is not finite.
    """
    config, folder = run.config, run.model()
    splits = open_splits(run)
    settings = {
        "seed": config.seed,
        "model": config.model.model_dump(mode="json"),
        "code": identity("models", config.model.name),
        "train": config.train.model_dump(mode="json"),
        "splits": read_data(run)["splits"],
        "truth": [[str(path), path.stat().st_size, path.stat().st_mtime_ns] for path in truth_files(run)],
    }
    if _forget_other(folder / "state", settings):
        run.reporter.say("  going on where the interrupted training stopped")
    trainer = Trainer(
        config.model.name,
        config.model.options,
        splits["train"],
        splits["validation"],
        folder,
        integer_seed(config.seed, "train"),
        config.train,
    )
    with run.reporter.progress("training") as advance:

        def tell(progress: TrainProgress) -> None:
            advance(progress.done / progress.total, f"{progress.phase}, loss {progress.loss:.4f}")

        trainer.run(tell)
    shutil.rmtree(folder / "state", ignore_errors=True)
    run.reporter.say(f"  {trainer.total} steps in {trainer.seconds:.0f} s")


def _forget_other(state: Path, settings: dict[str, Any]) -> bool:
    """Drop the state of a training with other settings; return whether one with these is left to go on with."""
    path, wanted = state / "identity.json", fingerprint(settings)
    if not path.is_file() or read_json(path) != wanted:
        shutil.rmtree(state, ignore_errors=True)
        write_json(path, wanted)
    return (state / "training.pt").is_file()
