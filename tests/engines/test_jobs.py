"""Jobs of Dask on a batch system: a small one of shell scripts, whose jobs are processes here, and a real Slurm."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from facsim.core.errors import FacsimError
from facsim.engines import dask, jobs
from facsim.engines.clusters import Resources, batch_cluster
from facsim.engines.dask import run_dask
from facsim.engines.jobs import Queued
from facsim.engines.ledger import Ledger
from facsim.engines.local import run_local
from facsim.engines.shards import FOLDER, LOGS, Job, cut

from .conftest import MakeJob, numbers

pytest.importorskip("dask_jobqueue")
pytestmark = pytest.mark.filterwarnings("ignore")
SBATCH = """
cp "$1" "$QUEUE/script.$$"
log=$(sed -n 's/^#SBATCH --output="\\(.*\\)"$/\\1/p' "$1")
run='exec > "$(echo "$1" | sed "s/%j[.]log/$$.log/; s/%%/%/g")" 2>&1; exec bash "$2"'
setsid sh -c "$run" sh "$log" "$QUEUE/script.$$" &
touch "$QUEUE/$!.job"
echo "Submitted batch job $!"
"""
SQUEUE = """
for job in "$QUEUE"/*.job; do
  number=$(basename "$job" .job)
  grep -qs '^State:.[RSD]' /proc/$number/status && echo "$number|R|None"
done
exit 0
"""
SCANCEL = 'kill -TERM -"$1"\n'
FAULTS = """
import resource, sys
from pathlib import Path
import numpy as np
from facsim.engines.shards import Job, cut
from facsim.engines.{module} import {make}
if __name__ == "__main__":
    found = {make}(Job("farm_toy:make", {{"seed": 1}}, Path(sys.argv[1])), cut(5, 5)[0])
    assert "stamp" in found, found
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(100):
        np.ones(500_000)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
Queue = Callable[[], list[str]]


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Queue:
    """Commands of Slurm that run jobs as processes; a function that gives the numbers of those submitted so far."""
    place = tmp_path / "bin"
    place.mkdir()
    for name, text in (("sbatch", SBATCH), ("squeue", SQUEUE), ("scancel", SCANCEL)):
        (place / name).write_text(f"#!/bin/sh\n{text}")
        (place / name).chmod(0o755)
    monkeypatch.setenv("QUEUE", str(place))
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
    monkeypatch.setattr(jobs, "PAUSE", 1.0)
    return lambda: sorted(path.stem for path in place.glob("*.job"))


def _stamps(job: Job) -> int:
    return len(list((job.folder / FOLDER).glob("*.stamp.json")))


def _later(condition: Callable[[], object], action: Callable[[], object]) -> threading.Thread:
    """Do `action` as soon as `condition` holds, for two minutes at most."""

    def wait() -> None:
        end = time.monotonic() + 120
        while time.monotonic() < end and not condition():
            time.sleep(0.05)
        action()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_a_refusal_is_told(toy: MakeJob, queue: Queue, tmp_path: Path) -> None:
    refuse = "#!/bin/sh\necho 'sbatch: error: invalid partition specified: nope' >&2\nexit 1\n"
    (tmp_path / "bin" / "sbatch").write_text(refuse)
    words = r"slurm does not take the jobs: sbatch: error: invalid partition specified: nope\.$"
    with pytest.raises(FacsimError, match=words):
        run_dask(Ledger(toy(), cut(10, 5)), "slurm", 2, Resources(interface="lo"), print)


def test_a_machine_without_the_batch_system_is_told(toy: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(FacsimError, match="does not take the jobs: there is no command 'condor_submit' here"):
        run_dask(Ledger(toy(), cut(10, 5)), "htcondor", 1, Resources(interface="lo"), print)


def test_jobs_that_end_before_their_worker_joins_are_told(toy: MakeJob, queue: Queue, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    (empty / "facsim").mkdir(parents=True)
    (empty / "facsim" / "__init__.py").write_text("raise ModuleNotFoundError('no facsim in this environment')\n")
    resources = Resources(interface="lo", prologue=[f"export PYTHONPATH={empty}"])
    job, told = toy("my out 5%j"), list[str]()
    with pytest.raises(FacsimError) as caught:
        run_dask(Ledger(job, cut(10, 5)), "slurm", 1, resources, told.append)
    assert "the jobs of slurm end before a worker joins" in str(caught.value)
    assert "ModuleNotFoundError: no facsim in this environment" in str(caught.value)
    assert str(job.folder / LOGS) in str(caught.value)
    assert len(queue()) == jobs.STARTS
    assert sorted(path.stem for path in (job.folder / LOGS).iterdir()) == queue()
    assert any("ended before its worker joined" in line for line in told)


@pytest.mark.slow
def test_a_job_that_is_lost_is_replaced_and_the_shards_are_those_of_local_processes(toy: MakeJob, queue: Queue) -> None:
    here, there = Ledger(toy("here"), cut(300, 10)), Ledger(toy("there", sleep=0.5), cut(300, 10))
    run_local(here, 1)
    killer = _later(
        lambda: _stamps(there.job) > 2, lambda: [os.killpg(int(number), signal.SIGKILL) for number in queue()]
    )
    run_dask(there, "slurm", 3, Resources(cores=2, interface="lo"), print)
    killer.join()
    assert len(queue()) == 4  # two jobs of two workers each, and those in their places
    assert there.failures == {}
    assert all(numbers(here.job, shard) == numbers(there.job, shard) for shard in cut(300, 10))
    assert subprocess.run(["squeue"], capture_output=True, text=True, check=True).stdout == ""


def test_a_shard_whose_worker_dies_before_its_answer_is_heard_is_made_again(
    toy: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask, "BREATH", 1.5)
    job = toy("out", sleep=0.2)
    told = job.folder / "tried-0"

    def kill() -> None:
        time.sleep(0.3)
        os.kill(int(told.read_text()), signal.SIGKILL)

    killer = _later(lambda: _stamps(job) == 1, kill)
    ledger = Ledger(job, cut(5, 5))
    run_dask(ledger, "local", 1, Resources(), print)
    killer.join()
    assert sorted(ledger.stamps) == [0]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="about the C library of Linux")
def test_workers_of_dask_keep_their_memory(toy: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "65536")  # as Dask sets it

    def faults(module: str, make: str) -> int:
        code = FAULTS.format(module=module, make=make)
        command = [sys.executable, "-c", code, str(toy(module).folder)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert faults("dask", "make_there") * 10 < faults("shards", "attempt")


def test_ctrl_c_stays_as_it_was(tmp_path: Path) -> None:
    code = (
        "import signal; from pathlib import Path; from facsim.engines.clusters import Resources, batch_cluster\n"
        "if __name__ == '__main__':\n"
        f"    batch_cluster('slurm', Resources(interface='lo'), Path({str(tmp_path)!r})).close()\n"
        "    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_jobs_of_htcondor_run_in_bash_and_write_to_the_logs(tmp_path: Path) -> None:
    cluster = batch_cluster("htcondor", Resources(interface="lo", prologue=["source setup.sh"]), tmp_path / "my logs")
    script = cluster.job_script()
    cluster.close()
    assert "Executable = /bin/bash" in script
    assert f"Output = {tmp_path}/my logs/$(ClusterId).log" in script
    assert "-c 'source setup.sh; " in script


def test_what_the_batch_systems_say_of_jobs() -> None:
    of_slurm = jobs._of_slurm("96|R|None\n97|PD|JobHeldUser\n98|PD|None\n")
    assert of_slurm == {"96": Queued(False, ""), "97": Queued(False, "JobHeldUser"), "98": Queued(False, "")}
    of_htcondor = jobs._of_htcondor("1.0 2 undefined\n2.0 1 undefined\n3.0 5 via condor_hold (by user ana)\n4.0 3 -\n")
    assert of_htcondor == {
        "1.0": Queued(False, ""),
        "2.0": Queued(False, "no machine so far"),
        "3.0": Queued(True, "held, via condor_hold (by user ana)"),
    }


def _slurm_answers() -> bool:
    if shutil.which("sbatch") is None:
        return False
    try:
        return "idle" in subprocess.run(["sinfo", "-h"], check=False, capture_output=True, text=True, timeout=10).stdout
    except subprocess.TimeoutExpired:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not _slurm_answers(), reason="needs a Slurm that answers")
def test_on_a_real_slurm(toy: MakeJob) -> None:
    here, there = Ledger(toy("here"), cut(40, 10)), Ledger(toy("there"), cut(40, 10))
    run_local(here, 1)
    run_dask(there, "slurm", 2, Resources(memory="1GB", walltime="00:10:00"), print)
    assert all(numbers(here.job, shard) == numbers(there.job, shard) for shard in cut(40, 10))
