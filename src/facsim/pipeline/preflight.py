"""What can be known to fail before a long run begins."""

from __future__ import annotations

from importlib.util import find_spec

from facsim.config import RunConfig
from facsim.config.sections import PrepareConfig
from facsim.core.errors import FacsimError, MissingExtraError
from facsim.core.schema import Schema
from facsim.evaluate.scorers import find_scorer
from facsim.evaluate.scorers.teacher import Teacher
from facsim.models import find_model
from facsim.models.predictor import check_background
from facsim.models.student import Student
from facsim.simulate.baselines import find_baseline

FEWEST_JUDGED = 50
ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def check_plan(config: RunConfig) -> None:
    """Refuse a simulation whose events could not be divided, or not be described by a baseline.

    Raises:
        FacsimError: too few events for the splits, or a baseline that does not fit them.
    """
    if config.simulate is not None:
        check_judged(config, split_sizes(config.simulate.events, config.prepare)["validation"])
        # what the file to come will say of its detector
        check_baselines(config, config.simulate.event_schema({"settings": config.simulate.model_dump(mode="json")}))


def check_training(config: RunConfig) -> None:
    """Refuse a training that could not begin.

    Raises:
        FacsimError: its device is not here, or there is no model to start from.
    """
    from facsim.train.device import choose_device  # noqa: PLC0415  torch is heavy
    from facsim.train.start import start_folder  # noqa: PLC0415

    choose_device(config.train.device)
    if config.train.start is not None:
        start_folder(config.train.start)


def check_baselines(config: RunConfig, schema: Schema) -> None:
    """Refuse baselines that cannot describe events of `schema`, and conditions that are not there to judge scores by.

    Raises:
        FacsimError: there is one.
    """
    if config.predicts:
        _check_scores(config, schema)
        return
    reasons = {b.name: find_baseline(b.name).unfit(schema, **b.options) for b in config.baselines}
    kept = [name for name, reason in reasons.items() if reason is None]
    for reason in reasons.values():
        if reason is not None:
            raise FacsimError(f"{reason.rstrip('.')}; to leave it out: --set baselines=[{','.join(kept)}].")
    for baseline in config.baselines:
        find_baseline(baseline.name)(**baseline.options)  # checks its options


def _check_scores(config: RunConfig, schema: Schema) -> None:
    """Refuse what a run of scores of anomaly would only fail of after the training."""
    check_background(schema, config.prepare.background)
    known = [feature.name for feature in schema.conditions]
    wanted = {
        "prepare.contaminant": config.prepare.contaminant,
        "evaluate.anomaly.signals": config.evaluate.anomaly.signals,
    }
    for key, names in wanted.items():
        for name in names:
            if name not in known:
                raise FacsimError(
                    f"'{key}' names the condition '{name}', which the events have not: they have {known}."
                )
    learns = config.model is not None and issubclass(find_model(config.model.name), Student)
    for baseline in config.baselines:
        find_scorer(baseline.name)(**baseline.options)  # checks its options
        if baseline.name == Teacher.name and not learns and not baseline.options.get("folder"):
            raise FacsimError(
                "the baseline 'teacher' is that of the run's own student, and this run has none: leave it out of "
                "'baselines', or name the folder of a student's run: {name: teacher, folder: PATH}."
            )


def check_judged(config: RunConfig, validation: int) -> None:
    """Refuse early stopping on too few `validation` events.

    Raises:
        FacsimError: they are fewer than 50.
    """
    if config.train.early_stopping is not None and validation < FEWEST_JUDGED:
        raise FacsimError(
            f"early stopping needs at least {FEWEST_JUDGED} validation events, and there are {validation}: "
            "take a larger 'prepare.validation', or leave out 'train.early_stopping'."
        )


def split_sizes(n: int, settings: PrepareConfig) -> dict[str, int]:
    """Events of each split of `n`; what validation and the two test samples leave trains.

    Raises:
        FacsimError: too few to judge by, or none left to train on.
    """

    from facsim.evaluate.scorecard import FEWEST_SHOWERS  # noqa: PLC0415  heavy

    def count(share: int | float) -> int:
        return share if isinstance(share, int) else max(round(share * n), 1)

    test = count(settings.test)
    judged = {"validation": count(settings.validation), "reference": test, "null": test}
    train = n - sum(judged.values())
    if train < 1:
        raise FacsimError(
            f"{n} events are too few for the splits {judged} and some to train on: "
            "take more events, or smaller 'prepare.validation' and 'prepare.test'."
        )
    if test < FEWEST_SHOWERS:
        raise FacsimError(
            f"of {n} events {test} would go to each of the two test samples, and scores need at least "
            f"{FEWEST_SHOWERS}: take more events, or a larger 'prepare.test'."
        )
    return {"train": train, **judged}


def check_extras(config: RunConfig, simulates: bool) -> None:
    """Refuse a run that would fail at its end for want of a package, or for what its export cannot be.

    Args:
        config: the run's configuration.
        simulates: whether truth has still to be simulated.

    Raises:
        MissingExtraError: an optional part that the run needs is not installed.
        FacsimError: variants of a graph that has none.
    """
    missing = config.simulate.missing() if simulates and config.simulate is not None else None
    if missing is not None:
        raise missing
    for sink in config.train.sinks:
        if find_spec(sink) is None:
            raise MissingExtraError(sink, sink)
    if config.export is not None:
        for package in ONNX_PACKAGES:
            if find_spec(package) is None:
                raise MissingExtraError("onnx", package)
        if config.export.variants and config.model is not None and not config.predicts:
            raise FacsimError(
                f"'export.variants' is {config.export.variants}, and graphs of events have no variants, only those of "
                "predictors: leave them out with --set export.variants=[]."
            )
