"""Dask clusters: of this machine, of Slurm or HTCondor by dask-jobqueue, or one whose scheduler runs already."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from facsim.core.errors import FacsimError, MissingExtraError
from facsim.core.store import told_of
from facsim.engines.jobs import Jobs

BATCH = ("slurm", "htcondor")


class Resources(BaseModel):
    """What a job of a batch system asks for.

    Args:
        cores: of a job; as many worker processes share it.
        memory: of a job, as 4GB.
        disk: of a job, HTCondor only.
        walltime: HH:MM:SS.
        queue: partition of Slurm.
        account: who pays, Slurm only.
        directives: further lines of the batch system, as `--gres=gpu:1` (Slurm) or `+JobFlavour = "workday"`
            (HTCondor).
        prologue: lines of the shell before the work, as `module load python`.
        python: interpreter of the workers; by default that of the command.
        interface: network interface of scheduler and workers, as ib0.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    cores: Annotated[int, Field(ge=1)] = 1
    memory: Annotated[str, Field(pattern=r"^\d+(\.\d+)? ?[KMGT]i?B$")] = "4GB"
    disk: Annotated[str, Field(pattern=r"^\d+(\.\d+)? ?[KMGT]i?B$")] = "4GB"
    walltime: Annotated[str, Field(pattern=r"^\d+:[0-5]\d:[0-5]\d$")] = "08:00:00"
    queue: str | None = None
    account: str | None = None
    directives: list[str] = []
    prologue: list[str] = []
    python: str | None = None
    interface: str | None = None

    @property
    def seconds(self) -> int:
        """Walltime in seconds."""
        hours, minutes, seconds = map(int, self.walltime.split(":"))
        return 3600 * hours + 60 * minutes + seconds


def read_resources(path: Path | None, given: dict[str, Any]) -> Resources:
    """Resources from a YAML file, if any, and from options that were `given`, which win.

    Raises:
        FacsimError: no such file, an unknown key, or a bad value.
    """
    try:
        found = {} if path is None else yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        return Resources.model_validate({**found, **{key: value for key, value in given.items() if value}})
    except OSError as error:
        raise FacsimError(f"cannot read '{path}': {error.strerror}.") from None
    except (yaml.YAMLError, TypeError, UnicodeDecodeError) as error:
        raise FacsimError(f"'{path}' is no YAML mapping of resources: {str(error).splitlines()[0]}.") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "resources"
        raise FacsimError(
            f"{where} of the batch jobs: {first['msg']} (got {first.get('input')!r}); "
            f"known are {', '.join(Resources.model_fields)}."
        ) from None


@contextmanager
def open_cluster(
    where: str, workers: int, resources: Resources, logs: Path, say: Callable[[str], None]
) -> Iterator[tuple[Any, Callable[[], None]]]:
    """The cluster `where` with `workers` processes, closed at the end, and what is to be called often while it works.

    An address is passed on as it is. The output of batch jobs goes to `logs`; `say` is told of them.

    Raises:
        MissingExtraError: dask-jobqueue is not installed.
        FacsimError: the batch system refuses, or `logs` cannot be written.
    """
    if where not in ("local", *BATCH):
        yield where, lambda: None
        return
    cluster = _local(workers) if where == "local" else batch_cluster(where, resources, logs)
    try:
        if where == "local":
            yield cluster, lambda: None
            return
        with told_of(logs):
            logs.mkdir(parents=True, exist_ok=True)
        jobs = Jobs(where, cluster, logs, say)
        jobs.submit(-(-workers // resources.cores))
        yield cluster, jobs.look
    finally:
        cluster.close(timeout=10)


def _local(workers: int) -> Any:
    import distributed  # noqa: PLC0415

    library: Any = distributed  # which is typed in part only
    return library.LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=":0", memory_limit=0
    )


def batch_cluster(where: str, resources: Resources, logs: Path) -> Any:
    """A cluster of dask-jobqueue, without jobs so far; their output goes to `logs`.

    Raises:
        MissingExtraError: dask-jobqueue is not installed.
    """
    if find_spec("dask_jobqueue") is None:
        raise MissingExtraError("dask", "dask-jobqueue")
    on_interrupt = signal.getsignal(signal.SIGINT)
    import dask_jobqueue  # noqa: PLC0415

    if signal.getsignal(signal.SIGINT) is not on_interrupt:  # its import has Ctrl-C end all quietly, with status 0
        signal.signal(signal.SIGINT, on_interrupt)
    library: Any = dask_jobqueue
    common: dict[str, Any] = {
        "cores": resources.cores,
        "processes": resources.cores,
        "memory": resources.memory,
        "job_script_prologue": resources.prologue,
        "interface": resources.interface,
        "job_name": "facsim-farm",
        "python": shlex.quote(resources.python or sys.executable),
        "scheduler_options": {"dashboard_address": ":0"},
        "worker_extra_args": [
            *("--lifetime", f"{max(resources.seconds - 300, 60)}s", "--lifetime-stagger", "60s"),
            *("--preload", "facsim"),  # where it is missing a job ends at once, and says why
        ],
    }
    if where == "slurm":
        return library.SLURMCluster(
            **common,
            walltime=resources.walltime,
            queue=resources.queue,
            account=resources.account,
            job_extra_directives=[f'--output="{slurm_path(logs)}/%j.log"', *resources.directives],
        )
    extra = {
        "getenv": "True",  # as of jobs of Slurm
        "+MaxRuntime": str(resources.seconds),
        "Output": f"{logs}/$(ClusterId).log",
        "Error": f"{logs}/$(ClusterId).log",
        "Stream_Output": "True",
        "Stream_Error": "True",
        **_pairs(resources.directives),
    }
    # by default sh, which has no `source`
    bash = type("Job", (library.htcondor.HTCondorJob,), {"executable": "/bin/bash"})
    return library.HTCondorCluster(**common, job_cls=bash, disk=resources.disk, job_extra_directives=extra)


def slurm_path(path: Path) -> str:
    """`path` as Slurm's patterns of file names want it, where % has a meaning."""
    return str(path).replace("%", "%%")


def job_script(where: str, resources: Resources, logs: Path) -> str:
    """The job that dask-jobqueue would submit for one worker.

    Raises:
        MissingExtraError: dask-jobqueue is not installed.
    """
    cluster = batch_cluster(where, resources, logs)
    try:
        return str(cluster.job_script())
    finally:
        cluster.close(timeout=10)


def _pairs(lines: list[str]) -> dict[str, str]:
    """Lines `key = value` of HTCondor.

    Raises:
        FacsimError: a line is none.
    """
    found = {}
    for line in lines:
        key, equals, value = line.partition("=")
        if not equals:
            raise FacsimError(f"a directive of HTCondor reads 'key = value', not '{line}'.")
        found[key.strip()] = value.strip()
    return found
