"""Local processes: the same results for any number, and deaths that cost no more than the shards they hit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from facsim.core.errors import FacsimError
from facsim.engines.ledger import PATIENCE, Ledger
from facsim.engines.local import run_local
from facsim.engines.shards import FOLDER, Job, Shard, cut, divide

from .conftest import MakeJob, numbers


def _run(job: Job, shards: list[Shard], workers: int) -> Ledger:
    ledger = Ledger(job, shards)
    run_local(ledger, workers)
    assert ledger.unfinished == 0
    return ledger


def test_the_number_of_workers_does_not_matter(toy: MakeJob) -> None:
    shards = cut(95, 10)
    ledgers = [_run(toy(f"out{n}"), shards, n) for n in (1, 2, 4)]
    assert all(len(ledger.stamps) == 10 for ledger in ledgers)
    one, two, four = ([numbers(ledger.job, shard) for shard in shards] for ledger in ledgers)
    assert one == two == four


def test_troubles_hit_only_their_shards(toy: MakeJob) -> None:
    trouble = {"0": "dies-once", "2": "dies", "4": "refuse", "5": "flaky"}
    job, shards = toy(trouble=trouble, retries=1), cut(70, 10)
    ledger = _run(job, shards, 2)
    assert sorted(ledger.stamps) == [0, 1, 3, 5, 6]
    assert ledger.failures == {2: "its worker died, signal SIGKILL", 4: "the toy refuses."}
    assert ledger.retried == 3
    assert not list((job.folder / FOLDER).glob(".*"))
    assert [shard.index for shard in divide(job, shards)[1]] == [2, 4]


def test_what_never_works_is_given_up(toy: MakeJob) -> None:
    shards = cut(40, 1)
    ledger = _run(toy(trouble={str(i): "refuse" for i in range(40)}), shards, 2)
    assert PATIENCE <= len(ledger.failures) <= PATIENCE + 1


def test_an_interpreter_that_does_not_start_is_told(toy: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facsim.engines.local.WORKER", "facsim.engines.no_such_module")
    with pytest.raises(FacsimError, match=r"ended before it was ready: exit status 1 .*no_such_module"):
        run_local(Ledger(toy(), cut(10, 5)), 2)


RUN = """
import sys
from pathlib import Path
from facsim.engines.ledger import Ledger
from facsim.engines.local import run_local
from facsim.engines.shards import Job, cut
job = Job("farm_toy:make", {"seed": 1, "sleep": 0.3}, Path(sys.argv[1]))
try:
    run_local(Ledger(job, cut(200, 10)), 2)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGKILL])
def test_an_interruption_leaves_what_is_done(toy: MakeJob, tmp_path: Path, signum: signal.Signals) -> None:
    job = toy("out", sleep=0.3)
    process = subprocess.Popen([sys.executable, "-c", RUN, str(job.folder)])
    _wait(lambda: len(list((job.folder / FOLDER).glob("*.stamp.json"))) >= 3)
    os.kill(process.pid, signum)
    assert process.wait(60) == (130 if signum == signal.SIGINT else -signal.SIGKILL)
    # workers whose master is gone finish their shard and end
    _wait(lambda: not list((job.folder / FOLDER).glob(".*")))
    stamps, missing = divide(job, cut(200, 10))
    assert 3 <= len(stamps) < 20
    ledger = _run(toy("out", sleep=0.3), missing[:2], 2)
    assert sorted(ledger.stamps) == [shard.index for shard in missing[:2]]


def _wait(condition: Callable[[], object], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
