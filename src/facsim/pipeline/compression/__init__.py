"""compress: cheaper forms of a trained surrogate, each judged like the original, in one table.

`methods.METHODS` lists the ways; each is a function of a `Job` in a file of this folder.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from facsim import __version__
from facsim.config import load_config
from facsim.core.errors import FacsimError, MissingExtraError
from facsim.core.store import read_json
from facsim.export.card import sha256
from facsim.models.base import EventModel
from facsim.models.checkpoint import load_trained
from facsim.pipeline.compression.gate import Limits, compared, failures, limits, watched
from facsim.pipeline.compression.job import Job
from facsim.pipeline.compression.judging import judge_result, write_card
from facsim.pipeline.compression.methods import Asked, asked, check_fit, listed
from facsim.pipeline.compression.record import Record, records
from facsim.pipeline.compression.table import write_table
from facsim.pipeline.judging import JudgeOf, one_judge
from facsim.pipeline.lifecycle import stages_of
from facsim.pipeline.preflight import ONNX_PACKAGES
from facsim.pipeline.stage import check_upstream
from facsim.pipeline.terminal import Terminal
from facsim.pipeline.truth import open_splits
from facsim.run import SURROGATE, Reporter, Run, saved_config
from facsim.stamps import fingerprint, read_stamp

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
        The content of `out/compressed/table.json`, and under `refused` why models of this call were not kept.

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
        scores = original_scores(run)
        names = watched(scores, allowed.at_least)
        splits, judge = open_splits(run), one_judge()
        told = []
        for one in ones:
            record = Record(run, one.label)
            number = run.config.seed if seed is None else seed
            job = Job(run, record.place, base_of(run, one), splits, number, smoke)
            work(one, record, job, judge)
            told.append((record, judged_row(record, scores, names, allowed, force)))
        found = write_table(run, scores, names, allowed, splits, smoke)
    refused = {record.label: why for record, why in told if why and not force}
    return {**found, "refused": refused}


def refuse(found: Json) -> None:
    """Say which models of `found`, what `compress` returns, are too bad to be kept.

    Raises:
        FacsimError: there are some.
    """
    if found["refused"]:
        each = "; ".join(f"{name} ({', '.join(why)})" for name, why in found["refused"].items())
        raise FacsimError(
            f"worse than allowed, so that the scores are kept and no model: {each}: allow more with --within, or keep "
            "them all the same with --force."
        )


def trained_surrogate(run: Run) -> EventModel:
    """The trained generative model of `run`, its stages up to `evaluate` done.

    Raises:
        FacsimError: there is none.
    """
    if run.config.predicts:
        raise FacsimError(
            f"'{run.dir}' holds a predictor, and generative models are compressed: for its graph in 8 bits or with "
            "zeros, facsim export --set 'export.variants=[int8, pruned]'."
        )
    if not (run.model() / "weights.safetensors").is_file():
        raise FacsimError(f"'{run.dir}' holds no trained surrogate: run facsim train --out {run.dir} first.")
    check_upstream(stages_of(run.config)["evaluate"], stages_of(run.config), run)
    model = load_trained(run.model())
    if not isinstance(model, EventModel):
        raise FacsimError(f"'{run.dir}' holds no generative model.")
    return model


def original_scores(run: Run) -> list[Json]:
    """The scorecard of the surrogate.

    Raises:
        FacsimError: it is not there yet.
    """
    if not run.scores(SURROGATE).is_file():
        raise FacsimError(f"the surrogate of '{run.dir}' is not judged yet: run facsim evaluate --out {run.dir} first.")
    found: list[Json] = read_json(run.scores(SURROGATE))["scores"]
    return found


def base_of(run: Run, one: Asked) -> Path:
    """The folder of the weights that `one` starts from.

    Raises:
        FacsimError: it names no compressed model, or one without weights.
    """
    if one.options.after is None:
        return run.model()
    found = Record(run, one.options.after).weights
    if found is None or one.options.after == one.label:
        names = [record.label for record in records(run) if record.weights is not None]
        raise FacsimError(
            f"'{one.name}' cannot start from '{one.options.after}': expected a compressed model of this run with "
            f"weights, one of {names}."
        )
    return found


def check_onnx() -> None:
    """Refuse what needs ONNX where it is missing.

    Raises:
        MissingExtraError: it is.
    """
    for package in ONNX_PACKAGES:
        if find_spec(package) is None:
            raise MissingExtraError("onnx", package)


def work(one: Asked, record: Record, job: Job, judge: JudgeOf) -> None:
    """Make and judge the compressed model, as far as that is not done."""
    run, say = job.run, job.run.reporter.say
    stamp = read_stamp(run.stamp("prepare"))
    source = {
        "weights": sha256(run.model() / "weights.safetensors"),
        "start": sha256(job.base / "weights.safetensors"),
        "truth": None if stamp is None else stamp.identity,
    }
    training = run.config.train.model_dump(mode="json", exclude={"sinks", "checkpoint_seconds", "threads"})
    told = {"method": one.name, "options": one.options.model_dump(mode="json"), "label": one.label, "seed": job.seed}
    told |= {"smoke": job.smoke, "source": source}
    identity = fingerprint({"facsim": __version__, **told, "train": training})
    sampled = run.config.sample.model_dump(mode="json"), run.config.seed
    judging = fingerprint([run.config.evaluate.model_dump(mode="json"), *sampled])
    if record.content.get("identity") == identity and record.made() and record.judged(judging):
        say(f"{one.label}: up to date", "dim")
        return
    record.open(identity, {**told, "command": sys.argv})
    with record.at_home():
        if not record.made():
            say(f"{one.label}: {one.method.does}", "bold")
            started = time.perf_counter()
            one.method.make(job, one.options)
            record.note("made", facts=job.facts, seconds=round(time.perf_counter() - started, 1))
        scores = judge_result(job, judge(run))
        write_card(job, {**told, "facts": record.content.get("facts", {})}, scores)
        record.note("judged", judge=judging)


def judged_row(record: Record, original: list[Json], names: list[str], allowed: Limits, force: bool) -> list[str]:
    """Keep the model or not; why not, in words."""
    scores = read_json(record.place.scores(SURROGATE))["scores"]
    why = failures(compared(scores, original, names), allowed)
    record.keep(force or not why)
    record.tell(worse=why, limits=allowed.to_dict(), forced=bool(why) and force)
    return why
