"""The jobs of a Dask cluster on a batch system: submitted, watched, replaced when they end, and told when they fail.

Dask alone waits for ever for jobs that were refused, that died before their worker joined, or that are held.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path
from typing import Any

from facsim.core.errors import FacsimError

PAUSE = 15.0
"""Seconds between questions to the batch system."""
ABSENT = 4
"""Times in a row that the worker of a running job may be missed; then the job is replaced."""
STARTS = 2
"""Jobs of one place that may end before their worker joins; then the place is given up."""


@dataclass(frozen=True)
class Queued:
    """A job that the batch system knows: held or not, and why it waits; empty where it runs."""

    held: bool
    why: str


def queued(where: str) -> dict[str, Queued] | None:
    """The user's jobs in the queue of `slurm` or `htcondor`, by number; None where it does not answer."""
    if where == "slurm":
        command = ["squeue", "--noheader", f"--user={getuser()}", "--format=%i|%t|%r"]
    else:
        command = ["condor_q", "-af:j", "JobStatus", "HoldReason"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return (_of_slurm if where == "slurm" else _of_htcondor)(done.stdout)


class Jobs:
    """The jobs of `cluster`, of dask-jobqueue.

    Args:
        where: `slurm` or `htcondor`.
        cluster: without jobs so far.
        logs: folder with the output of each job, NUMBER.log.
        say: told what the user has to know.
    """

    def __init__(self, where: str, cluster: Any, logs: Path, say: Callable[[str], None]) -> None:
        self._where, self._cluster, self._logs, self._say = where, cluster, logs, say
        self._joined: set[str] = set()
        self._early: Counter[str] = Counter()
        self._absent: Counter[str] = Counter()
        self._next = 0.0
        self._told = ""

    def submit(self, count: int) -> None:
        """Submit `count` jobs.

        Raises:
            FacsimError: the batch system refuses.
        """
        while len(self._cluster.worker_spec) < count:
            self._cluster.worker_spec.update(self._cluster.new_worker_spec())
        self._next = time.monotonic() + PAUSE
        refusal = self._correct({})
        if refusal:
            raise FacsimError(f"{self._where} does not take the jobs: {refusal}.")
        self._say(f"  {count} jobs of {self._where}; what they say goes to '{self._logs}'")

    def look(self) -> None:
        """Replace jobs that ended, now and then; to be called often.

        Raises:
            FacsimError: no job brings a worker, or no more jobs are taken while there is no worker.
        """
        if time.monotonic() < self._next:
            return
        there = queued(self._where)
        if there is not None:
            self._replace(there)
        self._next = time.monotonic() + PAUSE

    def _replace(self, there: dict[str, Queued]) -> None:
        cluster, observed, last = self._cluster, self._cluster.observed, ""
        ended: dict[str, bool] = {}
        waiting = []
        for name, spec in list(cluster.worker_spec.items()):
            if any(f"{name}{suffix}" in observed for suffix in spec.get("group", ("",))):
                self._joined.add(name)
                self._early[name] = self._absent[name] = 0
                continue
            number = getattr(cluster.workers.get(name), "job_id", None)
            state = there.get(str(number))
            if state is not None and not state.held:
                self._absent[name] += name in self._joined
                if self._absent[name] < ABSENT:
                    waiting.append(state.why)
                    continue
            ended[name] = state is not None
            if number is not None and name not in self._joined:
                self._early[name] += 1
                last = f"job {number}: {state.why if state else self._last_words(number)}"
            if self._early[name] >= STARTS:
                del cluster.worker_spec[name]
        if not cluster.worker_spec:
            raise FacsimError(
                f"the jobs of {self._where} end before a worker joins ({last}): their output is in '{self._logs}'."
            )
        if last:
            self._tell(f"a job of {self._where} ended before its worker joined, {last}")
        if not observed and any(waiting):
            self._tell(f"{len(waiting)} jobs wait in {self._where}: {', '.join(sorted(set(filter(None, waiting))))}")
        self._renew(ended, bool(observed))

    def _renew(self, ended: dict[str, bool], others: bool) -> None:
        """Submit again what `ended`; of each whether the batch system still holds it."""
        self._joined -= ended.keys()
        self._absent -= Counter(dict.fromkeys(ended, ABSENT))
        refusal = self._correct(ended) if ended else ""
        if refusal and not others:
            raise FacsimError(f"{self._where} takes no more jobs, and none is left: {refusal}.")
        if refusal:
            self._tell(f"{self._where} takes no more jobs for now: {refusal}")

    def _correct(self, ended: dict[str, bool]) -> str:
        """Forget the jobs that `ended` and have Dask submit what is missing; why it was refused, if it was."""

        async def correct() -> None:
            for name, held in ended.items():
                job = self._cluster.workers.pop(name, None)
                if job is not None and held:
                    await job.close()
            await self._cluster

        try:
            self._cluster.sync(correct)
        except (OSError, RuntimeError, ValueError) as error:
            _fail(self._cluster.workers.values())
            return _refusal(error)
        return ""

    def _last_words(self, number: str) -> str:
        """The line of a job's output that says most of why it ended."""
        lines: list[str] = []
        with suppress(OSError):
            text = (self._logs / f"{number.partition('.')[0]}.log").read_text(encoding="utf-8", errors="replace")
            lines = [line.strip() for line in text.splitlines() if line.strip()]
        errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b|.*\b[Ee]rror:", line)]
        return (errors or lines or ["it said nothing"])[-1][:300]

    def _tell(self, text: str) -> None:
        if text != self._told:
            self._say(f"  {text}")
        self._told = text


def _fail(jobs: Iterable[Any]) -> None:
    """Mark those that were not submitted, which Dask would not close."""
    from distributed import Status  # noqa: PLC0415

    for job in jobs:
        if job.job_id is None:
            job.status = Status.failed


def _refusal(error: Exception) -> str:
    """The words of the batch system, of an error of dask-jobqueue."""
    if isinstance(error, FileNotFoundError):
        return f"there is no command '{error.filename}' here"
    lines = [line.strip() for line in str(error).partition("stderr:")[2].splitlines() if line.strip()]
    return "; ".join(lines or str(error).splitlines()).rstrip(".")[:300]


def _of_slurm(text: str) -> dict[str, Queued]:
    """Of lines `NUMBER|STATE|REASON`."""
    found = {}
    for line in text.splitlines():
        number, state, why = (word.strip() for word in line.split("|", 2))
        found[number] = Queued(False, why if state == "PD" and why != "None" else "")
    return found


def _of_htcondor(text: str) -> dict[str, Queued]:
    """Of lines `NUMBER STATUS REASON`: 1 waits, 3 and 4 are over, 5 is held."""
    found = {}
    for line in text.splitlines():
        number, state, why = (*line.split(None, 2), "")[:3]
        if state not in ("3", "4"):
            held = state == "5"
            found[number] = Queued(held, f"held, {why}" if held else "no machine so far" if state == "1" else "")
    return found
