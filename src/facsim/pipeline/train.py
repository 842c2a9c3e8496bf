"""train: fit the surrogate, into `models/surrogate/`."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facsim.config import RunConfig, run_config
from facsim.core.errors import FacsimError
from facsim.core.events import EventSource, make_events
from facsim.core.plugins import identity
from facsim.core.rng import generator, integer_seed
from facsim.core.store import read_json, write_json
from facsim.models import find_model
from facsim.models.base import EventModel, RunModel
from facsim.models.sampling import TorchSampler
from facsim.pipeline.prediction.training import learnt_from, predictor_options
from facsim.pipeline.preflight import check_judged
from facsim.pipeline.truth import open_splits, read_data, truth_files
from facsim.run import Run
from facsim.stamps import fingerprint
from facsim.train.device import choose_device
from facsim.train.loop import Trainer, TrainProgress
from facsim.train.processes import Processes
from facsim.train.settings import NO_MATTER
from facsim.train.stopping import Judge


def train(run: Run) -> None:
    """Train the model of the configuration; an interrupted training with the same settings goes on.

    Raises:
        FacsimError: the model cannot describe the events, or the loss is not finite.
    """
    config, folder = run.config, run.model()
    model = config.surrogate
    splits, group = open_splits(run), Processes.join()
    settings = {
        "seed": config.seed,
        "model": model.model_dump(mode="json"),
        "code": identity("models", model.name),
        "train": config.train.model_dump(mode="json", exclude=set(NO_MATTER)),
        "processes": group.size,
        "splits": read_data(run)["splits"],
        "learnt": config.prepare.model_dump(mode="json", include={"background", "contamination", "contaminant"}),
        "truth": [[str(path), path.stat().st_size, path.stat().st_mtime_ns] for path in truth_files(run)],
    }
    if _forget_other(folder / "state", settings):
        run.reporter.say("  going on where the interrupted training stopped")
    group.tell({"dir": str(run.dir), "config": config.model_dump(mode="json")})
    trainer = _trainer(run, splits, group)
    with run.reporter.progress("training") as advance:

        def tell(progress: TrainProgress) -> None:
            best = "" if progress.score is None else f", best score {progress.score:.4g}"
            advance(progress.done / progress.total, f"{progress.phase}, loss {progress.loss:.4f}{best}")

        trainer.run(tell)
    shutil.rmtree(folder / "state", ignore_errors=True)
    run.reporter.say(f"  {trainer.done} steps in {trainer.seconds:.0f} s{_told(trainer)}")


def follow() -> None:
    """Train whatever the first process trains, until it is done."""
    group = Processes.join()
    while (told := group.tell(None)) is not None:
        run = Run(Path(told["dir"]), run_config(told["config"]))
        _trainer(run, open_splits(run), group).run()


def _trainer(run: Run, splits: Mapping[str, EventSource], group: Processes) -> Trainer:
    config, model = run.config, run.config.surrogate
    options, learnt = model.options, dict(splits)
    if config.predicts:
        options = predictor_options(run)
        learnt = {name: learnt_from(run, splits[name], name) for name in ("train", "validation")}
    return Trainer(
        model.name,
        options,
        learnt["train"],
        learnt["validation"],
        run.model(),
        integer_seed(config.seed, "train"),
        config.train,
        _judge(config, splits["validation"]) if group.first else None,
        group,
    )


def _judge(config: RunConfig, validation: EventSource) -> Judge | None:
    """The score of `train.early_stopping` of a model sampled at the conditions of the validation events."""
    stopping = config.train.early_stopping
    if stopping is None:
        return None
    if not issubclass(find_model(config.surrogate.name), EventModel):
        raise FacsimError(
            f"train.early_stopping judges generated events, and '{config.surrogate.name}' makes none: leave it out."
        )
    from facsim.evaluate.early import EarlyScore  # noqa: PLC0415  heavy
    from facsim.evaluate.tasks import find_physics  # noqa: PLC0415

    check_judged(config, len(validation))
    truth = validation.read(0, min(stopping.events, len(validation)))
    score = EarlyScore(stopping.score, truth, config.seed, find_physics(config.task))
    device = str(choose_device(config.train.device))

    def judge(model: RunModel) -> float:
        assert isinstance(model, EventModel)
        x = TorchSampler(model, device).sample(truth.cond, generator(config.seed, "early-stopping"))
        return score(make_events(truth.schema, x, truth.cond))

    return judge


def _told(trainer: Trainer) -> str:
    best, stopping = trainer.best, trainer.settings.early_stopping
    if best is None or stopping is None or not best.weights:
        return ""
    ended = f", ended early of {trainer.total}" if trainer.over else ""
    return f"{ended}; best {stopping.score} {best.score:.4g} after {best.step} steps of the last phase"


def _forget_other(state: Path, settings: dict[str, Any]) -> bool:
    """Drop the state of a training with other settings; return whether one with these is left to go on with."""
    path, wanted = state / "identity.json", fingerprint(settings)
    if not path.is_file() or read_json(path) != wanted:
        shutil.rmtree(state, ignore_errors=True)
        write_json(path, wanted)
    return (state / "training.pt").is_file()
