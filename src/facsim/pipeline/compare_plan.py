"""The plan of a comparison: where the shared truth lies, and the run of every surrogate on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from facsim.config import DataConfig, RunConfig
from facsim.config.sections import Named
from facsim.core.errors import FacsimError
from facsim.pipeline.contenders import SHARED, Contender, LoadOptions, Source, check_one_truth, find_contender, gather
from facsim.pipeline.truth import truth_run
from facsim.run import Reporter, Run
from facsim.train.settings import TrainSettings

TRUTH = "truth"


@dataclass(frozen=True)
class Plan:
    """What a comparison does.

    Attributes:
        out: the comparison's directory.
        base: the run that holds truth, splits and baselines.
        made: whether `base` belongs to the comparison, which then does its stages.
        runs: the surrogates by name.
        trained: names of those that the comparison trains; the others are only read.
        reporter: who is told of the progress.
    """

    out: Path
    base: Run
    made: bool
    runs: Mapping[str, Run]
    trained: tuple[str, ...]
    reporter: Reporter


def make_plan(
    sources: Sequence[str | Path] | Mapping[str, Source],
    options: LoadOptions,
    *,
    out: Path,
    truth: Source | None,
    reporter: Reporter,
) -> Plan:
    """Read and check everything there is to compare; nothing is written.

    Raises:
        FacsimError: see `compare`.
    """
    if (out / "config.yaml").exists():
        raise FacsimError(f"'{out}' is a run directory: choose another --out for the comparison.")
    contenders = gather(sources, options, reporter)
    base = _base(contenders, truth, options, reporter)
    if truth is not None:
        contenders = [each if each.exists else _with_truth_of(each, base) for each in contenders]
    check_one_truth(contenders, base)
    trained = [each for each in contenders if not each.exists]
    made = bool(trained) and not base.exists
    holder = Run(out / TRUTH, _without_model(base, trained), reporter) if made else truth_run(base.run)
    runs = {each.name: each.run if each.exists else _on(holder, each, out) for each in contenders}
    return Plan(out, holder, made, runs, tuple(each.name for each in trained), reporter)


def _base(contenders: Sequence[Contender], truth: Source | None, options: LoadOptions, reporter: Reporter) -> Contender:
    """Whose truth counts: that of `truth` if given, of the first directory if there is one, else of the first."""
    if truth is not None:
        return find_contender(TRUTH, truth, options, reporter)
    return next((each for each in contenders if each.exists), contenders[0])


def _with_truth_of(contender: Contender, base: Contender) -> Contender:
    """`contender` with the truth, splits, baselines and judging of `base`."""
    shared = {name: getattr(base.run.config, name) for name in (*SHARED, "baselines")}
    config = contender.run.config.model_copy(update=shared)
    return replace(contender, run=replace(contender.run, config=config))


def _without_model(base: Contender, trained: Sequence[Contender]) -> RunConfig:
    """The configuration of the run that holds truth and the baselines of all.

    Raises:
        FacsimError: two contenders give different options to a baseline.
    """
    baselines: dict[str, tuple[Named, str]] = {}
    for each in [base, *trained]:
        for baseline in each.run.config.baselines:
            first, given = baselines.setdefault(baseline.name, (baseline, each.given))
            if first != baseline:
                raise FacsimError(f"'{each.given}' and '{given}' differ in the options of the baseline '{first.name}'.")
    changes = {
        "model": None,
        "export": None,
        "train": TrainSettings(),
        "baselines": [baseline for baseline, _ in baselines.values()],
        "plugins": list(dict.fromkeys(name for each in [base, *trained] for name in each.run.config.plugins)),
        "sample": base.run.config.sample.model_copy(update={"steps": []}),
    }
    return base.run.config.model_copy(update=changes)


def _on(holder: Run, contender: Contender, out: Path) -> Run:
    """The run of `contender` on the truth that `holder` has, without baselines of its own."""
    data = DataConfig(run=str(truth_run(holder).dir.absolute()))
    config = contender.run.config.model_copy(update={"simulate": None, "data": data, "baselines": []})
    return Run(out / contender.name, config, contender.run.reporter)
