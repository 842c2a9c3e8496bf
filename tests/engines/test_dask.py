"""Dask: the same shards as local processes, and workers and schedulers that are killed lose nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from facsim.core.errors import FacsimError
from facsim.core.store import read_json
from facsim.engines.clusters import Resources
from facsim.engines.dask import _outcome, run_dask
from facsim.engines.ledger import Ledger
from facsim.engines.local import run_local
from facsim.engines.shards import FOLDER, Job, cut, divide, sweep

from .conftest import MakeJob, numbers

pytest.importorskip("distributed")
from distributed.client import FutureCancelledError
from distributed.comm import CommClosedError

RUN = """
import sys
from pathlib import Path
from facsim.core.errors import FacsimError
from facsim.engines.clusters import Resources
from facsim.engines.dask import run_dask
from facsim.engines.ledger import Ledger
from facsim.engines.shards import Job, cut
if __name__ == "__main__":
    job = Job("farm_toy:make", {"seed": 1, "sleep": 0.3}, Path(sys.argv[1]))
    try:
        run_dask(Ledger(job, cut(300, 10)), sys.argv[2], 2, Resources(), print)
    except FacsimError as error:
        sys.exit(str(error))
"""


def _stamps(job: Job) -> int:
    return len(list((job.folder / FOLDER).glob("*.stamp.json")))


def _wait(condition: Callable[[], object], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@pytest.mark.filterwarnings("ignore")
def test_shards_of_dask_are_those_of_local_processes(toy: MakeJob) -> None:
    shards, told = cut(55, 10), []
    trouble = {"1": "refuse", "2": "flaky"}
    here, there = Ledger(toy("here", trouble=trouble), shards), Ledger(toy("there", trouble=trouble), shards)
    run_local(here, 1)
    run_dask(there, "local", 2, Resources(), told.append)
    assert there.failures == here.failures == {1: "the toy refuses."}
    assert sorted(there.stamps) == sorted(here.stamps) == [0, 2, 3, 4, 5]
    assert all(numbers(here.job, shards[i]) == numbers(there.job, shards[i]) for i in here.stamps)
    assert "scheduler tcp://127.0.0.1:" in told[0]
    assert "dashboard" in told[0]


def test_a_scheduler_that_is_not_there_is_told(toy: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facsim.engines.dask.REACHED", 0.5)
    with pytest.raises(FacsimError, match=r"no Dask scheduler answers at 'tcp://127\.0\.0\.1:9'"):
        run_dask(Ledger(toy(), cut(10, 5)), "tcp://127.0.0.1:9", 1, Resources(), print)


@pytest.mark.parametrize(
    ("error", "status", "cancelled"),
    [
        (CommClosedError("Stream is closed"), "connecting", False),
        (FutureCancelledError("attempt-1", "scheduler-connection-lost"), "running", True),
    ],
)
def test_a_connection_lost_while_an_outcome_is_fetched_is_a_scheduler_that_is_gone(
    toy: MakeJob, error: BaseException, status: str, cancelled: bool
) -> None:
    class Lost:
        status = "finished"

        def result(self, timeout: float) -> None:
            raise error

        def cancelled(self) -> bool:
            return cancelled

    future = Lost()
    future.client = SimpleNamespace(status=status)  # type: ignore[attr-defined]
    with pytest.raises(FacsimError, match=r"the Dask scheduler is gone: .* at most 3 are left"):
        _outcome(Ledger(toy(), cut(30, 10)), future)


@pytest.mark.slow
def test_killing_a_worker_and_then_the_scheduler_loses_nothing(toy: MakeJob, tmp_path: Path) -> None:
    job, shards, address = toy("out", sleep=0.3), cut(300, 10), tmp_path / "scheduler.json"
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard"]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    scheduler = subprocess.Popen([*dask, "--host", "127.0.0.1", "--scheduler-file", str(address)], **quiet)
    _wait(address.is_file)
    workers = [subprocess.Popen([*worker, "--scheduler-file", str(address)], **quiet) for _ in range(2)]
    try:
        _wait(lambda: "tcp" in address.read_text())
        where = read_json(address)["address"]
        command = subprocess.Popen(
            [sys.executable, "-c", RUN, str(job.folder), where], stderr=subprocess.PIPE, text=True
        )
        _wait(lambda: _stamps(job) >= 3)
        workers[0].kill()
        done = _stamps(job)
        _wait(lambda: _stamps(job) >= done + 3)
        scheduler.kill()
        _, told = command.communicate(timeout=120)
        assert command.returncode == 1
        assert "the Dask scheduler is gone: the shards that are made stay" in told
        assert "Traceback" not in told
    finally:
        for process in (scheduler, *workers):
            process.kill()
            process.wait()
    stamps, missing = divide(job, shards)
    times = {i: job.file(shards[i]).stat().st_mtime_ns for i in stamps}
    assert 6 <= len(stamps) < 30
    ledger = Ledger(job, missing)
    run_local(ledger, 2)
    assert sorted(ledger.stamps) == [shard.index for shard in missing]
    assert {i: job.file(shards[i]).stat().st_mtime_ns for i in stamps} == times
    assert not list((job.folder / FOLDER).glob(".*"))


@pytest.mark.slow
def test_killing_the_whole_command_with_its_cluster_loses_nothing(toy: MakeJob) -> None:
    job = toy("out", sleep=0.3)
    command = subprocess.Popen([sys.executable, "-c", RUN, str(job.folder), "local"], stdout=subprocess.DEVNULL)
    _wait(lambda: _stamps(job) >= 3)
    os.kill(command.pid, signal.SIGKILL)
    command.wait()

    def ended() -> bool:
        sweep(job.folder)
        return not list((job.folder / FOLDER).glob(".*"))

    _wait(ended)  # orphans end by themselves; what they were at is half done
    stamps, missing = divide(job, cut(300, 10))
    assert 3 <= len(stamps) < 30
    assert len(stamps) + len(missing) == 30
