"""farm: shards of a task by an engine, resumed, merged and shown. What they hold: `farm_sample`, `farm_simulate`,
`farm_score`."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from facsim.core.errors import FacsimError
from facsim.core.lock import locked
from facsim.core.store import atomic_path, read_json, told_of, write_json
from facsim.engines.clusters import BATCH, Resources, job_script
from facsim.engines.dask import run_dask
from facsim.engines.ledger import Ledger
from facsim.engines.local import run_local
from facsim.engines.manifest import DONE, claim
from facsim.engines.merge import check_whole, where_logs_are
from facsim.engines.shards import FOLDER, FORMAT, LOGS, Job, Shard, Stamp, divide
from facsim.engines.templates import array_script
from facsim.provenance import versions
from facsim.run import Reporter
from facsim.simulate.truth import available_processors
from facsim.stamps import mark

LOCAL, DASK = "local", "dask"
Stamps = dict[int, Stamp]


@dataclass(frozen=True)
class How:
    """How shards are made; nothing of it changes what they hold.

    Attributes:
        workers: processes; None takes one for each processor of this machine.
        engine: `local` or `dask`; None takes Dask where a cluster is named.
        cluster: of Dask: `local`, `slurm`, `htcondor`, or a scheduler's address.
        resources: of jobs of a batch system.
        only_shard: make this one alone, for a job array.
        merge: make none, put those that are there together.
        dry_run: say what would be done.
        script: write the job array of this batch system, `slurm` or `htcondor`, and make no shard.
        command: facsim's, for that script.
        clean: remove the shards once they are merged.
    """

    workers: int | None = None
    engine: str | None = None
    cluster: str | None = None
    resources: Resources = field(default_factory=Resources)
    only_shard: int | None = None
    merge: bool = False
    dry_run: bool = False
    script: str | None = None
    command: Sequence[str] = ()
    clean: bool = False

    def __post_init__(self) -> None:
        if self.engine not in (None, LOCAL, DASK):
            raise FacsimError(f"an engine is '{LOCAL}' or '{DASK}', not '{self.engine}'.")
        if self.engine == LOCAL and self.cluster not in (None, LOCAL):
            raise FacsimError(f"the cluster '{self.cluster}' needs --engine {DASK}.")
        if sum((self.only_shard is not None, self.merge, self.dry_run, self.script is not None)) > 1:
            raise FacsimError("--only-shard, --merge, --dry-run and --script exclude one another.")

    @property
    def with_dask(self) -> bool:
        """Whether Dask does the work."""
        return self.engine == DASK or (self.engine is None and self.cluster is not None)

    @property
    def count(self) -> int:
        """Number of processes."""
        return self.workers or available_processors()


@dataclass(frozen=True)
class Work:
    """A job and what belongs to it.

    Attributes:
        job: of the shards. shards: all of them. noun: what is in them, in the plural.
        finish: makes the results of all shards, `(stamps, advance)`; returns them by name.
        prepare: writes what workers read from the folder.
        partial: some results are worth having where others failed.
    """

    job: Job
    shards: list[Shard]
    noun: str
    finish: Callable[[Stamps, Callable[[float, str], None]], dict[str, Path]]
    prepare: Callable[[], None] = lambda: None
    partial: bool = False


@dataclass(frozen=True)
class Farmed:
    """What a farm did.

    Attributes:
        out: its folder. files: results by name; empty where some shards are still missing.
        events: asked for. shards: all. made, reused: by this command, and found whole.
        retried: attempts that failed and were repeated.
        seconds: wall-clock time of making shards. rate: events of the shards made per second of it.
        worker_seconds: of all shards, added up. peak_MB: largest resident memory of a worker.
        plan: what would be done, of a dry run. script: of a job array.
    """

    out: Path
    noun: str
    events: int
    shards: int
    made: int
    reused: int
    retried: int = 0
    seconds: float = 0.0
    rate: float | None = None
    worker_seconds: float = 0.0
    peak_MB: float = 0.0
    files: Mapping[str, Path] = field(default_factory=dict)
    plan: str = ""
    script: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready summary."""
        files = {name: str(path) for name, path in self.files.items()}
        return {**asdict(self), "out": str(self.out), "files": files}


def here(*names: str) -> dict[str, str]:
    """Versions of facsim and of the packages `names` on this machine, of those installed."""
    found = versions()
    return {name: found[name] for name in ("facsim", "numpy", *names) if name in found}


def farm(work: Work, how: How, reporter: Reporter) -> Farmed:
    """Make the shards of `work` that are missing, and the results of all.

    Raises:
        FacsimError: the folder holds shards of other settings, some shards failed, or the engine did; what was made
            stays, and the same call makes the rest.
    """
    job = work.job
    if how.dry_run:
        return _planned(work, how)
    if how.only_shard is not None and not 0 <= how.only_shard < len(work.shards):
        raise FacsimError(f"there are the shards 0 to {len(work.shards) - 1}, and no shard {how.only_shard}.")
    with nullcontext() if how.only_shard is not None else locked(job.folder, lambda text: reporter.say(text, "yellow")):
        claim(job)
        finished = _finished(work)
        if finished is not None and not any(job.file(shard).is_file() for shard in work.shards):
            return _farmed(work, {}, 0, files=finished)
        work.prepare()
        wanted = work.shards if how.only_shard is None else [work.shards[how.only_shard]]
        stamps, missing = _look(job, wanted, reporter)
        if how.script is not None:
            return _scripted(work, how, missing, stamps)
        ledger, seconds = Ledger(job, [] if how.merge else missing), 0.0
        if ledger.unfinished:
            begin = time.perf_counter()
            ledger = _make(work, missing, len(stamps), how, reporter)
            seconds = time.perf_counter() - begin
        made = {**stamps, **ledger.stamps}
        files: dict[str, Path] = {}
        if how.only_shard is None and (work.partial or not ledger.failures):
            files = _finish(work, made, finished if not missing else None, reporter)
        _check(ledger, wanted, made)
        if how.clean and files:
            _clean(work)
        return _farmed(work, made, len(stamps), ledger, seconds, files)


def _look(job: Job, shards: list[Shard], reporter: Reporter) -> tuple[Stamps, list[Shard]]:
    if not (job.folder / FOLDER).is_dir():
        return {}, shards
    with reporter.progress("checking shards") as advance:
        return divide(job, shards, lambda done: advance(done / len(shards), f"{done} of {len(shards)}"))


def _make(work: Work, missing: list[Shard], there: int, how: How, reporter: Reporter) -> Ledger:
    """Have the `missing` shards made by the engine."""
    total, begin = there + len(missing), time.perf_counter()
    with reporter.progress(work.job.folder.name or "farm") as advance:

        def hear(ledger: Ledger) -> None:
            done = sum(stamp.rows for stamp in ledger.stamps.values())
            rate = done / max(time.perf_counter() - begin, 1e-9)
            failed = f", {len(ledger.failures)} failed" if ledger.failures else ""
            ready = there + len(ledger.stamps)
            advance(ready / total, f"{ready} of {total} shards, {rate:.3g} {work.noun}/s{failed}")

        ledger = Ledger(work.job, missing, hear)
        advance(there / total, f"{there} of {total} shards")
        if how.with_dask:
            run_dask(ledger, how.cluster or LOCAL, how.count, how.resources, reporter.say)
        else:
            run_local(ledger, 1 if how.only_shard is not None else how.count)
    return ledger


def _check(ledger: Ledger, wanted: Sequence[Shard], made: Stamps) -> None:
    """Tell of shards that failed.

    Raises:
        FacsimError: some did.
    """
    left = len(wanted) - len(made) - len(ledger.failures)
    if not ledger.failures and left:
        raise FacsimError(
            f"{left} of {len(wanted)} shards are missing, and the results are of the others: give the same command "
            f"without --merge to make them{where_logs_are(ledger.job)}."
        )
    if not ledger.failures:
        return
    index, why = min(ledger.failures.items())
    rest = f", {left} were not begun after so many failures" if left else ""
    raise FacsimError(
        f"{len(ledger.failures)} of {len(wanted)} shards failed{rest}; shard {index}: {why.rstrip('.')}; the "
        f"{len(made)} that are made stay: mend the cause and give the same command again to make the rest."
    )


def _finish(work: Work, stamps: Stamps, finished: dict[str, Path] | None, reporter: Reporter) -> dict[str, Path]:
    """The results of all shards: those that are there, if still true, or new ones."""
    if not work.partial:
        check_whole(work.job, work.shards, stamps)
    if finished is not None:
        return finished
    with reporter.progress("merging") as advance:
        files = work.finish(stamps, advance)
        advance(1.0, "")
    if len(stamps) < len(work.shards):
        return files  # of some shards only: nothing is done yet
    folder = work.job.folder
    content = {
        "format": FORMAT,
        "settings": work.job.fingerprint,
        "shards": _places(work),
        "files": {name: [str(path.relative_to(folder)), asdict(mark(path))] for name, path in files.items()},
    }
    write_json(folder / DONE, content)
    return files


def _finished(work: Work) -> dict[str, Path] | None:
    """The results by name where they are of exactly these shards and unchanged."""
    folder = work.job.folder
    try:
        data = read_json(folder / DONE)
        if data["settings"] != work.job.fingerprint or data["shards"] != _places(work):
            return None
        files = {name: (folder / path, kept) for name, (path, kept) in data["files"].items()}
        same = all(mark(path).digest == kept["digest"] for path, kept in files.values())
        return {name: path for name, (path, _) in files.items()} if same else None
    except (FacsimError, AttributeError, KeyError, TypeError, ValueError):
        return None


def _places(work: Work) -> list[Any]:
    return [[shard.first, shard.stop, dict(shard.item)] for shard in work.shards]


def _clean(work: Work) -> None:
    folder = work.job.folder / FOLDER
    with told_of(folder):
        for shard in work.shards:
            work.job.stamp(shard).unlink(missing_ok=True)
            work.job.file(shard).unlink(missing_ok=True)
        for left in folder.glob(".shard-*"):  # of workers that were killed, on whatever machine
            shutil.rmtree(left, ignore_errors=True)
        if not any(folder.iterdir()):
            folder.rmdir()


def _planned(work: Work, how: How) -> Farmed:
    job = work.job
    stamps, missing = divide(job, work.shards)
    first = work.shards[0]
    plan = (
        f"{len(work.shards)} shards of up to {first.events} {work.noun} in '{job.folder / FOLDER}', "
        f"{len(missing)} of them to make"
    )
    if how.with_dask:
        where = how.cluster or LOCAL
        plan += f", by Dask ({where}) with {how.count} workers"
        script = job_script(where, how.resources, job.folder.absolute() / LOGS) if where in BATCH else ""
        return _farmed(work, stamps, len(stamps), plan=plan, script=script)
    return _farmed(work, stamps, len(stamps), plan=f"{plan}, by {how.count} processes of this machine")


def _scripted(work: Work, how: How, missing: list[Shard], stamps: Stamps) -> Farmed:
    """Write the job array for the shards that are missing."""
    if not missing:
        raise FacsimError("all shards are made: there is nothing to submit; give the same command with --merge.")
    assert how.script is not None
    folder = work.job.folder.absolute()
    text = array_script(how.script, how.command, [shard.index for shard in missing], folder, how.resources)
    path = folder / f"job.{how.script}"
    with told_of(folder / LOGS):
        (folder / LOGS).mkdir(exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return _farmed(work, stamps, len(stamps), files={"job": path}, script=text)


def _farmed(
    work: Work,
    stamps: Stamps,
    reused: int,
    ledger: Ledger | None = None,
    seconds: float = 0.0,
    files: Mapping[str, Path] | None = None,
    plan: str = "",
    script: str = "",
) -> Farmed:
    made = {} if ledger is None else ledger.stamps
    rows = sum(stamp.rows for stamp in made.values())
    return Farmed(
        out=work.job.folder,
        noun=work.noun,
        events=sum(shard.events for shard in work.shards),
        shards=len(work.shards),
        made=len(made),
        reused=reused,
        retried=0 if ledger is None else ledger.retried,
        seconds=round(seconds, 3),
        rate=rows / seconds if rows and seconds else None,
        worker_seconds=round(sum(stamp.seconds for stamp in stamps.values()), 3),
        peak_MB=max((stamp.peak_MB for stamp in made.values()), default=0.0),
        files=files or {},
        plan=plan,
        script=script,
    )
