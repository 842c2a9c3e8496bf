"""compress: cheaper forms of a trained surrogate, each judged like the original, in one table.

`methods.METHODS` lists the ways; each is a function of a `Job` in a file of this folder.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from facsim.config import load_config
from facsim.core.errors import FacsimError, MissingExtraError
from facsim.core.events import EventSource
from facsim.core.store import read_json
from facsim.models.base import EventModel
from facsim.models.checkpoint import load_trained
from facsim.pipeline.compression.gate import Limits, compared, failures, limits, watched
from facsim.pipeline.compression.job import Job
from facsim.pipeline.compression.judging import judge_result, write_card
from facsim.pipeline.compression.methods import Asked, asked, check_fit, listed
from facsim.pipeline.compression.present import Present
from facsim.pipeline.compression.record import Record, tidy
from facsim.pipeline.compression.table import write_table
from facsim.pipeline.judging import JudgeOf, one_judge
from facsim.pipeline.lifecycle import stages_of
from facsim.pipeline.preflight import ONNX_PACKAGES
from facsim.pipeline.stage import check_upstream
from facsim.pipeline.terminal import Terminal
from facsim.pipeline.truth import open_splits
from facsim.run import SURROGATE, Reporter, Run, saved_config

__all__ = ["compress", "listed", "refuse"]
Json = dict[str, Any]


def compress(
    out: str | Path,
    methods: Sequence[str],
    *,
    settings: Sequence[str] = (),
    within: float | None = 1.0,
    at_least: Sequence[str] = (),
    force: bool = False,
    seed: int | None = None,
    smoke: bool = False,
    reporter: Reporter | None = None,
) -> Json:
    """Make the trained surrogate of the run `out` cheaper by each of `methods`, and judge what comes out.

    Each result is a folder `out/compressed/<name>`, laid out like a run directory: `models/surrogate` or `model.onnx`
    or both, `card.json`, samples, scores. What is done already is not done again; an interrupted call goes on.

    Args:
        out: a run directory whose stages up to `evaluate` are done.
        methods: names, see `facsim compress --list`.
        settings: options, `"share=0.75"` of all of the methods that have it, `"narrow.share=0.75"` of one.
        within: no watched score (`gate.WATCHED`) may be worse than the original's by more than so many sigma of the
            errors of both; None for as bad as may be.
        at_least: values to be reached, `"auc_high=0.6"`, `"auc_high@E1=0.7"`.
        force: keep models that are worse.
        seed: of calibration and training, by default the run's.
        smoke: trainings of a few steps, short timing.
        reporter: who is told of the progress; by default the terminal (standard error).

    Returns:
        The content of `out/compressed/table.json`, and by name why models of this call were not kept (`refused`) or
        could not be made (`failed`).

    Raises:
        FacsimError: no trained and judged surrogate, an unknown method, option or score, or a method that does not fit.
        MissingExtraError: ONNX is needed and not installed.

    Example:
        >>> facsim.compress("runs/rich", ["int8-dynamic", "narrow"], settings=["share=0.75"])["rows"]
    """
    ones, allowed = asked(methods, settings), limits(within, at_least)
    folder = Path(out)
    run = Run(folder, load_config(saved_config(folder)), reporter or Terminal())
    with run.lock():
        model = trained_surrogate(run)
        check_fit(ones, model)
        if any(one.method.onnx for one in ones):
            check_onnx()
        scores: list[Json] = read_json(run.scores(SURROGATE))["scores"]
        names = watched(scores, allowed.at_least)
        tidy(run)
        present, splits, judge = Present.of(run, seed, smoke), open_splits(run), one_judge()
        for one in ones:
            if one.options.after not in [other.label for other in ones]:
                present.told(one)  # before anything is done
        refused, failed = dict[str, list[str]](), dict[str, str]()
        for one in ones:
            try:
                why = settle(work(present, one, splits, judge), scores, names, allowed, force)
            except FacsimError as error:  # the others may do
                failed[one.label] = str(error)
                run.reporter.say(f"{one.label}: {error}", "yellow")
                continue
            if why and not force:
                refused[one.label] = why
        found = write_table(present, scores, names, allowed, splits)
    return {**found, "refused": refused, "failed": failed}


def refuse(found: Json) -> None:
    """Say which models of `found`, what `compress` returns, could not be made or are too bad to be kept.

    Raises:
        FacsimError: there are some.
    """
    told = [f"'{name}' was not made: {why}" for name, why in found["failed"].items()]
    if found["refused"]:
        each = "; ".join(f"{name} ({', '.join(why)})" for name, why in found["refused"].items())
        told.append(
            f"worse than allowed, so that the scores are kept and no model: {each}: allow more with --within, or keep "
            "them all the same with --force."
        )
    if told:
        raise FacsimError(" ".join(told))


def trained_surrogate(run: Run) -> EventModel:
    """The trained generative model of `run`, judged as it is.

    Raises:
        FacsimError: there is none, or it is not judged.
    """
    if run.config.predicts:
        raise FacsimError(
            f"'{run.dir}' holds a predictor, and generative models are compressed: for its graph in 8 bits or with "
            "zeros, facsim export --set 'export.variants=[int8, pruned]'."
        )
    if not (run.model() / "weights.safetensors").is_file():
        raise FacsimError(f"'{run.dir}' holds no trained surrogate: run facsim train --out {run.dir} first.")
    stages = stages_of(run.config)
    check_upstream(replace(stages["evaluate"], name="compress", needs=("evaluate",)), stages, run)
    model = load_trained(run.model())
    if not isinstance(model, EventModel):
        raise FacsimError(f"'{run.dir}' holds no generative model.")
    return model


def check_onnx() -> None:
    """Refuse what needs ONNX where it is missing.

    Raises:
        MissingExtraError: it is.
    """
    for package in ONNX_PACKAGES:
        if find_spec(package) is None:
            raise MissingExtraError("onnx", package)


def work(present: Present, one: Asked, splits: Mapping[str, EventSource], judge: JudgeOf) -> Record:
    """Make and judge the compressed model `one`, as far as that is not done; its record, which may yet be a new one."""
    run, told = present.run, present.told(one)
    identity, record = present.identity(told), Record(present.run, one.label)
    if record.content.get("identity") == identity and record.made() and record.judged(present.judging):
        run.reporter.say(f"{one.label}: up to date", "dim")
        return record
    record = record.begin(identity, {**told, "command": sys.argv})
    job = Job(run, record.place, present.base(one.options.after), splits, present.seed, present.smoke)
    if not record.made():
        run.reporter.say(f"{one.label}: {one.method.does}", "bold")
        started = time.perf_counter()
        one.method.make(job, one.options)
        record.note("made", facts=job.facts, seconds=round(time.perf_counter() - started, 1))
    if not record.judged(present.judging):
        scores = judge_result(job, judge(run))
        write_card(job, {**told, "facts": record.content.get("facts", {})}, scores)
        record.note("judged", judge=present.judging)
    return record


def settle(record: Record, original: list[Json], names: list[str], allowed: Limits, force: bool) -> list[str]:
    """Keep the model or not, and put it in its place; why it is worse than allowed, in words."""
    scores = read_json(record.place.scores(SURROGATE))["scores"]
    why = failures(compared(scores, original, names), allowed)
    record.keep(force or not why)
    record.tell(worse=why, limits=allowed.to_dict(), forced=bool(why) and force)
    record.finish()
    return why
