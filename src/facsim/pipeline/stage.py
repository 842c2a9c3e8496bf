"""A stage: one function of the run, skipped when what it was made from has not changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facsim import __version__
from facsim.config import RunConfig
from facsim.core.errors import FacsimError
from facsim.run import Run
from facsim.stamps import NEW, Stamp, read_stamp, reason_to_run, write_stamp


def _no_files(run: Run) -> list[Path]:
    return []


@dataclass(frozen=True)
class Stage:
    """One step of the lifecycle.

    Attributes:
        name: the verb.
        work: does the step, reading and writing files of the run directory.
        settings: the JSON-ready part of the configuration that the result depends on.
        outputs: files left behind.
        needs: stages whose results it reads.
        inputs: the user's own files it reads.
        partial: works also where stages it needs have not run.
    """

    name: str
    work: Callable[[Run], None]
    settings: Callable[[RunConfig], Any]
    outputs: Callable[[Run], list[Path]]
    needs: tuple[str, ...] = ()
    inputs: Callable[[Run], list[Path]] = _no_files
    partial: bool = False


@dataclass(frozen=True)
class Done:
    """What became of a stage: its name, seconds it took (0 when skipped), whether it was skipped."""

    stage: str
    seconds: float
    skipped: bool


def reason(stage: Stage, run: Run) -> str | None:
    """Why `stage` has to run in words; None when its result still stands."""
    return reason_to_run(
        run.stamp(stage.name), _settings(stage, run), _identities(stage, run), stage.inputs(run), stage.outputs(run)
    )


def run_stage(stage: Stage, run: Run, force: bool = False) -> Done:
    """Run one stage unless its stamp matches.

    Raises:
        FacsimError: a stage it needs has not run.
    """
    missing = [name for name in stage.needs if read_stamp(run.stamp(name)) is None]
    if missing and not stage.partial:
        raise FacsimError(
            f"'{stage.name}' needs the result of '{missing[0]}', which is not in '{run.dir}': "
            f"run facsim {missing[0]} --out {run.dir} first, or facsim run for all stages."
        )
    why = "asked to run again" if force else reason(stage, run)
    if why is None:
        run.reporter.say(f"{stage.name}: up to date", "dim")
        return Done(stage.name, 0.0, skipped=True)
    run.reporter.say(f"{stage.name}: {why}" if force or why != NEW else stage.name, "bold")
    run.stamp(stage.name).unlink(missing_ok=True)
    started = time.perf_counter()
    stage.work(run)
    stamp = _finish(stage, run, time.perf_counter() - started)
    return Done(stage.name, stamp.seconds, skipped=False)


def check_upstream(stage: Stage, table: Mapping[str, Stage], run: Run) -> None:
    """Refuse to build on results that the present configuration would not give.

    Raises:
        FacsimError: a stage that `stage` needs, directly or not, has changed settings or inputs.
    """
    for name in () if stage.partial else stage.needs:
        check_upstream(table[name], table, run)
        why = reason(table[name], run)
        if why is not None:
            config = "" if (run.dir / "config.yaml").is_file() else "CONFIG "
            raise FacsimError(
                f"'{stage.name}' needs the result of '{name}' in '{run.dir}', but {why}: "
                f"run facsim {name} {config}--out {run.dir} first, or facsim run for all stages."
            )


def _finish(stage: Stage, run: Run, seconds: float) -> Stamp:
    return write_stamp(
        run.stamp(stage.name),
        stage.name,
        _settings(stage, run),
        _identities(stage, run),
        stage.inputs(run),
        stage.outputs(run),
        seconds,
    )


def _settings(stage: Stage, run: Run) -> Any:
    return {"facsim": __version__, "settings": stage.settings(run.config)}


def _identities(stage: Stage, run: Run) -> dict[str, str]:
    stamps = {name: read_stamp(run.stamp(name)) for name in stage.needs}
    return {name: stamp.identity for name, stamp in stamps.items() if stamp is not None}
